"""Back-off: the fine label where it is sure enough, else its group, else nothing, with a promised precision.

Hierarchical selective classification (Goren et al. 2024) with thresholds by learn-then-test (Angelopoulos et al. 2021):
thresholds are tested from the strictest on, each with an exact binomial tail, and the last one before the first
failure is taken. Testing in a fixed order needs no correction for the number of tests.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field
from scipy.special import bdtr

from hierarchy.errors import DataError

PRECISION, DELTA = 0.95, 0.1  # what is promised by default
Share = Annotated[float, Field(gt=0, lt=1)]
Threshold = Annotated[float, Field(ge=0, le=1)]
STEPS = 100  # thresholds that are tried at most: each adds about as many documents


@dataclass(frozen=True)
class BackOff:
    """Two thresholds and what they promise.

    Attributes
    ----------
    precision
        Share of right answers that fine answers, and group answers, each keep.
    delta
        Probability, over the calibration documents, that one of the two promises does not hold.
    fine
        A fine label is answered where its probability is above this; None: no fine answer keeps the promise.
    group
        Else the group where its probability is above this; None: no group answer keeps it.
    """

    precision: Share
    delta: Share
    fine: Threshold | None
    group: Threshold | None

    def levels(self, confidence: np.ndarray, group_confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tell which documents are answered with the fine label, and which with its group.

        Parameters
        ----------
        confidence, group_confidence
            (documents,) probability of the best label, and of that label's group.

        Returns
        -------
        tuple[numpy.ndarray, numpy.ndarray]
            (documents,) bool each, never both.
        """
        nobody = np.zeros(len(confidence), dtype=bool)
        fine = nobody if self.fine is None else confidence > self.fine
        group = nobody if self.group is None else ~fine & (group_confidence > self.group)
        return fine, group


def fit_back_off(
    confidence: np.ndarray,
    right: np.ndarray,
    group_confidence: np.ndarray,
    group_right: np.ndarray,
    *,
    precision: float,
    delta: float,
) -> BackOff:
    """Find the thresholds that answer the most documents and keep the promise.

    Half of `delta` goes to each level, so that safe group answers cannot hide bad fine ones. The group's test sees the
    documents that get no fine answer.

    Parameters
    ----------
    confidence, right
        (documents,) probability of the best label, and whether it is right.
    group_confidence, group_right
        (documents,) the same of that label's group.
    precision, delta
        What is promised.

    Raises
    ------
    DataError
        There are too few documents for any such promise; says how many it takes.
    """
    check_enough(len(confidence), precision, delta)
    fine = lowest_threshold(confidence, right, precision=precision, delta=delta / 2)
    rest = np.ones(len(confidence), dtype=bool) if fine is None else confidence <= fine
    group = lowest_threshold(group_confidence[rest], group_right[rest], precision=precision, delta=delta / 2)
    return BackOff(precision, delta, fine, group)


def check_enough(documents: int, precision: float = PRECISION, delta: float = DELTA) -> None:
    """Refuse calibration documents that are too few, which can be told before there is a model.

    Parameters
    ----------
    documents
        How many there are.
    precision, delta
        What is promised.

    Raises
    ------
    DataError
        They allow no such promise; says how many it takes.
    """
    needed = documents_needed(precision, delta / 2)
    if documents < needed:
        raise DataError(
            f"{documents} calibration documents are too few to promise precision {precision:g} with delta {delta:g}: "
            f"it takes {needed} at least, and several times as many to answer most documents"
        )


def lowest_threshold(confidence: np.ndarray, right: np.ndarray, *, precision: float, delta: float) -> float | None:
    """Find the lowest threshold above which answers keep their precision, with probability 1 - delta.

    A threshold is the confidence of a document, and those above it are tested: given it, they are independent draws
    from the documents above it, so their wrong answers follow a binomial distribution exactly. The first test has so
    many documents that half the allowed errors still pass.

    Parameters
    ----------
    confidence, right
        (documents,) each.
    precision, delta
        What is promised.

    Returns
    -------
    float | None
        None where the first test fails already, or there are too few documents for one.
    """
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order].astype(np.float64)
    wrong = np.cumsum(~right[order])
    n = len(falling)
    first = _first_test(n, precision, delta)
    if first is None:
        return None
    found = None
    for answered in [*range(first, n, max(1, n // STEPS)), n]:
        threshold = falling[answered] if answered < n else -np.inf
        above = int(np.searchsorted(-falling, -threshold))  # without those that are level with it
        if above < first:
            continue
        if bdtr(wrong[above - 1], above, 1 - precision) > delta:
            break
        found = max(threshold, 0.0)  # JSON knows no infinity; a probability above 0 is always there
    return found


def documents_needed(precision: float, delta: float) -> int:
    """Return how many answers, all right, it takes to promise `precision` with probability 1 - `delta`."""
    return int(np.ceil(np.log(delta) / np.log(precision)))


def _first_test(documents: int, precision: float, delta: float) -> int | None:
    """Return how many answers the first test has; None where even right answers alone would not pass."""
    needed = documents_needed(precision, delta)
    if documents < needed:
        return None
    sizes = np.arange(needed, documents // 2 + 1)
    passes = bdtr(np.floor(sizes * (1 - precision) / 2), sizes, 1 - precision) <= delta
    return int(sizes[passes.argmax()]) if passes.any() else max(needed, documents // 2)
