"""Smoothing over the neighbour graph: what it keeps, what it brings together, and the same bytes each time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hierarchy.building import smoothing
from hierarchy.building.smoothing import smoothed
from hierarchy.embedding.label_vectors import unit


def random_units(n, dimensions, seed):
    return unit(np.random.default_rng(seed).normal(size=(n, dimensions)))


def test_one_step_is_halfway_to_the_mean_of_the_neighbours():
    vectors = random_units(12, 5, 0)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -np.inf)
    weights = np.zeros((12, 12))
    for i in range(12):
        for j in np.argsort(-likeness[i])[:3]:
            weights[i, j] += max(likeness[i, j], 0)
            weights[j, i] += max(likeness[i, j], 0)
    half = (vectors + weights @ vectors / weights.sum(axis=1, keepdims=True)) / 2
    assert smoothed(vectors, neighbours=3, steps=1) == pytest.approx(unit(half - half.mean(axis=0)))


def test_labels_of_one_chain_come_nearer():
    """Two long arcs side by side: the ends of an arc are far from each other, and near to the other arc's."""
    angle = np.linspace(0, 1.8, 40)
    arc = np.stack([np.cos(angle), np.sin(angle), np.zeros(40)], axis=1)
    shift = np.array([0, 0, 0.25])
    vectors = unit(np.concatenate([arc + shift, arc - shift]))

    def contrast(points):
        likeness = points @ points.T
        return likeness[:40, :40].mean() - likeness[:40, 40:].mean()

    assert contrast(smoothed(vectors, neighbours=4, steps=10)) > contrast(smoothed(vectors, neighbours=4, steps=0))


@given(st.integers(1, 60), st.integers(1, 8), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_rows_are_unit_finite_and_repeat(n, dimensions, seed):
    vectors = random_units(n, dimensions, seed)
    after = smoothed(vectors)
    assert after.shape == vectors.shape
    assert np.isfinite(after).all()
    lengths = np.linalg.norm(after, axis=1)
    assert np.all(np.isclose(lengths, 1) | np.isclose(lengths, 0))
    assert after.tobytes() == smoothed(vectors).tobytes()


def test_blocks_of_rows_do_not_show(monkeypatch):
    vectors = random_units(50, 6, 1)
    whole = smoothed(vectors)
    monkeypatch.setattr(smoothing, "_ROWS", 7)
    assert smoothed(vectors) == pytest.approx(whole)


def test_labels_without_a_like_one_stay():
    vectors = np.vstack([np.eye(5), -np.eye(5)])  # no two have anything in common
    assert smoothed(vectors) == pytest.approx(vectors)
    assert np.array_equal(smoothed(vectors[:3]), vectors[:3])
