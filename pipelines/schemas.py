"""What each JSON of a model must be like. A model is a stranger's file: what is read of it later is checked before."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from hierarchy.errors import ArtifactError
from pipelines.calibration import Fusion
from pipelines.config import CardFacts
from pipelines.evaluation.bootstrap import Interval
from pipelines.evaluation.comparison import BaselineResult, EvaluationReport
from pipelines.evaluation.figures import Evaluation
from pipelines.evaluation.score_tables import THIRDS
from pipelines.evaluation.sources import SHORT_TEXTS, TAIL_LABELS, UNSEEN_LABELS
from pipelines.trust.kept import KeptPromise
from pipelines.trust.promises import Promises

REMEDY = "copy the model again, or train again"
M = TypeVar("M", bound=BaseModel)
LARGEST = 10**12  # of figures: what is above is none


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("Input should be text")
    return value


Text = Annotated[Any, AfterValidator(_text)]  # a path may hold bytes that are no text, which pydantic's own refuses
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(gt=0, lt=1)]
Threshold = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, le=1e6)]  # what is above drowns all else in the rounding of float32


Seconds = Annotated[float, Field(ge=0, le=1e12)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[str, Field(pattern=r"^[0-9A-Za-z.+!_-]{1,100}$")]
Role = Literal["train", "valid", "calibration", "test"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class SavedConfig(_Strict):
    """``config.json``; models of before have `record` and `versions` here."""

    format: Literal["coarsefine/model"]
    format_version: int
    settings: dict[str, Any]
    id2label: dict[str, str] = Field(min_length=1)
    label2id: dict[str, int]
    groups: list[str] = Field(min_length=1)
    words: dict[str, str | int | bool] = {}
    record: dict[str, Any] | None = None
    versions: dict[str, str] = {}

    @model_validator(mode="after")
    def _agree(self) -> "SavedConfig":
        places = [str(place) for place in range(len(self.id2label))]
        if set(places) != set(self.id2label):
            raise ValueError(f"id2label: the keys are not all numbers from 0 to {len(places) - 1}")
        if self.label2id != {label: int(place) for place, label in self.id2label.items()}:
            raise ValueError("label2id: it is not id2label the other way round, or one label stands twice")
        if len(set(self.groups)) < len(self.groups):
            raise ValueError("groups: one stands twice")
        return self

    @property
    def label_ids(self) -> tuple[str, ...]:
        """The labels by their numbers."""
        return tuple(self.id2label[str(place)] for place in range(len(self.id2label)))


class _Fusion(_Strict):
    neural: Weight
    lexical: Weight
    coarse: Weight


class SavedRouter(_Strict):
    """``router.json``."""

    coarse: _Fusion
    fine: dict[Literal["full", "no_tree", "no_ngrams", "neither"], _Fusion]

    @model_validator(mode="after")
    def _whole(self) -> "SavedRouter":
        if "full" not in self.fine:
            raise ValueError("fine: it lacks 'full'")
        return self

    def coarse_fusion(self) -> Fusion:
        """Weights of the coarse stage."""
        return Fusion(**self.coarse.model_dump())

    def fusions(self) -> dict[str, Fusion]:
        """Weights of the labels."""
        return {name: Fusion(**one.model_dump()) for name, one in self.fine.items()}


class _BackOff(_Strict):
    precision: Share
    delta: Share
    fine: Threshold | None
    group: Threshold | None


class _Conformal(_Strict):
    coverage: Share
    labels: Threshold | None
    tree: Threshold | None
    groups: list[Threshold | None] | None


class _OutOfScope(_Strict):
    false_alarms: Share
    energy: float


class SavedPromises(_Strict):
    """``promises.json``."""

    documents: Annotated[int, Field(ge=1)]
    routing: Annotated[str, Field(pattern=r"^(exhaustive|beam: [1-9][0-9]{0,17})$")]
    back_off: _BackOff
    conformal: _Conformal
    out_of_scope: _OutOfScope | None


class _Hardware(BaseModel):
    model_config = ConfigDict(strict=True)

    system: str
    processor: str
    cores: Count | None
    memory_mb: Count | None
    gpu: str | None
    processes: Annotated[int, Field(ge=1)]


class _Promised(_Strict):
    precision: Share
    delta: Share
    coverage: Share
    by_group: bool
    false_alarms: Share | None


class _Settings(BaseModel):
    """What is read of the settings in a record, which may be those of an older version."""

    model_config = ConfigDict(strict=True, extra="allow")

    routing: Literal["auto", "exhaustive", "beam"] = "auto"
    beam: Annotated[int, Field(ge=1)] = 1
    training: dict[str, Any] = {}

    @model_validator(mode="after")
    def _named(self) -> "_Settings":
        strange = [name for name in self.model_extra or {} if not name.isidentifier()]
        if strange:  # a card writes them as Python
            raise ValueError(f"{strange[0]!r} is no name of a setting")
        return self


class _Given(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    taxonomy: Text | None = None
    data: dict[str, Any]
    calibrate: dict[str, Any] = {}


class _Documents(_Strict):
    train: Count
    valid: Count


class _RefitPrints(_Strict):
    train: Hash
    valid: Hash | None
    taxonomy: Hash


class _Refit(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    groups: list[str]
    coarse: bool
    added: list[str]
    removed: list[str]
    moved: list[str]
    augment: str = ""
    documents: _Documents
    fingerprints: _RefitPrints
    before: Hash | None


class SavedRecord(BaseModel):
    """``run.json`` of any version, and what models of before have in its place."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

    documents: dict[Role, Count] = {}
    fingerprints: dict[Role | Literal["taxonomy", "encoder"], Hash | None] = {}
    sources: dict[str, Text] = {}
    versions: dict[str, Version] = {}
    history: list[dict[str, float | None]] = []
    seconds: dict[str, Seconds] = {}
    refits: list[_Refit] = []
    promised: _Promised | None = None
    config: _Given | None = None
    settings: _Settings = _Settings()
    test_in_training: Count | None = None
    card: CardFacts | None = None

    @model_validator(mode="after")
    def _whole(self) -> "SavedRecord":
        if self.test_in_training is not None and "test" not in self.documents:
            raise ValueError("documents: it lacks 'test'")
        if "config" in self.model_fields_set and (self.config is None or "sources" not in self.model_fields_set):
            raise ValueError("config: it is null, or stands without sources")
        return self


class FullRecord(SavedRecord):
    """``run.json`` with a fingerprint, from which a card tells how to make the model again."""

    format: Literal["coarsefine/run/1"]
    made: str
    fingerprint: Hash
    hardware: _Hardware
    versions: dict[str, Version]
    seconds: dict[str, Seconds]
    peak_memory_mb: dict[str, Count]
    settings: _Settings

    @model_validator(mode="after")
    def _sealed(self) -> "FullRecord":
        lacking = {"train", "valid", "taxonomy", "encoder"} - set(self.fingerprints)
        if lacking:
            raise ValueError(f"fingerprints: it lacks {min(lacking)!r}")
        return self


def checked(schema: type[M], content: Any, where: Path) -> M:
    """Compare what a file holds with its schema.

    Raises
    ------
    ArtifactError
        Names each key that is missing, unknown or has a wrong value.
    """
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        raise _refusal(error, where) from None


def check_record(record: Any, where: Path) -> None:
    """Check the record of a run, of any version; see `checked`."""
    full = isinstance(record, dict) and ("format" in record or "fingerprint" in record)
    checked(FullRecord if full else SavedRecord, record, where)


def read_vocabulary(content: Any, where: Path) -> list[str]:
    """Check the n-grams of a model: each once, see `checked`."""
    try:
        found = TypeAdapter(Annotated[list[str], Field(min_length=1)]).validate_python(content, strict=True)
    except ValidationError as error:
        raise _refusal(error, where) from None
    if len(set(found)) < len(found):
        raise ArtifactError(f"an n-gram stands twice: {REMEDY}", str(where))
    return found


def read_promises(content: Any, groups: int, where: Path) -> Promises:
    """Check what a model of so many groups promises, see `checked`."""
    limits = checked(SavedPromises, content, where).conformal.groups
    if limits is not None and len(limits) != groups:
        raise ArtifactError(
            f"conformal.groups: it has {len(limits)} limits, and the model {groups} groups: {REMEDY}", str(where)
        )
    return Promises.from_dict(content)


def check_metrics(content: Any, where: Path) -> None:
    """Check the figures of an evaluation, of any version; see `checked`."""
    try:
        report = EvaluationReport.from_dict(content)
        parts = {name: getattr(report, name) for name in _Metrics.model_fields}
        # Names of files may hold bytes that are no text.
        text = json.dumps(parts, default=dataclasses.asdict, ensure_ascii=False).encode("utf-8", "replace")
    except (TypeError, LookupError, ValueError, AttributeError) as error:
        raise ArtifactError(f"it holds no evaluation ({error!r}): {REMEDY}", str(where)) from error
    try:
        _Metrics.model_validate_json(text)
    except ValidationError as error:
        raise _refusal(error, where) from None


class _Metrics(BaseModel):
    model_config = ConfigDict(strict=True, arbitrary_types_allowed=True, allow_inf_nan=False)

    data: str
    accuracy: Interval
    macro_f1: Interval
    baselines: dict[str, BaselineResult]
    notes: tuple[str, ...]
    promises: tuple[KeptPromise, ...]
    evaluation: Evaluation

    @model_validator(mode="after")
    def _agree(self) -> "_Metrics":
        for number in _numbers(dataclasses.asdict(self.evaluation), *map(dataclasses.asdict, self.baselines.values())):
            if not (0 <= number <= LARGEST if isinstance(number, int) else -LARGEST <= number <= LARGEST):
                raise ValueError(f"{number} is no figure of an evaluation")
        one = self.evaluation
        labels, groups = {row.id for row in one.labels}, {row.id for row in one.groups}
        for what, named, known in (
            ("group", [row.group for row in one.labels] + [row.mistaken_for for row in one.groups], groups),
            ("label", [row.mistaken_for for row in one.labels], labels),
            ("label", [name for pair in one.pairs or () for name in (pair.gold, pair.predicted)], labels),
        ):
            if unknown := {name for name in named if name} - known:
                raise ValueError(f"evaluation: {min(unknown)!r} is no {what} of its tables")
        if not {*THIRDS} >= set(one.thirds):
            raise ValueError(f"evaluation.thirds: they are not {', '.join(THIRDS)}")
        if any(
            part.name not in (TAIL_LABELS, SHORT_TEXTS, UNSEEN_LABELS) or not part.documents
            for part in one.slices or ()
        ):
            raise ValueError("evaluation.slices: one has no documents, or a name that is not known")
        if any(max(gold, answer) >= len(one.groups) for gold, answer, _ in one.group_mistakes or ()):
            raise ValueError("evaluation.group_mistakes: one is none of its groups")
        return self


def _numbers(*values: Any) -> Iterator[float]:
    for value in values:
        if isinstance(value, dict):
            yield from _numbers(*value.values())
        elif isinstance(value, list | tuple):
            yield from _numbers(*value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield value


def _refusal(error: ValidationError, where: Path) -> ArtifactError:
    problems = []
    for problem in error.errors(include_url=False, include_context=False):
        key = ".".join(map(str, problem["loc"]))
        message = problem["msg"].removeprefix("Value error, ")
        lead = f"{key}: " if key else ""
        value = "" if isinstance(problem["input"], dict | list) else f", not {problem['input']!r}"
        problems.append(f"{lead}{message[0].lower()}{message[1:]}{value if key else ''}: {REMEDY}")
    return ArtifactError(problems, str(where))
