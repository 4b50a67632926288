"""How a score difference divides over units and over n-grams: the arithmetic of `pipelines.explaining.explain`.

A *contrast* is a weight for each label (or group) that sums to 0: 1 for the label that is explained and -1 for the
one it is compared with. A score difference is a contrast times scores.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from stages.fine.ngrams import ngram_spans
from stages.fine.rows import Features, Rows, log_chance

Span = tuple[int, int]
PLACES_BY_UNITS = 1_000_000  # that are looked at together: some megabytes


def row_of(rows: Rows, contrast: np.ndarray) -> np.ndarray:
    """Weights of the features for a contrast of the rows, (features,) float64."""
    picked = np.flatnonzero(contrast)
    row = contrast[picked] @ rows.weight[picked].astype(np.float64)
    return np.asarray(row).reshape(-1)


def chords(rows: Rows, features: Features) -> tuple[np.ndarray, np.ndarray]:
    """Straighten the curve from the margins of rows to the scores for one document.

    From where a row says nothing but its bias to where it stands the curve (`log_chance`) is replaced by its chord, so
    that shares of the margin become shares of the score and sum to it: the rescale rule of Shrikumar et al. (2017).

    Parameters
    ----------
    rows
        Of labels or groups.
    features
        (1, features) of the document.

    Returns
    -------
    slopes, starts : numpy.ndarray
        (labels,) float64 each: the score is the start, and the slope times the margin without its bias.
    """
    bias = rows.bias.astype(np.float64)
    margins = rows.score(features)[0].astype(np.float64)
    # From (bias, score of the bias) to (margin, score of the margin); flat where the document moves nothing.
    starts, run = log_chance(bias), margins - bias
    slopes = np.divide(log_chance(margins) - starts, run, out=np.zeros_like(run), where=np.abs(run) > 1e-6)
    return slopes, starts


def pooled_shares(weights: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Share of each unit in what linear weights read in a pooled vector (`stages.vectors.pool_units`), exactly.

    The mean is a sum over units. A dimension of the maximum is divided as Shapley's value divides the cost of a
    runway among the planes that need its length (Littlechild and Owen 1973): units that are equally high count
    alike, and what only the highest has is its own.

    Parameters
    ----------
    weights
        (2 x hidden,) of the mean and of the maximum.
    vectors
        (units, hidden).

    Returns
    -------
    numpy.ndarray
        (units,) float64; sums to the pooled vector times `weights`.
    """
    vectors = vectors.astype(np.float64)
    of_mean, of_highest = np.split(weights, 2)
    n = len(vectors)
    mean, highest = vectors.mean(0), vectors.max(0)
    # 1. Sort the units of each dimension from the lowest to the highest: the maximum is a sum of steps between them.
    order = np.argsort(vectors, axis=0, kind="stable")  # (units, hidden)
    steps = np.diff(np.take_along_axis(vectors, order, 0), axis=0, prepend=0.0)
    # 2. A step is shared by all units that reach it: n of them the first, one the last. Sum what each has.
    divided = np.cumsum(steps / np.arange(n, 0, -1)[:, None], axis=0)
    # 3. Bring the shares back into the order of the units.
    runway = np.empty_like(vectors)
    np.put_along_axis(runway, order, divided, 0)
    # 4. The mean is divided evenly by nature: a unit has its vector's n-th part.
    return _share(vectors / n, mean, of_mean) + _share(runway, highest, of_highest)


def _share(parts: np.ndarray, whole: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share of the parts (units, hidden) in the whole, their sum; one of no length is nothing to be shared."""
    return parts @ weights / _length(whole) if whole.any() else np.zeros(len(parts))


def spans_of_ngrams(text: str, columns: Mapping[str, int], wanted: Sequence[int]) -> dict[int, tuple[str, list[Span]]]:
    """Find where n-grams stand: column -> (n-gram, spans), for the wanted columns.

    Parameters
    ----------
    text
        The original document.
    columns
        N-gram -> column of the features.
    wanted
        Columns.
    """
    found: dict[int, tuple[str, list[Span]]] = {column: ("", []) for column in wanted}
    for ngram, start, end in ngram_spans(text):
        column = columns.get(ngram, -1)
        if column in found:
            found[column] = (ngram, found[column][1])
            found[column][1].append((start, end))
    return found


def divide_over_units(spans: Sequence[Span], shares: Sequence[float], units: Sequence[Span]) -> np.ndarray:
    """Divide the share of each place over the units that hold it, evenly.

    Parameters
    ----------
    spans
        Places of n-grams in the text.
    shares
        Share of each.
    units
        Characters of each unit; they may overlap.

    Returns
    -------
    numpy.ndarray
        (units,) sums. A place that no unit holds as a whole goes to those that hold a part of it, and one that stands
        outside all units to none.
    """
    totals = np.zeros(len(units))
    if not len(units) or not len(spans):
        return totals
    starts, ends = np.array(units).T
    at_once = max(1, PLACES_BY_UNITS // len(units))
    for first in range(0, len(spans), at_once):
        start, end = np.array(spans[first : first + at_once]).T[:, :, None]  # (places, 1) each
        holds = (starts <= start) & (end <= ends)  # (places, units)
        touches = (starts < end) & (start < ends)
        over = np.where(holds.any(1, keepdims=True), holds, touches)
        totals += (np.array(shares[first : first + at_once]) / np.maximum(over.sum(1), 1)) @ over
    return totals


def _length(vector: np.ndarray) -> float:
    return max(float(np.linalg.norm(vector)), 1e-12)
