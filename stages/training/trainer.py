"""Every training of a neural part goes through here: transformers' Trainer, resumable, with the best epoch kept."""

import functools
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_model, save_model
from torch.utils.data import Dataset, Sampler
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    ProgressCallback,
    TrainerCallback,
    TrainerState,
)
from transformers.trainer_utils import set_seed

from hierarchy.disk.strict_json import parse_json
from hierarchy.embedding.pretrained import only_errors
from hierarchy.errors import ConfigError
from stages.machine import first_goes_first, is_first, n_processes
from stages.run_folder import LIST, damaged, finishing, is_finished, make_folder, writing
from stages.training.arguments import OWN_DEFAULTS, parameter_groups, training_arguments
from stages.training.checkpoints import WEIGHTS, CheckedTrainer, last_checkpoint, state_of
from stages.training.evaluations import (
    Bar,
    Evaluations,
    Figures,
    Watch,
    best_of_each_level,
    json_figure,
    json_figures,
    level_metrics,
    refuse_diverged,
)
from stages.training.sampling import LabelSampler, LengthSampler
from stages.training.two_stage import TwoStageModel

logger = logging.getLogger(f"coarsefine.{__name__}")


@dataclass(frozen=True)
class Training:
    """What a training did.

    Attributes
    ----------
    history
        Trainer's log: one entry a logging or evaluation step; None is what was no finite number.
    best_metric
        The watched figure of the best epoch.
    """

    history: list[Figures]
    best_metric: float | None


@only_errors()  # Trainer warns of what it finds on the disk
def train_model(
    model: TwoStageModel,
    *,
    train: Dataset,
    valid: Dataset,
    collate: Callable[[Sequence[Any]], dict[str, Any]],
    settings: Mapping[str, Any],
    folder: Path,
    random_state: int,
    sampler: LabelSampler | None = None,
    lengths: np.ndarray | None = None,
    watch: Watch | None = None,
) -> Training:
    """Train `model`; afterwards it holds the weights of its best epoch (`load_best_model_at_end`, on by default).

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
    random_state
        Of order and dropout.
    sampler
        Draws the training documents of an epoch; None takes each once, in another order each epoch.
    lengths
        (documents,) of the training documents, in any unit: those of a batch are of like length; None mixes them.
    watch
        Called with the figures of every evaluation in turn, also of those before an interruption and of a training that
        is read back. What it raises ends the training, which can go on later.

    Raises
    ------
    ConfigError
        The training has diverged: the weights that it ends with are no numbers.
    """
    finished = _read_back(model, folder)
    if finished is not None:
        Evaluations(watch).tell(finished.history)
        return finished

    own = {name: settings.get(name, default) for name, default in OWN_DEFAULTS.items()}
    on_cpu = next(model.parameters()).device.type == "cpu"
    # The loss smooths its labels itself, on both levels.
    arguments = training_arguments({**settings, "use_cpu": on_cpu, "label_smoothing_factor": 0.0}, folder, random_state)
    order: LabelSampler | LengthSampler | None = sampler
    if lengths is not None:
        at_once = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps * n_processes()
        order = LengthSampler(lengths, batch=at_once, draw=sampler, random_state=random_state)
    if arguments.dataloader_drop_last and len(train) < arguments.per_device_train_batch_size * n_processes():
        raise ConfigError(
            f"training.dataloader_drop_last leaves out all {len(train)} training documents, which fill no batch of "
            f"{arguments.per_device_train_batch_size}: leave it out, or lower per_device_train_batch_size"
        )
    set_seed(random_state)
    evaluations = Evaluations(watch)
    callbacks: list[TrainerCallback] = [evaluations, _Tell(order)]
    if arguments.load_best_model_at_end:
        callbacks.append(EarlyStoppingCallback(own["early_stopping_patience"]))
    trainer = _Trainer(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=valid,
        data_collator=collate,
        compute_metrics=functools.partial(level_metrics, space=model.loss.space),
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
    # Both print bare dicts; Evaluations says the same in words.
    trainer.remove_callback(PrinterCallback)
    if trainer.pop_callback(ProgressCallback) is not None:
        trainer.add_callback(Bar())
    with first_goes_first():
        make_folder(folder)
        checkpoint = last_checkpoint(folder)
    state = None if checkpoint is None else state_of(checkpoint)
    if state is not None and _has_stopped_early(state, own["early_stopping_patience"]):
        load_model(model, Path(state.best_model_checkpoint) / WEIGHTS)
        evaluations.tell(state.log_history)
    else:
        if checkpoint:
            logger.info("training goes on from %s", checkpoint.name)
        with writing(folder):
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        state = trainer.state
    # Trainer's last entry speaks of this process alone, and not of what was trained before an interruption.
    history = json_figures([entry for entry in state.log_history if "train_runtime" not in entry])
    refuse_diverged(model, arguments.learning_rate)
    result = Training(history, json_figure(state.best_metric))
    if is_first():
        _keep(model, result, folder)
    model.eval()
    return result


def _keep(model: TwoStageModel, result: Training, folder: Path) -> None:
    with finishing(*_files(folder)) as (weights, record):
        save_model(model, str(weights))
        record.write_text(json.dumps({"history": result.history, "best_metric": result.best_metric}), encoding="utf-8")


def _files(folder: Path) -> tuple[Path, Path, Path]:
    """Checksums, weights and record of a training that has ended."""
    return folder / f"trained{LIST}", folder / "trained.safetensors", folder / "trained.json"


def _read_back(model: TwoStageModel, folder: Path) -> Training | None:
    """Read a training that has ended; None where it has not, or is damaged."""
    listing, weights, record = _files(folder)
    if not is_finished(listing, weights, record):
        return None
    try:
        finished = Training(**parse_json(record.read_bytes()))
        fits = _fit(weights, model)
    except (OSError, ValueError, TypeError, SafetensorError):
        fits = False
    if not fits:
        damaged(weights, "it holds no training of this model")
        return None
    load_model(model, weights)
    model.eval()
    return finished


def _fit(weights: Path, model: TwoStageModel) -> bool:
    """Whether a file has the weights of a model, before any of them is taken."""
    with safe_open(weights, "pt") as file:
        shapes = {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - it is no dict
        twice = set(file.metadata() or {})  # tensors with another name in the file
    wanted = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    return shapes.items() <= wanted.items() and set(wanted) <= {*shapes, *twice}


class _Trainer(CheckedTrainer):
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


def _has_stopped_early(state: TrainerState, patience: int) -> bool:
    """Whether a training was killed after its last evaluation and before its end: Trainer would go on with it."""
    callback = state.stateful_callbacks.get("EarlyStoppingCallback")
    return callback is not None and callback["attributes"]["early_stopping_patience_counter"] >= patience


class _Tell(TrainerCallback):
    """Tells the sampler which epoch it draws."""

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.sampler is not None:  # with several processes Trainer does not reach it
            self.sampler.set_epoch(int(state.epoch))
