"""Masked language modelling by transformers' Trainer: resumable, with a held-out loss each epoch, its best epoch kept.

An encoder learns to fill in words that were masked, from the words around them (Devlin et al. 2019).
"""

import logging
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, load_model
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from transformers import PreTrainedModel, PrinterCallback, ProgressCallback, TrainerCallback, TrainerState
from transformers.trainer_utils import set_seed

from hierarchy.embedding.pretrained import quiet_transformers
from hierarchy.errors import ConfigError
from stages.coarse.encoder import computes_bf16
from stages.machine import first_goes_first, n_processes
from stages.progress import SECONDS_BETWEEN_LINES, duration
from stages.run_folder import make_folder, writing
from stages.training.arguments import OWN_DEFAULTS, check_training, training_arguments
from stages.training.checkpoints import WEIGHTS, CheckedTrainer, last_checkpoint, state_of
from stages.training.evaluations import Bar, Figures, is_finite, json_figures, refuse_diverged
from stages.training.masking import MaskedWindows, MaskWords
from stages.training.sampling import LengthSampler
from stages.training.time_budget import TimeBudget, TimedCheckpoints, by_the_clock

PRETRAINING_DEFAULTS: dict[str, Any] = {
    "num_train_epochs": 3,
    "per_device_train_batch_size": 16,
    "per_device_eval_batch_size": 32,
    "learning_rate": 5e-5,
    "warmup_steps": 0.06,
    "lr_scheduler_type": "linear",
    "logging_strategy": "steps",
    "logging_steps": 50,
    "metric_for_best_model": "loss",
    "save_total_limit": 2,  # with 1 the last checkpoint goes at the end, and with it that the training has ended
}
# Of an encoder that begins with random weights.
FRESH_DEFAULTS: dict[str, Any] = {"num_train_epochs": 10, "learning_rate": 1e-3}
ENDLESS = 10_000  # epochs, of a training that its time ends
SECONDS_BETWEEN_CHECKPOINTS = 300.0
# What would do nothing, or falsify what is told of the training -> the values at which it does no harm.
FIXED: dict[str, tuple[Any, ...]] = {
    "metric_for_best_model": ("loss", "eval_loss"),
    "greater_is_better": (False,),
    "load_best_model_at_end": (True,),
    "eval_strategy": ("epoch",),
    "eval_delay": (0,),
    "eval_on_start": (True,),
    "save_strategy": ("epoch",),
    "ignore_data_skip": (False,),
    "restore_callback_states_from_checkpoint": (True,),  # the time that was spent is one
    "data_seed": (None,),
    "label_smoothing_factor": (0,),
    "dataloader_persistent_workers": (False,),  # they would keep the masks of the first epoch
    "dataloader_drop_last": (False,),  # held-out windows among them
}
LARGEST_LOSS = 80.0  # whose perplexity is still a number
logger = logging.getLogger(f"coarsefine.{__name__}")


@dataclass(frozen=True)
class Pretraining:
    """What a pretraining did.

    Attributes
    ----------
    history
        One entry an evaluation, the first before any step: ``epoch``, ``step``, held-out ``loss``, ``perplexity``.
    best_epoch
        Whose weights the model has.
    """

    history: list[Figures]
    best_epoch: float


def check_pretraining(settings: Mapping[str, Any], *, device: str | None, minutes: float | None) -> None:
    """Check arguments of a pretraining before any work; raises ConfigError as `check_training` does."""
    problems = [
        f"training.{name} has no effect on a pretraining: leave it out" for name in OWN_DEFAULTS if name in settings
    ]
    problems += [
        f"training.{name}={settings[name]!r} cannot be in a pretraining, which needs {values[0]!r}: leave it out"
        for name, values in FIXED.items()
        if settings.get(name, values[0]) not in values
    ]
    if settings.get("save_total_limit") == 1:
        problems.append("training.save_total_limit=1 removes what tells at the end that a pretraining is over: give 2")
    if minutes is not None and n_processes() > 1:
        problems.append("minutes counts the time of one process, and several are started: set num_train_epochs instead")
    warmup = settings.get("warmup_steps", 0)
    if minutes is not None and isinstance(warmup, int | float) and warmup >= 1:
        problems.append(f"training.warmup_steps={warmup} counts steps, where minutes end the training: give a share")
    if problems:
        raise ConfigError(problems)
    check_training(settings, device=device)


def pretraining_settings(
    settings: Mapping[str, Any], *, fresh: bool, device: torch.device, minutes: float | None
) -> dict[str, Any]:
    """Return the arguments of TrainingArguments that a pretraining has: our defaults, and `settings` over them."""
    endless = {} if minutes is None else {"num_train_epochs": ENDLESS}
    defaults = {**PRETRAINING_DEFAULTS, **(FRESH_DEFAULTS if fresh else {}), **endless}
    precision = {} if settings.get("fp16") else {"bf16": computes_bf16(device)}
    return {**defaults, **precision, **settings}


@quiet_transformers()  # Trainer warns of what it finds on the disk, and each file of weights has a bar
def train_masked_language(
    model: PreTrainedModel,
    *,
    train: MaskedWindows,
    held_out: MaskedWindows,
    masks: MaskWords,
    settings: Mapping[str, Any],
    folder: Path,
    random_state: int,
    minutes: float | None = None,
) -> Pretraining:
    """Train `model` to fill in masked words; afterwards it holds the weights of its best epoch.

    A training that was stopped goes on from its last checkpoint in `folder`. Without `minutes` it then ends with the
    weights that it would have had.

    Parameters
    ----------
    model
        An encoder with its head for masked words.
    train, held_out
        Windows of documents; those held out have the same masks each epoch.
    masks
        Makes batches of them.
    settings
        As `pretraining_settings` gives them.
    folder
        For checkpoints.
    random_state
        Of order, masks and dropout.
    minutes
        After which it ends; the learning rate falls by the clock then.

    Raises
    ------
    ConfigError
        The training has diverged: it ends with weights, or with losses, that are no numbers.
    """
    on_cpu = next(model.parameters()).device.type == "cpu"
    arguments = training_arguments({**settings, "use_cpu": on_cpu}, folder, random_state)
    at_once = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps * n_processes()
    order = LengthSampler(train.lengths, batch=at_once, draw=None, random_state=random_state)
    budget = None if minutes is None else TimeBudget(60 * minutes)
    has_bar = not arguments.disable_tqdm and budget is None  # nobody knows how many steps fit in a time
    with first_goes_first():
        make_folder(folder)
        checkpoint = last_checkpoint(folder)
    arguments.eval_on_start = checkpoint is None
    set_seed(random_state)
    trainer = _Trainer(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=held_out,
        data_collator=masks,
        compute_metrics=_figures,
        callbacks=[
            _Tell(order, train),
            _Log(has_bar=has_bar),
            *([] if budget is None else [budget]),
            # Each process has a clock of its own, and all of them must save at the same step.
            *([TimedCheckpoints(SECONDS_BETWEEN_CHECKPOINTS)] if n_processes() == 1 else []),
        ],
    )
    trainer.order = order
    trainer.model_accepts_loss_kwargs = False  # the loss is the mean over a batch
    trainer.remove_callback(PrinterCallback)
    if trainer.pop_callback(ProgressCallback) is not None and has_bar:
        trainer.add_callback(Bar())
    model._weight_conversions = []  # checkpoints name weights as the model does, by which names Trainer reads them
    state = None if checkpoint is None else state_of(checkpoint)
    if checkpoint is not None and state is not None and (_is_over(state, budget) or _has_diverged(checkpoint)):
        load_model(model, Path(state.best_model_checkpoint or checkpoint) / WEIGHTS)
    else:
        if checkpoint is not None:
            logger.info("pretraining goes on from %s", checkpoint.name)
        with writing(folder):
            trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        state = trainer.state
    refuse_diverged(model, arguments.learning_rate)
    del model._weight_conversions  # the names of the file that it was loaded from are not those of this model's
    model.eval()
    return _told(_result(state), arguments.learning_rate)


def _is_over(state: TrainerState, budget: TimeBudget | None) -> bool:
    """Whether a training was killed after its last checkpoint: Trainer would go on with it."""
    if budget is not None:
        kept = state.stateful_callbacks.get(TimeBudget.__name__)
        if kept is not None and kept["attributes"]["before"] >= budget.seconds:
            return True
    return state.global_step >= state.max_steps


def _has_diverged(checkpoint: Path) -> bool:
    """Whether weights are no numbers: they never become any again."""
    return not all(bool(tensor.isfinite().all()) for tensor in load_file(checkpoint / WEIGHTS).values())


def _result(state: TrainerState) -> Pretraining:
    names = {"eval_loss": "loss", "eval_perplexity": "perplexity", "epoch": "epoch", "step": "step"}
    entries = [entry for entry in state.log_history if "eval_loss" in entry]
    history = json_figures([{new: entry[old] for old, new in names.items()} for entry in entries])
    best = next((e for e in entries if e["step"] == state.best_global_step), entries[-1])
    return Pretraining(history, float(best["epoch"]))


def _told(result: Pretraining, learning_rate: float) -> Pretraining:
    """Say what is wrong with losses; refuse those of which none is a number."""
    before, *later = (math.inf if entry["loss"] is None else entry["loss"] for entry in result.history)
    if later and min(later) == math.inf:
        raise ConfigError(
            "the training has diverged, no loss on held-out documents is a number: lower training.learning_rate "
            f"({learning_rate:g}), or set training.max_grad_norm lower"
        )
    if later and max(later) == math.inf:
        logger.warning(
            "the training has diverged: the loss on held-out documents is no number at last. The encoder is that of "
            "epoch %.2f; lower learning_rate for one that has learned more", result.best_epoch,
        )  # fmt: skip
    if later and min(later) > before:
        logger.warning(
            "on held-out documents the loss was %.4f before this training and is %.4f: it has made the encoder worse. "
            "Lower learning_rate, or give more documents",
            before, min(later),
        )  # fmt: skip
    return result


class _Trainer(CheckedTrainer):
    """Trainer whose head reads the masked tokens alone: it is the larger part of a small model."""

    order: LengthSampler

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        losses = self._losses(model, dict(inputs))[0]
        loss = losses.sum() / max(len(losses), 1)  # none is masked where all windows of a batch are very short
        return (loss, {}) if return_outputs else loss

    def prediction_step(self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None) -> Any:
        """Return sum and number of the losses of each window, so that each masked token counts as much."""
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            losses, masked = self._losses(model, inputs)
        windows = masked.nonzero()[:, 0]
        sums = torch.zeros(len(masked), device=losses.device).index_add_(0, windows, losses)
        return None, sums, masked.sum(1)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Make the schedule; with a time budget it goes by the clock."""
        new = self.lr_scheduler is None
        schedule = super().create_scheduler(num_training_steps, optimizer)
        if new and self._budget is not None and isinstance(schedule, LambdaLR):
            by_the_clock(schedule, num_training_steps, lambda: self._budget.spent / self._budget.seconds)
        return schedule

    @property
    def _budget(self) -> Any:
        """Trainer puts another one in its place when it goes on from a checkpoint."""
        return next((one for one in self.callback_handler.callbacks if isinstance(one, TimeBudget)), None)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return self.order

    def _losses(self, model: Any, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """(masked tokens,) cross-entropy of each, and (windows, tokens) where they stand."""
        labels = inputs.pop("labels")
        masked = labels != -100
        with _passing_on(self.accelerator.unwrap_model(model).base_model, masked):
            logits = model(**inputs).logits[0]  # (masked tokens, vocabulary)
        return nn.functional.cross_entropy(logits.float(), labels[masked], reduction="none"), masked


@contextmanager
def _passing_on(encoder: nn.Module, masked: Tensor) -> Iterator[None]:
    """Have an encoder pass on the states of masked tokens alone, as one window: (1, masked tokens, hidden)."""

    def choose(module: nn.Module, inputs: Any, output: Any) -> Any:
        output.last_hidden_state = output.last_hidden_state[masked].unsqueeze(0)
        return output

    hook = encoder.register_forward_hook(choose)
    try:
        yield
    finally:
        hook.remove()


def _figures(prediction: Any) -> dict[str, float]:
    """Mean loss of the masked tokens of an evaluation, and its perplexity."""
    loss = float(prediction.predictions.sum() / max(prediction.label_ids.sum(), 1))
    return {"loss": loss, "perplexity": math.exp(min(loss, LARGEST_LOSS))}


class _Tell(TrainerCallback):
    """Tells which epoch it is."""

    def __init__(self, order: LengthSampler, windows: MaskedWindows) -> None:
        self.order = order
        self.windows = windows

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.order.set_epoch(int(state.epoch))
        self.windows.begin_epoch(1 + int(state.epoch))  # documents held out stay at 0


class _Log(TrainerCallback):
    """Says in words what Trainer logs as a dict, and ends a training that has diverged.

    Parameters
    ----------
    has_bar
        Whether a bar shows how far the training is.
    """

    def __init__(self, has_bar: bool) -> None:
        self.has_bar = has_bar
        self.loss = ""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.started = self.last = time.monotonic()
        self.first = state.global_step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        now = time.monotonic()
        if self.has_bar or now - self.last < SECONDS_BETWEEN_LINES:
            return
        self.last = now
        rate = (state.global_step - self.first) / (now - self.started)
        left = (
            ""
            if args.num_train_epochs == ENDLESS
            else f", {duration((state.max_steps - state.global_step) / rate)} left"
        )
        logger.info(
            "step %d, epoch %.2f: %s%.1f steps a minute%s", state.global_step, state.epoch, self.loss, 60 * rate, left
        )

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:  # of the last steps: an epoch may take hours
            self.loss = f"loss {logs['loss']:.2f}, "

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        figures = kwargs["metrics"]
        logger.info(
            "epoch %.2f: loss %.4f, perplexity %.1f on held-out documents",
            state.epoch or 0, figures["eval_loss"], figures["eval_perplexity"],
        )  # fmt: skip
        if not is_finite(kwargs["model"]):
            control.should_training_stop = True
