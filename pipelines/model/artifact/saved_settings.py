"""What a saved model says of its settings, and which of them are obeyed where it is loaded.

A model is somebody else's file as a rule. What describes it is taken from it; what acts beyond it (uploads, folders,
processes, services, code and encoders by name) is said by the caller alone. The same is left out where a model is
written, so that no token travels with it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hierarchy.text.escaping import visible
from hierarchy.wrong_values import validated
from pipelines.settings import MACHINE, Settings

logger = logging.getLogger(f"coarsefine.{__name__}")

# What a loaded model names and a later training would fetch or import: the caller names it again.
NAMED_BY_CALLER = {"augment", "label_encoder"}
AT_HAND = {"embedded", "none"}  # encoders that are neither fetched nor looked for
LARGEST = 1e12  # of a number
TOKENS_AT_ONCE = 2**18  # through an encoder: a few GB; the answers do not depend on it, and the memory does
NAMED, LONGEST = 100, 60  # names in a message, and characters of each


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _one_of(*words: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in words


_WHEN = _one_of("no", "steps", "epoch", "best")
_OF_SCHEDULES = _one_of("linear", "cosine", "1-sqrt", "min", "max", "rel", "abs")


def _scheduler_options(value: Any) -> bool:
    return value is None or (
        isinstance(value, dict)
        and all(_number(option) or _flag(option) or _OF_SCHEDULES(option) for option in value.values())
    )


# Names of `training` that describe how the numbers came about, and what stands there where it does no more than that.
DESCRIBES: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(
        (
            "num_train_epochs", "max_steps", "per_device_train_batch_size", "per_device_eval_batch_size",
            "gradient_accumulation_steps", "learning_rate", "encoder_learning_rate", "layer_decay", "weight_decay",
            "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm", "warmup_steps", "label_smoothing_factor",
            "early_stopping_patience", "data_seed", "eval_delay", "eval_steps", "save_steps", "logging_steps",
        ),
        _number,
    ),
    **dict.fromkeys(
        (
            "bf16", "fp16", "tf32", "bf16_full_eval", "fp16_full_eval", "full_determinism", "dataloader_drop_last",
            "load_best_model_at_end", "greater_is_better", "gradient_checkpointing", "average_tokens_across_devices",
        ),
        _flag,
    ),
    **dict.fromkeys(("eval_strategy", "save_strategy", "logging_strategy"), _WHEN),
    "lr_scheduler_type": _one_of(
        "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt",
        "reduce_lr_on_plateau", "cosine_with_min_lr", "cosine_warmup_with_min_lr", "warmup_stable_decay",
    ),
    "lr_scheduler_kwargs": _scheduler_options,
    "optim": _one_of("adamw_torch", "adamw_torch_fused", "adafactor", "sgd", "adagrad", "rmsprop"),
    "metric_for_best_model": lambda value: isinstance(value, str) and value.isidentifier(),
}  # fmt: skip


def description(settings: Settings, *, mode: str = "python") -> dict[str, Any]:
    """Return what a model says of its settings: all but those of the machine, and of `training` what describes.

    Parameters
    ----------
    settings
        As fitted.
    mode
        As for ``model_dump`` of pydantic: ``json`` makes lists of tuples.
    """
    told = settings.model_dump(mode=mode, exclude=MACHINE)
    return {**told, "training": describing(settings.training)}


def describing(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of `training` that describes a model."""
    return {name: value for name, value in training.items() if name in DESCRIBES and DESCRIBES[name](value)}


def acting(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of `training` that acts beyond a model: the caller alone sets it."""
    told = describing(training)
    return {name: value for name, value in training.items() if name not in told}


def settings_of_model(values: Mapping[str, Any], where: str) -> Settings:
    """Turn what a model says of its settings into settings of this process; what acts is left out, and told.

    Parameters
    ----------
    values
        The settings as they stand in the model.
    where
        The file, for messages.

    Raises
    ------
    ConfigError
        As `hierarchy.wrong_values.validated`.
    """
    kept = {name: value for name, value in values.items() if name not in MACHINE}
    left = sorted(values.keys() & MACHINE)
    at_once = values.get("tokens_per_chunk", 0)
    if _number(at_once) and at_once > TOKENS_AT_ONCE:
        left.append(f"tokens_per_chunk to {at_once}")
        del kept["tokens_per_chunk"]
    if isinstance(training := values.get("training"), dict):
        kept["training"] = describing(training)
        left += [f"training.{name}" for name in acting(training)]
    if left:
        logger.warning(
            "%s also sets %s: that acts beyond the model, so it is left out; only you can set it",
            where, _in_a_line(left),
        )  # fmt: skip
    return validated(Settings, kept, where)


def _in_a_line(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(visible(name[:LONGEST]) for name in names[:NAMED]) + more


def parameters_of_model(settings: Settings, device: str | None) -> dict[str, Any]:
    """Return the parameters of a classifier that was loaded, for a training that may follow.

    No training fetches an encoder or runs code because a model names it: those are None, and the caller's to set, as
    `device` is.
    """
    parameters = description(settings)
    parameters.update(dict.fromkeys(NAMED_BY_CALLER))
    return {**parameters, "encoder": settings.encoder if settings.encoder in AT_HAND else None, "device": device}
