"""The figures of an evaluation as plain functions of arrays.

Labels are integers below `n_labels`; a label that is in the data but was never trained on has a number like
any other. Nothing here knows of models, files or names.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

FIGURES = {"accuracy": "accuracy", "macro_f1": "macro-F1"}  # what two systems are compared by, and how it is written
NO_RANK = np.iinfo(np.int64).max
_BLOCK = 4_000_000  # numbers compared at a time where documents x labels would be large


@dataclass(frozen=True)
class Scores:
    """Precision, recall and F1."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class LabelCounts:
    """Counts a label that every per-label figure is made of, each ``(n_labels,)``."""

    right: np.ndarray
    support: np.ndarray  # documents whose gold label it is
    predicted: np.ndarray  # documents that were given it

    @cached_property
    def present(self) -> np.ndarray:
        """Labels in gold or predictions: the ones a macro average is over."""
        return (self.support + self.predicted) > 0

    @cached_property
    def precision(self) -> np.ndarray:
        """Precision of each label, 0 where it was never predicted."""
        return ratio(self.right, self.predicted)

    @cached_property
    def recall(self) -> np.ndarray:
        """Recall of each label, 0 where gold never names it."""
        return ratio(self.right, self.support)

    @cached_property
    def f1(self) -> np.ndarray:
        """F1 of each label, 0 where no document was got right."""
        return ratio(2 * self.right, self.support + self.predicted)


@dataclass(frozen=True)
class MacroAuc:
    """Mean one-vs-rest area under the ROC curve.

    `labels` were averaged; `left_out` have no positive (or no negative) document, so no area is defined.
    """

    value: float | None
    labels: int
    left_out: int


def count_labels(gold: np.ndarray, predicted: np.ndarray, n_labels: int) -> LabelCounts:
    """Count right answers, gold documents and predictions of each label."""
    return LabelCounts(
        right=np.bincount(gold[gold == predicted], minlength=n_labels),
        support=np.bincount(gold, minlength=n_labels),
        predicted=np.bincount(predicted, minlength=n_labels),
    )


def averaged_scores(gold: np.ndarray, predicted: np.ndarray, average: str) -> Scores:
    """Precision, recall and F1 as scikit-learn averages them (``micro``, ``macro`` or ``weighted``)."""
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, _ = precision_recall_fscore_support(gold, predicted, average=average, zero_division=0)
    return Scores(float(precision), float(recall), float(f1))


def accuracy_and_macro_f1(gold: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    """Accuracy and macro-F1, by the names in `FIGURES`; labels may be ids or numbers, ``(documents,)`` each."""
    return {"accuracy": float(np.mean(gold == answers)), "macro_f1": averaged_scores(gold, answers, "macro").f1}


def hierarchical_scores(
    gold: np.ndarray, predicted: np.ndarray, gold_group: np.ndarray, predicted_group: np.ndarray
) -> Scores:
    """Hierarchical precision, recall and F1 over a two-level tree.

    Each answer stands for the set {its group, its label} (the root, which all share, is left out); shared
    members are summed over documents and divided by all predicted, or all gold members [1]_. Both sets have
    two members as long as every answer is a full path, and then the three figures are the same number.

    References
    ----------
    .. [1] Kiritchenko, Matwin and Famili (2005), "Functional annotation of genes using hierarchical text
       categorization".
    """
    shared = int(np.sum(gold_group == predicted_group)) + int(np.sum(gold == predicted))
    precision = shared / (2 * len(predicted))
    recall = shared / (2 * len(gold))
    return Scores(precision, recall, 2 * precision * recall / (precision + recall) if shared else 0.0)


def gold_ranks(probabilities: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Rank of each document's gold label among the columns, 0 for the best; equal columns rank in order.

    A gold label of probability 0 was not scored (its group is outside the beam), or has no column
    (`gold` beyond the columns): its rank is `NO_RANK`, which no top k ever holds.
    """
    n, n_labels = probabilities.shape
    ranks = np.full(n, NO_RANK, dtype=np.int64)
    columns = np.arange(n_labels)
    step = max(1, _BLOCK // max(1, n_labels))
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        rows = rows[gold[rows] < n_labels]
        block, column = probabilities[rows], gold[rows][:, None]
        own = np.take_along_axis(block, column, axis=1)
        better = (block > own) | ((block == own) & (columns < column))  # (documents, labels)
        ranks[rows] = np.where(own[:, 0] > 0, better.sum(axis=1), NO_RANK)
    return ranks


def macro_auc(probabilities: np.ndarray, gold: np.ndarray) -> MacroAuc:
    """Average the one-vs-rest ROC areas of the columns, one column at a time so that memory stays bounded.

    An area is the share of (positive, negative) pairs that stand in the right order, ties half (Mann and Whitney 1947):
    by ranks it costs a thirtieth of scikit-learn's `roc_auc_score`, which checks each column anew.
    """
    from scipy.stats import rankdata

    n, n_labels = probabilities.shape
    support = np.bincount(gold[gold < n_labels], minlength=n_labels)
    defined = np.flatnonzero((support > 0) & (support < n))
    areas = []
    for label in defined:
        positives = support[label]
        above = rankdata(probabilities[:, label])[gold == label].sum() - positives * (positives + 1) / 2
        areas.append(above / (positives * (n - positives)))
    return MacroAuc(float(np.mean(areas)) if areas else None, len(areas), n_labels - len(areas))


def count_thirds(train_counts: np.ndarray) -> np.ndarray:
    """Put each label into the tail (0), middle (1) or head (2) third by its number of training documents.

    Labels are ranked from the fewest to the most training documents, and the ranking is cut into three equal
    parts. Labels with the same count share their mean rank, so they are never torn apart; where all counts
    are equal (a balanced data set), every label is in the middle, and there is neither head nor tail.

    Returns
    -------
    np.ndarray
        ``(n_labels,)`` of 0, 1 and 2.
    """
    return equal_parts(train_counts, 3)


def equal_parts(values: np.ndarray, n: int) -> np.ndarray:
    """Cut a ranking into `n` parts of one size, numbered from the lowest; equal values share their mean rank."""
    from scipy.stats import rankdata

    rank = rankdata(values, method="average") - 0.5  # in (0, values)
    return np.minimum(n - 1, (n * rank / max(1, len(rank))).astype(np.int64))


def most_frequent_mistakes(gold: np.ndarray, predicted: np.ndarray, n_labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the commonest wrong answer to each gold label.

    Returns
    -------
    tuple of np.ndarray
        ``(n_labels,)`` the wrong label (-1 where there is none; the lower number wins a tie) and
        ``(n_labels,)`` how often it was given.
    """
    answer = np.full(n_labels, -1, dtype=np.int64)
    times = np.zeros(n_labels, dtype=np.int64)
    mistakes = count_mistakes(gold, predicted, n_labels)
    labels, first = np.unique(mistakes[:, 0], return_index=True)
    answer[labels], times[labels] = mistakes[first, 1], mistakes[first, 2]
    return answer, times


def count_mistakes(gold: np.ndarray, predicted: np.ndarray, n_labels: int) -> np.ndarray:
    """Count every wrong answer to every label.

    Returns
    -------
    np.ndarray
        ``(mistakes, 3)`` gold label, wrong label, how often; the commonest first, of equals the lower numbers.
    """
    wrong = gold != predicted
    pairs, counts = np.unique(gold[wrong].astype(np.int64) * n_labels + predicted[wrong], return_counts=True)
    order = np.lexsort((pairs, -counts))
    return np.column_stack([pairs // n_labels, pairs % n_labels, counts])[order]


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide, with 0 where there is nothing to divide by."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole), dtype=np.float64), where=whole > 0)
