"""The tables of an evaluation: a row a fine label, a row a group, and the head, middle and tail thirds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.evaluation import metrics
from pipelines.evaluation.metrics import LabelCounts
from stages.label_space import LabelSpace

THIRDS = ("tail", "middle", "head")  # as metrics.count_thirds numbers them


@dataclass(frozen=True)
class ThirdScores:
    """Macro-F1 of the head, middle or tail third of the labels, ranked by their training documents."""

    f1: float | None  # over its labels in gold or predictions; None where there are none
    labels: int
    support: int  # documents
    train_counts: tuple[int, int] | None  # fewest and most training documents of a label in this third


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """A fine label or a group. Scores are None where it is neither in gold nor in the predictions."""

    id: str
    name: str = ""  # for readers; empty where it is not known
    train_count: int
    support: int
    predicted: int
    precision: float | None
    recall: float | None
    f1: float | None
    mistaken_for: str | None  # most frequent wrong answer to its documents
    mistaken_count: int


@dataclass(frozen=True, kw_only=True)
class LabelRow(ScoreRow):
    """One fine label."""

    group: str

    @property
    def wrong(self) -> int:
        """Its documents that were answered wrongly."""
        return round(self.support * (1 - (self.recall or 0.0)))


@dataclass(frozen=True, kw_only=True)
class GroupRow(ScoreRow):
    """One group. Scores are about the group of the predicted label; errors are shares of its documents."""

    labels: int
    accuracy: float | None  # of the fine label, on the documents of this group
    routing_errors: float | None
    head_errors: float | None

    @property
    def wrong(self) -> int:
        """Its documents whose fine label was answered wrongly."""
        return round(self.support * (1 - (self.accuracy or 0.0)))


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
    space: LabelSpace,
    train_counts: np.ndarray,
    names: Mapping[str, str],
) -> tuple[LabelRow, ...]:
    """Make the row of every label from gold and predicted labels, ``(documents,)`` each; `names` by id, if any."""
    counts = metrics.count_labels(gold, predicted, len(space.label_ids))
    homes = space.group_by_label
    columns = _columns(gold, predicted, counts, space.label_ids, train_counts, names)
    return tuple(LabelRow(**shared, group=homes[shared["id"]]) for shared in columns)


def group_rows(
    gold: np.ndarray,
    predicted: np.ndarray,
    right: np.ndarray,
    space: LabelSpace,
    train_counts: np.ndarray,
    names: Mapping[str, str],
) -> tuple[GroupRow, ...]:
    """Make the row of every group.

    `gold` and `predicted` are group indices, `right` tells where the fine label is right; ``(documents,)``
    each. `train_counts` are ``(labels,)``; `names` are by id, if any.
    """
    n = len(space.group_ids)
    counts = metrics.count_labels(gold, predicted, n)
    trained = np.bincount(space.group_of, weights=train_counts, minlength=n)
    right_labels = np.bincount(gold[right], minlength=n)
    sizes = np.bincount(space.group_of, minlength=n)

    def share(part: int, g: int) -> float | None:
        return float(part / counts.support[g]) if counts.support[g] else None

    return tuple(
        GroupRow(
            **shared,
            labels=int(sizes[g]),
            accuracy=share(right_labels[g], g),
            routing_errors=float(1 - counts.right[g] / counts.support[g]) if counts.support[g] else None,
            head_errors=share(counts.right[g] - right_labels[g], g),
        )
        for g, shared in enumerate(_columns(gold, predicted, counts, space.group_ids, trained, names))
    )


def _columns(
    gold: np.ndarray,
    predicted: np.ndarray,
    counts: LabelCounts,
    ids: Sequence[str],
    train_counts: np.ndarray,
    names: Mapping[str, str],
) -> Iterator[dict[str, Any]]:
    """Give what the rows of labels and of groups have in common."""
    wrong, times = metrics.most_frequent_mistakes(gold, predicted, len(ids))
    for i, (one, present) in enumerate(zip(ids, counts.present.tolist(), strict=True)):
        yield {
            "id": one,
            "name": names.get(one, ""),
            "train_count": int(train_counts[i]),
            "support": int(counts.support[i]),
            "predicted": int(counts.predicted[i]),
            "precision": float(counts.precision[i]) if present else None,
            "recall": float(counts.recall[i]) if present else None,
            "f1": float(counts.f1[i]) if present else None,
            "mistaken_for": ids[wrong[i]] if wrong[i] >= 0 else None,
            "mistaken_count": int(times[i]),
        }
