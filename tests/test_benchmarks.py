"""The benchmarks run: each tells what it does, and one goes through from files to its JSON."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted(file.stem for file in (ROOT / "benchmarks").glob("*.py") if file.stem != "harness")


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, f"benchmarks/{script}.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_shows_an_example(script: str) -> None:
    assert f"python benchmarks/{script}.py" in run(script, "--help")


def test_real_data_writes_its_figures(english: Any, tmp_path: Path) -> None:
    group_of = {label.id: group.id for group in english.taxonomy.groups for label in group.labels}
    (tmp_path / "tiny").mkdir()
    for part in ("train", "valid", "test"):
        with gzip.open(tmp_path / "tiny" / f"{part}.jsonl.gz", "wt", encoding="utf-8") as file:
            for text, label in zip(*getattr(english, part), strict=True):
                file.write(json.dumps({"text": text, "label": label, "coarse": group_of[label]}) + "\n")
    out = tmp_path / "figures.json"
    shown = run(
        "real_data", "tiny", "--data", str(tmp_path), "--run", str(tmp_path / "run"), "--out", str(out),
        "--date", "2024-01-01", "--set", "encoder=none", "--set", "n_jobs=1",
    )  # fmt: skip

    record = json.loads(out.read_text(encoding="utf-8"))
    assert record["benchmark"] == "real_data"
    assert record["date"] == "2024-01-01"
    assert record["settings"]["dataset"] == "tiny"
    assert record["versions"]["scikit-learn"]
    assert record["machine"]["cores"] >= 1
    figures = record["figures"]
    assert 0 < figures["model"]["accuracy"] <= 1
    assert 0 < figures["beam_3"]["accuracy"] <= 1
    assert "tf-idf + linear svm" in figures["baselines"]
    assert figures["peak_memory"]["gib"] > 0
    assert figures["minutes"]["together"] >= figures["minutes"]["all after the vectors"]
    assert "peak memory" in shown
    assert str(tmp_path) not in out.read_text(encoding="utf-8")  # figures travel, paths do not
