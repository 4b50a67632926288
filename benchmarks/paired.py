"""Paired bootstrap over seeds and test documents: which difference of two methods is more than chance."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from scipy import sparse

RESAMPLES = 2000
LEVEL = 0.95
FIGURES = ("accuracy", "macro_f1")


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
