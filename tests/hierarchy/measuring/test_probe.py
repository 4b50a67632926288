"""The cross-fitted probe: no leakage, rare labels, the same as scikit-learn's ridge, routing figures."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from hierarchy import DataError
from hierarchy.measuring import probe
from hierarchy.measuring.probe import Probe, fold_of, probe_groups, probe_labels


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(6, 10))
    targets = rng.integers(0, 6, 300)
    return centres[targets] + rng.normal(size=(300, 10)) * 0.5, targets


def scores_of(found, labels):
    """Put the scores back in the order of the labels."""
    scores = np.full((len(found.targets), labels), np.nan)
    np.put_along_axis(scores, found.best.astype(np.int64), found.scores, axis=1)
    return scores


def test_it_is_a_ridge_classifier(data, monkeypatch):
    X, targets = data
    monkeypatch.setattr(probe, "RIDGE", 1e-6)
    scores = scores_of(probe_labels(X, targets, 6), 6)
    fold = fold_of(targets)
    for f in range(5):
        reference = RidgeClassifier(alpha=1e-9).fit(X[fold != f], targets[fold != f]).decision_function(X[fold == f])
        assert scores[fold == f] * 2 - 1 == pytest.approx(reference, abs=1e-3)
    assert (scores.argmax(axis=1) == targets).mean() > 0.9


def test_blocks_change_nothing(data, monkeypatch):
    X, targets = data
    whole = probe_labels(X, targets, 6)
    monkeypatch.setattr(probe, "BLOCK", 17)
    parts = probe_labels(X, targets, 6)
    assert parts.scores == pytest.approx(whole.scores, abs=1e-5)
    assert parts.confusion == pytest.approx(whole.confusion, abs=1e-5)
    assert parts.routing_recall(np.arange(6) // 2, 1) == whole.routing_recall(np.arange(6) // 2, 1)


def test_random_targets_are_not_learned():
    rng = np.random.default_rng(1)
    X, targets = rng.normal(size=(200, 150)), rng.integers(0, 4, 200)
    assert (probe_labels(X, targets, 4).best[:, 0] == targets).mean() < 0.4


def test_labels_with_one_document_or_none(data):
    X, targets = data
    targets = targets.copy()
    targets[0] = 7
    found = probe_labels(X, targets, 9)
    assert np.isfinite(found.scores).all()
    assert found.best[0, 0] != 7
    assert not (found.best[:, 0] == 8).any()
    assert found.confusion[8].sum() == 0
    assert found.confusion[:8].sum(axis=1)[found.confusion[:8].any(axis=1)] == pytest.approx(1, abs=1e-5)
    with pytest.raises(DataError, match="two documents or more"):
        probe_labels(X[:1], targets[:1], 9)
    assert probe_labels(X[:2], np.array([0, 1]), 2).scores.shape == (2, 2)


def test_only_the_best_labels_are_remembered(data, monkeypatch):
    X, targets = data
    whole = probe_labels(X, targets, 6)
    monkeypatch.setattr(probe, "KEPT", 3)
    some = probe_labels(X, targets, 6)
    assert np.array_equal(some.best, whole.best[:, :3])
    # What is not remembered counts as missed: the estimate may be too low, never too high.
    group_of = np.arange(6) // 2
    assert all(some.routing_recall(group_of, k) <= whole.routing_recall(group_of, k) for k in (1, 2, 3))


def test_folds_hold_their_share_of_each_label():
    targets = np.repeat(np.arange(7), 10)
    fold = fold_of(targets, 5)
    assert all(np.bincount(fold[targets == label], minlength=5).tolist() == [2] * 5 for label in range(7))
    assert np.array_equal(fold, fold_of(targets, 5))


def test_group_figures():
    group_of = np.array([0, 0, 1, 2])
    scores = np.array([[3.0, 0, 2, 1], [0, 1, 5, 2], [0, 0, 4, 4], [9, 1, 2, 3]])
    targets = np.array([1, 0, 3, 3])
    best = np.argsort(-scores, axis=1, kind="stable")
    found = Probe(targets, best, np.take_along_axis(scores, best, axis=1), np.zeros((4, 4)))
    assert found.group_confusion(group_of).tolist() == [[0.5, 0.5, 0], [0, 0, 0], [0.5, 0.5, 0]]
    # A group that ties with the right one counts as before it.
    assert [found.routing_recall(group_of, k) for k in (1, 2, 3)] == [0.25, 0.75, 1.0]


def test_groups_alone_are_probed_as_with_their_labels():
    random = np.random.default_rng(0)
    targets = np.concatenate([random.integers(0, 12, 400), [12]])  # a label of one document is known to no other fold
    X = random.normal(size=(13, 8))[targets] + random.normal(size=(401, 8))
    group_of = np.arange(13) % 4
    probe = probe_labels(X, targets, 13)
    assert np.array_equal(probe_groups(X, targets, group_of), probe.group_confusion(group_of))
    assert (np.diag(probe.group_confusion(group_of)) > 0.3).all()
