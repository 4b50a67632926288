"""Conformal sets: exact coverage where the truth is known, nested nodes, the same set for the same document."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_fixtures import space_of
from scipy.special import softmax

from hierarchy.errors import DataError
from pipelines.promises.conformal import (
    Conformal,
    document_uniforms,
    fit_conformal,
    label_scores,
    limit,
    right_scores,
    tree_scores,
)

GROUP_OF = np.array([0, 0, 0, 1, 1, 2, 3, 3])
SPACE = space_of(GROUP_OF)


def documents(rng, n, *, sharpness=2.0):
    """Probabilities, and right labels that do not quite follow them."""
    logits = rng.normal(size=(n, len(GROUP_OF))) * sharpness
    truth = softmax(logits + rng.normal(size=logits.shape), axis=1)
    gold = (truth.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return softmax(logits, axis=1).astype(np.float32), gold, rng.random(n)


def conformal_of(rng, n, coverage, *, by_group=False):
    probabilities, gold, uniforms = documents(rng, n)
    scores = right_scores(probabilities, gold, GROUP_OF[gold], SPACE, uniforms)
    return fit_conformal(*scores, GROUP_OF[gold], groups=4, coverage=coverage, by_group=by_group)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.95])
def test_coverage_is_exact_where_the_truth_is_known(coverage):
    rng = np.random.default_rng(0)
    probabilities, gold, uniforms = documents(rng, 20_000)
    of_labels, of_nodes = right_scores(probabilities, gold, GROUP_OF[gold], SPACE, uniforms)
    runs = [conformal_of(rng, 199, coverage) for _ in range(300)]
    # The mean over calibrations lies between the promise and 1 / (n + 1) above; its own noise is below a point.
    for held in ([np.mean(of_labels <= r.labels) for r in runs], [np.mean(of_nodes <= r.tree) for r in runs]):
        assert coverage - 0.01 < np.mean(held) < coverage + 1 / 200 + 0.01


def test_by_group_the_coverage_holds_in_every_group():
    rng = np.random.default_rng(1)
    probabilities, gold, uniforms = documents(rng, 20_000)
    held = np.zeros((60, 4))
    for run in held:
        conformal = conformal_of(rng, 800, 0.8, by_group=True)
        sets = conformal.label_sets(probabilities, SPACE, uniforms)
        inside = sets[np.arange(len(gold)), gold]
        run[:] = [inside[GROUP_OF[gold] == g].mean() for g in range(4)]
    assert (np.abs(held.mean(axis=0) - 0.8) < 0.03).all()


@settings(deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_scores_of_labels_and_nodes_rise_as_they_should(seed, beam):
    rng = np.random.default_rng(seed)
    probabilities, _, uniforms = documents(rng, 30)
    if beam:  # labels outside have probability 0
        probabilities[:, GROUP_OF == 2] = 0
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    scores = label_scores(probabilities, uniforms)
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert (scores[probabilities == 0] == 1).all()
    falling = np.take_along_axis(scores, np.argsort(-probabilities, axis=1, kind="stable"), axis=1)
    assert (np.diff(falling, axis=1) >= -1e-12).all()
    nodes, first = tree_scores(probabilities, SPACE, uniforms)
    assert nodes.shape == (30, 5)
    assert (np.diff(nodes, axis=1) >= 0).all()
    best = probabilities.argmax(axis=1)
    assert (first[np.arange(30), GROUP_OF[best]] == 1).all()  # the best label's group is the first one up
    assert np.array_equal(np.sort(first, axis=1), np.tile([1, 2, 3, 4], (30, 1)))
    alone = label_scores(probabilities[3:4], uniforms[3:4])
    assert np.array_equal(alone[0], scores[3])


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 0.95))
def test_a_set_holds_the_right_label_where_its_score_is_within_the_limit(seed, coverage):
    rng = np.random.default_rng(seed)
    conformal = conformal_of(rng, 100, coverage)
    probabilities, gold, uniforms = documents(rng, 50)
    of_label, of_node = right_scores(probabilities, gold, GROUP_OF[gold], SPACE, uniforms)
    inside = conformal.label_sets(probabilities, SPACE, uniforms)[np.arange(50), gold]
    assert np.array_equal(inside, of_label <= conformal.labels)
    nodes = conformal.tree_sets(probabilities, SPACE, uniforms)
    first = np.where(
        gold == probabilities.argmax(axis=1),
        0,
        tree_scores(probabilities, SPACE, uniforms)[1][range(50), GROUP_OF[gold]],
    )
    assert np.array_equal(nodes >= first, of_node <= conformal.tree)


def test_a_label_that_the_model_does_not_know_is_in_no_set():
    probabilities, _, uniforms = documents(np.random.default_rng(2), 3)
    scores = right_scores(probabilities, np.array([-1, -1, 4]), np.array([-1, 2, 1]), SPACE, uniforms)
    assert np.isinf(scores[0]).tolist() == [True, True, False]


def test_groups_with_few_documents_keep_all_their_labels():
    of_label, group = np.r_[np.linspace(0, 0.5, 50), 0.2], np.r_[np.zeros(50, int), 1]
    found = fit_conformal(of_label, of_label, group, groups=2, coverage=0.9, by_group=True)
    assert found.groups is not None
    assert np.isinf(found.groups[1])
    sets = found.label_sets(np.array([[0.98, 0.01, 0.01]]), space_of([0, 1, 1]), np.array([0.1]))
    assert sets.tolist() == [[True, True, True]]


def test_limits_and_few_documents():
    assert limit(np.arange(9) / 10, 0.9) == 0.8  # the 9th of 9
    assert limit(np.arange(8) / 10, 0.9) == np.inf
    with pytest.raises(DataError, match=r"8 calibration documents are too few .* 90% .* takes 9 at least"):
        fit_conformal(np.zeros(8), np.zeros(8), np.zeros(8, int), groups=1, coverage=0.9, by_group=False)


def test_random_numbers_belong_to_the_document():
    texts = [f"document {i}" for i in range(2000)] + ["", "文件", "\ud800"]
    drawn = document_uniforms(texts)
    assert np.array_equal(document_uniforms(texts[5:6]), drawn[5:6])
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert abs(drawn.mean() - 0.5) < 0.03


def test_an_empty_set_is_told_apart():
    conformal = Conformal(0.5, 0.1, 0.1, None)
    sure = np.array([[0.9, 0.1]])
    assert conformal.tree_sets(sure, space_of([0, 1]), np.array([0.9])).tolist() == [-1]
    assert not conformal.label_sets(sure, space_of([0, 1]), np.array([0.9])).any()


def test_group_mass_sums_labels_of_a_group():
    assert np.allclose(space_of([0, 0, 1, 2]).group_mass(np.array([[0.1, 0.2, 0.3, 0.4]])), [[0.3, 0.3, 0.4]])
