"""Evaluation of predictions: every figure about one system on one set of documents, and its tables.

`evaluate_predictions` takes arrays and gives an `Evaluation`. Comparing it with baselines and showing it is
`pipelines.evaluation.comparison` and `pipelines.evaluation.report`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
from stages.label_space import LabelSpace

TOP_K = (1, 3, 5)
PER_DOCUMENT = ("gold", "predicted", "confidence")
Shapes = Mapping[str, tuple[np.ndarray, tuple[int, ...]]]  # arrays by name, and the shape that each must have


@dataclass(frozen=True)
class Evaluation:
    """All figures of one system on one set of documents; shares are between 0 and 1.

    `routing_errors` + `head_errors` = 1 - `accuracy`: the answer stands in a wrong group, or in the right
    group and is the wrong label. `levels` are by the names in `pipelines.evaluation.levels`; `slices`,
    `pairs` and `group_mistakes` say where the errors come from (`pipelines.evaluation.sources`). What `PER_DOCUMENT`
    names, for pairing with another system, stays in memory only: no file holds it.
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
    coarse_accuracy: float
    coarse_in_beam: float
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
    space: LabelSpace,
    train_counts: np.ndarray,
    coarse_probability: np.ndarray,
    in_beam: np.ndarray,
    lengths: np.ndarray,
    label_names: Mapping[str, str] | None = None,
    group_names: Mapping[str, str] | None = None,
    random_state: int = 0,
) -> Evaluation:
    """Compute all figures of a system from its answers.

    Parameters
    ----------
    gold
        ``(documents,)`` place of the gold label in `space`.
    probabilities
        ``(documents, trained labels)``; 0 where the router did not score a label.
    space
        The labels and groups of the columns, and after them those of gold labels that the model has never seen in
        training: they have no column, so the answer is wrong in every figure.
    train_counts
        ``(trained labels,)`` training documents of each column.
    coarse_probability
        ``(documents, trained groups)`` of the coarse stage alone.
    in_beam
        ``(documents, trained groups)`` bool, the groups that the router kept (all of them if exhaustive).
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
    if len(gold) == 0:
        raise DataError("there is nothing to evaluate: no document has a gold label")
    n, n_labels, n_groups = len(gold), len(train_counts), coarse_probability.shape[1]
    shapes = {
        "probabilities": (probabilities, (n, n_labels)),
        "coarse_probability": (coarse_probability, (n, n_groups)),
        "in_beam": (in_beam, (n, n_groups)),
        "lengths": (lengths, (n,)),
    }
    _check(gold, probabilities, len(space.label_ids), shapes)
    predicted = probabilities.argmax(axis=1)
    train_counts = np.pad(train_counts, (0, len(space.label_ids) - n_labels))
    gold_group, predicted_group = space.groups(gold), space.groups(predicted)
    right, right_group = gold == predicted, gold_group == predicted_group
    counts = metrics.count_labels(gold, predicted, len(space.label_ids))
    ranks = metrics.gold_ranks(probabilities, gold)
    kept_groups = np.pad(in_beam, ((0, 0), (0, len(space.group_ids) - n_groups)))
    in_tail = metrics.count_thirds(train_counts) == THIRDS.index("tail")
    return Evaluation(
        documents=n,
        unseen=int(np.sum(gold >= n_labels)),
        accuracy=float(right.mean()),
        micro=metrics.averaged_scores(gold, predicted, "micro"),
        macro=metrics.averaged_scores(gold, predicted, "macro"),
        weighted=metrics.averaged_scores(gold, predicted, "weighted"),
        thirds=third_scores(counts, train_counts),
        top_k={int(k): float(np.mean(ranks < k)) for k in TOP_K},
        auc=metrics.macro_auc(probabilities, gold),
        hierarchical=metrics.hierarchical_scores(gold, predicted, gold_group, predicted_group),
        group_accuracy=float(right_group.mean()),
        group_macro_f1=metrics.averaged_scores(gold_group, predicted_group, "macro").f1,
        coarse_accuracy=float(np.mean(coarse_probability.argmax(axis=1) == gold_group)),
        coarse_in_beam=float(np.mean(kept_groups[np.arange(n), gold_group])),
        routing_errors=float(np.mean(~right_group)),
        head_errors=float(np.mean(right_group & ~right)),
        labels=label_rows(gold, predicted, space, train_counts, label_names or {}),
        groups=group_rows(gold_group, predicted_group, right, space, train_counts, group_names or {}),
        levels=level_table(probabilities, gold, space, in_tail[gold], random_state=random_state),
        slices=error_slices(right, gold, train_counts, in_tail, lengths),
        pairs=worst_pairs(gold, predicted, space.label_ids),
        group_mistakes=confused_groups(gold_group, predicted_group, len(space.group_ids)),
        gold=gold,
        predicted=predicted,
        confidence=answer_confidence(probabilities),
    )


def _check(gold: np.ndarray, probabilities: np.ndarray, labels: int, shapes: Shapes) -> None:
    """Refuse arrays without the shape beside them, labels that do not exist, and probabilities that are no numbers."""
    problems = [
        f"{name} has the shape {array.shape}, expected {shape}"
        for name, (array, shape) in shapes.items()
        if array.shape != shape
    ]
    if not np.isfinite(probabilities).all():
        problems.append("probabilities hold NaN or infinite numbers")
    if gold.min() < 0 or gold.max() >= labels:
        problems.append(f"gold holds labels from {gold.min()} to {gold.max()}, expected 0 to {labels - 1}")
    if problems:
        raise DataError(problems, where="evaluation")
