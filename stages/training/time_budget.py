"""A training for so many minutes: its learning rate falls by the clock, and the clock stands while it is stopped."""

import time
from collections.abc import Callable
from typing import Any

from torch.optim.lr_scheduler import LambdaLR
from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState


class TimeBudget(TrainerCallback, ExportableState):
    """Ends a training when its time is up; what it was trained before an interruption counts, as its checkpoint says.

    Parameters
    ----------
    seconds
        From the first step to the last, evaluations between them among it.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.before = 0.0  # seconds up to the checkpoint that the training goes on from
        self.started: float | None = None

    @property
    def spent(self) -> float:
        """Seconds that the training took so far."""
        return self.before + (0.0 if self.started is None else time.monotonic() - self.started)

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return self.spent >= self.seconds

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, as Trainer restores it."""
        return {"args": {"seconds": self.seconds}, "attributes": {"before": self.spent}}

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock: before the first step there is an evaluation, which would take the warm-up away."""
        if self.started is None:
            self.started = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look at the clock; a checkpoint comes after the last evaluation, and not twice."""
        if self.is_over:
            control.should_training_stop, control.should_save = True, False


def by_the_clock(schedule: LambdaLR, steps: int, share: Callable[[], float]) -> None:
    """Have a schedule of learning rates go from its first to its last step while a share goes from 0 to 1.

    It still goes on step by step where that is faster.

    Parameters
    ----------
    schedule
        As transformers makes it: a factor for each step.
    steps
        That it was made for.
    share
        Of the time that is spent.
    """
    schedule.lr_lambdas = [
        lambda step, factor=factor: factor(max(step, min(steps, round(share() * steps))))
        for factor in schedule.lr_lambdas
    ]


class TimedCheckpoints(TrainerCallback):
    """Has a checkpoint written when the last one is some time ago: an epoch over long texts takes hours.

    Parameters
    ----------
    seconds
        Between two.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.last = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin to wait."""
        self.last = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ask for a checkpoint where it is time."""
        ends_epoch = state.epoch == int(state.epoch)  # its evaluation comes first, and then a checkpoint
        if time.monotonic() - self.last >= self.seconds and not control.should_training_stop and not ends_epoch:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin to wait anew."""
        self.last = time.monotonic()
