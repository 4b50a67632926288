"""The tables of near duplicates and of long documents hold what the records say."""

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

    assert tables.near_duplicates() == tables.long_text() == tables.NO_RESULTS


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
