"""Evaluation of predictions: every figure about one system on one set of documents, and its tables.

`evaluate_predictions` takes arrays and gives an `Evaluation`. Comparing it with baselines and showing it is
`pipelines.evaluation.comparison` and `pipelines.evaluation.report`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hierarchy.errors import DataError
from pipelines.evaluation import metrics
from pipelines.evaluation.levels import LevelScores, answer_confidence, level_table
from pipelines.evaluation.metrics import MacroAuc, Scores
from pipelines.evaluation.score_tables import (
    THIRDS,
    GroupRow,
    LabelRow,
    ThirdScores,
    group_rows,
    label_rows,
    third_scores,
)
from pipelines.evaluation.sources import ConfusedPair, Slice, confused_groups, error_slices, worst_pairs

TOP_K = (1, 3, 5)
PER_DOCUMENT = ("gold", "predicted", "confidence")


@dataclass(frozen=True)
class Evaluation:
    """All figures of one system on one set of documents; shares are between 0 and 1.

    `routing_errors` + `head_errors` = 1 - `accuracy`: the answer stands in a wrong group, or in the right
    group and is the wrong label. `coarse_accuracy` and `coarse_in_beam` are None where the coarse stage's
    probabilities, or the beam, were not given. `levels` are by the names in `pipelines.evaluation.levels`;
    `slices`, `pairs` and `group_mistakes` say where the errors come from (`pipelines.evaluation.sources`). What
    `PER_DOCUMENT` names, for pairing with another system, stays in memory only: no file holds it.
    """

    documents: int
    unseen: int  # documents whose gold label had no training documents: always wrong
    accuracy: float
    micro: Scores
    macro: Scores
    weighted: Scores
    thirds: dict[str, ThirdScores]
    top_k: dict[int, float]
    auc: MacroAuc
    hierarchical: Scores
    group_accuracy: float
    group_macro_f1: float
    coarse_accuracy: float | None
    coarse_in_beam: float | None
    routing_errors: float
    head_errors: float
    labels: tuple[LabelRow, ...]
    groups: tuple[GroupRow, ...]
    levels: dict[str, LevelScores]
    slices: tuple[Slice, ...]
    pairs: tuple[ConfusedPair, ...]
    group_mistakes: tuple[tuple[int, int, int], ...]  # places in `groups`: gold, answered; documents
    gold: np.ndarray | None = field(default=None, repr=False, compare=False)
    predicted: np.ndarray | None = field(default=None, repr=False, compare=False)
    confidence: np.ndarray | None = field(default=None, repr=False, compare=False)

    @property
    def answers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Gold labels, predicted labels and whether they agree: three arrays ``(documents,)``.

        Raises
        ------
        DataError
            If this evaluation was read from a file, which keeps no answers of single documents.
        """
        if self.gold is None or self.predicted is None:
            raise DataError(
                "an evaluation that was read from a file holds no answers of single documents: "
                "evaluate again to compare two systems document by document"
            )
        return self.gold, self.predicted, np.asarray(self.gold == self.predicted)


def evaluate_predictions(
    gold: np.ndarray,
    probabilities: np.ndarray,
    *,
    group_of: np.ndarray,
    label_ids: Sequence[str],
    group_ids: Sequence[str],
    train_counts: np.ndarray,
    gold_group: np.ndarray | None = None,
    unseen_ids: Sequence[str] | None = None,
    coarse_probability: np.ndarray | None = None,
    in_beam: np.ndarray | None = None,
    lengths: np.ndarray | None = None,
    label_names: Mapping[str, str] | None = None,
    group_names: Mapping[str, str] | None = None,
    random_state: int = 0,
) -> Evaluation:
    """Compute all figures of a system from its answers.

    Parameters
    ----------
    gold
        ``(documents,)`` column of `probabilities` of the gold label, or -1 where the model has never seen
        that label in training (it has no column, so the answer is wrong in every figure).
    probabilities
        ``(documents, labels)``; 0 where the router did not score a label.
    group_of
        ``(labels,)`` group index of each column.
    label_ids, group_ids
        Ids of the columns, and of all groups.
    train_counts
        ``(labels,)`` training documents of each column.
    gold_group
        ``(documents,)`` group index of the gold label; needed where `gold` holds -1, else looked up.
    unseen_ids
        ``(documents,)`` id of the gold label where `gold` is -1 (not read elsewhere); needed there, so that
        each unseen label counts as one label in the macro averages.
    coarse_probability
        ``(documents, groups)`` of the coarse stage alone.
    in_beam
        ``(documents, groups)`` bool, the groups that the router kept (all of them if exhaustive).
    lengths
        ``(documents,)`` characters of each text, to tell what goes wrong for want of text.
    label_names, group_names
        Names for readers, by id.
    random_state
        Of the intervals.

    Raises
    ------
    DataError
        If there is no document, or the arrays do not fit together.
    """
    gold = np.asarray(gold, dtype=np.int64)
    group_of = np.asarray(group_of, dtype=np.int64)
    if len(gold) == 0:
        raise DataError("there is nothing to evaluate: no document has a gold label")
    n, n_labels, n_groups = len(gold), len(label_ids), len(group_ids)
    shapes = {
        "probabilities": (probabilities, (n, n_labels)),
        "group_of": (group_of, (n_labels,)),
        "train_counts": (train_counts, (n_labels,)),
        "coarse_probability": (coarse_probability, (n, n_groups)),
        "in_beam": (in_beam, (n, n_groups)),
        "lengths": (lengths, (n,)),
    }
    _check(gold, probabilities, shapes)
    predicted = probabilities.argmax(axis=1)
    unseen = int(np.sum(gold < 0))

    # Unseen gold labels become labels without a column, numbered after the others.
    all_gold, all_groups, all_ids = _number_unseen(gold, gold_group, unseen_ids, group_of, label_ids)
    all_counts = np.concatenate([train_counts, np.zeros(len(all_ids) - n_labels, dtype=np.int64)])
    gold_group, predicted_group = all_groups[all_gold], all_groups[predicted]
    right, right_group = all_gold == predicted, gold_group == predicted_group
    counts = metrics.count_labels(all_gold, predicted, len(all_ids))
    ranks = metrics.gold_ranks(probabilities, all_gold)
    coarse, everyone = coarse_probability, np.arange(n)
    in_tail = metrics.count_thirds(all_counts) == THIRDS.index("tail")
    return Evaluation(
        documents=n,
        unseen=unseen,
        accuracy=float(right.mean()),
        micro=metrics.averaged_scores(all_gold, predicted, "micro"),
        macro=metrics.averaged_scores(all_gold, predicted, "macro"),
        weighted=metrics.averaged_scores(all_gold, predicted, "weighted"),
        thirds=third_scores(counts, all_counts),
        top_k={int(k): float(np.mean(ranks < k)) for k in TOP_K},
        auc=metrics.macro_auc(probabilities, all_gold),
        hierarchical=metrics.hierarchical_scores(all_gold, predicted, gold_group, predicted_group),
        group_accuracy=float(right_group.mean()),
        group_macro_f1=metrics.averaged_scores(gold_group, predicted_group, "macro").f1,
        coarse_accuracy=None if coarse is None else float(np.mean(coarse.argmax(axis=1) == gold_group)),
        coarse_in_beam=None if in_beam is None else float(np.mean(in_beam[everyone, gold_group])),
        routing_errors=float(np.mean(~right_group)),
        head_errors=float(np.mean(right_group & ~right)),
        labels=label_rows(all_gold, predicted, all_ids, all_groups, group_ids, all_counts, label_names or {}),
        groups=group_rows(gold_group, predicted_group, right, all_groups, group_ids, all_counts, group_names or {}),
        levels=level_table(probabilities, gold, group_of, gold_group, in_tail[all_gold], random_state=random_state),
        slices=error_slices(right, all_gold, all_counts, in_tail, lengths),
        pairs=worst_pairs(all_gold, predicted, all_ids),
        group_mistakes=confused_groups(gold_group, predicted_group, n_groups),
        gold=all_gold,
        predicted=predicted,
        confidence=answer_confidence(probabilities),
    )


def _number_unseen(
    gold: np.ndarray,
    gold_group: np.ndarray | None,
    unseen_ids: Sequence[str] | None,
    group_of: np.ndarray,
    label_ids: Sequence[str],
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Give gold labels without -1, the group of every label, and their ids, unseen labels last."""
    rows = np.flatnonzero(gold < 0)
    ids = list(label_ids)
    if not len(rows):
        return gold, group_of, ids
    if gold_group is None or unseen_ids is None:
        raise DataError(
            f"{len(rows)} of {len(gold)} documents have a gold label that the model has never seen (-1): "
            "give gold_group and unseen_ids for them"
        )
    names = [str(unseen_ids[int(row)]) for row in rows]
    home: dict[str, int] = {}
    for name, group in zip(names, gold_group[rows].tolist(), strict=True):
        home.setdefault(name, group)
    number = {name: len(ids) + i for i, name in enumerate(home)}
    gold = gold.copy()
    gold[rows] = [number[name] for name in names]
    return gold, np.array([*group_of.tolist(), *home.values()], dtype=np.int64), [*ids, *home]


def _check(gold: np.ndarray, probabilities: np.ndarray, arrays: Mapping[str, tuple[Any, tuple[int, ...]]]) -> None:
    """Refuse arrays without the shape beside them, columns that do not exist, and probabilities that are no numbers."""
    problems = [
        f"{name} has the shape {np.shape(array)}, expected {shape}"
        for name, (array, shape) in arrays.items()
        if array is not None and np.shape(array) != shape
    ]
    fitting, last = not problems, probabilities.shape[-1] - 1
    if fitting and not np.isfinite(probabilities).all():
        problems.append("probabilities hold NaN or infinite numbers")
    if fitting and (gold.min() < -1 or gold.max() > last):
        problems.append(f"gold holds columns from {gold.min()} to {gold.max()}, expected -1 to {last}")
    if problems:
        raise DataError(problems, where="evaluation")
