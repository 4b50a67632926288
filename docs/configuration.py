"""Prints docs/configuration.md from the code: every key with its default, its allowed values and what it is for.

Example: python docs/configuration.py > docs/configuration.md
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel
from pydantic.fields import FieldInfo

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # so that a checkout which is not installed can be documented too
    sys.path.insert(0, str(ROOT))

HEADER = """# Configuration

Written by `python docs/configuration.py`; a test compares the two. The same keys with their defaults stand, one comment
each, in [configs/chained.yaml](../configs/chained.yaml): copy it and keep the lines that you change.

- A config is one YAML file, given with `--config FILE`. `--set key=value` is stronger than the file, takes dotted keys
  (`--set classifier.encoder=none`), can be repeated and does without a file. Where a key holds one text, the value is
  that text to its last character, without quotes (`--set "output=model #2"`); `null` empties a key that may be empty,
  and `[title, body]` is a list where the key may hold one. Other values are written as in the file.
- Relative paths start at the working directory, wherever the file stands; a path that begins with `~` starts at the
  home folder.
- In the file, a value that YAML would take for something else (`no`, `on`, `null`) needs quotes where text is meant.
- An unknown key, a key that stands twice and a wrong value are told all at once, each with its line, before any work.
- In Python the keys of `classifier:` are the arguments of `HierarchicalClassifier`.
"""
DATA = """`train` reads all of it; `tune`, `refit`, `cross-validate`, `label-errors` and the `taxonomy` commands read
`train` and the columns; `evaluate`, `predict`, `calibrate` and `explain` name their files themselves and read the
columns from here (and the splits). What the files may look like: [file formats](file-formats.md).
"""
CARD = """The model card (`README.md` of the model) says it as it stands here, as text and not as Markdown; it changes
no figure and no fingerprint.
In Python: `save_pretrained(folder, card={"licence": "apache-2.0"})`.
"""
PRETRAINING = """`coarsefine pretrain` reads it: [pretraining](pretraining.md). `run_dir`, `classifier.device` and
`classifier.random_state` hold there too.
"""
CLASSIFIER = """`run_dir` here is for Python only; a config has it at its top level. A setting that is
set away from its default and can have no effect beside the others (`overlap` with `encoder: none`) is refused, with the
reason; those of the section Machine are not, since one value serves all trainings there.
"""
TRAINING = """What else stands there is handed to `transformers.TrainingArguments` by its own name: `bf16: true`,
`gradient_accumulation_steps: 4`, ... A name that it does not know is refused with the nearest that it does.
`num_train_epochs` and the batch size have a default of their own where the encoder is trained (`trainable: all` or
`top_<n>`), since an epoch is then much longer.
"""
TRAINING_PURPOSE = {
    "num_train_epochs": "passes over the training documents at most; early stopping mostly ends sooner",
    "per_device_train_batch_size": "documents in a training step",
    "per_device_eval_batch_size": "documents in an evaluation step",
    "learning_rate": "of everything above the encoder",
    "encoder_learning_rate": "of the encoder's last layer, where it is trained",
    "layer_decay": "what each layer of the encoder has of the learning rate of the layer above it",
    "early_stopping_patience": "evaluations without a better figure after which the training ends",
    "weight_decay": "of all weights but biases and norms",
    "warmup_steps": "steps of rising learning rate; below 1 a share of all steps",
    "lr_scheduler_type": "how the learning rate falls after that",
    "eval_strategy": "when validation documents are looked at",
    "save_strategy": "when a checkpoint is written; a stopped training goes on from the last one",
    "save_total_limit": "checkpoints kept",
    "load_best_model_at_end": "take the weights of the best evaluation and not the last",
    "metric_for_best_model": "figure on validation documents that tells the best evaluation: `accuracy`, "
    "`macro_f1`, `group_accuracy`, `group_macro_f1` or `loss`",
    "logging_strategy": "when the loss is logged",
    "report_to": "services that are told how the training goes",
}


def main() -> None:
    """Write the page to stdout."""
    sys.stdout.write(page())


def page() -> str:
    """Return the page as Markdown."""
    from pipelines.config import CardFacts, Config, Data
    from pipelines.settings import PretrainingSettings

    top = {
        name: field
        for name, field in Config.model_fields.items()
        if name not in ("data", "classifier", "pretraining", "card")
    }
    parts = [
        HEADER,
        "## Top level\n",
        field_table(top),
        "## `data:`\n",
        DATA,
        field_table(Data.model_fields),
        "## `card:`\n",
        CARD,
        field_table(CardFacts.model_fields),
        "## `pretraining:`\n",
        PRETRAINING,
        field_table(PretrainingSettings.model_fields),
        "## `classifier:`\n",
        CLASSIFIER,
        *sections(),
        "## `classifier.training:`\n",
        TRAINING,
        training_table(),
    ]
    return "\n".join(parts)


def sections() -> Iterator[str]:
    """Give the tables of the settings, each under what its settings act on."""
    from pipelines.settings import SECTIONS, Settings

    fields, starts = Settings.model_fields, [*SECTIONS, None]
    names = list(fields)
    for first, following in pairwise(starts):
        own = names[names.index(str(first)) : None if following is None else names.index(following)]
        yield f"### {SECTIONS[str(first)]}\n"
        yield field_table({name: fields[name] for name in own})


def field_table(fields: dict[str, FieldInfo]) -> str:
    """Return a Markdown table of settings."""
    rows = [
        (
            f"`{name}`",
            _written(field.get_default(call_default_factory=True)),
            allowed(field),
            " ".join((field.description or "").split()),
        )
        for name, field in fields.items()
    ]
    return _table(("key", "default", "allowed", "what it is for"), rows)


def training_table() -> str:
    """Return a Markdown table of the defaults of ``classifier.training``."""
    from stages.training.arguments import DEFAULTS, ENCODER_DEFAULTS, OWN_DEFAULTS

    always = {**OWN_DEFAULTS, **DEFAULTS}
    rows = [
        (f"`{name}`", _written(value), _written(ENCODER_DEFAULTS.get(name, value)), TRAINING_PURPOSE[name])
        for name, value in always.items()
    ]
    return _table(("key", "default, encoder frozen", "default, encoder trained", "what it is for"), rows)


def allowed(field: FieldInfo) -> str:
    """Say in words which values a setting takes."""
    return _kind(field.annotation, _limits(field.metadata))


def _limits(metadata: Iterable[Any]) -> str:
    """Put the bounds of numbers in words, without those that only a slip of the pen meets: whole millions."""
    limits = [(name, getattr(item, name)) for item in metadata for name in _SIGNS if hasattr(item, name)]
    return " and ".join(f"{_SIGNS[name]} {value}" for name, value in limits if not value or value % 10**6)


_SIGNS = {"gt": "above", "ge": "from", "lt": "below", "le": "up to"}
_KINDS: dict[Any, str] = {
    bool: "`true`, `false`",
    int: "whole number",
    float: "number",
    str: "text",
    NoneType: "`null`",
    list: "list",
    dict: "mapping",
}


def _kind(annotation: Any, limits: str) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if origin is Annotated:
        kind, more = get_args(annotation)
        if isinstance(more, AfterValidator):
            return _kind(kind, "")
        return "`top_<n>`" if kind is str else _kind(kind, _limits(more.metadata))  # the one pattern that there is
    if origin in (Union, UnionType):
        kinds = [_kind(choice, limits) for choice in get_args(annotation)]
        return ", ".join(sorted(kinds, key=lambda kind: kind == "`null`"))
    if origin is list:
        return "list of text"
    if origin is tuple:
        return f"list of {len(get_args(annotation))} numbers"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    kind = _KINDS[origin or annotation]
    return f"{kind} {limits}" if limits and kind.endswith("number") else kind


def _written(value: Any) -> str:
    """Return a value as YAML has it."""
    value = list(value) if isinstance(value, tuple) else value
    if value is None or isinstance(value, bool):
        return "`null`" if value is None else f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) and value < 1 else f"`{value}`"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
