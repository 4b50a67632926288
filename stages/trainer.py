"""Every training of a neural part goes through here: transformers' Trainer with our defaults and its own names."""

import json
import logging
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_model, save_model
from sklearn.metrics import accuracy_score, f1_score
from torch import nn
from torch.utils.data import Dataset
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import set_seed

from hierarchy.errors import ConfigError
from stages.optimizer import make_optimizer

logger = logging.getLogger(__name__)

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
    "metric_for_best_model": "group_accuracy",
    "logging_strategy": "epoch",
    "report_to": "none",
}
# Of a training that moves the encoder too.
ENCODER_DEFAULTS: dict[str, Any] = {"num_train_epochs": 5, "per_device_train_batch_size": 16}
# Ours, beside the names of TrainingArguments.
OWN_DEFAULTS: dict[str, Any] = {"encoder_learning_rate": 3e-5, "early_stopping_patience": 3}


def check_training(settings: Mapping[str, Any]) -> None:
    """Check the names in `settings` against TrainingArguments and our own, before any work.

    Raises
    ------
    ConfigError
        A name that neither knows, with the nearest that they do, or a value that TrainingArguments refuses.
    """
    known = {f.name for f in fields(TrainingArguments)} | set(OWN_DEFAULTS)
    problems = []
    for name in settings:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            problems.append(f"training.{name} is not an argument of transformers.TrainingArguments{hint}")
    if problems:
        raise ConfigError(problems)
    try:
        training_arguments(settings, Path("unused"), seed=0)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"training: {error}: see the documentation of transformers.TrainingArguments") from error


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
    model: nn.Module,
    *,
    train: Dataset,
    valid: Dataset,
    collate: Callable[[Sequence[Any]], dict[str, Any]],
    settings: Mapping[str, Any],
    folder: Path,
    seed: int,
    weights_file: Path,
) -> Training:
    """Train `model` on group targets; afterwards it holds the weights of its best epoch.

    A training that was stopped goes on from its last checkpoint in `folder`; one that ended is read back from
    `weights_file`.

    Parameters
    ----------
    model
        Its forward takes what `collate` makes and returns a dict with ``loss`` and ``logits``.
    train, valid
        Indexable documents with targets.
    collate
        Documents to a batch: a dict with ``labels`` (documents,) first.
    settings
        Arguments of transformers.TrainingArguments by name, and those of `OWN_DEFAULTS`.
    folder
        For checkpoints.
    seed
        Of order and dropout.
    weights_file
        Where the trained weights are kept when all is done.
    """
    record = weights_file.with_suffix(".json")
    if record.exists():
        load_model(model, weights_file)
        return Training(**json.loads(record.read_text(encoding="utf-8")))

    own = {name: settings.get(name, default) for name, default in OWN_DEFAULTS.items()}
    arguments = training_arguments(settings, folder, seed)
    set_seed(seed)
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=valid,
        data_collator=collate,
        compute_metrics=group_metrics,
        optimizers=(
            make_optimizer(
                model,
                learning_rate=arguments.learning_rate,
                encoder_learning_rate=own["encoder_learning_rate"],
                weight_decay=arguments.weight_decay,
            ),
            None,
        ),
        callbacks=[_LogEpochs(), EarlyStoppingCallback(own["early_stopping_patience"])],
    )
    trainer.remove_callback(PrinterCallback)  # it prints bare dicts; _LogEpochs says the same in words
    checkpoint = last_checkpoint(folder)
    if checkpoint:
        logger.info("training goes on from %s", checkpoint.name)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    result = Training(trainer.state.log_history, trainer.state.best_metric)
    weights_file.parent.mkdir(parents=True, exist_ok=True)
    save_model(model, str(weights_file))
    part = record.with_suffix(".part")
    part.write_text(json.dumps({"history": result.history, "best_metric": result.best_metric}), encoding="utf-8")
    part.replace(record)  # last: it says that the weights are whole
    model.eval()
    return result


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


def group_metrics(prediction: Any) -> dict[str, float]:
    """Group accuracy and group macro-F1 of an evaluation."""
    predicted = np.argmax(prediction.predictions, axis=1)
    gold = prediction.label_ids
    return {
        "group_accuracy": float(accuracy_score(gold, predicted)),
        "group_macro_f1": float(f1_score(gold, predicted, average="macro", zero_division=0)),
    }


class _LogEpochs(TrainerCallback):
    """One line for each evaluation."""

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        figures = kwargs["metrics"]
        logger.info(
            "epoch %d of %d: group accuracy %.4f, group macro-F1 %.4f on validation data",
            math.ceil(state.epoch), math.ceil(args.num_train_epochs),
            figures["eval_group_accuracy"], figures["eval_group_macro_f1"],
        )  # fmt: skip
