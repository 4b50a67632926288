"""``train --engine``: what has nothing to share out is refused before documents are read; workers change nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MODEL = "model.safetensors"


@pytest.fixture
def config(english, tiny_encoder, tmp_path):
    """A folder with documents and a config with an untrained encoder."""
    for part in ("train", "valid", "test"):
        lines = (json.dumps({"text": t, "label": y}) for t, y in zip(*getattr(english, part), strict=True))
        (tmp_path / f"{part}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    english.taxonomy.to_yaml(tmp_path / "taxonomy.yaml")
    (tmp_path / "config.yaml").write_text(
        "data: {train: train.jsonl, valid: valid.jsonl, test: test.jsonl}\n"
        "taxonomy: taxonomy.yaml\n"
        f"classifier: {{encoder: {tiny_encoder}, trainable: frozen, segment_tokens: 32, overlap: 8, n_jobs: 1, "
        "training: {num_train_epochs: 1}}\n",
        encoding="utf-8",
    )
    return tmp_path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--processes", "2", "--set", "classifier.trainable=all"), "torchrun --nproc_per_node 2 -m coarsefine train"),
        (("--engine", "ray", "--set", "classifier.max_segments=2"), "n-grams choose the segments"),
        (("--address", "auto"), "address='auto' is that of a Ray cluster"),
        (("--processes", "2", "--estimate"), "--estimate times one process"),
    ],
)
def test_what_makes_no_sense_is_refused(cli, config, monkeypatch, words, told):
    monkeypatch.chdir(config)
    (config / "train.jsonl").write_text("no JSON", encoding="utf-8")  # nothing has been read by then
    result = cli("train", "--config", "config.yaml", *words)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())


@pytest.mark.slow
def test_two_processes_make_the_model_of_one(config):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for name, words in (("alone", ()), ("shared", ("--processes", "2"))):
        asked = ("train", "--config", "config.yaml", "--no-baselines", "--set", f"output={name}", *words)
        done = subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *asked],
            cwd=config, env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
    assert (config / "shared" / MODEL).read_bytes() == (config / "alone" / MODEL).read_bytes()
