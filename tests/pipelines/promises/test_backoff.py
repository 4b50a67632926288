"""Back-off: thresholds keep what they promise where the truth is known, and are refused where nothing can be said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from hierarchy.errors import DataError
from pipelines.promises.backoff import BackOff, documents_needed, fit_back_off, lowest_threshold


def world(rng, documents, *, calibrated):
    """Confidences with known truth: the chance of being right is the confidence, or far from it."""
    fine = rng.beta(2, 1, documents)
    group = fine + (1 - fine) * rng.beta(2, 1, documents)
    true_fine = fine if calibrated else fine**2
    true_group = group if calibrated else group**2
    draw = rng.random(documents)  # one draw: where the fine label is right, so is its group
    return fine, draw < true_fine, group, draw < true_group, true_fine, true_group


@pytest.mark.parametrize("calibrated", [True, False], ids=["calibrated", "overconfident"])
def test_the_promise_holds_where_the_truth_is_known(calibrated):
    """The true precision of the answers falls below the promise in at most delta of the calibrations."""
    rng = np.random.default_rng(0)
    fine, _, group, _, true_fine, true_group = world(rng, 200_000, calibrated=calibrated)
    broken, runs, delta = 0, 300, 0.2
    answered = []
    for _ in range(runs):
        calibration = world(rng, 800, calibrated=calibrated)[:4]
        found = fit_back_off(*calibration, precision=0.9, delta=delta)
        by_label, by_group = found.levels(fine, group)
        answered.append((by_label.mean(), by_group.mean()))
        broken += bool(by_label.any() and true_fine[by_label].mean() < 0.9) or bool(
            by_group.any() and true_group[by_group].mean() < 0.9
        )
    assert binom.sf(broken - 1, runs, delta) > 0.01  # not more often than delta explains
    assert min(np.mean(answered, axis=0)) > 0.05  # and both levels answer something


def test_safe_group_answers_cannot_hide_bad_fine_ones():
    rng = np.random.default_rng(1)
    confidence = rng.random(2000)
    right = rng.random(2000) < 0.5  # whatever the confidence says
    found = fit_back_off(confidence, right, np.full(2000, 0.99), np.ones(2000, bool), precision=0.9, delta=0.1)
    assert found.fine is None
    assert found.group is not None
    by_label, by_group = found.levels(confidence, np.full(2000, 0.995))
    assert not by_label.any()
    assert by_group.all()


def test_all_right_answers_everything():
    confidence = np.linspace(0.1, 1, 200)
    found = fit_back_off(confidence, np.ones(200, bool), confidence, np.ones(200, bool), precision=0.95, delta=0.1)
    assert found.fine == 0.0
    assert found.levels(confidence, confidence)[0].all()


def test_few_documents_are_refused_with_the_number_it_takes():
    assert documents_needed(0.95, 0.05) == 59  # 0.95 ** 59 = 0.0485
    few = np.linspace(0.1, 1, 58)
    with pytest.raises(DataError, match=r"58 calibration documents are too few .* takes 59 at least"):
        fit_back_off(few, np.ones(58, bool), few, np.ones(58, bool), precision=0.95, delta=0.1)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(0.6, 0.97), st.floats(0.02, 0.3), st.booleans())
def test_what_is_answered_above_the_threshold_passed_its_test(seed, precision, delta, ties):
    rng = np.random.default_rng(seed)
    confidence = rng.random(500)
    if ties:
        confidence = np.round(confidence, 1)
    right = rng.random(500) < np.sqrt(confidence)
    threshold = lowest_threshold(confidence, right, precision=precision, delta=delta)
    if threshold is None:
        return
    above = confidence > threshold
    assert above.sum() >= documents_needed(precision, delta)
    assert binom.cdf((above & ~right).sum(), above.sum(), 1 - precision) <= delta
    order = rng.permutation(500)
    assert lowest_threshold(confidence[order], right[order], precision=precision, delta=delta) == threshold


def test_levels_never_overlap():
    fine, group = BackOff(0.9, 0.1, 0.5, 0.7).levels(np.array([0.6, 0.5, 0.2]), np.array([0.9, 0.8, 0.6]))
    assert fine.tolist() == [True, False, False]
    assert group.tolist() == [False, True, False]
