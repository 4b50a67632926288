"""A paired test of two systems over the folds of a cross-validation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hierarchy.errors import DataError


@dataclass(frozen=True)
class PairedTest:
    """The difference of two systems over folds, one minus the other.

    Attributes
    ----------
    difference
        Its mean.
    t, p
        Statistic, and two-sided probability of one as far from 0 where the systems are equal. Where every fold has the
        same difference, t is None unless that is 0.
    low, high
        Interval of the true difference, at `level`.
    level
        Between 0 and 1.
    """

    difference: float
    t: float | None
    p: float
    low: float
    high: float
    level: float = 0.95

    @property
    def excludes_zero(self) -> bool:
        """Whether one is clearly better than the other; else the two are level."""
        return self.low > 0 or self.high < 0


def corrected_t_test(differences: Sequence[float], test_by_train: float, *, level: float = 0.95) -> PairedTest:
    """Test whether two systems differ, from their differences on the folds of one data set.

    The folds' training parts overlap, so that their differences are not independent and their variance is too small:
    the corrected resampled t-test [1]_ puts 1/J + n₂/n₁ in place of 1/J,

        t = mean / √((1/J + n₂/n₁) · s²),    J - 1 degrees of freedom,

    with s² the unbiased variance of the J differences, and n₂ and n₁ the documents tested and trained on in a fold.
    For repeated cross-validation J counts all folds of all repeats [2]_.

    Parameters
    ----------
    differences
        One a fold, J in all; of repeated folds one after the other.
    test_by_train
        n₂/n₁; 1/(k - 1) for k folds of one size.
    level
        Of the interval.

    Raises
    ------
    DataError
        There are fewer than two differences.

    References
    ----------
    .. [1] Nadeau and Bengio (2003), "Inference for the generalization error", Machine Learning 52, 239-281.
    .. [2] Bouckaert and Frank (2004), "Evaluating the replicability of significance tests for comparing learning
       algorithms", PAKDD.
    """
    from scipy import stats

    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    if n < 2:
        raise DataError(f"a paired test needs the differences of two folds or more; found {n}")
    mean = float(values.mean())
    error = float(np.sqrt((1 / n + test_by_train) * values.var(ddof=1)))
    t: float | None
    if error > 1e-12:
        t = mean / error
        p = float(2 * stats.t.sf(abs(t), n - 1))
    else:  # every fold says the same, up to rounding
        t, p = (0.0, 1.0) if abs(mean) <= 1e-12 else (None, 0.0)
    reach = float(stats.t.ppf((1 + level) / 2, n - 1)) * error
    return PairedTest(mean, t, p, mean - reach, mean + reach, level)
