"""The search space: which settings are tried, and over which values; read and checked before any work."""

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from hierarchy.errors import ConfigError
from hierarchy.text.likeness import RENAMED, most_like, suggestion
from hierarchy.wrong_values import validated
from pipelines.config import Config, read_mapping
from pipelines.settings import Settings
from pipelines.tuning.ranges import KINDS, FloatRange, Range

PREFIX = "classifier."
REFUSED = {  # settings that are none of a search
    "run_dir": "the trials share one run folder; `run` names it (run_dir in Python)",
    "random_state": "a seed is chance: the best one is the luckiest on these validation documents",
    "merge_spellings": "it decides which labels there are, before any trial",
}
COMBINATIONS = 64  # drawn to see whether settings contradict each other
EXAMPLE = "write {type: float, low: 0.1, high: 10, log: true}, {type: int, low: 1, high: 4} or a list of choices"
logger = logging.getLogger(f"coarsefine.{__name__}")


@dataclass(frozen=True)
class Space:
    """Settings and the values that are tried.

    Attributes
    ----------
    ranges
        Dotted key below ``classifier:`` (``training.learning_rate``) -> its range.
    """

    ranges: dict[str, Range]

    def applied(self, params: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
        """Return `settings` as a dict, with the values of a trial in it."""
        values = settings.model_dump()
        for key, value in params.items():
            put(values, key, value)
        return values

    def values_of(self, settings: Settings) -> dict[str, Any]:
        """Return what `settings` say of each key; a key whose default depends on the documents is left out."""
        found = {}
        values = settings.model_dump()
        for key in self.ranges:
            section, _, name = key.rpartition(".")
            if not section:
                found[key] = values[key]
            elif name in (values[section] or {}):
                found[key] = values[section][name]
            elif section == "training" and (default := _training_default(name, settings)) is not None:
                found[key] = default
        return found

    def size(self) -> int | None:
        """Points of the grid; None where a range has no countable values."""
        points = [range_.points() for range_ in self.ranges.values()]
        return None if None in points else math.prod(len(values or ()) for values in points)

    def grid(self) -> list[dict[str, Any]]:
        """Return all points of the grid, where it has a `size`."""
        points = [range_.points() or () for range_ in self.ranges.values()]
        return [dict(zip(self.ranges, values, strict=True)) for values in product(*points)]

    def as_dict(self) -> dict[str, Any]:
        """Give the space as its file would have it."""
        return {f"{PREFIX}{key}": range_.model_dump() for key, range_ in self.ranges.items()}


def read_space(source: "str | Path | Mapping[str, Any] | Space", settings: Settings) -> Space:
    """Read a search space and check it against the settings that it changes.

    Parameters
    ----------
    source
        YAML file, or what one would hold: dotted key (``classifier.neural_C``) -> range. A space is returned as it is.
    settings
        Of trial 0, to which everything that is not searched belongs.

    Raises
    ------
    ConfigError
        With every problem at once: a key that is unknown, a range that is empty, a value that the setting refuses, each
        with its line; or settings that contradict each other whatever is drawn.
    """
    if isinstance(source, Space):
        return source
    places: dict[str, str] = {}
    problems: list[str] = []
    where = "search space" if isinstance(source, Mapping) else str(source)
    raw = source if isinstance(source, Mapping) else read_mapping(source, places, problems, what="search space")
    if not raw and not problems:
        problems.append(f"there is nothing to search: name a setting with its range; {EXAMPLE}")
    ranges: dict[str, Range] = {}
    for key, written in raw.items():
        found = list(_key_problems(key, settings))
        range_ = None if found else _range(written, found)
        if range_ is not None:
            found += _value_problems(key, range_, settings, where)
            ranges[key.removeprefix(PREFIX)] = range_
        line = f"{places[key]}: " if key in places else ""
        for problem in dict.fromkeys(found):
            told = f"{PREFIX}{problem}" if problem.startswith("training.") else problem
            problems.append(line + (told if told.startswith(str(key)) else f"{key}: {told}"))
    if problems:
        raise ConfigError(problems, where)
    space = Space(ranges)
    _check_combinations(space, settings, where)
    return space


def _key_problems(key: Any, settings: Settings) -> Iterator[str]:
    name = str(key).removeprefix(PREFIX)
    top, _, inner = name.partition(".")
    if name == key or top not in Settings.model_fields:
        yield f"no such setting{_nearest(name, settings)}; keys are dotted and stand under classifier"
    elif top in REFUSED:
        yield f"cannot be searched: {REFUSED[top]}"
    elif inner and top not in ("training", "signals"):
        yield f"{top} has no keys inside: write {PREFIX}{top}"
    elif top == "training" and not inner:
        yield f"is a section: name a key in it, for example {PREFIX}training.learning_rate"
    elif top == "training" and settings.encoder == "none":
        yield "does nothing with encoder: none, which trains nothing by epochs: leave it out, or name an encoder"


def _nearest(name: str, settings: Settings) -> str:
    known = [f"{PREFIX}{field}" for field in Settings.model_fields if field not in REFUSED]
    if settings.encoder != "none":
        from stages.training.arguments import DEFAULTS, OWN_DEFAULTS

        known += [f"{PREFIX}training.{inner}" for inner in (*DEFAULTS, *OWN_DEFAULTS)]
    ends = [key for key in known if key.rpartition(".")[2] == name.rpartition(".")[2]]
    if RENAMED.get(name) in Settings.model_fields:
        return f": {suggestion(name, list(Settings.model_fields))}"
    near = ends or most_like(f"{PREFIX}{name}", known)
    return f", did you mean {near[0]!r}?" if near else ""


def _range(written: Any, problems: list[str]) -> Range | None:
    if isinstance(written, list):
        written = {"type": "categorical", "choices": written}
    if not isinstance(written, Mapping):
        problems.append(f"{written!r} is no range: {EXAMPLE}")
        return None
    kind = written.get("type")
    if kind not in KINDS:
        problems.append(f"type {kind!r} is not known: use one of {', '.join(KINDS)}")
        return None
    try:
        return validated(KINDS[kind], written, "")
    except ConfigError as error:
        problems += error.problems
        return None


def _value_problems(key: str, range_: Range, settings: Settings, where: str) -> list[str]:
    """Ask the setting itself about the ends of its range, or about each choice."""
    problems = []
    name = key.removeprefix(PREFIX)
    for value in range_.samples():
        values: dict[str, Any] = {}
        put(values, name, value)
        try:
            validated(Config, {"classifier": values}, where)
        except ConfigError as error:
            # What begins with the section is a contradiction with another setting: that is for combinations.
            problems += [problem for problem in error.problems if not problem.startswith("classifier: ")]
    section, _, inner = name.rpartition(".")
    return problems + (_training_problems(inner, range_, settings) if section == "training" else [])


def _training_problems(name: str, range_: Range, settings: Settings) -> list[str]:
    from stages.training.arguments import check_training, training_default

    problems = []
    for value in range_.samples():
        try:
            check_training({name: value}, device=settings.device)
        except ConfigError as error:
            problems += error.problems
    whole = not problems and isinstance(training_default(name), int) and not isinstance(training_default(name), bool)
    if whole and isinstance(range_, FloatRange):
        problems.append("is a whole number: use type: int")
    return problems


def _check_combinations(space: Space, settings: Settings, where: str) -> None:
    """Refuse a space in which settings always contradict each other, and warn where they often do."""
    rng = np.random.default_rng(0)
    refused: list[str] = []
    for _ in range(COMBINATIONS):
        drawn = {}
        for key, range_ in space.ranges.items():
            samples = range_.samples()
            drawn[key] = samples[int(rng.integers(len(samples)))]
        try:
            validated(Settings, space.applied(drawn, settings), where)
        except ConfigError as error:
            refused += error.problems[:1]
    if not refused:
        return
    reason = max(set(refused), key=refused.count)
    if len(refused) == COMBINATIONS:
        raise ConfigError(f"no combination of these values is allowed: {reason}", where)
    logger.warning(
        "%s: of %d combinations %d are refused, which costs a trial each: %s", where, COMBINATIONS, len(refused), reason
    )


def _training_default(name: str, settings: Settings) -> Any:
    if settings.encoder == "none":
        return None
    from stages.training.arguments import ENCODER_DEFAULTS, training_default

    if name in ENCODER_DEFAULTS and settings.trainable == "auto":
        return None  # known only once the documents are counted
    return training_default(name, encoder_trained=settings.trainable != "frozen")


def put(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key in settings."""
    section, _, name = key.rpartition(".")
    inner = values
    if section:
        inner = values[section] = dict(values.get(section) or {})
    inner[name] = value
