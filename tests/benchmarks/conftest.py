"""A small data set for the scripts, and what stands in benchmarks/ to import."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from scripts import ROOT


@pytest.fixture
def data(english: Any, tmp_path: Path) -> str:
    """Folder with the data set ``tiny``."""
    group_of = {label.id: group.id for group in english.taxonomy.groups for label in group.labels}
    (tmp_path / "data" / "tiny").mkdir(parents=True)
    for part in ("train", "valid", "test"):
        with gzip.open(tmp_path / "data" / "tiny" / f"{part}.jsonl.gz", "wt", encoding="utf-8") as file:
            for text, label in zip(*getattr(english, part), strict=True):
                file.write(json.dumps({"text": text, "label": label, "coarse": group_of[label]}) + "\n")
    return str(tmp_path / "data")


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test import what stands in benchmarks/."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
