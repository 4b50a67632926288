"""The benchmark of runtimes goes through, and its table holds what its record says."""

import json
from pathlib import Path
from typing import Any

import pytest
from scripts import run


@pytest.mark.slow
def test_runtimes_are_compared(
    data: str, saved: Path, tmp_path: Path, benchmarks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "runtimes-tiny.json"
    arguments = ("--data", data, "--run", str(tmp_path / "run"), "--model", str(saved), "--out", str(out))
    run("runtimes", "tiny", *arguments, "--tokens", "300", "--rounds", "1")
    figures: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))["figures"]
    assert {"torch float32", "openvino float32", "openvino int8"} <= set(figures["sides"])
    assert figures["speed"]["torch float32"]["encoder_ratio"] == 1
    assert abs(figures["sides"]["openvino float32"]["accuracy"] - figures["sides"]["torch float32"]["accuracy"]) < 0.1

    import speed_tables

    monkeypatch.setattr(speed_tables, "RESULTS", tmp_path)
    for name in figures["sides"]:
        assert f"| {name} |" in speed_tables.runtimes()
    monkeypatch.setattr(speed_tables, "RESULTS", tmp_path / "run")
    assert speed_tables.runtimes() == speed_tables.NO_RESULTS
