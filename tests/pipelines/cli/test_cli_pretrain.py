"""``coarsefine pretrain``: what it reads, says, writes and refuses; killed, it goes on to the same weights."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from hierarchy.disk.whole_files import checksum

ROOT = Path(__file__).parents[3]
NEW = ("--new", "--layers", 1, "--hidden", 64, "--vocabulary", 400)
SMALL = ("--set", "pretraining.segment_tokens=32", "--set", "pretraining.training.num_train_epochs=2",
         "--set", "classifier.device=cpu")  # fmt: skip


@pytest.fixture
def documents(english, tmp_path):
    files = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    for file, texts in zip(files, (english.train[0][:60], english.train[0][50:100]), strict=True):
        file.write_text("".join(json.dumps({"body": text}) + "\n" for text in texts), encoding="utf-8")
    return files


def command(documents, out, *more):
    line = ["pretrain", *documents, "-o", out, "--text-column", "body", *NEW, *SMALL, *more]
    return [sys.executable, "-m", "coarsefine", *map(str, line)]


def test_the_command(cli, documents, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    out = tmp_path / "encoder"
    done = cli(*command(documents, out)[3:])
    assert done.exit_code == 0, done.output
    assert "95 documents to train on, 5 held out" in caplog.text  # ten stand in both files
    assert "epoch 2.00: loss" in caplog.text
    assert "perplexity" in done.output
    assert "model.layers.0.mlp.Wo.weight" in load_file(out / "model.safetensors")
    assert (tmp_path / "encoder.run").is_dir()


def test_it_is_refused_before_any_work(cli, documents, tmp_path):
    def told(*more):
        done = cli("pretrain", *documents, "--text-column", "body", *more)
        assert done.exit_code == 2
        return " ".join(done.output.split())

    out = ("-o", tmp_path / "encoder")
    assert "name the folder of the trained encoder" in told("--new")
    assert "say at what to begin: --encoder NAME, or --new" in told(*out)
    assert "and not both" in told(*out, "--new", "--encoder", "embedded")
    assert "--hidden is of a new encoder" in told(*out, "--encoder", "embedded", "--hidden", 64)
    assert "is a file: name a folder" in told("-o", documents[0], "--new")
    assert "would overwrite run_dir" in told(*out, "--new", "--set", f"run_dir={tmp_path / 'encoder' / 'run'}")
    inside = ("-o", tmp_path / "run" / "tokens", "--new", "--set", f"run_dir={tmp_path / 'run'}")
    assert "lies in what the run folder" in told(*inside)
    assert "did you mean 'masked'" in told(*out, "--new", "--set", "pretraining.mask=1")
    assert "minutes 0.0 must be a number above 0" in told(*out, "--new", "--minutes", 0)
    assert sorted(tmp_path.iterdir()) == documents


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_it_goes_on_to_the_same_weights(documents, tmp_path):
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    more = ("--set", "pretraining.training.num_train_epochs=6")
    subprocess.run(command(documents, tmp_path / "whole", *more), env=env, check=True, timeout=600)
    line = command(documents, tmp_path / "killed", *more)
    for _ in range(2):
        known = set(tmp_path.glob("killed.run/pretraining-*/checkpoint-*/whole.sha256"))
        process = subprocess.Popen(line, env=env)
        while set(tmp_path.glob("killed.run/pretraining-*/checkpoint-*/whole.sha256")) <= known:
            assert process.poll() is None, "it ended before its first checkpoint"
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "killed").exists()
    subprocess.run(line, env=env, check=True, timeout=600)
    weights = [tmp_path / name / "model.safetensors" for name in ("whole", "killed")]
    assert checksum(weights[0]) == checksum(weights[1])
