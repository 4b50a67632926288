"""``train --estimate``: all is checked as a training does, the steps are told, and nothing is written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def config(english, tmp_path):
    """A folder with documents and a config without an encoder."""
    home = {label.id: group.id for group in english.taxonomy.groups for label in group.labels}
    for part in ("train", "valid", "test"):
        lines = (
            json.dumps({"text": text, "label": label, "group": home[label]})
            for text, label in zip(*getattr(english, part), strict=True)
        )
        (tmp_path / f"{part}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "config.yaml").write_text(
        "data: {train: train.jsonl, valid: valid.jsonl, test: test.jsonl, group: group}\n"
        "classifier: {encoder: none, n_jobs: 1}\n",
        encoding="utf-8",
    )
    return tmp_path


def files_in(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture
def _quick(monkeypatch):
    """A moment of work is enough here."""
    monkeypatch.setattr("pipelines.estimating.timing.ENOUGH", 0.01)


def test_as_a_process_it_tells_the_steps_and_leaves_nothing(config):
    before = files_in(config)

    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "train", "--config", "config.yaml", "--estimate"],
        cwd=config, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    for step in ("n-grams", "rows", "fusion", "evaluation", "baselines", "together"):
        assert step in done.stdout
    assert files_in(config) == before


@pytest.mark.usefixtures("_quick")
def test_without_baselines_there_are_fewer_steps(cli, config, monkeypatch):
    monkeypatch.chdir(config)
    result = cli("train", "--config", "config.yaml", "--estimate", "--no-baselines")
    assert result.exit_code == 0
    assert "baselines" not in result.stdout


@pytest.mark.usefixtures("_quick")
def test_model_and_run_folder_stay_as_they_are(cli, config, monkeypatch):
    monkeypatch.chdir(config)
    assert cli("train", "--config", "config.yaml").exit_code == 0
    before = files_in(config)
    assert cli("train", "--config", "config.yaml", "--estimate").exit_code == 0
    assert files_in(config) == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("data.train=absent.jsonl", "absent.jsonl"),
        ("classifier.min_df=0", "min_df"),
        ("output=train.jsonl", "train.jsonl"),
        ("taxonomy=absent.yaml", "absent.yaml"),
    ],
)
def test_what_a_training_refuses_is_refused(cli, config, monkeypatch, change, told):
    monkeypatch.chdir(config)
    asked = ("train", "--config", "config.yaml", "--set", change)
    refused, estimate = cli(*asked), cli(*asked, "--estimate")
    assert estimate.exit_code == refused.exit_code == 2
    assert told in estimate.stderr
    assert estimate.stderr == refused.stderr


def test_several_processes_are_refused(cli, config, monkeypatch):
    monkeypatch.chdir(config)
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = cli("train", "--config", "config.yaml", "--estimate")
    assert result.exit_code == 2
    assert "torchrun" in result.stderr
