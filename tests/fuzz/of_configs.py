"""Config files and ``--set``: what is accepted means what is written, and is the same when it is written anew."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import yaml

from fuzz.cases import ACCEPTED, ROOT, Target, Wrong
from fuzz.mutation import mutated, text
from hierarchy.disk.paths import expanded
from hierarchy.errors import ConfigError
from pipelines.config import CardFacts, Config, Data, load_config, taken_as_text
from pipelines.settings import Settings

FILES = [file.read_bytes() for file in sorted((ROOT / "configs").glob("*.yaml"))]
KEYS = [
    *Config.model_fields,
    *(f"data.{key}" for key in Data.model_fields),
    *(f"card.{key}" for key in CardFacts.model_fields),
    *(f"classifier.{key}" for key in Settings.model_fields),
    "classifier.training.num_train_epochs", "classifier.training.seed", "classifier.training.learning_rate",
    "classifier.training.output_dir", "classifier.training.x", "x", "data.train.x", "classifier", ".", "",
]  # fmt: skip
VALUES = [
    "0", "1", "-1", "3", "0.5", "1e-4", "true", "null", "none", "[a, b]", "{a: 1}", "[]", "{}", "auto", "cpu", "cuda",
    "1" * 400, "1e308", "1e309", ".inf", ".nan", "2147483648", "4294967296", "9" * 5000, "utf-16", "tab",
    "chained", "joint", "[[[", "a=b", "'x", "*a", "!!int 3",
]  # fmt: skip


def _make(rng: Random) -> dict[str, Any]:
    """Draw a file, or none, and values over it."""
    file = None if rng.random() < 0.4 else _file(rng)
    number = rng.choice([0, 1, 1, 2]) if file else rng.choice([1, 1, 2, 3])
    return {"file": file, "set": [_setting(rng) for _ in range(number)]}


def _file(rng: Random) -> bytes:
    lines = [f"  {key.partition('.')[2]}: {_value(rng)}" for key in rng.sample(KEYS, 2) if key.count(".") == 1]
    small = f"{rng.choice(['data', 'classifier', 'pretraining', 'card'])}:\n{chr(10).join(lines)}\n".encode()
    data = rng.choice([small, small, *FILES])
    return mutated(rng, data) if rng.random() < 0.8 else data


def _setting(rng: Random) -> str:
    return f"{rng.choice(KEYS)}{'=' if rng.random() < 0.97 else ''}{_value(rng)}"


def _value(rng: Random) -> str:
    return rng.choice(VALUES) if rng.random() < 0.6 else text(rng)


def _check(case: dict[str, Any], folder: Path) -> str:
    file = None
    if case["file"] is not None:
        file = folder / "config.yaml"
        file.write_bytes(case["file"])
    config = load_config(file, case["set"])
    found = config.model_dump()
    for value in _leaves(found):
        if isinstance(value, float) and not math.isfinite(value):
            raise Wrong("a setting that is no finite number is accepted", value)
    _check_texts(found, dict(setting.partition("=")[::2] for setting in case["set"]))
    again = folder / "again.yaml"
    again.write_text(yaml.dump(json.loads(json.dumps(found)), Dumper=_Quoting), encoding="utf-8")
    try:
        same = load_config(again).model_dump() == found
    except ConfigError as error:
        raise Wrong("what is accepted is refused when it is written anew", error) from error
    if not same:
        raise Wrong("what is accepted means something else when it is written anew", found)
    return ACCEPTED


def _check_texts(found: dict[str, Any], written: dict[str, str]) -> None:
    """Where a key holds one text, the value is that text to its last character."""
    for key, value in written.items():
        section = key.partition(".")[0]
        if not taken_as_text(key, value) or value in ("", "null") or (section != key and section in written):
            continue
        inner: Any = found
        for step in key.split("."):
            inner = inner.get(step) if isinstance(inner, dict) else None
        if isinstance(inner, str) and inner not in (value, expanded(value)) and key != "data.delimiter":
            raise Wrong("a text of --set is not what was written", (key, value, inner))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _leaves(inner)
    else:
        yield value


class _Quoting(yaml.SafeDumper):
    """Puts every text in quotes, so that 1e-4 stays one."""


_Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))

CONFIGS = [Target("configs", _make, _check, share=2, in_suite=600)]
