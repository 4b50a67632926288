"""Tables hold what the records say: of near duplicates, long documents, their readers, scale, and pretraining."""

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("benchmarks")


@pytest.fixture
def results(benchmarks: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return an empty folder of results, which the tables are made of."""
    import cells
    import pretraining_tables
    import tables

    for module in (cells, pretraining_tables, tables):
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


def test_scale_is_arithmetic_on_what_was_measured(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import scale_tables

    monkeypatch.setattr(scale_tables, "RESULTS", results)
    names = ("scale_measured", "scale_documents", "scale_gpus", "scale_limits", "scale_labels")
    assert {getattr(scale_tables, name)() for name in names} == {scale_tables.NO_RESULTS}
    ray = {"documents_per_second": 1_800.0, "driver_seconds_a_million": 2.5, "driver_mib": 150.0}
    sides = {"local, 1 process": {"documents_per_second": 1_000.0}, "ray, 2 processes": ray}
    sizes = {"documents": 400, "files": 4, "text_bytes": 40_000, "answer_bytes": 20_000}
    measured = {
        "scale_out-attack_procedures": {"sides": sides, "ray_by_local": 0.5, **sizes},
        "runtimes-dc_code": {"sides": {"torch": {}, "int8": {}}, "speed": {
            "torch": {"encoder": 2_000.0}, "int8": {"encoder": 4_000.0}, "pipeline": {"encoder": 9_000.0},
        }},
        "speed-dc_code": {"throughput": {"tokens": 7_200, "documents": 20}},
        "cascade-attack_procedures": {"test": {"answered_by_ngrams": 0.25}},
        "many_labels-100000": {
            "milliseconds_a_document": {"beam": {"1000": {"20000": 1.0, "100000": 5.0}}},
            "disk": {"20000": {"mb": 100.0, "load": 1.0}, "100000": {"mb": 500.0, "load": 5.0}},
        },
        "heads_scale-20000x200000-candidates": {"minutes": {"together": 30.0}, "peak_memory": {"gib": 6.5}},
    }  # fmt: skip
    for name, figures in measured.items():
        write(results / f"{name}.json", figures)
    assert "| two workers of Ray, by two processes without it | 0.50 |" in scale_tables.scale_measured()
    assert "| 100,000 labels: model on disk, MB; loading, s | 500; 5.0 |" in scale_tables.scale_measured()
    assert scale_tables.scale_documents().splitlines()[2:] == [
        "| n-grams alone, short documents | 556 | 23 |",  # 1e9 / (1,000 x 0.5) / 3,600
        "| MiniLM-L6, torch, long documents | 100,000 | 4,167 |",  # two cores, 360 tokens, 2,000 a second
        "| MiniLM-L6, int8, long documents | 50,000 | 2,083 |",
        "| the fastest of these, 25 % by n-grams first | 37,500 | 1,562 |",
    ]
    minilm = "| MiniLM-L6 | 360 billion | 7.6e+18 | 21 |"  # 2 x 10.6e6 x 360e9 operations, 1e14 a second
    assert minilm in scale_tables.scale_gpus().splitlines()
    assert [line.split(" | ")[1] for line in scale_tables.scale_limits().splitlines()[2:]] == [
        "0.7", "100, 50", "122,070",  # (6 x 100 + 50) bytes a document
        "400", "72,000",  # the driver's 400,000 documents a second, by 1,000 and by 2,000 / 360
    ]  # fmt: skip
    assert [line.split(" | ")[1] for line in scale_tables.scale_labels().splitlines()[2:]] == [
        "5", "2.9 GiB", "50", "293 MiB",
    ]  # fmt: skip


def test_pretrainings_stand_with_their_command_and_what_they_are_worth(results: Path) -> None:
    import tables

    lead = {"value": -0.01, "low": -0.02, "high": 0.005}
    scores = [
        {"model": {"accuracy": accuracy, "macro_f1": accuracy / 2}, "minutes": {"together": 10 * accuracy}}
        for accuracy in (0.5, 0.75)
    ]
    compared = {"before": scores[0], "pretrained": scores[1], "difference": {"accuracy": lead, "macro_f1": lead}}
    history = [{"epoch": 0, "loss": 8.0, "perplexity": 2981.0}, {"epoch": 0.5, "loss": 2.0, "perplexity": 7.4}]
    trained = {"layers": 4, "hidden": 256, "vocabulary": 5000, "documents": 4000, "tokens": 13e6, "history": history}
    settings = {
        "dataset": "laws", "new": True, "encoder": None, "batch": 8, "mode": None, "set": [], "documents": None,
        "layers": 4, "hidden": 256,
    }  # fmt: skip
    for name, changed in {
        "laws-new": {"minutes": 60.0},
        "laws-tiny": {"minutes": None, "new": False, "encoder": "tiny", "batch": 32, "mode": ["frozen", "joint"]},
        "laws-wide": {"minutes": None, "layers": 2, "hidden": 512},
        "quick": {"minutes": 1.0, "documents": 10},
    }.items():
        record = {
            "figures": {"pretraining": trained, "frozen": compared, **({"joint": compared} if "tiny" in name else {})},
            "settings": settings | changed,
            "machine": {"omp_num_threads": None if "tiny" in name else "1"},
        }
        (results / f"pretraining-{name}.json").write_text(json.dumps(record), encoding="utf-8")
    losses, worth = tables.pretraining_losses(), tables.pretraining()
    assert losses.count("| 0.50 | 2.000 | 7.4 |") == 3
    assert "benchmarks/pretraining.py laws --new --layers 2 --hidden 512`" in losses
    assert "`OMP_NUM_THREADS=1 python benchmarks/pretraining.py laws --new --minutes 60`: 4 layers" in losses
    assert "`python benchmarks/pretraining.py laws --encoder tiny --batch 32 --mode frozen --mode joint`" in losses
    row = "| {} | 0.500 / 0.250 | 0.750 / 0.375 | −1.0 (−2.0 to +0.5) | −1.0 (−2.0 to +0.5) | 5 / 8 |"
    for start in ("laws | frozen | no encoder", "laws | frozen | `tiny`", "laws | joint | `tiny`"):
        assert row.format(start) in worth
    assert worth.count("laws") == 4
