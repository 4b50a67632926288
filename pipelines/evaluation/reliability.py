"""How far probabilities can be trusted, as plain functions of arrays: proper scores, calibration error, risk.

`confidence` is the probability of the answer that was given, ``(documents,)``, and `correct` says whether that answer
is right. `probabilities` is ``(documents, classes)`` and `gold` the right column of each document, or -1 where the
right class has no column: such a document counts as wrong, with probability 0 for the truth.
"""

from dataclasses import dataclass, replace

import numpy as np

from pipelines.evaluation.bootstrap import LEVEL, Interval, unbiased_interval
from pipelines.evaluation.metrics import equal_parts, ratio

BINS = 15
NLL_FLOOR = 1e-12  # a probability of the truth below this counts as this: one document cannot cost more than 27.6 nats
_BLOCK = 4_000_000  # numbers drawn at a time


@dataclass(frozen=True)
class ReliabilityBins:
    """The bars of a reliability diagram, by rising confidence; shares are between 0 and 1.

    A bin holds the same number of documents as any other, up to rounding and to documents with equal confidence, which
    are never torn apart. `low` and `high` are the exact binomial interval of `accuracy` (Clopper and Pearson, 1934).
    """

    confidence: tuple[float, ...]  # mean of the bin
    accuracy: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    count: tuple[int, ...]


def brier(probabilities: np.ndarray, gold: np.ndarray) -> float:
    """Mean over documents of the summed squared distance between probabilities and truth, from 0 to 2.

    The form for several classes, as Brier (1950) gives it; for two classes it is twice the usual one.
    """
    squares = np.einsum("dc,dc->d", probabilities, probabilities, dtype=np.float64)
    return float(np.mean(squares - 2 * _of_gold(probabilities, gold) + 1))


def negative_log_likelihood(probabilities: np.ndarray, gold: np.ndarray) -> float:
    """Mean over documents of minus the log-probability of the truth, in nats; floored at `NLL_FLOOR`."""
    return float(-np.mean(np.log(np.maximum(_of_gold(probabilities, gold), NLL_FLOOR))))


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> float:
    """Mean distance between confidence and accuracy over equal-mass bins, weighted by their documents.

    Naeini, Cooper and Hauskrecht (2015), with bins of equal mass as in Nixon et al. (2019). Documents with equal
    confidence share a bin, so the order of the documents does not matter. Finite samples give a figure above 0 even to
    a perfectly calibrated model: see `calibrated_quantile`.
    """
    gaps = np.asarray(correct, dtype=np.float64) - confidence
    return float(np.abs(np.bincount(equal_parts(confidence, bins), weights=gaps)).sum() / len(gaps))


def calibration_error_interval(confidence: np.ndarray, correct: np.ndarray, *, random_state: int = 0) -> Interval:
    """Give the expected calibration error with its bootstrap interval.

    The bootstrap adds the noise of resampling to that of the sample, and noise only ever raises this error; so the
    interval is shifted by the bootstrap's estimate of that bias, and cut at 0.
    """
    value = expected_calibration_error(confidence, correct)
    found = unbiased_interval(value, resampled_calibration_error(confidence, correct, random_state=random_state))
    return replace(found, low=max(0.0, found.low), high=max(0.0, found.high))


def resampled_calibration_error(
    confidence: np.ndarray, correct: np.ndarray, *, bins: int = BINS, resamples: int = 1000, random_state: int = 0
) -> np.ndarray:
    """Give the expected calibration error of resampled documents, ``(resamples,)``; the bins stay.

    Two systems on the same documents and with the same seed get the same resamples: their errors can be subtracted.
    """
    bin_of = equal_parts(confidence, bins)
    gaps = np.asarray(correct, dtype=np.float64) - confidence
    rng, n = np.random.default_rng(random_state), len(gaps)
    errors = np.empty(resamples)
    for i in range(resamples):
        drawn = rng.integers(n, size=n)
        errors[i] = np.abs(np.bincount(bin_of[drawn], weights=gaps[drawn])).sum() / n
    return errors


def calibrated_quantile(
    confidence: np.ndarray, *, level: float = LEVEL, draws: int = 1000, random_state: int = 0
) -> float:
    """Give the calibration error that a perfectly calibrated model with these confidences stays below.

    Each draw makes a document right with the probability that its confidence says, and measures the error; the quantile
    `level` of these errors is the noise to compare a measured error with (consistency resampling, Bröcker and Smith
    2007; Vaicenavicius et al. 2019).
    """
    confidence = np.asarray(confidence, dtype=np.float64)
    bin_of = equal_parts(confidence, BINS)
    order = np.argsort(bin_of, kind="stable")
    sorted_confidence, n = confidence[order], len(confidence)
    starts = np.flatnonzero(np.diff(bin_of[order], prepend=-1))
    rng, errors = np.random.default_rng(random_state), np.empty(draws)
    step = max(1, _BLOCK // n)
    for start in range(0, draws, step):
        stop = min(start + step, draws)
        gaps = (rng.random((stop - start, n)) < sorted_confidence) - sorted_confidence  # (draws, documents)
        errors[start:stop] = np.abs(np.add.reduceat(gaps, starts, axis=1)).sum(axis=1) / n
    return float(np.quantile(errors, level))


def reliability_bins(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> ReliabilityBins:
    """Give the bars of a reliability diagram, from the bins that `expected_calibration_error` is made of."""
    from scipy.stats import beta

    bin_of = equal_parts(confidence, bins)
    count = np.bincount(bin_of)
    right = np.bincount(bin_of, weights=np.asarray(correct, dtype=np.float64))
    total = np.bincount(bin_of, weights=confidence)
    count, right, total = (column[count > 0] for column in (count, right, total))
    tail = (1 - LEVEL) / 2
    # Beta quantiles are not defined where no document, or every one, is right: the interval ends at 0 or 1 there.
    low = np.where(right > 0, beta.ppf(tail, np.maximum(right, 1), count - right + 1), 0.0)
    high = np.where(right < count, beta.ppf(1 - tail, right + 1, np.maximum(count - right, 1)), 1.0)
    columns = (total / count, right / count, low, high, count)
    return ReliabilityBins(*(tuple(column.tolist()) for column in columns))


def risk_coverage(confidence: np.ndarray, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the share of wrong answers among the most confident documents, for every share that can be answered.

    Documents with equal confidence are answered together, as any threshold does. El-Yaniv and Wiener (2010), Geifman
    and El-Yaniv (2017).

    Returns
    -------
    tuple of np.ndarray
        ``(distinct confidences,)`` coverage, rising to 1, and the risk at each.
    """
    levels, level_of = np.unique(-np.asarray(confidence), return_inverse=True)  # most confident first
    level_of = level_of.reshape(-1)
    answered = np.cumsum(np.bincount(level_of, minlength=len(levels)))
    wrong = np.cumsum(np.bincount(level_of, weights=~np.asarray(correct, dtype=bool), minlength=len(levels)))
    return answered / len(level_of), ratio(wrong, answered)


def aurc(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Area under the risk-coverage curve: the mean risk over all coverages, 0 for a model without errors.

    Each document adds the risk at the coverage with which it is first answered (Geifman and El-Yaniv 2017, Ding et al.
    2020). A model with k errors among n documents cannot get below ``sum(j / (n - k + j) for j in 1..k) / n``.
    """
    coverage, risk = risk_coverage(confidence, correct)
    return float(np.diff(coverage, prepend=0.0) @ risk)


def _of_gold(probabilities: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """``(documents,)`` float64 probability of the truth; 0 where it has no column."""
    gold = np.asarray(gold, dtype=np.int64)
    found = np.take_along_axis(probabilities, np.maximum(gold, 0)[:, None], axis=1)[:, 0]
    return np.where(gold >= 0, found, 0.0).astype(np.float64)
