"""Trainings whose weights become no numbers: none goes on, and none of them is a result."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from torch import nn
from transformers import TrainerCallback

from hierarchy.errors import ConfigError

Figures: TypeAlias = dict[str, float | None]


class StopWhereDiverged(TrainerCallback):
    """Ends a training at the first evaluation of weights that are no numbers: they never become any again."""

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look at the weights that were evaluated."""
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
