"""What happens at each evaluation of a training: figures of both levels, who is told of them, and when it must end.

A training whose weights become no numbers does not go on, and none of them is a result.
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from sklearn.metrics import accuracy_score, f1_score
from torch import nn
from transformers import ProgressCallback, TrainerCallback

from hierarchy.errors import ConfigError
from stages.label_space import LabelSpace

COARSE_METRICS = ("group_accuracy", "group_macro_f1")
FINE_METRICS = ("accuracy", "macro_f1")
Figures: TypeAlias = dict[str, float | None]
Watch: TypeAlias = Callable[[Mapping[str, Any]], None]  # is told the figures of an evaluation
logger = logging.getLogger(f"coarsefine.{__name__}")


def best_of_each_level(logits: Sequence[torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
    """Keep of an evaluation batch only the answers, (documents, levels): all logits of all documents are too many."""
    return torch.stack([level.argmax(1) for level in logits], dim=1)


def level_metrics(prediction: Any, *, space: LabelSpace) -> dict[str, float]:
    """Accuracy and macro-F1 of an evaluation, of the groups and of the labels.

    Parameters
    ----------
    prediction
        Trainer's: answers (documents, levels) as `best_of_each_level` makes them, and fine labels (documents,).
    space
        The labels and their groups.
    """
    fine = prediction.label_ids
    levels = zip((COARSE_METRICS, FINE_METRICS), (space.groups(fine), fine), strict=True)
    figures: dict[str, float] = {}
    for ((accuracy, macro_f1), right), answers in zip(levels, prediction.predictions.T, strict=True):
        figures[accuracy] = float(accuracy_score(right, answers))
        figures[macro_f1] = float(f1_score(right, answers, average="macro", zero_division=0))
    return figures


class Bar(ProgressCallback):
    """Trainer's bar, with the loss of the last steps, and nothing beside it."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Leave the figures of evaluations to who tells them in words."""
        if self.training_bar is not None and logs and "loss" in logs:
            self.training_bar.set_postfix(loss=f"{logs['loss']:.2f}")


class Evaluations(TrainerCallback):
    """Tells of each evaluation, the log in words and the caller in figures, and ends a training that has diverged.

    Parameters
    ----------
    watch
        The caller's.
    """

    def __init__(self, watch: Watch | None) -> None:
        self.watch = watch
        self.told = 0

    def tell(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Tell the caller what is new in Trainer's log, each evaluation once."""
        if self.watch is None:
            return
        evaluations = [entry for entry in history if "eval_loss" in entry]
        for evaluation in evaluations[self.told :]:
            self.told += 1
            self.watch(evaluation)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Tell of evaluations before an interruption."""
        self.tell(state.log_history)  # what a checkpoint remembers

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Tell of this one; weights that are no numbers never become any again."""
        figures = kwargs["metrics"]
        told = [
            f"{name.replace('_', ' ').replace('macro f1', 'macro-F1')} {figures[f'eval_{name}']:.4f}"
            for name in (*FINE_METRICS, *COARSE_METRICS)
        ]
        if state.is_world_process_zero:  # which speaks for all
            logger.info(
                "epoch %d of %d: %s on validation data",
                math.ceil(state.epoch), math.ceil(args.num_train_epochs), ", ".join(told),
            )  # fmt: skip
        self.tell(state.log_history)
        if not is_finite(kwargs["model"]):
            control.should_training_stop = True


def is_finite(model: nn.Module) -> bool:
    """Whether all weights are finite numbers."""
    return all(bool(tensor.isfinite().all()) for tensor in model.state_dict().values())


def refuse_diverged(model: nn.Module, learning_rate: float) -> None:
    """Refuse the outcome of a training that has diverged; raises ConfigError."""
    if not is_finite(model):
        raise ConfigError(
            f"the training has diverged, its weights are no numbers any more: lower training.learning_rate "
            f"({learning_rate:g}) and the others, or set training.max_grad_norm lower"
        )


def json_figures(history: Sequence[Mapping[str, float]]) -> list[Figures]:
    """Return figures as JSON has them, see `json_figure`: the gradient of a step that was left out is none."""
    return [{name: json_figure(value) for name, value in entry.items()} for entry in history]


def json_figure(value: float | None) -> float | None:
    """Return a figure as JSON has it: what is no finite number is null."""
    return value if not isinstance(value, float) or math.isfinite(value) else None
