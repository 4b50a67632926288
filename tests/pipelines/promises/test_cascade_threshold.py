"""The threshold of a cascade keeps its limit as often as it says, on drawn documents; too few of them are refused."""

import numpy as np
import pytest
from scipy.stats import beta

from hierarchy.errors import ConfigError, DataError
from pipelines.promises.cascade import GRID, cascade_documents_needed, lowest_cascade_threshold
from pipelines.promises.promises import check_wishes

POINTS, DELTA = 1.0, 0.1


def drawn(rng, documents, steepness):
    """Confidences, and lost documents: the surer n-grams are, the rarer."""
    doubt = rng.random(documents)
    return 1 - doubt**4, rng.random(documents) < 0.5 * doubt**steepness


@pytest.mark.parametrize("steepness", [0.5, 2.0, 6.0])
def test_the_limit_holds_as_often_as_it_is_promised(steepness):
    rng = np.random.default_rng(0)
    broken, found = 0, []
    for _ in range(200):
        threshold = lowest_cascade_threshold(*drawn(rng, 1000, steepness), points=POINTS, delta=DELTA)
        if threshold is not None:
            doubt = (
                1 - threshold
            ) ** 0.25  # of a document on the threshold; below it, 0.5 · doubt ** steepness is lost
            broken += 0.5 * doubt ** (steepness + 1) / (steepness + 1) > POINTS / 100
        found.append(threshold)
    assert broken <= 200 * DELTA + 1.645 * np.sqrt(200 * DELTA * (1 - DELTA))
    if steepness == 6:  # where a limit can be used, it is
        assert np.mean([threshold is not None and threshold < 0.95 for threshold in found]) > 0.9


def test_the_bound_is_that_of_clopper_and_pearson():
    """The threshold is the last of the grid whose upper bound on the share lost is below the limit."""
    confidence, lost = drawn(np.random.default_rng(1), 3000, 2.0)
    threshold = lowest_cascade_threshold(confidence, lost, points=POINTS, delta=DELTA)
    place = GRID.tolist().index(threshold)
    bounds = [
        beta.ppf(1 - DELTA, k + 1, 3000 - k) for k in ((lost & (confidence > t)).sum() for t in GRID[: place + 2])
    ]
    assert max(bounds[:-1]) <= POINTS / 100 < bounds[-1]


def test_without_a_loss_n_grams_answer_all_that_they_know():
    confidence = np.array([0.0, *np.linspace(0.01, 1, 999)])
    assert lowest_cascade_threshold(confidence, np.zeros(1000, dtype=bool), points=0.3, delta=0.1) == 0
    assert (np.diff(GRID) < 0).all()


def test_where_the_surest_are_lost_there_is_no_threshold():
    lost = np.arange(1000) < 20
    assert lowest_cascade_threshold(np.where(lost, 1.0, 0.5), lost, points=1, delta=0.1) is None


def test_too_few_documents_are_refused_with_the_number():
    assert cascade_documents_needed(0.3, 0.1) == 767
    nothing_lost = np.ones(767), np.zeros(767, dtype=bool)
    assert lowest_cascade_threshold(*nothing_lost, points=0.3, delta=0.1) == 0
    with pytest.raises(DataError, match=r"766 documents are too few .* at most 0\.3 points .* it takes 767 at least"):
        lowest_cascade_threshold(*(one[1:] for one in nothing_lost), points=0.3, delta=0.1)


@pytest.mark.parametrize("points", [0, 100, -1, float("nan"), "0.3"])
def test_points_are_a_number_between_0_and_100(points):
    with pytest.raises(ConfigError, match=r"cascade is .*: it must lie between 0 and 100, both excluded"):
        check_wishes(precision=0.9, cascade=points)
    check_wishes(precision=0.9, cascade=None)
