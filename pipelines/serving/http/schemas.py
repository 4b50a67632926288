"""What clients send, and the answers as the documentation shows them."""

from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hierarchy.text.characters import healed, is_blank

MOST_PATHS = 1_000
TEXT = "My card was charged twice"
T = TypeVar("T")
Several: TypeAlias = Annotated[list[T], Field(fail_fast=True)]  # millions of wrong ones are one problem


def tried_with(**body: Any) -> ConfigDict:
    """Name the body that ``/docs`` begins with, in place of one that has every field."""
    return ConfigDict(json_schema_extra={"examples": [body]})


class Body(BaseModel):
    """A request: its fields are what they say, and nothing else is in it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _check_fields(cls, body: Any) -> Any:
        if isinstance(body, dict) and not body.keys() <= cls.model_fields.keys():  # one problem, however many there are
            raise ValueError("there is a field that is not known: see /docs")
        return body


class PredictRequest(Body):
    """Documents to answer."""

    model_config = tried_with(texts=[TEXT])

    texts: Several[str] | None = Field(None, description="The documents.")
    text: str | None = Field(None, description="One document, in place of `texts`.")
    top_k: int = Field(3, ge=1, le=MOST_PATHS, description="Paths listed for each document at most.")
    sets: Literal["labels", "tree"] | None = Field(
        None, description="Adds the set that holds the right label as often as `calibrate` promised."
    )
    explain: bool = Field(False, description="Adds what in the text speaks for the best label and against the next.")

    @model_validator(mode="after")
    def _check_texts(self) -> "PredictRequest":
        if (self.texts is None) == (self.text is None):
            raise ValueError("give texts, or text with one document, and not both")
        return self

    @property
    def documents(self) -> list[str]:
        """The documents, one or many."""
        return [self.text] if self.text is not None else self.texts or []


class PathAnswer(BaseModel):
    """A group and a fine label."""

    group: str
    label: str
    probability: float


class Answer(BaseModel):
    """What the model says of a document; the same as a line of `coarsefine predict`."""

    label: str
    label_name: str
    group: str
    group_name: str
    probability: float
    group_probability: float
    coarse_probability: float
    beam_mass: float
    level: Literal["fine", "group", "none"] = Field(description="How far down the tree the document is answered.")
    reason: Literal["unsure", "out_of_scope", "nothing_known"] | None
    read: Literal["ngrams", "encoder"] = Field(description="Who has read it: n-grams alone, or the encoder too.")
    paths: list[PathAnswer]
    set_level: Literal["label", "group"] | None = None
    set: list[str] | None = None
    explanation: dict[str, Any] | None = None


class AnsweringModel(BaseModel):
    """Which model has answered."""

    name: str
    version: str


class PredictResponse(BaseModel):
    """Answers in the order of the documents."""

    model: AnsweringModel
    answers: list[Answer]


class ClassifyRequest(BaseModel):
    """Texts as vLLM's `/v1/classify` takes them; fields that mean nothing here are passed over."""

    model_config = tried_with(input=[TEXT])

    input: str | Several[str]
    model: str | None = None


class CorrectionRequest(Body):
    """What is right."""

    text: str = Field(description="The document.")
    label: str = Field(description="Id of the right label, as `/tree` lists them.")

    @field_validator("text")
    @classmethod
    def _check_text(cls, text: str) -> str:
        if is_blank(text):
            raise ValueError("there is nothing in it that can be learned from")
        return healed(text)


class ErrorBody(BaseModel):
    """What went wrong."""

    code: str
    message: str
    request_id: str


class ErrorResponse(BaseModel):
    """Every error, but those of `/v2`."""

    error: ErrorBody


class ProtocolErrorResponse(BaseModel):
    """Every error of `/v2`, as the Open Inference Protocol words it."""

    error: str


class Tensor(BaseModel):
    """Texts as a tensor of the Open Inference Protocol."""

    name: str
    shape: Several[Annotated[int, Field(ge=0)]]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] | None = None


class WantedOutput(BaseModel):
    """The name of an output of the Open Inference Protocol."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(BaseModel):
    """An inference of the Open Inference Protocol."""

    model_config = tried_with(inputs=[{"name": "text", "shape": [1], "datatype": "BYTES", "data": [TEXT]}])

    inputs: Several[Tensor]
    outputs: Several[WantedOutput] | None = None
    id: str | None = None
    parameters: dict[str, Any] | None = None
