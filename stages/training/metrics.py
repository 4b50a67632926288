"""The figures of an evaluation in training, of both levels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.metrics import accuracy_score, f1_score

COARSE_METRICS = ("group_accuracy", "group_macro_f1")
FINE_METRICS = ("accuracy", "macro_f1")  # of a training that has fine rows


def best_of_each_level(logits: Sequence[torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
    """Keep of an evaluation batch only the answers, (documents, levels): all logits of all documents are too many."""
    return torch.stack([level.argmax(1) for level in logits], dim=1)


def level_metrics(prediction: Any, *, group_of: np.ndarray) -> dict[str, float]:
    """Accuracy and macro-F1 of an evaluation, of the groups and, where there are fine rows, of the labels.

    Parameters
    ----------
    prediction
        Trainer's: answers (documents, levels) as `best_of_each_level` makes them, and fine labels (documents,).
    group_of
        (labels,) group of each label.
    """
    fine = prediction.label_ids
    levels = zip((COARSE_METRICS, FINE_METRICS), (group_of[fine], fine), strict=True)
    figures: dict[str, float] = {}
    for ((accuracy, macro_f1), right), answers in zip(levels, prediction.predictions.T, strict=False):
        figures[accuracy] = float(accuracy_score(right, answers))
        figures[macro_f1] = float(f1_score(right, answers, average="macro", zero_division=0))
    return figures
