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
