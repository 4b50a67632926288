"""The threshold of a cascade: how sure n-grams must be to answer alone, with a promised limit on what is lost by it.

A document is lost where n-grams answer it alone and wrongly, and the whole model is right. Accuracy falls by no more
than the share of these. Thresholds are tested from the most cautious on, in an order that is fixed beforehand (Bauer
1991), and the last one before the first failure is taken: learn-then-test (Angelopoulos et al. 2021), with the exact
binomial bound of Clopper and Pearson (1934) on the lost among all documents. A grid may be fine at no cost, since lower
thresholds never lose fewer.
"""

from typing import Annotated

import numpy as np
from pydantic import Field
from scipy.special import bdtr

from hierarchy.errors import DataError
from pipelines.promises.backoff import documents_needed

Points = Annotated[float, Field(gt=0, lt=100)]
GRID = 1 - np.geomspace(1e-5, 1, 501)  # rising doubt; at the last one n-grams answer all that they know anything of


def cascade_documents_needed(points: float, delta: float) -> int:
    """Return how many documents, none of them lost, it takes to promise `points` with probability 1 - `delta`."""
    return documents_needed(1 - points / 100, delta)


def lowest_cascade_threshold(confidence: np.ndarray, lost: np.ndarray, *, points: float, delta: float) -> float | None:
    """Find the lowest threshold above which n-grams may answer alone, with probability 1 - delta.

    Parameters
    ----------
    confidence
        (documents,) of the n-grams; see `stages.router.cascade.confidence`.
    lost
        (documents,) bool, whether n-grams are wrong and the whole model is right.
    points, delta
        Of all documents, lost ones are at most so many per cent, but with probability delta over these documents.

    Returns
    -------
    float | None
        None where not even the most cautious one passes.

    Raises
    ------
    DataError
        There are too few documents for any such promise; says how many it takes.
    """
    n, needed = len(confidence), cascade_documents_needed(points, delta)
    if n < needed:
        raise DataError(
            f"{n} documents are too few to promise a cascade that loses at most {points:g} points with delta "
            f"{delta:g}: it takes {needed} at least"
        )
    found = None
    for threshold in GRID.tolist():
        taken = int((lost & (confidence > threshold)).sum())
        if bdtr(taken, n, points / 100) > delta:
            break
        found = threshold
    return found
