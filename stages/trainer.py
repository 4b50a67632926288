"""Every training of a neural part goes through here: transformers' Trainer with our defaults and its own names."""

import functools
import json
import logging
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from safetensors.torch import load_model, save_model
from sklearn.metrics import accuracy_score, f1_score
from torch.utils.data import Dataset, Sampler
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerState,
    TrainingArguments,
)
from transformers.integrations import get_reporting_integration_callbacks
from transformers.trainer_utils import set_seed

from hierarchy.errors import ConfigError
from stages.batches import LengthSampler
from stages.imbalance import LabelSampler
from stages.losses import HierarchicalLoss
from stages.optimizer import parameter_groups
from stages.processes import is_first, meet, n_processes
from stages.two_stage import TwoStageModel

logger = logging.getLogger(__name__)

Watch: TypeAlias = Callable[[Mapping[str, float]], None]  # is told the figures of an evaluation

DEFAULTS: dict[str, Any] = {
    "num_train_epochs": 12,
    "per_device_train_batch_size": 64,
    "per_device_eval_batch_size": 128,
    "learning_rate": 1e-3,
    "weight_decay": 0.01,
    "warmup_steps": 0.1,
    "lr_scheduler_type": "cosine",
    "eval_strategy": "epoch",
    "save_strategy": "epoch",
    "save_total_limit": 1,
    "load_best_model_at_end": True,
    "logging_strategy": "epoch",
    "report_to": "none",
}
# Of a training that moves the encoder too.
ENCODER_DEFAULTS: dict[str, Any] = {"num_train_epochs": 5, "per_device_train_batch_size": 16}
# Ours, beside the names of TrainingArguments.
OWN_DEFAULTS: dict[str, Any] = {"encoder_learning_rate": 3e-5, "layer_decay": 1.0, "early_stopping_patience": 3}
# Set here, or by a setting of the classifier.
TAKEN = {
    "output_dir": "`run` (run_dir in Python) names the folder",
    "seed": "set classifier.seed",
    "use_cpu": "set classifier.device",
    "label_names": "they are fixed",
    "remove_unused_columns": "it is fixed",
    "resume_from_checkpoint": "the same command goes on by itself",
    "train_sampling_strategy": "batches are of like length already, and imbalance chooses the draw",
}
COARSE_METRICS = ("group_accuracy", "group_macro_f1")
FINE_METRICS = ("accuracy", "macro_f1")  # of a training that has fine rows


def check_training(settings: Mapping[str, Any], *, joint: bool = False, device: str | None = None) -> None:
    """Check `settings` against TrainingArguments and our own names, before any work.

    Parameters
    ----------
    settings
        As a user gave them.
    joint
        Whether fine rows are trained too, so that their figures can choose the best epoch.
    device
        Torch device; None takes a GPU where there is one.

    Raises
    ------
    ConfigError
        A name that nobody knows, with the nearest that is known; a value that TrainingArguments refuses; a figure
        that evaluations do not have; a service of `report_to` that is not installed; several GPUs in one process.
    """
    known = {f.name for f in fields(TrainingArguments)} | set(OWN_DEFAULTS)
    problems = []
    for name in settings:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            problems.append(f"training.{name} is not an argument of transformers.TrainingArguments{hint}")
        elif name in TAKEN:
            problems.append(f"training.{name} cannot be set here: {TAKEN[name]}")
    problems += _number_problems(settings)
    metrics = ("loss", *COARSE_METRICS, *(FINE_METRICS if joint else ()))
    chosen = settings.get("metric_for_best_model")
    if chosen is not None and str(chosen).removeprefix("eval_") not in metrics:
        problems.append(
            f"training.metric_for_best_model {chosen!r} is not evaluated: choose one of {', '.join(metrics)}"
        )
    if problems:
        raise ConfigError(problems)
    try:
        on_cpu = (device or ("cuda" if torch.cuda.is_available() else "cpu")) == "cpu"
        if n_processes() > 1:
            meet(on_cpu=on_cpu)
        arguments = training_arguments({**settings, "use_cpu": on_cpu}, Path("unused"), seed=0)
        for callback in get_reporting_integration_callbacks(arguments.report_to):
            callback()
    except (ValueError, TypeError, RuntimeError, ImportError) as error:
        raise ConfigError(f"training: {error}: see the documentation of transformers.TrainingArguments") from error
    if arguments.n_gpu > 1:
        raise ConfigError(
            f"one process would drive {arguments.n_gpu} GPUs, which is slow and changes the batch: start one process "
            f"a GPU (torchrun --nproc_per_node {arguments.n_gpu} -m pipelines.cli train ...), or show it one "
            "(CUDA_VISIBLE_DEVICES=0)"
        )


def training_default(name: str, *, encoder_trained: bool = False) -> Any:
    """Return what a name of ``training`` is where nobody sets it: our default, or that of TrainingArguments."""
    theirs = {f.name: f.default for f in fields(TrainingArguments)}
    return {**theirs, **OWN_DEFAULTS, **DEFAULTS, **(ENCODER_DEFAULTS if encoder_trained else {})}.get(name)


def _number_problems(settings: Mapping[str, Any]) -> list[str]:
    """Name numbers that are none: TrainingArguments takes them and fails after hours."""
    defaults = {f.name: f.default for f in fields(TrainingArguments)} | OWN_DEFAULTS
    problems = [
        f"training.{name} = {value!r} is not a number"
        for name, value in settings.items()
        if isinstance(defaults.get(name), int | float)
        and not isinstance(defaults[name], bool)
        and (isinstance(value, bool) or not isinstance(value, int | float))
    ]
    own = {**OWN_DEFAULTS, **{name: value for name, value in settings.items() if name in OWN_DEFAULTS}}
    if not problems:
        if own["encoder_learning_rate"] <= 0:
            problems.append(f"training.encoder_learning_rate {own['encoder_learning_rate']} must be above 0")
        if not 0 < own["layer_decay"] <= 1:
            problems.append(f"training.layer_decay {own['layer_decay']} must be above 0 and at most 1")
        if own["early_stopping_patience"] < 1:
            problems.append(f"training.early_stopping_patience {own['early_stopping_patience']} must be 1 or more")
    return problems


@dataclass(frozen=True)
class Training:
    """What a training did.

    Attributes
    ----------
    history
        Trainer's log: one entry a logging or evaluation step.
    best_metric
        The watched figure of the best epoch.
    """

    history: list[dict[str, float]]
    best_metric: float | None


def train_model(
    model: TwoStageModel,
    *,
    train: Dataset,
    valid: Dataset,
    collate: Callable[[Sequence[Any]], dict[str, Any]],
    settings: Mapping[str, Any],
    folder: Path,
    seed: int,
    sampler: LabelSampler | None = None,
    lengths: np.ndarray | None = None,
    watch: Watch | None = None,
) -> Training:
    """Train `model`; afterwards it holds the weights of its best epoch.

    A training that was stopped goes on from its last checkpoint in `folder`; one that ended is read back from there.

    Parameters
    ----------
    model
        With its loss.
    train, valid
        Indexable documents with targets.
    collate
        Documents to a batch: a dict with ``labels`` (documents,), their fine labels, first.
    settings
        Arguments of transformers.TrainingArguments by name, and those of `OWN_DEFAULTS`.
    folder
        For checkpoints and for what comes out.
    seed
        Of order and dropout.
    sampler
        Draws the training documents of an epoch; None takes each once, in another order each epoch.
    lengths
        (documents,) of the training documents, in any unit: those of a batch are of like length; None mixes them.
    watch
        Called with the figures of every evaluation in turn, also of those before an interruption and of a training that
        is read back. What it raises ends the training, which can go on later.
    """
    weights, record = folder / "trained.safetensors", folder / "trained.json"
    if record.exists():
        load_model(model, weights)
        model.eval()
        finished = Training(**json.loads(record.read_text(encoding="utf-8")))
        _Watched(watch).tell(finished.history)
        return finished

    own = {name: settings.get(name, default) for name, default in OWN_DEFAULTS.items()}
    best = {"metric_for_best_model": "group_accuracy" if model.rows is None else "accuracy"}
    on_cpu = next(model.parameters()).device.type == "cpu"
    # The loss smooths its labels itself, on both levels.
    arguments = training_arguments({**best, **settings, "use_cpu": on_cpu, "label_smoothing_factor": 0.0}, folder, seed)
    order: LabelSampler | LengthSampler | None = sampler
    if lengths is not None:
        at_once = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps * n_processes()
        order = LengthSampler(lengths, batch=at_once, draw=sampler, seed=seed)
    set_seed(seed)
    watched = _Watched(watch)
    callbacks: list[TrainerCallback] = [_LogEpochs(), _Tell(model.loss, order), watched]
    if arguments.load_best_model_at_end:
        callbacks.append(EarlyStoppingCallback(own["early_stopping_patience"]))
    trainer = _Trainer(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=valid,
        data_collator=collate,
        compute_metrics=functools.partial(level_metrics, group_of=model.loss.group_of.cpu().numpy()),
        preprocess_logits_for_metrics=best_of_each_level,
        callbacks=callbacks,
    )
    trainer.sampler = order
    trainer.groups = parameter_groups(
        model,
        learning_rate=arguments.learning_rate,
        encoder_learning_rate=own["encoder_learning_rate"],
        weight_decay=arguments.weight_decay,
        layer_decay=own["layer_decay"],
    )
    trainer.remove_callback(PrinterCallback)  # it prints bare dicts; _LogEpochs says the same in words
    checkpoint = last_checkpoint(folder)
    state = None if checkpoint is None else TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    if state is not None and _has_stopped_early(state, own["early_stopping_patience"]):
        load_model(model, Path(state.best_model_checkpoint) / "model.safetensors")
        watched.tell(state.log_history)
    else:
        if checkpoint:
            logger.info("training goes on from %s", checkpoint.name)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        state = trainer.state
    result = Training(state.log_history, state.best_metric)
    if is_first():
        folder.mkdir(parents=True, exist_ok=True)
        save_model(model, str(weights))
        part = record.with_suffix(".part")
        part.write_text(json.dumps({"history": result.history, "best_metric": result.best_metric}), encoding="utf-8")
        part.replace(record)  # last: it says that the weights are whole
    model.eval()
    return result


class _Trainer(Trainer):
    sampler: Sampler[int] | None
    groups: list[dict[str, Any]]
    optimizer: Any

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler[int] | None:
        return super()._get_train_sampler(train_dataset) if self.sampler is None else self.sampler

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            optimizer, options = self.get_optimizer_cls_and_kwargs(self.args, self.model)
            self.optimizer = optimizer(self.groups, **options)
        return self.optimizer


def training_arguments(settings: Mapping[str, Any], folder: Path, seed: int) -> Any:
    """Our defaults, overridden by `settings`, as TrainingArguments."""
    given = {name: value for name, value in settings.items() if name not in OWN_DEFAULTS}
    return TrainingArguments(
        **{
            "output_dir": str(folder),
            "seed": seed,
            "disable_tqdm": not sys.stderr.isatty(),
            "restore_callback_states_from_checkpoint": True,  # patience goes on counting where it stopped
            "remove_unused_columns": False,  # the collator knows which columns there are
            "label_names": ["labels"],
            "dataloader_pin_memory": torch.cuda.is_available(),
            **DEFAULTS,
            **given,
        }
    )


def _has_stopped_early(state: TrainerState, patience: int) -> bool:
    """Whether a training was killed after its last evaluation and before its end: Trainer would go on with it."""
    callback = state.stateful_callbacks.get("EarlyStoppingCallback")
    return callback is not None and callback["attributes"]["early_stopping_patience_counter"] >= patience


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint in `folder` that was written whole, or None."""
    newest_first = sorted(
        folder.glob("checkpoint-*"), key=lambda c: int(c.name.removeprefix("checkpoint-")), reverse=True
    )
    for checkpoint in newest_first:
        try:
            json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))  # Trainer writes it last
        except (OSError, ValueError):
            continue
        return checkpoint
    return None


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


class _LogEpochs(TrainerCallback):
    """One line for each evaluation."""

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not state.is_world_process_zero:
            return
        figures = kwargs["metrics"]
        told = [
            f"{name.replace('_', ' ').replace('macro f1', 'macro-F1')} {figures[f'eval_{name}']:.4f}"
            for name in (*FINE_METRICS, *COARSE_METRICS)
            if f"eval_{name}" in figures
        ]
        logger.info(
            "epoch %d of %d: %s on validation data",
            math.ceil(state.epoch), math.ceil(args.num_train_epochs), ", ".join(told),
        )  # fmt: skip


class _Tell(TrainerCallback):
    """Tells the loss which share of the training is done, and the sampler which epoch it draws."""

    def __init__(self, loss: HierarchicalLoss, sampler: Any) -> None:
        self.loss = loss
        self.sampler = sampler

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.sampler is not None:  # with several processes Trainer does not reach it
            self.sampler.set_epoch(int(state.epoch))

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.loss.progress = state.global_step / max(state.max_steps, 1)


class _Watched(TrainerCallback):
    """Tells the caller of each evaluation, once."""

    def __init__(self, watch: Watch | None) -> None:
        self.watch = watch
        self.told = 0

    def tell(self, history: Sequence[Mapping[str, float]]) -> None:
        if self.watch is None:
            return
        evaluations = [entry for entry in history if "eval_loss" in entry]
        for evaluation in evaluations[self.told :]:
            self.told += 1
            self.watch(evaluation)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.tell(state.log_history)  # what a checkpoint remembers

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.tell(state.log_history)
