"""A cheap probe of what gets confused: ridge classifiers on cached vectors, each scored on documents it never saw.

It serves the builder, `taxonomy check` and the fine stage's `negatives: candidates`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hierarchy.errors import DataError

BLOCK = 8192  # documents a step: memory stays small beside the vectors
SCORES_AT_ONCE = 10_000_000  # of documents and labels
SHARPNESS = 20.0  # what ridge scores, which lie between 0 and 1, are multiplied by before the softmax
RIDGE = 0.01  # penalty, as a share of the mean variance of the dimensions times the documents
KEPT = 100  # best labels of a document that are remembered


@dataclass(frozen=True)
class Probe:
    """What a cross-fitted probe says of a data set, without the (documents, labels) scores.

    Attributes
    ----------
    targets
        (documents,) label positions.
    best
        (documents, kept) positions of the labels with the highest scores, the best first.
    scores
        (documents, kept) their scores, float32.
    confusion
        (labels, labels) float32: the mean softmax of the scores of each label's documents. Rows sum to 1; a label
        without documents has a row of zeros.
    """

    targets: np.ndarray
    best: np.ndarray
    scores: np.ndarray
    confusion: np.ndarray

    def group_confusion(self, group_of: np.ndarray) -> np.ndarray:
        """Share of each group's documents that the probe sends to each group.

        Parameters
        ----------
        group_of
            The group of each label, shape (labels,).

        Returns
        -------
        np.ndarray
            (groups, groups), rows sum to 1; a group without documents has a row of zeros.
        """
        groups = int(group_of.max()) + 1
        counts = np.zeros((groups, groups))
        np.add.at(counts, (group_of[self.targets], group_of[self.best[:, 0]]), 1)
        return _shares(counts)

    def routing_recall(self, group_of: np.ndarray, k: int) -> float:
        """Share of documents whose group is among the k best; a group is as good as its best label.

        Parameters
        ----------
        group_of
            The group of each label, shape (labels,).
        k
            Groups that the router keeps.

        Returns
        -------
        float
            Between 0 and 1. Where it cannot be told, which needs groups of many labels, a document counts as missed.
        """
        found = 0
        for start in range(0, len(self.targets), BLOCK):
            part = slice(start, start + BLOCK)
            # 1. The score of the right group: that of its best label; without any among the kept ones it is missed.
            right = group_of[self.targets[part]][:, None]
            groups, scores = group_of[self.best[part]], self.scores[part]
            own = np.where(groups == right, scores, -np.inf).max(axis=1, keepdims=True)
            # 2. Other groups with a label that scores as much or more. A tie counts: the estimate must not flatter.
            before = np.where((groups != right) & (scores >= own), groups, -1)
            before.sort(axis=1)
            # 3. Distinct ones are counted, as changes in the sorted row; found where fewer than k stand before.
            others = (np.diff(before, axis=1, prepend=-1) > 0).sum(axis=1)
            found += int(((others < k) & np.isfinite(own[:, 0])).sum())
        return found / len(self.targets)


def probe_labels(X: np.ndarray, targets: np.ndarray, n_labels: int, n_folds: int = 5, random_state: int = 0) -> Probe:
    """Score each document by a ridge classifier that was fitted on the other folds.

    Every fold's model comes from sums over documents (their Gram matrix and label sums), which are taken in blocks
    once: 200,000 documents cost little more than reading them. This is scikit-learn's `RidgeClassifier` in closed
    form, without the dense (documents, labels) target matrix that it makes for each fold, and without the scores of
    that shape.

    Parameters
    ----------
    X
        Vectors of the documents, shape (documents, dimensions); may be memory-mapped.
    targets
        Label positions, shape (documents,).
    n_labels
        How many labels there are.
    n_folds
        How many folds. A label's documents are dealt evenly over them.
    random_state
        Of the folds.

    Returns
    -------
    Probe
        Where a fold's model knows no document of a label (it has one document, or none), that label gets the
        document's lowest score, so it never wins.

    Raises
    ------
    DataError
        Where there are fewer than two documents, or lengths differ.
    """
    from scipy import sparse

    targets = np.asarray(targets, dtype=np.int64)
    kept = min(KEPT, n_labels)
    best = np.empty((len(targets), kept), dtype=np.int32)
    scores = np.empty((len(targets), kept), dtype=np.float32)
    confusion = np.zeros((n_labels, n_labels), dtype=np.float32)
    for rows, part in _held_out(X, targets, n_folds, random_state, n_labels):
        ones = np.ones(len(rows), dtype=np.float32)
        of_label = sparse.csr_array((ones, (targets[rows], np.arange(len(rows)))), shape=(n_labels, len(rows)))
        part = part.astype(np.float32)
        # 1. The best labels of each document and their scores, the best first.
        top = (
            np.argpartition(-part, kept - 1, axis=1)[:, :kept]
            if kept < n_labels
            else np.tile(np.arange(n_labels), (len(rows), 1))
        )
        order = np.argsort(-np.take_along_axis(part, top, axis=1), axis=1, kind="stable")
        best[rows] = np.take_along_axis(top, order, axis=1)
        scores[rows] = np.take_along_axis(part, best[rows], axis=1)
        # 2. Softmax of the scores, added up by the documents' own labels.
        soft = np.exp(SHARPNESS * (part - part.max(axis=1, keepdims=True)))
        present = np.unique(targets[rows])
        confusion[present] += of_label[present] @ (soft / soft.sum(axis=1, keepdims=True))
    counts = np.bincount(targets, minlength=n_labels)
    confusion /= np.maximum(counts, 1).astype(np.float32)[:, None]
    return Probe(targets, best, scores, confusion)


def probe_groups(
    X: np.ndarray, targets: np.ndarray, group_of: np.ndarray, n_folds: int = 5, random_state: int = 0
) -> np.ndarray:
    """Return the group confusion of the probe of the labels, without all else that `probe_labels` finds.

    Nothing in it grows with the square of the labels, so that it serves tens of thousands of them.

    Parameters
    ----------
    X, targets, n_folds, random_state
        As for `probe_labels`.
    group_of
        The group of each label, shape (labels,).

    Returns
    -------
    np.ndarray
        (groups, groups) as `Probe.group_confusion` has it.
    """
    groups = int(group_of.max()) + 1
    counts = np.zeros((groups, groups))
    for rows, part in _held_out(X, targets, n_folds, random_state, len(group_of)):
        best = part.astype(np.float32).argmax(axis=1)
        np.add.at(counts, (group_of[targets[rows]], group_of[best]), 1)
    return _shares(counts)


def _shares(counts: np.ndarray) -> np.ndarray:
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def _held_out(
    X: np.ndarray, targets: np.ndarray, n_folds: int, random_state: int, labels: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield some documents and their scores, (documents, labels) float64, by the model of the other folds."""
    from scipy.linalg import cho_factor, cho_solve

    if len(X) != len(targets) or len(targets) < 2:
        raise DataError(f"a probe needs two documents or more, each with a target; found {len(X)} and {len(targets)}")
    fold = fold_of(targets, n_folds, random_state)
    n_folds = int(fold.max()) + 1
    d = X.shape[1]
    # 1. Sums of each fold, in blocks of documents: all that ridge needs.
    gram = np.zeros((n_folds, d, d))
    sums = np.zeros((n_folds, labels, d))  # sum of the vectors of each label
    counts = np.zeros((n_folds, labels))
    for start in range(0, len(X), BLOCK):
        part = np.asarray(X[start : start + BLOCK], dtype=np.float64)
        for f in range(n_folds):
            mine = fold[start : start + BLOCK] == f
            rows, wanted = part[mine], targets[start : start + BLOCK][mine]
            gram[f] += rows.T @ rows
            np.add.at(sums[f], wanted, rows)
            counts[f] += np.bincount(wanted, minlength=labels)
    step = max(1, min(BLOCK, SCORES_AT_ONCE // labels))
    for f in range(n_folds):
        # 2. The sums of all other folds, centred at their mean.
        others = [g for g in range(n_folds) if g != f]
        count = counts[others].sum(axis=0)
        total = count.sum()
        by_label = sums[others].sum(axis=0)  # (labels, d)
        mean = by_label.sum(axis=0) / total
        centred = gram[others].sum(axis=0) - total * np.outer(mean, mean)
        # 3. Ridge in closed form: (XᵀX + penalty) rows = XᵀY, with targets 0 and 1; the bias makes up for the mean.
        centred[np.diag_indices(d)] += RIDGE * np.trace(centred) / d + 1e-9
        rows_ = cho_solve(cho_factor(centred), (by_label - count[:, None] * mean).T).T  # (labels, d)
        bias = count / total - rows_ @ mean
        # 4. Scores of the fold's own documents; a label that the model does not know never wins.
        held_out = np.flatnonzero(fold == f)
        for start in range(0, len(held_out), step):
            rows_here = held_out[start : start + step]
            part = np.asarray(X[rows_here], dtype=np.float64) @ rows_.T + bias
            part[:, count == 0] = part.min(axis=1, keepdims=True)
            yield rows_here, part


def fold_of(targets: np.ndarray, n_folds: int = 5, random_state: int = 0) -> np.ndarray:
    """Deal documents over folds, label by label, so that each fold gets its share of each label.

    Parameters
    ----------
    targets
        Label positions, shape (documents,).
    n_folds
        How many folds; at most one a document.
    random_state
        Of the order within a label.

    Returns
    -------
    np.ndarray
        The fold of each document, shape (documents,).
    """
    shuffled = np.random.default_rng(random_state).permutation(len(targets))
    by_label = shuffled[np.argsort(np.asarray(targets)[shuffled], kind="stable")]
    fold = np.empty(len(targets), dtype=np.int64)
    # Dealing runs on over the labels, so that labels with a single document do not all fall into the first fold.
    fold[by_label] = np.arange(len(targets)) % max(2, min(n_folds, len(targets)))
    return fold
