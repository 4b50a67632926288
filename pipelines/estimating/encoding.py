"""The neural part: tokens in the documents, and how fast this machine makes vectors of them and learns from them."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from hierarchy.taxonomy import Taxonomy
from pipelines.estimating.memory import PeakMemory, memory_now
from pipelines.estimating.sample import Sample
from pipelines.estimating.timing import Pace, pace_of, seconds_of
from pipelines.model.document_model import make_document_model
from pipelines.settings import Settings
from pipelines.training.neural import NeuralStage
from stages.coarse.encoder import Encoder
from stages.coarse.segments import Segmenter
from stages.features import cached_vectors
from stages.label_space import LabelSpace
from stages.training.arguments import DEFAULTS, ENCODER_DEFAULTS, layer_depths
from stages.training.batches import collate_vectors
from stages.training.sampling import LengthSampler
from stages.training.trainer import train_model
from stages.training.two_stage import HierarchicalLoss, TwoStageModel

STEP_TOKENS = 4096  # of a step that is tried, at most: a real one of long documents may take a minute
BATCHES, MOST_STEPS = 8, 1_000  # of random vectors, and steps that are tried at most
FORWARD = 1 / 3  # of what a step takes: going back costs twice as much
TRAINED_BYTES, FROZEN_BYTES = 16, 4  # of a parameter in fp32: weight, gradient and Adam's two moments, or its weight
# Of a trial: steps alone; what reads evaluations is left out.
TRIAL: dict[str, Any] = {
    "eval_strategy": "no", "save_strategy": "no", "logging_strategy": "no", "report_to": "none",
    "load_best_model_at_end": False, "lr_scheduler_type": "constant", "disable_tqdm": True,
    "gradient_accumulation_steps": 1,
}  # fmt: skip
CHECKPOINT_AT_THE_END = {"save_strategy": "steps", "save_steps": 10**9}
OF_WHOLE_TRAININGS = ("early_stopping_patience", "lr_scheduler_kwargs")


@dataclass(frozen=True)
class Reading:
    """An encoder on this machine, by a sample of the training documents.

    Attributes
    ----------
    tokens
        Of a character; those in which segments overlap count twice.
    counts
        (sample,) units of each document.
    pace
        Of characters that become vectors.
    pooled
        (some of the sample, features) pooled vectors of its first documents.
    read_bytes
        What it takes to read documents, beside the encoder.
    """

    tokens: float
    counts: np.ndarray
    pace: Pace
    pooled: np.ndarray
    read_bytes: float


@dataclass(frozen=True)
class Learning:
    """A neural training on this machine, by some of its steps.

    Attributes
    ----------
    pace
        Of steps of `amount`.
    checkpoint
        Seconds that one takes, at the end of each epoch.
    amount
        Tokens of a step that was tried; documents, where the encoder is frozen.
    epochs
        That a training has, if nothing ends it early.
    batch
        Documents of a real step.
    per_character
        Tokens of a character; 0 where the encoder is frozen.
    state_bytes, step_bytes
        What model and optimizer take, and what a step that was tried takes beside them.
    """

    pace: Pace
    checkpoint: float
    amount: float
    epochs: float
    batch: int
    per_character: float
    state_bytes: float
    step_bytes: float

    def work(self, train: Sample, valid: Sample) -> str:
        """Say what an epoch is."""
        unit = "tokens" if self.per_character else "documents"
        return f"{self.epochs:g} epochs of {self._amount(train):,.0f} {unit}"

    def seconds(self, train: Sample, valid: Sample) -> float:
        """Return the seconds of all epochs, each with its evaluation and its checkpoint."""
        epoch = self._amount(train) + FORWARD * self._amount(valid)
        return self.pace.seconds(self.epochs * epoch / self.amount) + self.epochs * self.checkpoint

    def reading(self, part: Sample) -> float:
        """Return the seconds that the trained model takes to read cached vectors of a part, where they are cached."""
        return 0.0 if self.per_character else FORWARD * self.pace.each * part.documents / self.amount

    def memory(self, train: Sample) -> float:
        """Return the bytes of model and optimizer with the largest step."""
        largest = self.per_character * largest_batch(train.lengths, self.batch) if self.per_character else self.amount
        return self.state_bytes + self.step_bytes * largest / self.amount

    def _amount(self, part: Sample) -> float:
        return part.characters * self.per_character if self.per_character else part.documents


def read_sample(
    encoder: Encoder, segmenter: Segmenter, sample: Sample, tokens_per_chunk: int | Literal["auto"]
) -> Reading:
    """Tokenize a sample and encode as much of it as it takes to know the speed.

    Parameters
    ----------
    encoder, segmenter, tokens_per_chunk
        How documents are read.
    sample
        Of the training documents.
    """
    segments = segmenter(sample.texts)
    tokens = sum(map(len, segments.input_ids))

    pooled: list[np.ndarray] = []

    def read(n: int) -> None:
        with tempfile.TemporaryDirectory(prefix="coarsefine-") as folder:
            vectors = cached_vectors(sample.texts[:n], encoder, segmenter, tokens_per_chunk, Path(folder))
            pooled.append(vectors.pooled())

    held = memory_now()
    with PeakMemory() as memory:
        pace = pace_of(read, len(sample.texts), size=sample.size, weight=3)
    return Reading(
        tokens=tokens / sample.size(len(sample.texts)),
        counts=segments.counts,
        pace=pace,
        pooled=pooled[-1],
        read_bytes=max(0.0, memory.peak - held),
    )


def learn_sample(
    settings: Settings,
    reader: tuple[Encoder, Segmenter],
    reading: Reading,
    sample: Sample,
    labels: Sequence[str],
    placed: Taxonomy,
    space: LabelSpace,
) -> Learning:
    """Train for some steps: all on some documents, or what stands above a frozen encoder on random vectors.

    Parameters
    ----------
    settings
        With ``trainable`` resolved.
    reader
        Encoder and segmenter, as `load_encoder` gives them.
    reading
        What `read_sample` found of them.
    sample, labels
        Of the training documents, with their labels.
    placed, space
        Labels and groups.
    """
    encoder, segmenter = reader
    defaults = DEFAULTS | ({} if settings.trainable == "frozen" else ENCODER_DEFAULTS)
    arguments = defaults | settings.training
    batch = arguments["per_device_train_batch_size"]
    epochs = float(arguments["num_train_epochs"])
    if arguments.get("max_steps", -1) > 0:
        epochs = arguments["max_steps"] * batch * arguments.get("gradient_accumulation_steps", 1) / sample.documents
    if settings.trainable == "frozen":
        documents = min(batch, sample.documents)
        counts = np.random.default_rng(0).choice(reading.counts, min(sample.documents, BATCHES * documents))
        train, amount, state = _above_encoder(settings, encoder.hidden_size, counts, space), float(documents), 0.0
    else:
        texts, targets = _near_mean(sample, space.targets(labels), batch, reading.tokens)
        train = _with_encoder(settings, reader, texts, targets, placed, space)
        amount = float(sum(map(len, segmenter(texts).input_ids)))
        state = _state_bytes(encoder, settings.top_layers)
    held = memory_now()
    with PeakMemory() as memory:
        pace = pace_of(train, MOST_STEPS, weight=2)
        with_checkpoint = seconds_of(lambda: train(1, **CHECKPOINT_AT_THE_END))
    return Learning(
        pace=pace,
        checkpoint=max(0.0, with_checkpoint - pace.seconds(1)),
        amount=amount,
        epochs=epochs,
        batch=batch,
        per_character=0.0 if settings.trainable == "frozen" else reading.tokens,
        state_bytes=state,
        step_bytes=max(0.0, memory.peak - held - state),
    )


def document_width(settings: Settings, hidden: int, groups: int) -> int:
    """Return the dimensions of a document vector, over an encoder with `hidden` dimensions."""
    return int(make_document_model(settings, hidden, torch.zeros(groups, hidden)).width)


def largest_batch(lengths: np.ndarray, batch: int) -> float:
    """Return the summed lengths of the longest batch of an epoch, in which documents of like length share one."""
    order = list(LengthSampler(lengths, batch=batch, draw=None, random_state=0))
    return float(max(lengths[order[first : first + batch]].sum() for first in range(0, len(order), batch)))


def _with_encoder(
    settings: Settings,
    reader: tuple[Encoder, Segmenter],
    texts: list[str],
    targets: np.ndarray,
    placed: Taxonomy,
    space: LabelSpace,
) -> Callable[..., None]:
    """Return what trains encoder and all above it for some steps, each on all of the texts."""
    embeddings = torch.zeros(len(space.group_ids), reader[0].hidden_size)

    def train(n: int, **saving: Any) -> None:
        training = _trial(settings, n) | saving | {"per_device_train_batch_size": len(texts)}
        plain = settings.model_copy(update={"training": training, "row_start": "random", "imbalance": "none"})
        with tempfile.TemporaryDirectory(prefix="coarsefine-") as folder:
            stage = NeuralStage(plain, *reader, train_texts=texts, valid_texts=texts[:1], folder=Path(folder))
            stage.train(placed, space, targets, targets[:1], group_embeddings=embeddings)

    return train


def _above_encoder(settings: Settings, hidden: int, counts: np.ndarray, space: LabelSpace) -> Callable[..., None]:
    """Return what trains all above the encoder for some steps, on random vectors; `counts` (documents,) units each."""
    random = np.random.default_rng(0)
    labels, groups = len(space.label_ids), len(space.group_ids)
    items: Any = [(random.standard_normal((n, hidden), dtype=np.float32), int(random.integers(labels))) for n in counts]

    def train(n: int, **saving: Any) -> None:
        model = TwoStageModel(
            encoder=None,
            document_model=make_document_model(settings, hidden, torch.zeros(groups, hidden)),
            rows=nn.Linear(document_width(settings, hidden, groups), labels),
            loss=HierarchicalLoss(space=space, fine_loss=settings.fine_loss),
        )
        with tempfile.TemporaryDirectory(prefix="coarsefine-") as folder:
            train_model(
                model,
                train=items,
                valid=items[:1],
                collate=collate_vectors,
                settings=_trial(settings, n) | saving,
                folder=Path(folder),
                random_state=0,
            )

    return train


def _trial(settings: Settings, steps: int) -> dict[str, Any]:
    training = {name: value for name, value in settings.training.items() if name not in OF_WHOLE_TRAININGS}
    return training | TRIAL | {"max_steps": steps}


def _near_mean(sample: Sample, targets: np.ndarray, batch: int, per_character: float) -> tuple[list[str], np.ndarray]:
    """Return documents of about the mean length, as many as a step that is tried may have, and their targets."""
    mean = sample.characters / sample.documents
    near = np.argsort([abs(len(text) - mean) for text in sample.texts], kind="stable")
    chosen = near[: min(batch, max(1, int(STEP_TOKENS / (mean * per_character))))]
    return [sample.texts[place] for place in chosen], targets[chosen]


def _state_bytes(encoder: Encoder, top_layers: int | None) -> float:
    """Return what the parameters of an encoder take while its last layers are trained; None trains all."""
    depths = layer_depths(encoder, "transformer.")
    return float(
        sum(
            parameter.numel() * (TRAINED_BYTES if top_layers is None or depths[name] < top_layers else FROZEN_BYTES)
            for name, parameter in encoder.named_parameters()
        )
    )
