"""Records of two trainings are set side by side, near duplicates in and out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripts import run

from pipelines.data.documents import Documents

pytestmark = pytest.mark.usefixtures("benchmarks")


def record(folder: Path, name: str, right: float, *, seed: int | None = None, **figures: Any) -> str:
    """Write a record of answers to 200 documents, of which some share is right."""
    gold = np.random.default_rng(0).integers(5, size=200)
    rng = np.random.default_rng(seed or 0)
    predicted = np.where(rng.random(200) < right, gold, (gold + 1) % 5)
    settings = {} if seed is None else {"seed": seed}
    told = {"settings": settings, "figures": {"gold": gold.tolist(), "predicted": predicted.tolist(), **figures}}
    (folder / f"{name}.json").write_text(json.dumps(told), encoding="utf-8")
    return str(folder / f"{name}.json")


def test_two_records_are_compared_as_a_script(tmp_path: Path) -> None:
    new = record(tmp_path, "new", 0.9, near_duplicates=list(range(50)))
    old = record(tmp_path, "old", 0.6, seed=0, long=list(range(0, 200, 4)))
    run("paired", new, "--less", old, "--out", str(tmp_path / "out.json"), "--run", str(tmp_path / "run"))
    found = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert found["settings"]["records"] == ["new"]
    assert found["settings"]["less"] == ["old"]
    parts = {name: part["documents"] for name, part in found["figures"].items()}
    assert parts == {
        "all test documents": 200, "50 documents over 512 tokens": 50, "150 documents without near duplicates": 150,
    }  # fmt: skip
    for part in found["figures"].values():
        lead = part["difference"]["accuracy"]
        assert lead["value"] == pytest.approx(part["one"]["accuracy"] - part["other"]["accuracy"])
        assert 0 < lead["low"] < lead["value"] < lead["high"]


def test_one_run_stands_for_every_seed(tmp_path: Path) -> None:
    from paired import read_answers, side_by_side

    seeds = [Path(record(tmp_path, f"seed-{seed}", 0.9, seed=seed)) for seed in (0, 1, 2)]
    alone = Path(record(tmp_path, "alone", 0.6))
    found = side_by_side(read_answers(seeds), read_answers([alone]))["all test documents"]
    each = [side_by_side(read_answers([s]), read_answers([alone]))["all test documents"] for s in seeds]
    for figure in ("accuracy", "macro_f1"):
        mean = np.mean([one["difference"][figure]["value"] for one in each])
        assert found["difference"][figure]["value"] == pytest.approx(mean)


def test_what_cannot_be_paired_is_refused(tmp_path: Path) -> None:
    from paired import read_answers, side_by_side

    a, b, c = (Path(record(tmp_path, name, 0.9, seed=seed)) for name, seed in (("a", 0), ("b", 1), ("c", 2)))
    with pytest.raises(SystemExit, match=r"b\.json is a second record with seed 1"):
        read_answers([b, b])
    with pytest.raises(SystemExit, match=r"the seeds \[0, 1\] and \[1, 2\]"):
        side_by_side(read_answers([a, b]), read_answers([b, c]))
    other = json.loads(a.read_text(encoding="utf-8"))
    other["figures"]["gold"][0] += 1
    c.write_text(json.dumps(other), encoding="utf-8")
    with pytest.raises(SystemExit, match="other test documents or labels"):
        side_by_side(read_answers([a]), read_answers([c]))
    del other["figures"]["gold"]
    c.write_text(json.dumps(other), encoding="utf-8")
    with pytest.raises(SystemExit, match=r"c\.json holds no answers"):
        read_answers([c])


def test_real_data_leaves_near_duplicates_out() -> None:
    from harness import DataSet
    from real_data import Answers, without_near_duplicates

    train = Documents(["a b c", "d e f"], ["x", "y"])
    test = Documents(["A B C", "g h", "i j", "k l"], ["x", "x", "y", "z"])
    gold, predicted, svm = (np.array(answers) for answers in ([0, 0, 1, 2], [0, 0, 1, 1], [0, 1, 1, 1]))
    answers = Answers(DataSet("tiny", None, train, None, test), ("x", "y", "z"), gold, predicted, {"svm": svm})
    found = without_near_duplicates(answers)
    assert found["near_duplicates"] == [0]
    assert found["gold"] == gold.tolist()
    assert found["predicted"] == predicted.tolist()
    rest = found["without_near_duplicates"]
    assert rest["documents"] == 3
    assert rest["model"]["accuracy"] == pytest.approx(2 / 3)
    assert rest["baselines"]["svm"]["accuracy"] == pytest.approx(1 / 3)
    assert rest["baselines"]["svm"]["accuracy_difference"]["value"] == pytest.approx(1 / 3)

    seen = Documents(["A B C"], ["x"])
    nothing = Answers(DataSet("tiny", None, train, None, seen), ("x", "y"), gold[:1], predicted[:1], {})
    assert without_near_duplicates(nothing)["without_near_duplicates"] == {"documents": 0}
