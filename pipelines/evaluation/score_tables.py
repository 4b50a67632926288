"""The tables of an evaluation: a row a fine label, a row a group, and the head, middle and tail thirds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.evaluation import metrics
from pipelines.evaluation.metrics import LabelCounts

THIRDS = ("tail", "middle", "head")  # as metrics.count_thirds numbers them


@dataclass(frozen=True)
class ThirdScores:
    """Macro-F1 of the head, middle or tail third of the labels, ranked by their training documents."""

    f1: float | None  # over its labels in gold or predictions; None where there are none
    labels: int
    support: int  # documents
    train_counts: tuple[int, int] | None  # fewest and most training documents of a label in this third


@dataclass(frozen=True)
class LabelRow:
    """One fine label. Scores are None where the label is neither in gold nor in the predictions."""

    id: str
    group: str
    train_count: int
    support: int
    predicted: int
    precision: float | None
    recall: float | None
    f1: float | None
    mistaken_for: str | None  # most frequent wrong answer to its documents
    mistaken_count: int
    name: str = ""  # for readers; empty where it is not known


@dataclass(frozen=True)
class GroupRow:
    """One group. Scores are about the group of the predicted label; errors are shares of its documents."""

    id: str
    labels: int
    train_count: int
    support: int
    predicted: int
    precision: float | None
    recall: float | None
    f1: float | None
    accuracy: float | None  # of the fine label, on the documents of this group
    routing_errors: float | None
    head_errors: float | None
    mistaken_for: str | None
    mistaken_count: int
    name: str = ""


def third_scores(counts: LabelCounts, train_counts: np.ndarray) -> dict[str, ThirdScores]:
    """Score the tail, middle and head thirds of the labels (see `metrics.count_thirds`)."""
    third_of = metrics.count_thirds(train_counts)
    result = {}
    for number, name in enumerate(THIRDS):
        members = third_of == number
        scored = members & counts.present
        own = train_counts[members]
        result[name] = ThirdScores(
            f1=float(counts.f1[scored].mean()) if scored.any() else None,
            labels=int(members.sum()),
            support=int(counts.support[members].sum()),
            train_counts=(int(own.min()), int(own.max())) if len(own) else None,
        )
    return result


def label_rows(
    gold: np.ndarray,
    predicted: np.ndarray,
    counts: LabelCounts,
    ids: Sequence[str],
    group_of: np.ndarray,
    group_ids: Sequence[str],
    train_counts: np.ndarray,
    names: Mapping[str, str],
) -> tuple[LabelRow, ...]:
    """Make the row of every label from gold and predicted labels, ``(documents,)`` each; `names` by id, if any."""
    wrong, times = metrics.most_frequent_mistakes(gold, predicted, len(ids))
    return tuple(
        LabelRow(
            id=ids[i],
            group=group_ids[group_of[i]],
            train_count=int(train_counts[i]),
            **_score_columns(counts, i),
            mistaken_for=ids[wrong[i]] if wrong[i] >= 0 else None,
            mistaken_count=int(times[i]),
            name=names.get(ids[i], ""),
        )
        for i in range(len(ids))
    )


def group_rows(
    gold: np.ndarray,
    predicted: np.ndarray,
    right: np.ndarray,
    group_of: np.ndarray,
    group_ids: Sequence[str],
    train_counts: np.ndarray,
    names: Mapping[str, str],
) -> tuple[GroupRow, ...]:
    """Make the row of every group.

    `gold` and `predicted` are group indices, `right` tells where the fine label is right; ``(documents,)``
    each. `group_of` and `train_counts` are ``(labels,)``; `names` are by id, if any.
    """
    n = len(group_ids)
    counts = metrics.count_labels(gold, predicted, n)
    wrong, times = metrics.most_frequent_mistakes(gold, predicted, n)
    right_labels = np.bincount(gold[right], minlength=n)
    sizes = np.bincount(group_of, minlength=n)
    trained = np.bincount(group_of, weights=train_counts, minlength=n)
    rows = []
    for g in range(n):
        support = int(counts.support[g])
        rows.append(
            GroupRow(
                id=group_ids[g],
                labels=int(sizes[g]),
                train_count=int(trained[g]),
                **_score_columns(counts, g),
                accuracy=float(right_labels[g] / support) if support else None,
                routing_errors=float(1 - counts.right[g] / support) if support else None,
                head_errors=float((counts.right[g] - right_labels[g]) / support) if support else None,
                mistaken_for=group_ids[wrong[g]] if wrong[g] >= 0 else None,
                mistaken_count=int(times[g]),
                name=names.get(group_ids[g], ""),
            )
        )
    return tuple(rows)


def _score_columns(counts: LabelCounts, i: int) -> dict[str, Any]:
    present = bool(counts.present[i])
    return {
        "support": int(counts.support[i]),
        "predicted": int(counts.predicted[i]),
        "precision": float(counts.precision[i]) if present else None,
        "recall": float(counts.recall[i]) if present else None,
        "f1": float(counts.f1[i]) if present else None,
    }
