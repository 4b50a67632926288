"""What a training is told: TrainingArguments with our defaults and our own names, and a learning rate for each part."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import TrainingArguments
from transformers.integrations import get_reporting_integration_callbacks

from hierarchy.errors import ConfigError
from hierarchy.text.likeness import most_like
from stages.machine import device_of, meet, n_processes
from stages.training.evaluations import COARSE_METRICS, FINE_METRICS

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
    "metric_for_best_model": "accuracy",
    "logging_strategy": "epoch",
    "report_to": "none",
}
# Of a training that moves the encoder too.
ENCODER_DEFAULTS: dict[str, Any] = {"num_train_epochs": 5, "per_device_train_batch_size": 16}
# Ours, beside the names of TrainingArguments.
OWN_DEFAULTS: dict[str, Any] = {"encoder_learning_rate": 3e-5, "layer_decay": 1.0, "early_stopping_patience": 3}
# What a number must be: TrainingArguments takes others and fails with them in the middle of a training.
LIMITS: dict[str, tuple[Callable[[float], bool], str]] = {
    "label_smoothing_factor": (lambda number: 0 <= number < 1, "below 1 and 0 or more"),
    "encoder_learning_rate": (lambda number: number > 0, "above 0"),
    "layer_decay": (lambda number: 0 < number <= 1, "above 0 and at most 1"),
}
LEAST = {
    "learning_rate": 0, "weight_decay": 0, "num_train_epochs": 0, "per_device_train_batch_size": 1,
    "per_device_eval_batch_size": 1, "gradient_accumulation_steps": 1, "dataloader_num_workers": 0,
    "early_stopping_patience": 1,
}  # fmt: skip
WHOLE = (
    "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps", "max_steps",
    "dataloader_num_workers", "data_seed", "early_stopping_patience",
)  # fmt: skip
# All names, with what they are where nobody sets them.
NAMES = {f.name: f.default for f in fields(TrainingArguments)} | OWN_DEFAULTS
# Optimizers that need nothing but a parameter, so that their numbers can be tried before the training.
PLAIN = ("adamw_torch", "adamw_torch_fused", "adafactor", "sgd", "adagrad", "rmsprop")
TRIED = 10  # steps
FILES = ("accelerator_config", "fsdp_config", "deepspeed")  # TrainingArguments opens a number as a file that is open
# What TrainingArguments, an optimizer or a schedule raises over a value of another kind.
FOREIGN = (ValueError, TypeError, RuntimeError, ArithmeticError, AttributeError, LookupError, AssertionError)
# Set here, or by a setting of the classifier.
TAKEN = {
    "output_dir": "`run` (run_dir in Python) names the folder",
    "seed": "set classifier.random_state",
    "use_cpu": "set classifier.device",
    "label_names": "they are fixed",
    "remove_unused_columns": "it is fixed",
    "resume_from_checkpoint": "the same command goes on by itself",
    "batch_eval_metrics": "figures are of all validation documents together",
    "eval_do_concat_batches": "figures are of all validation documents together",
    "prediction_loss_only": "figures are always computed",
    "include_for_metrics": "figures need predictions alone",
    "neftune_noise_alpha": "the noise is for decoders; `dropout` of the classifier is there",
    "save_only_model": "without the optimizer a stopped training cannot go on",
    "train_sampling_strategy": "batches are of like length already, and imbalance chooses the draw",
}


def check_training(settings: Mapping[str, Any], *, device: str | None = None) -> None:
    """Check `settings` against TrainingArguments and our own names, before any work.

    Parameters
    ----------
    settings
        As a user gave them.
    device
        Torch device; None takes a GPU where there is one.

    Raises
    ------
    ConfigError
        A name that nobody knows, with the nearest that is known; a value that TrainingArguments refuses; a figure
        that evaluations do not have; a service of `report_to` that is not installed; several GPUs in one process.
    """
    problems = []
    for name in settings:
        if name not in NAMES:
            near = most_like(name, sorted(NAMES))
            hint = f", did you mean {near[0]!r}?" if near else ""
            problems.append(f"training.{name} is not an argument of transformers.TrainingArguments{hint}")
        elif name in TAKEN:
            problems.append(f"training.{name} cannot be set here: {TAKEN[name]}")
    problems += _number_problems(settings)
    problems += [
        f"training.{name} {settings[name]!r} is neither a mapping nor the name of a file"
        for name in FILES
        if not isinstance(settings.get(name, {}), Mapping | str | None)
    ]
    metrics = ("loss", *FINE_METRICS, *COARSE_METRICS)
    chosen = settings.get("metric_for_best_model")
    if chosen is not None and str(chosen).removeprefix("eval_") not in metrics:
        problems.append(
            f"training.metric_for_best_model {chosen!r} is not evaluated: choose one of {', '.join(metrics)}"
        )
    if "early_stopping_patience" in settings and settings.get("load_best_model_at_end") is False:
        problems.append(
            "training.early_stopping_patience does nothing with load_best_model_at_end: false: leave it out"
        )
    if problems:
        raise ConfigError(problems)
    computes_on = device_of(device)
    try:
        on_cpu = computes_on.type == "cpu"
        if n_processes() > 1:
            meet(on_cpu=on_cpu)
        arguments = training_arguments({**settings, "use_cpu": on_cpu}, Path("unused"), random_state=0)
        for callback in get_reporting_integration_callbacks(arguments.report_to):
            callback()
        _try_steps(arguments)
    except (*FOREIGN, ImportError, OSError) as error:
        raise ConfigError(f"training: {error}: see the documentation of transformers.TrainingArguments") from error
    if arguments.n_gpu > 1:
        raise ConfigError(
            f"one process would drive {arguments.n_gpu} GPUs, which is slow and changes the batch: start one process "
            f"a GPU (torchrun --nproc_per_node {arguments.n_gpu} -m coarsefine train ...), or show it one "
            "(CUDA_VISIBLE_DEVICES=0)"
        )


def training_default(name: str, *, encoder_trained: bool = False) -> Any:
    """Return what a name of ``training`` is where nobody sets it: our default, or that of TrainingArguments."""
    return {**NAMES, **DEFAULTS, **(ENCODER_DEFAULTS if encoder_trained else {})}.get(name)


def training_arguments(settings: Mapping[str, Any], folder: Path, random_state: int) -> Any:
    """Our defaults, overridden by `settings`, as TrainingArguments."""
    given = {name: value for name, value in settings.items() if name not in OWN_DEFAULTS}
    return TrainingArguments(
        **{
            "output_dir": str(folder),
            "seed": random_state,
            "disable_tqdm": not sys.stderr.isatty(),
            "restore_callback_states_from_checkpoint": True,  # patience goes on counting where it stopped
            "remove_unused_columns": False,  # the collator knows which columns there are
            "label_names": ["labels"],
            "dataloader_pin_memory": torch.cuda.is_available(),
            **DEFAULTS,
            **given,
        }
    )


def parameter_groups(
    model: nn.Module,
    *,
    learning_rate: float,
    encoder_learning_rate: float,
    weight_decay: float,
    layer_decay: float = 1.0,
    encoder_prefix: str = "encoder.",
) -> list[dict[str, Any]]:
    """Group the trainable parameters by learning rate and by weight decay, as torch optimizers take them.

    Parameters
    ----------
    model
        Parameters whose names start with `encoder_prefix` belong to the pretrained encoder.
    learning_rate
        Of everything that starts untrained.
    encoder_learning_rate
        Of the encoder's last layer, usually 10 to 100 times smaller.
    weight_decay
        Of matrices; biases, norms and other vectors have none.
    layer_decay
        Each layer of the encoder has this share of the rate of the layer above it, the embeddings the smallest
        (Howard and Ruder 2018); 1 for one rate.
    """
    depths = layer_depths(model, encoder_prefix)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            rate = learning_rate
            if name.startswith(encoder_prefix):
                rate = encoder_learning_rate * layer_decay ** depths[name]
            decay = weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": p, "lr": rate, "weight_decay": decay} for (rate, decay), p in groups.items()]


def layer_depths(model: nn.Module, encoder_prefix: str) -> dict[str, int]:
    """Layers between each encoder parameter and the encoder's output, by name.

    The layers are the longest list of modules in the encoder. What comes before it (embeddings) lies below the first
    layer, and so do embeddings that all layers read (relative positions); what else comes after it (a last norm, a
    pooler) lies at the output.
    """
    embeddings = {name for name, module in model.named_modules() if isinstance(module, nn.Embedding)}
    names = [name for name, _ in model.named_parameters() if name.startswith(encoder_prefix)]
    layers, count = _layers(model, encoder_prefix)
    depths, reached = {}, False
    for name in names:
        if layers and name.startswith(f"{layers}."):
            reached = True
            depths[name] = count - 1 - int(name.removeprefix(f"{layers}.").split(".")[0])
        else:
            depths[name] = 0 if reached and name.rpartition(".")[0] not in embeddings else count
    return depths


def _try_steps(arguments: TrainingArguments) -> None:
    """Go through a whole schedule with one weight: what cannot be an optimizer or a schedule fails here, not later."""
    from transformers import Trainer, get_scheduler

    kind, options = torch.optim.SGD, {"lr": arguments.learning_rate}
    if arguments.optim in PLAIN:
        kind, options = Trainer.get_optimizer_cls_and_kwargs(arguments)
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.zeros(1)
    optimizer = kind([weight], **options)
    scheduler = get_scheduler(
        arguments.lr_scheduler_type,
        optimizer,
        num_warmup_steps=arguments.get_warmup_steps(TRIED),
        num_training_steps=TRIED,
        scheduler_specific_kwargs=dict(arguments.lr_scheduler_kwargs or {}),
    )
    metric = (0.0,) if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau) else ()
    for _ in range(TRIED):
        optimizer.step()
        scheduler.step(*metric)
        if not all(0 <= group["lr"] < float("inf") for group in optimizer.param_groups):
            raise ValueError(
                f"{arguments.lr_scheduler_type} with {arguments.lr_scheduler_kwargs} gives no learning rate"
            )


def _number_problems(settings: Mapping[str, Any]) -> list[str]:
    """Name numbers that are none: TrainingArguments takes them and fails after hours."""
    problems = [
        f"training.{name} = {value!r} is not a number"
        for name, value in settings.items()
        if isinstance(NAMES.get(name), int | float)
        and not isinstance(NAMES[name], bool)
        and (isinstance(value, bool) or not isinstance(value, int | float))
    ]
    if problems:
        return problems
    for name, value in settings.items():
        if name in WHOLE and not isinstance(value, int | None):
            problems.append(f"training.{name} {value!r} is not a whole number")
        if name in LEAST and value < LEAST[name]:
            problems.append(f"training.{name} {value} must be {LEAST[name]} or more")
        if name in LIMITS and not LIMITS[name][0](value):
            problems.append(f"training.{name} {value} must be {LIMITS[name][1]}")
    return problems


def _layers(model: nn.Module, prefix: str) -> tuple[str, int]:
    """Name and length of the longest list of modules."""
    lists = {n: len(m) for n, m in model.named_modules() if n.startswith(prefix) and isinstance(m, nn.ModuleList)}
    return max(lists.items(), key=lambda entry: entry[1], default=("", 0))
