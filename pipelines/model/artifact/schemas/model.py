"""``config.json``, ``router.json``, ``vocabulary.json`` and ``promises.json``."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from hierarchy.errors import ArtifactError
from hierarchy.text.characters import has_half
from pipelines.model.artifact.schemas.checking import REMEDY, Strict, refusal
from pipelines.promises.promises import Promises
from stages.router.router import Fusion

Weight = Annotated[float, Field(ge=0, le=1e6)]  # what is above drowns all else in the rounding of float32


class SavedConfig(Strict):
    """``config.json``."""

    format: Literal["coarsefine/model"]
    format_version: int
    settings: dict[str, Any] = Field(max_length=1000)  # each unknown one is compared with all that are known
    id2label: dict[str, str] = Field(min_length=1)
    label2id: dict[str, int]
    groups: list[str] = Field(min_length=1)
    words: dict[str, str | int | bool] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agree(self) -> "SavedConfig":
        places = [str(place) for place in range(len(self.id2label))]
        if set(places) != set(self.id2label):
            raise ValueError(f"id2label: the keys are not all numbers from 0 to {len(places) - 1}")
        if self.label2id != {label: int(place) for place, label in self.id2label.items()}:
            raise ValueError("label2id: it is not id2label the other way round, or one label stands twice")
        if len(set(self.groups)) < len(self.groups):
            raise ValueError("groups: one stands twice")
        if any(isinstance(word, str) and has_half(word) for word in self.words.values()):
            raise ValueError("words: one holds half a character")
        return self

    @property
    def label_ids(self) -> tuple[str, ...]:
        """The labels by their numbers."""
        return tuple(self.id2label[str(place)] for place in range(len(self.id2label)))


class _Fusion(Strict):
    neural: Weight
    lexical: Weight
    coarse: Weight


class SavedRouter(Strict):
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


def read_vocabulary(content: Any, where: Path) -> list[str]:
    """Check the n-grams of a model: each once, see `checked`."""
    try:
        found = TypeAdapter(Annotated[list[str], Field(min_length=1)]).validate_python(content, strict=True)
    except ValidationError as error:
        raise refusal(error, where) from None
    if len(set(found)) < len(found):
        raise ArtifactError(f"an n-gram stands twice: {REMEDY}", str(where))
    return found


def read_promises(content: Any, groups: int, where: Path) -> Promises:
    """Check what a model of so many groups promises, see `refusal`."""
    try:
        promises = Promises.from_dict(content)
    except ValidationError as error:
        raise refusal(error, where) from None
    limits = promises.conformal.groups
    if limits is not None and len(limits) != groups:
        raise ArtifactError(
            f"conformal.groups: it has {len(limits)} limits, and the model {groups} groups: {REMEDY}", str(where)
        )
    return promises
