"""An encoder is pretrained on the training texts and compared with what there was before."""

import json
from pathlib import Path
from typing import Any

import pytest
from scripts import run

pytestmark = pytest.mark.slow


def test_a_new_encoder_is_compared_with_none(data: str, english: Any, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    told = run(
        "pretraining", "tiny", "--data", data, "--run", str(tmp_path / "run"), "--out", str(out), "--new", "--layers",
        "1", "--hidden", "64", "--minutes", "0.05", "--set", "n_jobs=1",
    )  # fmt: skip
    assert "perplexity" in told
    figures = json.loads(out.read_text(encoding="utf-8"))["figures"]
    assert figures["pretraining"]["documents"] + figures["pretraining"]["held_out"] <= len(english.train[0])
    frozen = figures["frozen"]
    assert frozen["before"]["settings"]["encoder"] == "none"
    right = [sum(map(int.__eq__, frozen[side]["predicted"], frozen["gold"])) for side in ("before", "pretrained")]
    lead = frozen["difference"]["accuracy"]
    assert lead["value"] == pytest.approx((right[1] - right[0]) / len(english.test[0]))
    assert lead["low"] <= lead["value"] <= lead["high"]
