"""``run.json``: what cards, refits and evaluations read of it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipelines.config import CardFacts
from pipelines.model.artifact.schemas.checking import Count, Strict
from pipelines.promises.backoff import Share
from pipelines.promises.cascade import Points

Seconds = Annotated[float, Field(ge=0, le=1e12)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[str, Field(pattern=r"^[0-9A-Za-z.+!_-]{1,100}$")]
Role = Literal["train", "valid", "calibration", "cascade", "test"]


class _Open(BaseModel):
    """A schema that takes no value for another, and lets keys pass that nothing reads."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class _Hardware(_Open):
    system: str
    processor: str
    cores: Count | None
    memory_mb: Count | None
    gpu: str | None
    processes: Annotated[int, Field(ge=1)]


class _Promised(Strict):
    precision: Share
    delta: Share
    coverage: Share
    by_group: bool
    false_alarms: Share | None
    cascade: Points | None = None


class _Settings(_Open):
    """What is read of the settings in a record."""

    routing: Literal["auto", "exhaustive", "beam"] = "auto"
    beam: Annotated[int, Field(ge=1)] = 1
    training: dict[str, Any] = {}

    @model_validator(mode="after")
    def _named(self) -> "_Settings":
        strange = [name for name in self.model_extra or {} if not name.isidentifier()]
        if strange:  # a card writes them as Python
            raise ValueError(f"{strange[0]!r} is no name of a setting")
        return self


class _Given(_Open):
    taxonomy: str | None = None
    data: dict[str, Any]
    calibrate: dict[str, Any] = {}


class _Documents(Strict):
    train: Count
    valid: Count


class _RefitPrints(Strict):
    train: Hash
    valid: Hash | None
    taxonomy: Hash


class _Refit(_Open):
    groups: list[str]
    coarse: bool
    added: list[str]
    removed: list[str]
    moved: list[str]
    augment: str = ""
    documents: _Documents
    fingerprints: _RefitPrints
    before: Hash | None


class _Change(_Open):
    value: float
    low: float
    high: float


class _Compared(_Open):
    documents: Count
    accuracy: Annotated[float, Field(ge=0, le=1)]
    accuracy_before: Annotated[float, Field(ge=0, le=1)]
    change: _Change


class _Export(_Open):
    runtime: Literal["openvino"]
    dtype: Literal["float32", "bfloat16", "int8"]
    versions: dict[str, Version]
    compared: _Compared
    documents: Count
    fingerprint: Hash
    before: Hash


class SavedRecord(_Open):
    """``run.json``, from which a card tells how to make the model again."""

    format: Literal["coarsefine/run/1"]
    made: str
    fingerprint: Hash
    settings: _Settings
    documents: dict[Role, Count]
    fingerprints: dict[Role | Literal["taxonomy", "encoder"], Hash | None]
    versions: dict[str, Version]
    hardware: _Hardware
    history: list[dict[str, float | None]]
    seconds: dict[str, Seconds]
    peak_memory_mb: dict[str, Count]
    sources: dict[str, str] = {}
    refits: list[_Refit] = []
    promised: _Promised | None = None
    export: _Export | None = None
    config: _Given | None = None
    test_in_training: Count | None = None
    card: CardFacts | None = None

    @model_validator(mode="after")
    def _whole(self) -> "SavedRecord":
        lacking = {"train", "valid", "taxonomy", "encoder"} - set(self.fingerprints)
        if lacking:
            raise ValueError(f"fingerprints: it lacks {min(lacking)!r}")
        roles = {"train", "valid"} | ({"test"} if self.test_in_training is not None else set())
        if roles - set(self.documents):
            raise ValueError(f"documents: it lacks {min(roles - set(self.documents))!r}")
        if "config" in self.model_fields_set and (self.config is None or "sources" not in self.model_fields_set):
            raise ValueError("config: it is null, or stands without sources")
        return self
