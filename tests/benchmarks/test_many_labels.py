"""The benchmarks of many labels and of capped negatives go through, and their tables hold what their records say."""

import json
from pathlib import Path
from typing import Any

import pytest
from scripts import run


@pytest.mark.slow
def test_many_labels_are_measured(tmp_path: Path, benchmarks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "many_labels.json"
    sizes = ("--labels", "20", "100", "--vocabulary", "500", "--ngrams-of-a-row", "50", "--rounds", "1")
    run("many_labels", *sizes, "--beam", "2", "--run", str(tmp_path / "run"), "--out", str(out))
    figures: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))["figures"]
    assert figures["groups"] == {"20": 6, "100": 14}
    for way in ("exhaustive", "beam"):
        for batch, times in figures["milliseconds_a_document"][way].items():
            assert figures["largest_by_smallest"][way][batch] == pytest.approx(times["100"] / times["20"], rel=0.05)
    assert 0 < figures["disk"]["20"]["mb"] < figures["disk"]["100"]["mb"]

    import speed_tables

    monkeypatch.setattr(speed_tables, "RESULTS", tmp_path)
    assert "| `beam: 2`, 1,000 at once: processor ms a document |" in speed_tables.many_labels()
    monkeypatch.setattr(speed_tables, "RESULTS", tmp_path / "run")
    for table in (speed_tables.many_labels, speed_tables.heads_scale, speed_tables.capped_negatives):
        assert table() == speed_tables.NO_RESULTS


@pytest.mark.slow
def test_capped_negatives_are_scored(
    data: str, tmp_path: Path, benchmarks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "capped_negatives-tiny.json"
    arguments = ("--data", data, "--run", str(tmp_path / "run"), "--out", str(out), "--jobs", "1")
    run("capped_negatives", "tiny", "--caps", "10", *arguments)
    figures: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))["figures"]
    every, candidates, capped = figures["kinds"]
    assert every["documents_of_a_row"] == figures["train"] >= candidates["documents_of_a_row"]
    assert 7 <= capped["documents_of_a_row"] <= 10
    right = [one == gold for one, gold in zip(every["answers"], figures["gold"], strict=True)]
    assert every["accuracy"] == pytest.approx(100 * sum(right) / len(right))

    import speed_tables

    monkeypatch.setattr(speed_tables, "RESULTS", tmp_path)
    assert f"| tiny | candidates, 10 at most | {capped['documents_of_a_row']:,.0f} |" in speed_tables.capped_negatives()
