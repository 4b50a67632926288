"""The benchmark of the service goes through, and its tables hold what its records say."""

import json
from pathlib import Path
from typing import Any

import pytest
from scripts import run


@pytest.mark.slow
def test_serving_measures_and_loads(
    data: str, fitted_lexical: Any, tmp_path: Path, benchmarks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted_lexical.save_pretrained(tmp_path / "model")
    arguments = ("serving", "tiny", "--data", data, "--run", str(tmp_path / "run"), "--model", str(tmp_path / "model"))
    run(*arguments, "--documents", "40", "--lone", "3", "--repeats", "2", "--out", str(tmp_path / "serving-tiny.json"))
    run(*arguments, "--minutes", "0.02", "--out", str(tmp_path / "mixed_load-tiny.json"))
    quiet, mixed = (
        json.loads((tmp_path / f"{name}-tiny.json").read_text())["figures"] for name in ("serving", "mixed_load")
    )
    assert quiet["several"]["other_labels"] == quiet["single"]["other_labels"] == 0
    assert quiet["several"]["cpu_ms"] > 0
    assert len(quiet["runs"]) == 2
    assert (mixed["lost"], mixed["crossed"], mixed["unexpected"]) == (0, 0, {})
    assert mixed["statuses"]["200"] > 0

    import speed_tables

    monkeypatch.setattr(speed_tables, "RESULTS", tmp_path)
    assert "|  | tiny, n-grams alone |" in speed_tables.serving()
    assert f"| requests | {sum(mixed['requests'].values()):,} |" in speed_tables.mixed_load()
    monkeypatch.setattr(speed_tables, "RESULTS", tmp_path / "run")
    assert speed_tables.serving() == speed_tables.mixed_load() == speed_tables.NO_RESULTS
