"""Readers of unit vectors: what each reads, and their comparison from files to figures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scripts import run

from stages.label_space import LabelSpace

pytestmark = pytest.mark.usefixtures("benchmarks")
SPACE = LabelSpace(("a", "b", "c"), ("x", "y"), np.array([0, 0, 1]))
HIDDEN = 8


def model(name: str) -> Any:
    """Build a reader of tiny vectors."""
    from document_readers import READERS, build

    from pipelines.settings import Settings

    return build(Settings(), HIDDEN, SPACE, torch.randn(len(SPACE.group_ids), HIDDEN), **READERS[name]).eval()


def names() -> list[str]:
    return [
        "mean", "mean and maximum", "a query a group, read by its rows", "a query a label", "1 shared query",
        "4 shared queries", "8 shared queries", "16 shared queries", "8 shared queries, feed-forward layer first",
        "8 shared queries, aggregator first", "8 shared queries, aggregator and feed-forward layer first",
        "8 shared queries, feed-forward layer first, label attention",
    ]  # fmt: skip


def test_no_reader_is_forgotten() -> None:
    from document_readers import OURS, READERS

    assert list(READERS) == names()
    assert OURS in READERS


@pytest.mark.parametrize("name", names())
def test_an_answer_does_not_depend_on_neighbours(name: str) -> None:
    reader, counts = model(name), [3, 1, 9]
    vectors = [torch.randn(n, HIDDEN) for n in counts]
    with torch.inference_mode():
        together = reader(units=torch.cat(vectors), counts=torch.tensor(counts))["logits"]
        alone = [reader(units=one, counts=torch.tensor([len(one)]))["logits"] for one in vectors]
    for level, answers in enumerate(together):
        assert answers.shape == (3, (len(SPACE.group_ids), len(SPACE.label_ids))[level])
        torch.testing.assert_close(answers, torch.cat([answer[level] for answer in alone]))


@pytest.mark.parametrize(
    ("name", "group_rows", "label_rows"),
    [("a query a group, read by its rows", [0, 1], [0, 0, 1]), ("a query a label", [0, 1], [2, 3, 4])],
)
def test_a_row_reads_its_own_query_alone(name: str, group_rows: list[int], label_rows: list[int]) -> None:
    reader, units = model(name), torch.randn(5, HIDDEN)
    logits = reader(units=units, counts=torch.tensor([5]))["logits"]
    for level, queries in enumerate((group_rows, label_rows)):
        for row, query in enumerate(queries):
            (gradient,) = torch.autograd.grad(
                logits[level][0, row], reader.document_model.pooling.queries, retain_graph=True
            )
            assert gradient.abs().sum(1).nonzero().flatten().tolist() == [query]


def test_the_projects_reader_is_its_document_model() -> None:
    from document_readers import OURS

    from pipelines.model.document_model import make_document_model
    from pipelines.settings import Settings

    ours = make_document_model(Settings(), HIDDEN, torch.randn(len(SPACE.group_ids), HIDDEN))
    built = model(OURS).document_model
    assert str(built.train()) == str(ours)


@pytest.mark.slow
def test_readers_are_compared_and_kept(data: str, english: Any, tiny_encoder: str, tmp_path: Path) -> None:
    (Path(data) / "tiny" / "test.jsonl.gz").unlink()  # nothing is asked of it
    out = tmp_path / "figures.json"
    arguments = (
        "document_readers", "tiny", "--data", data, "--run", str(tmp_path / "run"), "--out", str(out),
        "--set", f"encoder={tiny_encoder}", "--set", "training.num_train_epochs=2", "--set", "segment_tokens=16",
        "--set", "overlap=4", "--set", "unit_tokens=8",
    )  # fmt: skip
    shown = run(*arguments)
    assert all(f"{name}, seed 0" in shown for name in names())
    written = json.loads(out.read_text(encoding="utf-8"))["figures"]
    assert written["documents"]["valid"] == len(english.valid[0])
    assert list(written["readers"]) == names()
    ours = written["readers"]["8 shared queries, feed-forward layer first"]
    assert ours["difference"]["fine"]["accuracy"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    for reader in written["readers"].values():
        assert 0 < reader["group"]["accuracy"] <= 1
        lead = reader["difference"]["fine"]["accuracy"]["value"]
        assert lead == pytest.approx(reader["fine"]["accuracy"] - ours["fine"]["accuracy"])
    assert "seed 0" not in run(*arguments)  # nothing is trained again
    assert json.loads(out.read_text(encoding="utf-8"))["figures"] == written


@pytest.mark.parametrize("change", ["encoder=none", "attention_queries=4", "row_start=centroids", "lexical=true"])
def test_what_no_reader_reads_is_refused(
    change: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    import document_readers

    monkeypatch.setattr("sys.argv", ["document_readers.py", "tiny", "--set", change])
    with pytest.raises(SystemExit):
        document_readers.main()
    assert change in capsys.readouterr().err
