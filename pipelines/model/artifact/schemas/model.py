"""``config.json``, ``router.json`` and ``vocabulary.json``."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, RootModel, model_validator

from hierarchy.text.characters import has_half
from pipelines.model.artifact.schemas.checking import Strict
from pipelines.promises.backoff import Share, Threshold
from pipelines.promises.cascade import Points
from pipelines.promises.promises import Routing

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


class SavedCascade(Strict):
    """``cascade`` of ``router.json``."""

    coarse: _Fusion
    fine: _Fusion
    threshold: Threshold
    routing: Routing
    points: Points
    delta: Share
    documents: Annotated[int, Field(ge=1)]
    answered: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _agree(self) -> "SavedCascade":
        if self.answered > self.documents:
            raise ValueError("answered: it is more than documents")
        return self


class SavedRouter(Strict):
    """``router.json``."""

    coarse: _Fusion
    fine: dict[Literal["full", "no_tree", "no_ngrams", "neither"], _Fusion]
    cascade: SavedCascade | None = None

    @model_validator(mode="after")
    def _whole(self) -> "SavedRouter":
        if "full" not in self.fine:
            raise ValueError("fine: it lacks 'full'")
        return self


class SavedVocabulary(RootModel[list[str]]):
    """``vocabulary.json``: the n-grams, each once."""

    model_config = ConfigDict(strict=True)
    root: list[str] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_once(self) -> "SavedVocabulary":
        if len(set(self.root)) < len(self.root):
            raise ValueError("an n-gram stands twice")
        return self
