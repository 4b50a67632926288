"""The config file: one YAML for the command line, with every problem in it told at once.

Paths in it are taken as they are written: relative ones start at the working directory, as those of the command line
do, so that a value means the same wherever it is given.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from hierarchy.disk.paths import local_path, path_exists
from hierarchy.errors import ConfigError, TaxonomyError
from hierarchy.files.syntax import Entry, Items, Pairs, Scalar, compose_yaml
from hierarchy.files.taxonomy_files import DOCUMENT_SUFFIXES, read_text
from hierarchy.files.text_format import TAB, Quoting, checked_delimiter, checked_encoding
from hierarchy.text.characters import has_half
from hierarchy.wrong_values import validated
from pipelines.demo.configs import configs_folder
from pipelines.settings import Place, PretrainingSettings, Settings

WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **{written: value for word, value in (("true", True), ("yes", True), ("on", True), ("false", False),
       ("no", False), ("off", False)) for written in (word, word.capitalize(), word.upper())},
}  # fmt: skip
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]*)")  # 007 is text, as it is for labels
LONGEST_NUMBER = 100  # characters
FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")  # YAML 1.1 takes 5e-4 for text


def _delimiter(written: str) -> str:
    """Check it; the tab by its name, which is written and read everywhere without quotes."""
    return TAB if checked_delimiter(written) == "\t" else written


def _each_once(places: list[str]) -> list[str]:
    if not places or len({Path(place).resolve() for place in places}) < len(places):
        raise ValueError("the list must name at least one file, and each once")
    return places


class Data(BaseModel):
    """Where the documents are, and which of their columns hold what."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, use_attribute_docstrings=True)

    train: Place | Annotated[list[Place], AfterValidator(_each_once)] | None = None
    """training documents: a file, a folder of the datasets library, or a name on the hub; or a list of such, in which
    those behind the first correct what stands before them (corrections of `coarsefine serve`)"""
    valid: Place | None = None
    """validation documents; null cuts a stratified tenth from the training documents"""
    calibration: Place | None = None
    """documents for promises, which nothing else may see; null promises nothing"""
    test: Place | None = None
    """test documents; null evaluates on the validation documents"""
    train_split: str | None = None
    """which split, where `train` has several"""
    valid_split: str | None = None
    """which split, where `valid` has several"""
    calibration_split: str | None = None
    """which split, where `calibration` has several"""
    test_split: str | None = None
    """which split, where `test` has several"""
    text: str | list[str] = "text"
    """column of the text, or a list of columns that make it together"""
    label: str = "label"
    """column of the fine label"""
    group: str | None = None
    """column of the group; null where there is none"""
    quoting: Quoting = "auto"
    """of CSV and TSV: `auto`, cells may stand in double quotes, and quotes that seem to hold whole rows are refused
    (TSV) or reported (CSV); `double`, what stands in quotes is trusted; `none`, quotes are characters like all
    others"""
    delimiter: Annotated[str, AfterValidator(_delimiter)] | None = None
    """of CSV and TSV, one character (`tab` for a tab); null goes by suffix and header"""
    encoding: Annotated[str, AfterValidator(checked_encoding)] = "utf-8"
    """of CSV, TSV and JSON: `utf-8`, `utf-16`, `gb18030`, `big5`, `cp1252` or another codec of Python"""

    @property
    def training(self) -> list[str]:
        """The training documents' places."""
        return [self.train] if isinstance(self.train, str) else self.train or []

    @property
    def reading(self) -> dict[str, Any]:
        """How every source is read, as arguments of `read_documents` and `predict_file`; label and group are apart."""
        return self.model_dump(include={"text", "quoting", "delimiter", "encoding"})


class CardFacts(BaseModel):
    """What only a person knows, for the model card."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, use_attribute_docstrings=True)

    licence: str | None = None
    """licence of the model, best as the hub names it (`apache-2.0`, `cc-by-4.0`)"""
    language: str | list[str] | None = None
    """languages of the documents, as codes (`en`, `zh`); null says that nobody has told"""
    contact: str | None = None
    """whom to ask about the model"""
    notes: str | None = None
    """what else a reader must know: purpose, where the documents come from, who may use it"""

    @field_validator("*")
    @classmethod
    def _whole(cls, fact: str | list[str] | None) -> str | list[str] | None:
        for text in [fact] if isinstance(fact, str) else fact or []:
            if has_half(text):
                raise ValueError(f"{text!a} holds half a character, which no file can hold: write it whole")
        return fact


class Config(BaseModel):
    """What a config file holds; the command line reads it."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, use_attribute_docstrings=True)

    taxonomy: Place | None = None
    """taxonomy file (docs/file-formats.md); null takes the groups of the data's group column, or builds groups"""
    data: Data = Field(default_factory=lambda: Data.model_validate({}))
    """the documents"""
    classifier: Settings = Field(default_factory=lambda: Settings.model_validate({}))
    """the model and its training"""
    pretraining: PretrainingSettings = Field(default_factory=lambda: PretrainingSettings.model_validate({}))
    """how `pretrain` trains an encoder on documents alone"""
    card: CardFacts = Field(default_factory=lambda: CardFacts.model_validate({}))
    """what the model card says beside the figures"""
    run_dir: Place | None = None
    """folder for the vector cache and checkpoints, from which a stopped training goes on; null takes the output
    folder's name with .run behind it"""
    output: Place = "model"
    """folder of the trained model"""

    @model_validator(mode="after")
    def _run_folder_of_its_own(self) -> "Config":
        if self.classifier.run_dir is not None:
            raise ValueError("classifier.run_dir is set by the run_dir above it: give the folder there")
        if Path(self.output).resolve() in (run := self.run_folder.resolve(), *run.parents):
            raise ValueError(
                f"run_dir {str(self.run_folder)!r} is the output {self.output!r} or lies in it, and a model is "
                "replaced with its folder: give the run a folder of its own, and the output a name"
            )
        return self

    @property
    def run_folder(self) -> Path:
        """The run folder in use."""
        return Path(self.run_dir if self.run_dir is not None else f"{self.output.rstrip('/')}.run")

    def in_run_folder(self) -> list[str]:
        """Return what lies in the run folder and is not of the run: output, taxonomy, documents."""
        run, data = self.run_folder.resolve(), self.data
        places = (self.output, self.taxonomy, *data.training, data.valid, data.calibration, data.test)
        return [place for place in places if place is not None and run in Path(place).resolve().parents]

    def settings(self) -> Settings:
        """Return the settings of the classifier, with the run folder in them."""
        return self.classifier.model_copy(update={"run_dir": str(self.run_folder)})


def load_config(path: str | Path | None, overrides: Sequence[str] = ()) -> Config:
    """Read a config file and the values that override it.

    Parameters
    ----------
    path
        YAML file; None takes the defaults.
    overrides
        ``key=value`` each: the key dotted (``classifier.encoder``). Where the key holds one text, the value is that
        text to its last character, or ``null``; elsewhere it is as YAML would have it.

    Returns
    -------
    Config
        Checked.

    Raises
    ------
    ConfigError
        With every problem at once: a key that is unknown or stands twice, a wrong value, each with its line.
    """
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    problems: list[str] = []
    where = "--set" if path is None else str(path)
    if path is not None:
        values = read_mapping(path, places, problems)
    for override in overrides:
        _override(values, override, places, problems)
    for section in [
        name for name in ("data", "classifier", "pretraining", "card") if name in values and values[name] is None
    ]:
        del values[section]  # all its keys are commented out
    try:
        config = validated(Config, values, where, places)
    except ConfigError as error:
        problems += error.problems
    if problems:
        told = path is None and all(problem.startswith("--set ") for problem in problems)
        raise ConfigError(problems, "" if told else where, _seems_to_be(values))
    return config


def _seems_to_be(values: Mapping[str, Any]) -> str:
    """Say what a file with no key of a config seems to be; else an empty text."""
    if not values or Config.model_fields.keys() & values.keys():
        return ""
    if {"groups", "labels"} & values.keys() or all(isinstance(value, list) for value in values.values()):
        return "the file seems to be a taxonomy: give it with --set taxonomy=FILE"
    return ""


def read_mapping(
    path: str | Path, places: dict[str, str], problems: list[str], *, what: str = "config"
) -> dict[str, Any]:
    """Read a YAML file of keys and values, with numbers and truth values as a config has them.

    Parameters
    ----------
    path
        The file.
    places
        Is told where each dotted key stands (``line 12``).
    problems
        Is told of keys that stand twice, or are none.
    what
        The file is, for messages.

    Raises
    ------
    ConfigError
        There is no such file, or it holds something else.
    """
    file = local_path(path)
    if file.suffix.lower() in DOCUMENT_SUFFIXES:
        raise ConfigError(f"{str(path)!r} is no {what} file, which is YAML: give documents with --set data.train=FILE")
    if not path_exists(file):
        shipped = ", ".join(sorted(config.name for config in configs_folder().glob("*.yaml")))
        raise ConfigError(
            f"there is no {what} file {str(path)!r} (paths start at the working directory {Path.cwd()}); the shipped "
            f"ones lie in {str(configs_folder())!r}: {shipped}"
        )
    if file.is_dir():
        raise ConfigError(f"{str(path)!r} is a folder: name a {what} file, which is YAML")
    try:
        entry = compose_yaml(read_text(path), str(path))
    except TaxonomyError as error:
        raise ConfigError(error.problems, str(path)) from None
    if isinstance(entry, Pairs):
        return _mapping(entry, "", places, problems)
    if entry is not None and not (isinstance(entry, Scalar) and _value(entry) is None):
        raise ConfigError(f"a {what} is a mapping of keys to values: key: value", str(path))
    return {}


def _mapping(entry: Pairs, prefix: str, places: dict[str, str], problems: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_entry, value_entry in entry.pairs:
        if not isinstance(key_entry, Scalar):
            problems.append(f"line {key_entry.line}: a key must be one word, not a list or a mapping")
            continue
        key = key_entry.value
        path = f"{prefix}{key}"
        if key in found:
            problems.append(f"line {key_entry.line}: {path!r} stands already in {places[path]}: keep one")
            continue
        places[path] = f"line {key_entry.line}"
        found[key] = _plain(value_entry, f"{path}.", places, problems)
    return found


def _plain(entry: Entry, prefix: str, places: dict[str, str], problems: list[str]) -> Any:
    if isinstance(entry, Pairs):
        return _mapping(entry, prefix, places, problems)
    if isinstance(entry, Items):
        return [_plain(item, prefix, places, problems) for item in entry.values]
    return _value(entry, text_only={str} <= _kinds(prefix[:-1], unknown=object) <= {str, list, type(None)})


def _value(entry: Scalar, *, text_only: bool = False) -> Any:
    """Return null, truth values and numbers as such, all else as text; with `text_only` numbers too."""
    text = entry.value
    if not entry.plain:
        return text
    if text in WORDS:
        return WORDS[text]
    if text_only or len(text) > LONGEST_NUMBER:  # a column 1.50, a folder 1_000; Python reads no number of any length
        return text
    if INTEGER.fullmatch(text):
        return int(text)
    if FLOAT.fullmatch(text) and not (text.isdigit() and text[0] == "0") and math.isfinite(float(text)):
        return float(text)
    return text


def _override(values: dict[str, Any], override: str, places: dict[str, str], problems: list[str]) -> None:
    key, equals, written = override.partition("=")
    steps = key.strip().split(".")
    if not equals or not all(steps):
        problems.append(f"--set {override}: give key=value, for example --set classifier.encoder=none")
        return
    path = ".".join(steps)
    written = written.lstrip() if key.endswith(" ") else written  # key = value
    try:
        value = _override_value(path, written, places, problems)
    except (ConfigError, TaxonomyError) as error:
        problems += [f"--set {override}: {problem}" for problem in error.problems]
        return
    inner: Any = values
    for step in steps[:-1]:
        if inner.get(step) is None:
            inner[step] = {}
        inner = inner[step]
        if not isinstance(inner, Mapping):
            problems.append(f"--set {override}: {step!r} is no section")
            return
    for known in [known for known in places if known.startswith(f"{path}.")]:
        del places[known]
    places[path] = f"--set {override}"
    inner[steps[-1]] = value


def _override_value(path: str, written: str, places: dict[str, str], problems: list[str]) -> Any:
    if not taken_as_text(path, written):
        entry = compose_yaml(written, "")
        return None if entry is None else _plain(entry, f"{path}.", places, problems)
    if type(None) in _kinds(path) and written in ("", "null"):
        return None
    if not written:
        raise ConfigError(f"{path} needs a value: give one, or leave the key out")
    return written


def taken_as_text(path: str, written: str) -> bool:
    """Whether ``--set`` takes what is written for a key as it stands, and not as YAML.

    Parameters
    ----------
    path
        The dotted key.
    written
        The value. Where a key holds one text or a list, ``[title, body]`` is the list.
    """
    kinds = _kinds(path) - {type(None)}
    return kinds == {str} or (kinds == {str, list} and not _is_list(written))


def _kinds(path: str, unknown: type = str) -> set[type]:
    """Return the types of a key's values, one of a few words being text; none are known inside free mappings."""
    model: Any = Config
    for step in path.split("."):
        fields = model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else {}
        if step not in fields:
            return {unknown} if fields else set()  # a key that there is not is told as such, whatever stands in it
        model = fields[step].annotation
    return set(_types(model))


def _types(annotation: Any) -> Iterator[type]:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        for one in inner:
            yield from _types(one)
    elif origin is Literal:
        yield from map(type, inner)
    elif origin is Annotated:
        yield from _types(inner[0])
    else:
        yield origin or annotation


def _is_list(written: str) -> bool:
    """Whether a value is a list as YAML writes it: `[title, body]`, and not `[final] text`."""
    try:
        return written.lstrip().startswith("[") and isinstance(compose_yaml(written, ""), Items)
    except TaxonomyError:
        return False
