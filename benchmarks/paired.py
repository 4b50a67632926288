r"""Paired bootstrap over seeds and test documents: which difference of two methods is more than chance.

As a script it sets two trainings side by side, whichever version made them: records of `real_data.py` or `compare.py`,
one a seed, which hold the answers to the same test documents.

Example: python benchmarks/paired.py benchmarks/results/real_data-dc_code.json \
             --less ../older/benchmarks/results/compare/dc_code-chained-0.json
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from harness import make_parser, prepare, print_table, write_record
from scipy import sparse

RESAMPLES = 2000
LEVEL = 0.95
FIGURES = ("accuracy", "macro_f1")
ALL = "all test documents"


def main() -> None:
    """Compare the records of two trainings."""
    parser = make_parser(__doc__, "paired")
    parser.add_argument("records", nargs="+", type=Path, help="of one training, a seed each")
    parser.add_argument("--less", nargs="+", type=Path, required=True, metavar="RECORD", help="of the other training")
    options = parser.parse_args()
    sides = read_answers(options.records), read_answers(options.less)
    for side in ("records", "less"):
        setattr(options, side, [file.stem for file in getattr(options, side)])
    prepare(options, f"paired-{options.records[0]}-less-{options.less[0]}")
    figures = side_by_side(*sides)
    for name, part in figures.items():
        print_table(
            f"{name} ({part['documents']})",
            ("figure", "one", "the other", "difference in points", "95 % interval"),
            [
                (figure, f"{part['one'][figure]:.4f}", f"{part['other'][figure]:.4f}", f"{100 * d['value']:+.2f}",
                 f"{100 * d['low']:+.2f} to {100 * d['high']:+.2f}")
                for figure, d in part["difference"].items()
            ],
        )  # fmt: skip
    write_record(options, figures)


def read_answers(files: Sequence[Path]) -> dict[int, dict[str, Any]]:
    """Read the figures of the records of one training: seed -> figures.

    Parameters
    ----------
    files
        Each of another seed; a record that names none counts as seed 0.

    Raises
    ------
    SystemExit
        A record holds no answers of single documents, or two have one seed.
    """
    found: dict[int, dict[str, Any]] = {}
    for file in files:
        record = json.loads(file.read_text(encoding="utf-8"))
        seed = record["settings"].get("seed", 0)
        if "gold" not in record["figures"]:
            sys.exit(f"{file} holds no answers to test documents: run real_data.py again, or compare.py of its version")
        if seed in found:
            sys.exit(f"{file} is a second record with seed {seed}: name one a seed")
        found[seed] = record["figures"]
    return found


def side_by_side(one: dict[int, dict[str, Any]], other: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Score both trainings on all test documents and on the parts that are counted apart, with the paired difference.

    Parameters
    ----------
    one, other
        Seed -> figures, as `read_answers` gives them. Where a side has a single one, it stands for every seed.

    Raises
    ------
    SystemExit
        The test documents or the seeds are not the same.
    """
    both = [*one.values(), *other.values()]
    if any(figures["gold"] != both[0]["gold"] for figures in both):
        sys.exit("the records have other test documents or labels: no document of one stands for one of the other")
    seeds = set(one) if len(other) == 1 else set(other)
    if any(len(side) > 1 and set(side) != seeds for side in (one, other)):
        sys.exit(f"the records have the seeds {sorted(one)} and {sorted(other)}: name the same ones on both sides")
    gold = np.array(both[0]["gold"])
    found = {}
    for name, places in {ALL: np.arange(len(gold)), **parts_of_test(both)}.items():
        scores = [
            {seed: resampled(gold[places], np.array(figures["predicted"])[places]) for seed, figures in side.items()}
            for side in (one, other)
        ]
        scores = [dict.fromkeys(seeds, next(iter(s.values()))) if len(s) == 1 else s for s in scores]
        own, others = (np.mean([s[:, 0] for s in side.values()], axis=0).tolist() for side in scores)
        found[name] = {
            "documents": len(places),
            "one": dict(zip(FIGURES, own, strict=True)),
            "other": dict(zip(FIGURES, others, strict=True)),
            "difference": difference(*scores),
        }
    return found


def parts_of_test(records: Iterable[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Return the test documents that are counted apart, as their number and what they are in words -> their places.

    Parameters
    ----------
    records
        Figures of trainings on the same documents; older ones do not know their near duplicates.
    """
    parts = {}
    figures = {name: value for record in records for name, value in record.items()}
    if figures.get("long"):
        parts[f"{len(figures['long']):,} documents over 512 tokens"] = np.array(figures["long"])
    if figures.get("near_duplicates"):
        rest = np.setdiff1d(np.arange(len(figures["gold"])), figures["near_duplicates"])
        parts[f"{len(rest):,} documents without near duplicates"] = rest
    return parts


def resampled(gold: np.ndarray, predicted: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Score one run on the test documents and on resamples of them, the same ones for every run.

    Parameters
    ----------
    gold, predicted
        (documents,) labels as integers.
    seed
        Of the resamples.

    Returns
    -------
    numpy.ndarray
        (accuracy and macro-F1, 1 + resamples): the figures as they are, then those of each resample. A macro average
        is over the labels in gold or predictions of its resample.
    """
    n, labels = len(gold), int(max(gold.max(), predicted.max())) + 1
    times = _times_drawn(n, seed)
    right = gold == predicted
    hits = _by_label(gold, labels, right) @ times  # (labels, 1 + resamples)
    named = (_by_label(gold, labels) + _by_label(predicted, labels)) @ times
    f1 = np.divide(2 * hits, named, out=np.zeros_like(hits), where=named > 0)
    return np.stack([right @ times / n, f1.sum(axis=0) / (named > 0).sum(axis=0)])


def difference(
    a: Mapping[int, np.ndarray], b: Mapping[int, np.ndarray], *, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Bootstrap the mean difference of two methods, a minus b.

    Parameters
    ----------
    a, b
        Seed of each run -> its scores as `resampled` gives them, with the same seeds in both.
    seed
        Of the draws of seeds.

    Returns
    -------
    dict
        For each of `FIGURES` its ``value`` and the percentile interval from ``low`` to ``high``. Seeds and documents
        are drawn with replacement. Intervals are shifted by the bootstrap's own estimate of its bias, since a resample
        leaves out labels with few documents.
    """
    pairs = np.stack([a[s] - b[s] for s in sorted(a)])  # (seeds, figures, 1 + resamples)
    value, samples = pairs[..., 0].mean(axis=0), pairs[..., 1:]
    drawn = np.random.default_rng(seed).integers(len(pairs), size=(len(pairs), 1, samples.shape[-1]))
    means = np.take_along_axis(samples, np.broadcast_to(drawn, samples.shape), axis=0).mean(axis=0)
    shifted = means - means.mean(axis=1, keepdims=True) + value[:, None]
    low, high = np.quantile(shifted, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
    return {
        name: {"value": float(value[i]), "low": float(low[i]), "high": float(high[i])} for i, name in enumerate(FIGURES)
    }


@lru_cache(maxsize=1)
def _times_drawn(n: int, seed: int) -> np.ndarray:
    """How often each document counts, (documents, 1 + resamples): once at first, then as it was drawn."""
    rng = np.random.default_rng(seed)
    draws = [np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(RESAMPLES)]
    return np.column_stack([np.ones(n), *draws])


def _by_label(label_of: np.ndarray, labels: int, counted: np.ndarray | None = None) -> sparse.csr_array:
    """Sparse (labels, documents) that adds up the documents of each label."""
    ones = np.ones(len(label_of)) if counted is None else counted.astype(np.float64)
    return sparse.csr_array((ones, (label_of, np.arange(len(label_of)))), shape=(labels, len(label_of)))


if __name__ == "__main__":
    main()
