"""What the tables of results share: where the files lie, names of the data sets, and how figures are written."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
NO_RESULTS = "*No results yet.*"
REAL_DATA = {
    "clinc150": "intents, 150 labels",
    "banking77": "banking questions, 77 labels",
    "attack_procedures": "attack techniques, 353 labels",
    "dc_code": "statutes, 553 labels, long",
    "usajobs_questions": "federal job questionnaires, 159 labels, long",
    "tw_laws --set encoder=none": "laws in Chinese",
}
SETS = ("attack_procedures", "dc_code", "usajobs_questions", "clinc150", "banking77", "tw_laws")


def read(name: str) -> dict[str, Any]:
    """Return the figures of one file in `results`."""
    figures: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["figures"]
    return figures


def markdown(*rows: Sequence[str]) -> str:
    """Return a Markdown table; the first row is its head."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "| " + " | ".join(["---"] * len(rows[0])) + " |", *lines[1:]])


def points(difference: dict[str, float]) -> str:
    """Return a paired difference in points with its interval."""
    value, low, high = (f"{100 * difference[key]:+z.1f}" for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})".replace("-", "−")


def spread(values: Sequence[float | None]) -> str:
    """Return mean and standard deviation in percent; nothing where a figure is not defined."""
    known = [100 * value for value in values if value is not None]
    if not known:
        return ""
    return f"{mean(known):.1f} ± {stdev(known):.1f}" if len(known) > 1 else f"{known[0]:.1f}"
