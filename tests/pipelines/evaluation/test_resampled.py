"""The corrected resampled t-test against a case worked by hand."""

import math

import pytest

from hierarchy.errors import DataError
from pipelines.evaluation.resampled import corrected_t_test


def test_a_case_worked_by_hand():
    # mean 0.03, variance 0.00025; (1/5 + 1/4) * 0.00025 = 0.0001125, so t = 0.03 / 0.0106066 = 2 * sqrt(2)
    found = corrected_t_test([0.02, 0.04, 0.03, 0.01, 0.05], 1 / 4)
    assert found.difference == pytest.approx(0.03)
    assert found.t == pytest.approx(2 * math.sqrt(2))
    # Student's distribution with 4 degrees of freedom has a closed form: F(t) = 1/2 + 3/8 u (1 - u^2 / 12),
    # u = t / sqrt(1 + t^2 / 4)
    u = found.t / math.sqrt(1 + found.t**2 / 4)
    assert found.p == pytest.approx(2 * (0.5 - 3 / 8 * u * (1 - u**2 / 12)))
    assert found.p == pytest.approx(0.04742, abs=1e-5)
    assert (found.low, found.high) == pytest.approx(
        (0.03 - 2.776445 * 0.0106066, 0.03 + 2.776445 * 0.0106066), abs=1e-6
    )


def test_the_correction_makes_the_test_more_careful():
    differences = [0.02, 0.04, 0.03, 0.01, 0.05]
    assert corrected_t_test(differences, 1 / 4).p > corrected_t_test(differences, 0).p


def test_the_sign_turns_with_the_systems():
    one, other = corrected_t_test([0.1, 0.3], 1.0), corrected_t_test([-0.1, -0.3], 1.0)
    assert (one.t, one.p, one.low) == pytest.approx((-other.t, other.p, -other.high))


def test_folds_that_all_say_the_same():
    assert (corrected_t_test([0.0] * 5, 0.25).t, corrected_t_test([0.0] * 5, 0.25).p) == (0.0, 1.0)
    assert (corrected_t_test([0.1] * 5, 0.25).t, corrected_t_test([0.1] * 5, 0.25).p) == (None, 0.0)
    with pytest.raises(DataError, match="two folds or more; found 1"):
        corrected_t_test([0.1], 0.25)
