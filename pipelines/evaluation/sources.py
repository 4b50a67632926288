"""Where the errors come from: which documents go wrong more often, and which labels and groups are taken for others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.metrics import count_mistakes

SLICES = TAIL_LABELS, SHORT_TEXTS, UNSEEN_LABELS = "tail", "short", "unseen"
SHORT_SHARE = 0.1  # the shortest tenth
WORST_PAIRS = 20


@dataclass(frozen=True)
class Slice:
    """Some of the documents, and how many of them were answered wrongly.

    `name` is ``tail`` (the gold label is in the tail third by training documents), ``short`` (the text is one of the
    shortest tenth) or ``unseen`` (the gold label had no training documents). `limit` is the greatest number of
    characters in ``short`` and of training documents in ``tail``.
    """

    name: str
    documents: int
    errors: int
    limit: int


@dataclass(frozen=True)
class ConfusedPair:
    """A fine label and a wrong answer that its documents got."""

    gold: str
    predicted: str
    count: int


def error_slices(
    right: np.ndarray, gold: np.ndarray, train_counts: np.ndarray, tail: np.ndarray, lengths: np.ndarray
) -> tuple[Slice, ...]:
    """Count the errors of the documents with a rare label, with little text, and with a label never trained on.

    Parameters
    ----------
    right, gold
        ``(documents,)`` whether the answer is right, and the gold label.
    train_counts, tail
        ``(labels,)`` training documents, and whether the label is in the tail third.
    lengths
        ``(documents,)`` characters of each text; where so many are equal that no tenth can be told apart, ``short`` is
        left out.
    """
    found = []
    in_tail = tail[gold]
    if in_tail.any():
        found.append(_slice(TAIL_LABELS, in_tail, right, int(train_counts[tail].max())))
    limit = int(np.quantile(lengths, SHORT_SHARE, method="inverted_cdf"))
    short = lengths <= limit
    if short.mean() <= 2 * SHORT_SHARE:
        found.append(_slice(SHORT_TEXTS, short, right, limit))
    unseen = train_counts[gold] == 0
    if unseen.any():
        found.append(_slice(UNSEEN_LABELS, unseen, right, 0))
    return tuple(found)


def worst_pairs(gold: np.ndarray, predicted: np.ndarray, ids: Sequence[str]) -> tuple[ConfusedPair, ...]:
    """Give the `WORST_PAIRS` commonest wrong answers; of equals the one whose labels come first."""
    mistakes = count_mistakes(gold, predicted, len(ids))[:WORST_PAIRS]
    return tuple(ConfusedPair(ids[g], ids[p], count) for g, p, count in mistakes.tolist())


def confused_groups(gold: np.ndarray, predicted: np.ndarray, n_groups: int) -> tuple[tuple[int, int, int], ...]:
    """List (gold group, answered group, documents) of every mistake between groups, the commonest first."""
    return tuple((g, p, count) for g, p, count in count_mistakes(gold, predicted, n_groups).tolist())


def _slice(name: str, members: np.ndarray, right: np.ndarray, limit: int) -> Slice:
    return Slice(name, int(members.sum()), int((members & ~right).sum()), limit)
