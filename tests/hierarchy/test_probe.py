"""The cross-fitted probe: no leakage, rare labels, the same as scikit-learn's ridge, routing figures."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from hierarchy import DataError, probe
from hierarchy.probe import cross_fitted_scores, fold_of, group_confusion, group_scores, routing_recall


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(6, 10))
    targets = rng.integers(0, 6, 300)
    return centres[targets] + rng.normal(size=(300, 10)) * 0.5, targets


def test_it_is_a_ridge_classifier(data):
    X, targets = data
    scores = cross_fitted_scores(X, targets, ridge=1e-6)
    fold = fold_of(targets)
    for f in range(5):
        reference = RidgeClassifier(alpha=1e-9).fit(X[fold != f], targets[fold != f]).decision_function(X[fold == f])
        assert scores[fold == f] * 2 - 1 == pytest.approx(reference, abs=1e-3)
    assert (scores.argmax(axis=1) == targets).mean() > 0.9


def test_blocks_change_nothing(data, monkeypatch):
    X, targets = data
    whole = cross_fitted_scores(X, targets)
    monkeypatch.setattr(probe, "BLOCK", 17)
    assert cross_fitted_scores(X, targets) == pytest.approx(whole, abs=1e-5)


def test_random_targets_are_not_learned():
    rng = np.random.default_rng(1)
    X, targets = rng.normal(size=(200, 150)), rng.integers(0, 4, 200)
    assert (cross_fitted_scores(X, targets).argmax(axis=1) == targets).mean() < 0.4


def test_labels_with_one_document_or_none(data):
    X, targets = data
    targets = targets.copy()
    targets[0] = 7
    scores = cross_fitted_scores(X, targets, n_labels=9)
    assert scores.shape == (300, 9)
    assert np.isfinite(scores).all()
    assert scores[0].argmax() != 7
    assert not (scores.argmax(axis=1) == 8).any()
    with pytest.raises(DataError, match="two documents or more"):
        cross_fitted_scores(X[:1], targets[:1])
    assert cross_fitted_scores(X[:2], np.array([0, 1])).shape == (2, 2)


def test_folds_hold_their_share_of_each_label():
    targets = np.repeat(np.arange(7), 10)
    fold = fold_of(targets, 5)
    assert all(np.bincount(fold[targets == label], minlength=5).tolist() == [2] * 5 for label in range(7))
    assert np.array_equal(fold, fold_of(targets, 5))


def test_group_figures():
    group_of = np.array([0, 0, 1, 2])
    scores = np.array([[3.0, 0, 2, 1], [0, 1, 5, 2], [0, 0, 4, 4], [9, 1, 2, 3]])
    targets = np.array([1, 0, 3, 3])
    assert group_scores(scores, group_of)[0].tolist() == [3, 2, 1]
    confusion = group_confusion(scores, targets, group_of)
    assert confusion.tolist() == [[0.5, 0.5, 0], [0, 0, 0], [0.5, 0.5, 0]]
    assert [routing_recall(scores, targets, group_of, k) for k in (1, 2, 3)] == [0.25, 0.75, 1.0]
