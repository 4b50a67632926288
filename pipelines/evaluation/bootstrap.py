"""Bootstrap intervals for a system's figures and for the difference of two systems on the same documents.

Intervals are percentiles of resampled documents. Those of macro-F1 are shifted by the bootstrap's own
estimate of its bias: a resample leaves out a third of the labels that have one document, and so its macro
average lies off the real one, by points where labels are rare.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.evaluation.metrics import ratio

LEVEL = 0.95  # of every interval
_BLOCK = 4_000_000  # numbers held at a time where cells x resamples would be large


@dataclass(frozen=True)
class Interval:
    """A figure, or a difference of two, with its percentile bootstrap interval."""

    value: float
    low: float
    high: float
    level: float = LEVEL
    resamples: int = 1000

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


def bootstrap_interval(correct: np.ndarray, *, resamples: int = 1000, random_state: int = 0) -> Interval:
    """Give a system's accuracy with its bootstrap interval; `correct` is ``(documents,)`` bool."""
    return paired_bootstrap(correct, np.zeros_like(correct), resamples=resamples, random_state=random_state)


def paired_bootstrap(
    correct_a: np.ndarray, correct_b: np.ndarray, *, resamples: int = 1000, random_state: int = 0
) -> Interval:
    """Give the difference in accuracy of two systems on the same documents, a minus b.

    Documents are drawn with replacement. Only three outcomes matter (a alone right, b alone right, neither
    or both), so their counts in a resample are drawn at once from the multinomial distribution that they
    follow.
    """
    difference = np.asarray(correct_a, dtype=np.int64) - np.asarray(correct_b, dtype=np.int64)
    n = len(difference)
    shares = np.bincount(difference + 1, minlength=3) / n
    counts = np.random.default_rng(random_state).multinomial(n, shares, size=resamples)  # (resamples, 3)
    return _percentiles(float(difference.mean()), (counts[:, 2] - counts[:, 0]) / n)


def bootstrap_macro_f1(
    gold: np.ndarray, predicted: np.ndarray, *, resamples: int = 1000, random_state: int = 0
) -> Interval:
    """Give a system's macro-F1 with its bootstrap interval."""
    value, samples = _resampled_macro_f1(gold, predicted[:, None], resamples, random_state)
    return unbiased_interval(float(value[0]), samples[:, 0])


def paired_bootstrap_macro_f1(
    gold: np.ndarray, predicted_a: np.ndarray, predicted_b: np.ndarray, *, resamples: int = 1000, random_state: int = 0
) -> Interval:
    """Give the difference in macro-F1 of two systems on the same documents, a minus b.

    Every resample has its own macro average, over the labels in its gold or its predictions.
    """
    value, samples = _resampled_macro_f1(gold, np.column_stack([predicted_a, predicted_b]), resamples, random_state)
    return unbiased_interval(float(value[0] - value[1]), samples[:, 0] - samples[:, 1])


def unbiased_interval(value: float, samples: np.ndarray) -> Interval:
    """Give the percentile interval of a figure's resamples, shifted by the bootstrap's estimate of its bias."""
    return _percentiles(value, samples - (samples.mean() - value))


def _resampled_macro_f1(
    gold: np.ndarray, predicted: np.ndarray, resamples: int, random_state: int
) -> tuple[np.ndarray, np.ndarray]:
    """Macro-F1 of each column of `predicted`: ``(systems,)`` as is and ``(resamples, systems)`` resampled.

    Documents with the same gold label and the same answers are one cell: a resample is the number of times
    that each cell was drawn, and the counts of all labels in all resamples are one sparse product.
    """
    n, systems = predicted.shape
    n_labels = int(max(gold.max(), predicted.max())) + 1
    cells, cell_of, size = np.unique(
        np.column_stack([gold, predicted]), axis=0, return_inverse=True, return_counts=True
    )
    cell_of = cell_of.reshape(-1)  # numpy 2.0 gives it a second axis
    rng = np.random.default_rng(random_state)
    observed = _macro_f1_of_cells(cells, size[:, None], n_labels)[0]
    samples = np.empty((resamples, systems))
    step = max(1, _BLOCK // max(len(cells), n_labels))
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        drawn = np.empty((len(cells), stop - start))  # (cells, resamples)
        for column in range(stop - start):
            drawn[:, column] = np.bincount(cell_of[rng.integers(n, size=n)], minlength=len(cells))
        samples[start:stop] = _macro_f1_of_cells(cells, drawn, n_labels)
    return observed, samples


def _macro_f1_of_cells(cells: np.ndarray, weights: np.ndarray, n_labels: int) -> np.ndarray:
    """Macro-F1 under each column of `weights` ``(cells, resamples)``: ``(resamples, systems)``."""
    gold = cells[:, 0]
    support = _sums_by_label(gold, n_labels) @ weights  # (labels, resamples)
    result = np.empty((weights.shape[1], cells.shape[1] - 1))
    for system in range(cells.shape[1] - 1):
        predicted = cells[:, system + 1]
        right = _sums_by_label(np.where(gold == predicted, gold, -1), n_labels) @ weights
        named = support + _sums_by_label(predicted, n_labels) @ weights
        result[:, system] = ratio(2 * right, named).sum(axis=0) / (named > 0).sum(axis=0)
    return result


def _sums_by_label(labels: np.ndarray, n_labels: int) -> Any:
    """Sparse ``(labels, cells)`` matrix that adds up the cells of each label; -1 is no label."""
    from scipy import sparse

    cell = np.flatnonzero(labels >= 0)
    return sparse.csr_array((np.ones(len(cell)), (labels[cell], cell)), shape=(n_labels, len(labels)))


def _percentiles(value: float, samples: np.ndarray) -> Interval:
    low, high = np.quantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high), LEVEL, len(samples))
