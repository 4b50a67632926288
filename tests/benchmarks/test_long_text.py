"""What reading the whole document is worth: the cut, the readings and their comparison."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from scripts import run

from pipelines.data.documents import Documents

pytestmark = pytest.mark.usefixtures("benchmarks")


def test_a_document_is_cut_after_its_first_tokens() -> None:
    from long_text import first_tokens

    documents = Documents(["One, two - three unbelievablest.", "one", ""], ["x", "y", "x"])
    assert first_tokens(documents, 3).texts == ["One, two", "one", ""]
    assert first_tokens(documents, 100).texts == documents.texts
    assert first_tokens(documents, 3).labels == documents.labels


def test_a_variant_is_read() -> None:
    from long_text import Reading, parse_reading

    assert parse_reading("one query: attention_queries=1") == Reading("one query", None, ("attention_queries=1",))
    both = parse_reading("less: first_tokens=128 segment_tokens=64 loss_weights='[1, 2]'")
    assert both == Reading("less", 128, ("segment_tokens=64", "loss_weights=[1, 2]"))


@pytest.mark.parametrize(
    "told",
    ["attention_queries=1", "name:", ": a=b", "name: a", "x: first_tokens=0", "x: first_tokens=1 first_tokens=2"],
)
def test_a_variant_of_another_form_is_refused(told: str) -> None:
    from long_text import parse_reading

    with pytest.raises(argparse.ArgumentTypeError):
        parse_reading(told)


@pytest.mark.slow
def test_readings_are_compared_and_kept(data: str, english: Any, tmp_path: Path) -> None:
    out, kept = tmp_path / "figures.json", tmp_path / "run"
    arguments = (
        "long_text", "tiny", "--data", data, "--run", str(kept), "--out", str(out), "--set", "encoder=none",
        "--set", "lexical=true", "--set", "n_jobs=1", "--variant", "one word: first_tokens=1 min_df=1",
    )  # fmt: skip
    assert "the first 512 tokens, seed 0" in run(*arguments)
    figures = json.loads(out.read_text(encoding="utf-8"))["figures"]
    assert figures["parts"]["all test documents"] == figures["documents"]["test"] == len(english.test[0])
    whole, same, short = (figures["readings"][name] for name in figures["readings"])
    assert short["first_tokens"] == 1
    assert short["settings"] == ["min_df=1"]
    scores = [reading["parts"]["all test documents"]["scores"] for reading in (whole, same, short)]
    assert scores[0] == scores[1]  # no document is longer
    assert scores[2]["fine"]["accuracy"] < scores[0]["fine"]["accuracy"] <= scores[0]["group"]["accuracy"]
    lead = short["parts"]["all test documents"]["difference"]["fine"]["accuracy"]
    assert lead["value"] == pytest.approx(scores[0]["fine"]["accuracy"] - scores[2]["fine"]["accuracy"])
    assert lead["low"] > 0
    written = out.read_text(encoding="utf-8")
    assert "seed 0" not in run(*arguments)  # nothing is trained again
    assert json.loads(out.read_text(encoding="utf-8"))["figures"] == json.loads(written)["figures"]
