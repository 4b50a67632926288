"""``coarsefine tune``: as a process that is killed, and what it says, writes and refuses."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny import TINY

from pipelines.config import load_config

ROOT = Path(__file__).parents[3]
SPACE = "classifier.lexical_C: {type: float, low: 0.01, high: 10, log: true}\nclassifier.negatives: [all, group]\n"


@pytest.fixture
def files(english, tmp_path):
    """Documents, a space, and a config without an encoder."""
    for part in ("train", "valid", "test"):
        lines = [json.dumps({"text": t, "label": label}) for t, label in zip(*getattr(english, part), strict=True)]
        (tmp_path / f"{part}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    english.taxonomy.to_yaml(tmp_path / "taxonomy.yaml")
    (tmp_path / "space.yaml").write_text(SPACE, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(
        f"taxonomy: {tmp_path}/taxonomy.yaml\n"
        f"data:\n  train: {tmp_path}/train.jsonl\n  valid: {tmp_path}/valid.jsonl\n  test: {tmp_path}/test.jsonl\n"
        f"classifier:\n  encoder: none\n  n_jobs: 1\nrun_dir: {tmp_path}/run\noutput: {tmp_path}/model\n",
        encoding="utf-8",
    )
    return tmp_path


def command(files, *more):
    return ["tune", files / "space.yaml", "--config", files / "config.yaml", "-o", files / "tuned", *more]


def trials_of(files, folder="tuned"):
    return json.loads((files / folder / "trials.json").read_text(encoding="utf-8"))["trials"]


def values_of(trials):
    return [(trial["number"], trial["params"], trial["figures"], trial["curve"]) for trial in trials]


def test_from_space_to_a_trained_model(files, cli):
    done = cli(*command(files, "--trials", 3, "--test", "--html", files / "tuned.html"))
    assert done.exit_code == 0, done.output
    assert "Trials, on the validation documents" in done.stdout
    assert "(best)" in done.stdout
    assert "Test, 48 documents; look 1 at them" in " ".join(done.stdout.split())  # a title folds at its table's width
    trials = trials_of(files)
    assert len(trials) == 3
    page = (files / "tuned.html").read_text(encoding="utf-8")
    assert "On the test documents" in page

    best = load_config(files / "tuned" / "best.yaml")
    assert best.data == load_config(files / "config.yaml").data
    trained = cli("train", "--config", files / "tuned" / "best.yaml", "--no-baselines")
    assert trained.exit_code == 0, trained.output
    test = json.loads((files / "tuned" / "trials.json").read_text(encoding="utf-8"))["test"]
    metrics = json.loads((files / "model" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["accuracy"]["value"] == pytest.approx(test["chosen"]["accuracy"])

    again = cli(*command(files, "--trials", 3))
    assert again.exit_code == 0
    assert trials_of(files) == trials  # with the same seconds: nothing was run


def test_documents_that_tune_does_not_need_are_not_read(files, cli):
    for part in ("test", "calibration"):
        broken = files / f"{part}.jsonl"
        broken.write_text("no json\n", encoding="utf-8")
    extra = ("--set", f"data.calibration={files / 'calibration.jsonl'}", "--trials", 1)
    assert cli(*command(files, *extra)).exit_code == 0
    assert cli(*command(files, *extra, "--test")).exit_code == 2


def test_a_killed_tune_goes_on_without_a_trial_lost_or_run_twice(files, cli, tiny_encoder):
    neural = {"trainable": "frozen", "dtype": "float32", "segment_tokens": 32, "overlap": 8, "encoder": tiny_encoder}
    options = [argument for key, value in neural.items() for argument in ("--set", f"classifier.{key}={value}")]
    options += ["--set", f"classifier.training.learning_rate={TINY['training']['learning_rate']}"]
    options += ["--set", "classifier.training.num_train_epochs=3", "--trials", 4]
    (files / "space.yaml").write_text(
        SPACE + "classifier.training.weight_decay: {type: float, low: 0, high: 0.1}\n", encoding="utf-8"
    )
    arguments = command(files, *options)
    killed = start(arguments)
    lines = []
    assert killed.stderr is not None
    for line in killed.stderr:  # the first epoch of trial 2
        lines.append(line)
        if "epoch 1 of" in line and any("trial 2 of 4 ..." in earlier for earlier in lines):
            break
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    before = trials_of(files)
    assert [trial["number"] for trial in before] == [0, 1]

    code, _, told = finish(start(arguments))
    assert code == 0, told
    assert "2 trials there already" in told
    after = trials_of(files)
    assert after[:2] == before  # to the second
    assert "trial 0 of" not in told
    assert "trial 1 of" not in told
    assert [trial["number"] for trial in after] == [0, 1, 2, 3]
    tried = next(line.partition(" ")[2] for line in lines[::-1] if "lexical_C: " in line)
    assert tried in told  # the same values

    assert cli(*arguments, "--set", f"run_dir={files / 'whole'}", "-o", files / "whole-tuned").exit_code == 0
    assert values_of(trials_of(files, "whole-tuned")) == values_of(after)


def start(arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process):
    out, err = process.communicate(timeout=180)
    assert "Traceback" not in err, err
    return process.returncode, out, err


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_the_file_whole(files, cli):
    """Without an encoder trials are short: kills fall into the writing of a trial too."""
    arguments = command(files, "--trials", 6)
    for _ in range(2):
        killed = start(arguments)
        counted = len(trials_of(files)) if (files / "tuned" / "trials.json").exists() else 0
        deadline = time.monotonic() + 60
        while killed.poll() is None and time.monotonic() < deadline:
            if (files / "tuned" / "trials.json").exists() and len(trials_of(files)) > counted + 1:
                killed.kill()
        killed.communicate()
    assert cli(*arguments).exit_code == 0
    assert cli(*arguments, "--set", f"run_dir={files / 'whole'}", "-o", files / "whole-tuned").exit_code == 0
    assert values_of(trials_of(files)) == values_of(trials_of(files, "whole-tuned"))


def test_what_is_wrong_is_told_before_any_work(files, cli):
    def message(*more, space=None):
        if space is not None:
            (files / "space.yaml").write_text(space, encoding="utf-8")
        done = cli(*command(files, *more))
        assert done.exit_code == 2, done.output
        assert done.stdout == ""
        assert not (files / "run").exists()
        assert not (files / "tuned").exists()
        return done.stderr

    assert "is a file: name a folder" in message("-o", files / "train.jsonl")
    assert "the folder of" in message("--html", files / "none" / "page.html")
    assert "set data.test, or leave --test out" in message("--test", "--set", "data.test=null")
    assert "classifier.lexical_C has no step" in message("--sampler", "grid")
    assert "figure 'f1' is not known" in message("--figure", "f1")
    told = message(space="classifier.lexical_c: [1, 2]\nclassifier.beam: {type: int, low: 3, high: 1}\n")
    assert "space.yaml: 2 problems" in told
    assert "line 1: classifier.lexical_c: no such setting, did you mean 'classifier.lexical_C'?" in told
    assert "line 2: classifier.beam: the range from 3 to 1 is empty" in told
    assert "line 1" in message("--set", "classifier.encoder=none", space="classifier.x: [1, 2]\n")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_a_kill_while_trials_run_beside_each_other_loses_none(files, cli, monkeypatch, request, engine):
    if engine == "ray":
        monkeypatch.setenv("HOME", request.getfixturevalue("home_of_ray"))
    arguments = command(files, "--trials", 12, "--sampler", "random")
    beside = (*arguments, "--engine", engine, "--processes", 2)
    file, deadline = files / "tuned" / "trials.json", time.monotonic() + 120
    killed = start(beside)
    while killed.poll() is None and time.monotonic() < deadline and not (file.exists() and len(trials_of(files)) > 2):
        time.sleep(0.01)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    before = trials_of(files)
    assert 2 < len(before) < 12

    code, _, told = finish(start(beside))
    assert code == 0, told
    after = trials_of(files)
    assert [trial["number"] for trial in after] == [*range(12)]
    assert all(trial in after for trial in before)  # to the second
    assert cli(*arguments, "--set", f"run_dir={files / 'whole'}", "-o", files / "whole-tuned").exit_code == 0
    assert values_of(trials_of(files, "whole-tuned")) == values_of(after)
