"""``coarsefine calibrate``, and the levels and sets that ``predict`` then gives: said, written and refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.classifier import HierarchicalClassifier

ROOT = Path(__file__).parents[3]
WISHES = ("--precision", "0.8", "--delta", "0.2", "--coverage", "0.8", "--false-alarms", "0.05")


@pytest.fixture
def files(english, fitted_lexical, tmp_path):
    """A model, and documents that it has not seen."""
    fitted_lexical.save_pretrained(tmp_path / "model")
    lines = [json.dumps({"text": t, "label": label}) for t, label in zip(*english.test, strict=True)]
    (tmp_path / "calibration.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_the_command_as_a_process(files):
    command = ["calibrate", files / "model", files / "calibration.jsonl", "-o", files / "model", *WISHES]
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *map(str, command)],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Promises, from 48 documents" in done.stdout
    assert "precision 0.8, with probability 0.8" in done.stdout
    assert "hold the right label 80% of the time" in done.stdout
    assert "5% false alarms" in done.stdout
    promises = HierarchicalClassifier.from_pretrained(files / "model").model_.promises
    assert (promises.documents, promises.back_off.precision, promises.conformal.coverage) == (48, 0.8, 0.8)


def test_predict_shows_level_and_set(files, cli):
    assert cli("calibrate", files / "model", files / "calibration.jsonl", "-o", files / "new", *WISHES).exit_code == 0
    shown = cli("predict", files / "new", "--text", "lamps bulb light shade switch", "--sets", "labels")
    assert "Answered with the fine label." in shown.output
    assert "Set of labels: lamps" in shown.output
    strange = json.loads(cli("predict", files / "new", "--text", "xyzzy", "--sets", "tree", "--json").output)
    assert (strange["level"], strange["reason"]) == ("none", "nothing_known")
    assert strange["set_level"] == "group"
    without = cli("predict", files / "model", "--text", "lamps bulb light shade switch")
    assert "Answered" not in without.output


def test_bad_wishes_are_told(files, cli, capsys):
    calibration = files / "calibration.jsonl"
    for arguments, told in (
        ((), f"name the folder of the new model: -o NEW, or -o {files / 'model'}"),
        (("-o", files / "new", "--precision", "95"), "precision is 95.0: it must lie between 0 and 1"),
        (
            ("-o", files / "new"),
            "48 calibration documents are too few to promise precision 0.95 with delta 0.1: it takes 59",
        ),
        (("-o", files / "new", *WISHES[:4], "--false-alarms", "0.001"), "it takes 999 at least"),
        (("-o", files / "calibration.jsonl"), "is a file: name a folder for the model"),
    ):
        done = cli("calibrate", files / "model", calibration, *arguments)
        assert done.exit_code == 2
        assert told in " ".join((done.output + capsys.readouterr().err).split())
        assert not (files / "new").exists()
    done = cli("predict", files / "model", "--text", "a lamp", "--sets", "tree")
    assert done.exit_code == 2
    assert "calibrate it first" in done.output
    assert (
        "'trees' is not one of 'labels', 'tree'"
        in cli("predict", files / "model", "--text", "a", "--sets", "trees").output
    )


def test_a_cascade_from_the_command_to_the_answers(saved, english, cli, tmp_path):
    for name, part in (("calibration", english.valid), ("cascade", english.test)):
        lines = [json.dumps({"text": t, "label": label}) for t, label in zip(*part, strict=True)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines * 10) + "\n", encoding="utf-8")
    files, model = [str(tmp_path / f"{name}.jsonl") for name in ("calibration", "cascade")], tmp_path / "model"
    command = ["calibrate", saved, files[0], "-o", model, *WISHES, "--cascade", "2", "--cascade-data", files[1]]
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *map(str, command)],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = " ".join(done.stdout.split())
    assert "of 280 documents" in shown
    assert "at most 2 points of accuracy lost, with probability 0.8" in shown
    record = json.loads((model / "run.json").read_text(encoding="utf-8"))
    assert (record["documents"]["calibration"], record["documents"]["cascade"]) == (480, 480)
    assert record["sources"]["cascade"].endswith("cascade.jsonl")

    assert cli("predict", model, tmp_path / "cascade.jsonl", "-o", tmp_path / "answers.jsonl").exit_code == 0
    answers = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {answer["read"] for answer in answers} == {"ngrams", "encoder"}
    for said, reader in (("Read by the n-grams alone", "ngrams"), ("Read by the encoder", "encoder")):
        text = english.test[0][[answer["read"] for answer in answers].index(reader)]
        assert said in cli("predict", model, "--text", text).output
        assert json.loads(cli("predict", model, "--text", text, "--json").output)["read"] == reader
    assert "Read by" not in cli("predict", saved, "--text", english.test[0][0]).output

    again = ["calibrate", model, tmp_path / "calibration.jsonl", "-o", model, *WISHES]
    assert cli(*again).exit_code == 0
    assert HierarchicalClassifier.from_pretrained(model).model_.cascade is None
    alone = cli(*again, "--cascade-data", files[1])
    assert alone.exit_code == 2
    assert "none is asked for: give cascade too" in " ".join(alone.output.split())
