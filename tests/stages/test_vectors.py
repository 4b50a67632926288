"""Pooled vectors by their formula."""

import numpy as np

from stages.vectors import pool_units


def test_pooling_formula():
    vectors = np.array([[3, 0], [1, 4], [0, 0], [-1, -1], [-3, -1]], dtype=np.float32)
    pooled = pool_units(vectors, np.array([2, 1, 2]))
    mean, top = np.array([2, 2]) / np.sqrt(8), np.array([3, 4]) / 5
    expected = [[*mean, *top], [0, 0, 0, 0], [*np.array([-2, -1]) / np.sqrt(5), *np.array([-1, -1]) / np.sqrt(2)]]
    assert pooled.dtype == np.float32
    assert np.allclose(pooled, expected, atol=1e-7)
