"""Pooled vectors by their formula."""

import numpy as np

from stages.shards import Shard
from stages.vectors import UnitVectors, pool_units


def test_pooling_formula():
    vectors = np.array([[3, 0], [1, 4], [0, 0], [-1, -1], [-3, -1]], dtype=np.float32)
    pooled = pool_units(vectors, np.array([2, 1, 2]))
    mean, top = np.array([2, 2]) / np.sqrt(8), np.array([3, 4]) / 5
    expected = [[*mean, *top], [0, 0, 0, 0], [*np.array([-2, -1]) / np.sqrt(5), *np.array([-1, -1]) / np.sqrt(2)]]
    assert pooled.dtype == np.float32
    assert np.allclose(pooled, expected, atol=1e-7)


def test_what_is_kept_in_float16_is_computed_with_in_float32():
    counts = np.array([2, 1])
    kept = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float16)
    vectors = UnitVectors([Shard(kept, counts)])
    assert [own.dtype for own in vectors] == [np.float32] * 2
    assert np.array_equal(np.concatenate(list(vectors)), kept.astype(np.float32))
    assert np.array_equal(vectors.pooled(), pool_units(kept.astype(np.float32), counts))
