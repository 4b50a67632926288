"""The tables of near duplicates, of long documents and of their readers hold what the records say."""

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("benchmarks")


@pytest.fixture
def results(benchmarks: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return an empty folder of results, which the tables are made of."""
    import cells
    import tables

    for module in (cells, tables):
        monkeypatch.setattr(module, "RESULTS", tmp_path)
    return tmp_path


def write(file: Path, figures: dict[str, Any], **settings: Any) -> None:
    file.write_text(json.dumps({"figures": figures, "settings": {"documents": None, **settings}}), encoding="utf-8")


@pytest.mark.parametrize(("rest", "rows"), [(None, 1), (0, 1), (96, 1), (95, 1), (94, 2), (1, 2)])
def test_many_near_duplicates_get_a_row_without_them(results: Path, rest: int | None, rows: int) -> None:
    import tables

    both = {
        "model": {"accuracy": 0.75, "macro_f1": 0.5},
        "baselines": {"tf-idf + linear svm": {"accuracy": 0.5, "macro_f1": 0.25}},
    }
    without = {} if rest is None else {"without_near_duplicates": {"documents": rest, **both}}
    write(results / "real_data-usajobs_questions.json", {**both, "documents": {"test": 100}, **without})
    lines = tables.real_data().splitlines()[2:]  # other sets have no record here
    assert len(lines) == rows
    assert all(line.endswith("| 0.750 / 0.500 | 0.500 / 0.250 |") for line in lines)
    assert lines[0].startswith("| federal job questionnaires, 159 labels, long | `python benchmarks/real_data.py usa")
    assert all(f": the {rest} of 100 documents without near duplicates" in line for line in lines[1:])


def test_no_record_is_no_table(results: Path) -> None:
    import tables

    assert tables.near_duplicates() == tables.long_text() == tables.document_readers() == tables.NO_RESULTS


def test_readings_stand_beside_the_first(results: Path) -> None:
    import tables

    def reading(accuracy: float) -> dict[str, Any]:
        scores = {asked: {"accuracy": accuracy, "macro_f1": accuracy / 2} for asked in ("fine", "group", "coarse")}
        lead = {"value": 0.8 - accuracy, "low": 0.0, "high": 0.5}
        difference = {"fine": {"accuracy": lead, "macro_f1": lead}}
        return {"parts": {"all test documents": {"scores": scores, "difference": difference}}}

    figures = {"parts": {"all test documents": 10}, "readings": {"all": reading(0.8), "less": reading(0.5)}}
    write(results / "long_text-tiny.json", figures, dataset="tiny", set=["lexical=true"], seeds=[0, 1])
    write(results / "long_text-quick.json", figures, dataset="quick", set=[], seeds=[0], documents=10)
    table = tables.long_text()
    assert "**tiny**, `lexical=true`; 2 seeds; all test documents" in table
    assert "| all | 80.0 / 40.0 | 80.0 / 40.0 | 80.0 / 40.0 |  |  |" in table
    assert "| less | 50.0 / 25.0 | 50.0 / 25.0 | 50.0 / 25.0 | +30.0 (+0.0 to +50.0) | +30.0 (+0.0 to +50.0) |" in table
    assert "quick" not in table


def test_readers_stand_beside_the_projects(results: Path) -> None:
    import tables

    def reader(accuracy: float, gap: float) -> dict[str, Any]:
        scores = {"accuracy": accuracy, "macro_f1": accuracy / 2}
        lead = {"value": gap, "low": 2 * gap, "high": 0.0}
        difference = {level: {"accuracy": lead, "macro_f1": lead} for level in ("group", "fine")}
        return {"group": scores, "fine": scores, "difference": difference, "weights": 1_230_000, "seconds": [50, 70]}

    readers = {"mean": reader(0.5, -0.25), "ours": reader(0.75, 0.0)}
    figures = {"documents": {"valid": 1408}, "compared_with": "ours", "readers": readers}
    write(results / "document_readers-tiny.json", figures, dataset="tiny", set=["unit_tokens=null"], seeds=[0, 1])
    write(results / "document_readers-quick.json", figures, dataset="quick", set=[], seeds=[0], documents=10)
    table = tables.document_readers()
    assert "**tiny**, `unit_tokens=null`; 1,408 validation documents, 2 seeds\n" in table
    gap = "−25.0 (−50.0 to +0.0)"
    assert f"| mean | 50.0 | 50.0 | 25.0 | {gap} | {gap} | {gap} | 1.23 | 60 |" in table
    assert "| ours | 75.0 | 75.0 | 37.5 |  |  |  | 1.23 | 60 |" in table
    assert "quick" not in table
