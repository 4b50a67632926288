"""Every measure of trust by hand on a few documents, against its formula, and by simulation with known truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from pipelines.evaluation import reliability
from pipelines.evaluation.reliability import (
    NLL_FLOOR,
    aurc,
    brier,
    calibrated_quantile,
    calibration_error_interval,
    expected_calibration_error,
    negative_log_likelihood,
    reliability_bins,
    resampled_calibration_error,
    risk_coverage,
)


def sample(seed: int, n: int, distinct: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Confidences of which some are equal, and answers that are right as often as they say."""
    rng = np.random.default_rng(seed)
    confidence = rng.integers(1, distinct + 1, size=n) / distinct
    return confidence, rng.random(n) < confidence


def perfect_aurc(n: int, errors: int) -> float:
    return sum(j / (n - errors + j) for j in range(1, errors + 1)) / n


def test_brier_and_likelihood_by_hand():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    gold = np.array([0, 2, -1])
    first, second = 0.3**2 + 0.2**2 + 0.1**2, 0.5**2 + 0.5**2 + 1
    third = 0.2**2 + 0.3**2 + 0.5**2 + 1  # no column for the truth: all that was given is wrong, and 1 is missing
    assert brier(probabilities, gold) == pytest.approx((first + second + third) / 3)
    assert negative_log_likelihood(probabilities, gold) == pytest.approx(-(np.log(0.7) + 2 * np.log(NLL_FLOOR)) / 3)
    assert brier(np.eye(3), np.arange(3)) == 0
    assert negative_log_likelihood(np.eye(3), np.arange(3)) == 0
    assert brier(np.eye(3), np.array([1, 2, 0])) == 2


def test_two_classes_are_scikit_learns():
    rng = np.random.default_rng(0)
    positive, gold = rng.random(300), rng.integers(2, size=300)
    probabilities = np.column_stack([1 - positive, positive])
    assert brier(probabilities, gold) == pytest.approx(2 * brier_score_loss(gold, positive))
    assert negative_log_likelihood(probabilities, gold) == pytest.approx(log_loss(gold, probabilities))
    single = probabilities.astype(np.float32)  # sums are made in double precision
    assert brier(single, gold) == pytest.approx(brier(single.astype(np.float64), gold), abs=1e-7)


def test_calibration_error_by_hand():
    confidence = np.array([0.9, 0.9, 0.6, 0.6])
    correct = np.array([True, False, True, True])
    # two bins: 0.6 against 1 and 0.9 against 0.5
    assert expected_calibration_error(confidence, correct, bins=2) == pytest.approx((0.4 + 0.4) / 2)
    # one bin: 0.75 against 0.75
    assert expected_calibration_error(confidence, correct, bins=1) == pytest.approx(0)
    # equal confidences are not torn apart, however many bins
    assert expected_calibration_error(np.full(4, 0.75), np.array([1, 1, 1, 0], dtype=bool)) == pytest.approx(0)
    assert expected_calibration_error(np.array([0.8]), np.array([True])) == pytest.approx(0.2)


def test_bins_have_equal_mass():
    confidence, correct = sample(0, 3000, distinct=10**9)
    bins = reliability_bins(confidence, correct)
    assert bins.count == (200,) * 15
    assert list(bins.confidence) == sorted(bins.confidence)
    error = sum(n * abs(a - c) for a, c, n in zip(bins.accuracy, bins.confidence, bins.count, strict=True)) / 3000
    assert error == pytest.approx(expected_calibration_error(confidence, correct))
    tied = reliability_bins(np.repeat([0.2, 1.0], [100, 900]), np.repeat([False, True], [100, 900]))
    assert tied.count == (100, 900)


def test_the_interval_of_a_bin_is_exact():
    # Clopper and Pearson for 8 of 10, from any table; and the ends that are closed.
    bins = reliability_bins(np.full(10, 0.8), np.arange(10) < 8)
    assert (bins.low[0], bins.high[0]) == (pytest.approx(0.4439, abs=1e-4), pytest.approx(0.9748, abs=1e-4))
    none, all_right = (reliability_bins(np.full(10, 0.5), np.full(10, right)) for right in (False, True))
    assert (none.low[0], none.high[0]) == (0, pytest.approx(0.3085, abs=1e-4))
    assert (all_right.low[0], all_right.high[0]) == (pytest.approx(0.6915, abs=1e-4), 1)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 80), st.integers(1, 20), st.integers(1, 20))
def test_the_order_of_documents_does_not_matter(seed, n, bins, distinct):
    confidence, correct = sample(seed, n, distinct)
    mixed = np.random.default_rng(seed + 1).permutation(n)
    for figure in (lambda c, r: expected_calibration_error(c, r, bins), aurc):
        assert figure(confidence, correct) == pytest.approx(figure(confidence[mixed], correct[mixed]))
    assert (
        reliability_bins(confidence, correct, bins).count
        == reliability_bins(confidence[mixed], correct[mixed], bins).count
    )
    assert 0 <= expected_calibration_error(confidence, correct, bins) <= 1


def test_a_calibrated_model_stays_below_the_quantile_as_often_as_it_says():
    confidence, _ = sample(3, 600)
    limits = {level: calibrated_quantile(confidence, level=level, draws=2000) for level in (0.5, 0.95)}
    rng = np.random.default_rng(7)
    errors = np.array([expected_calibration_error(confidence, rng.random(600) < confidence) for _ in range(1000)])
    for level, limit in limits.items():
        assert np.mean(errors <= limit) == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 1000))


def test_an_overconfident_model_lies_above_the_quantile():
    confidence, _ = sample(4, 2000)
    correct = np.random.default_rng(0).random(2000) < 0.8 * confidence
    assert expected_calibration_error(confidence, correct) > calibrated_quantile(confidence)
    interval = calibration_error_interval(confidence, correct)
    assert interval.low < interval.value < interval.high
    assert interval.low < 0.2 * confidence.mean() < interval.high


def test_quantile_in_blocks_and_at_the_ends(monkeypatch):
    confidence, _ = sample(5, 50)
    whole = calibrated_quantile(confidence, draws=64)
    monkeypatch.setattr(reliability, "_BLOCK", 400)
    assert calibrated_quantile(confidence, draws=64) == pytest.approx(whole)
    assert calibrated_quantile(confidence, draws=64, random_state=1) != whole
    assert calibrated_quantile(np.ones(20)) == calibrated_quantile(np.zeros(20)) == 0


def test_resampled_errors_are_seeded_and_paired():
    confidence, correct = sample(6, 300)
    errors = resampled_calibration_error(confidence, correct, resamples=40, random_state=2)
    assert np.array_equal(errors, resampled_calibration_error(confidence, correct, resamples=40, random_state=2))
    drawn = np.random.default_rng(2).integers(300, size=300)  # the first resample, by hand, for a constant confidence
    constant = resampled_calibration_error(np.full(300, 0.5), correct, resamples=1, random_state=2)
    assert constant[0] == pytest.approx(abs(correct[drawn].mean() - 0.5))
    assert (calibration_error_interval(np.ones(9), np.ones(9, dtype=bool)).high) == 0


def test_risk_and_coverage_by_hand():
    confidence, correct = np.array([0.5, 0.9, 0.7, 0.7]), np.array([False, True, False, True])
    coverage, risk = risk_coverage(confidence, correct)
    assert coverage.tolist() == [0.25, 0.75, 1]
    assert risk.tolist() == [0, pytest.approx(1 / 3), 0.5]
    assert aurc(confidence, correct) == pytest.approx(0.25 * 0 + 0.5 / 3 + 0.25 * 0.5)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.data())
def test_area_of_a_perfect_and_of_a_worse_ranking(n, data):
    errors = data.draw(st.integers(0, n))
    confidence = np.linspace(1, 0, n)
    right = np.arange(n) < n - errors
    best = aurc(confidence, right)
    assert best == pytest.approx(perfect_aurc(n, errors))
    assert aurc(confidence, np.random.default_rng(0).permutation(right)) >= best - 1e-12
    assert aurc(np.full(n, 0.5), right) == pytest.approx(errors / n)  # no ranking at all: the plain error rate
