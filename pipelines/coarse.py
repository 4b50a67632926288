"""The neural side of a training: the encoder, its cached vectors, and the document model trained on groups."""

import copy
import hashlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from hierarchy.errors import ConfigError, EncoderError, UnreadableError
from hierarchy.taxonomy import Taxonomy
from pipelines.features import NeuralFeatures, cached_group_logits, cached_vectors
from pipelines.label_space import LabelSpace
from pipelines.settings import Settings
from stages.coarse.aggregator import Aggregator
from stages.coarse.encoder import Encoder
from stages.coarse.label_attention import LabelAttention, group_text_embeddings
from stages.coarse.model import CoarseModel, DocumentModel
from stages.coarse.segments import UNKNOWN_TOKEN_LIMIT, Segmenter, chunked, unknown_token_share
from stages.progress import duration
from stages.vectors import SegmentVectors

if TYPE_CHECKING:
    from stages.trainer import Training

UNKNOWN_TOKEN_SAMPLE = 2000  # documents looked at, spread over all
FULL_TRAINING_LIMIT = 30 * 60  # seconds that `auto` is ready to spend on the encoder
CORE_FLOPS = 28e9  # of training a core is good for: MiniLM-L6 in fp32 trains about 900 tokens a second on two
logger = logging.getLogger(__name__)


def load_encoder(settings: Settings, texts: Sequence[str], label_texts: Sequence[str]) -> tuple[Encoder, Segmenter]:
    """Load encoder and segmenter, and check that they fit the settings and can read the texts, before any long work.

    Raises
    ------
    ConfigError
        A setting does not fit the encoder's size.
    EncoderError
        The encoder cannot be had or does not fit, or more than 5 % of the tokens are unknown to it.
    """
    device = torch.device(settings.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    encoder = Encoder.from_pretrained(settings.encoder, pooling=settings.pooling, precision=settings.precision)
    segmenter = encoder.segmenter(
        segment_tokens=settings.segment_tokens, overlap=settings.overlap, max_segments=settings.max_segments
    )
    _check_sizes(settings, encoder)
    some = np.unique(np.linspace(0, len(texts) - 1, UNKNOWN_TOKEN_SAMPLE).astype(int))
    share = unknown_token_share(encoder.tokenizer, [texts[int(i)] for i in some])
    if share > UNKNOWN_TOKEN_LIMIT:
        raise UnreadableError(
            f"{share:.0%} of the tokens of these documents are unknown to the encoder {settings.encoder!r}: it was "
            "made for another language; name one for yours (encoder: bert-base-chinese, xlm-roberta-base, ...), or use "
            "encoder: none, which needs no encoder at all"
        )
    if settings.label_encoder is None:
        _check_label_texts(settings, encoder, label_texts)
    return encoder.to(device), segmenter


def resolve_trainable(settings: Settings, encoder: Encoder, texts: Sequence[str]) -> str:
    """Turn ``auto`` into ``all`` or ``frozen``, from counts of tokens and parameters, and log the choice."""
    if settings.trainable != "auto":
        return settings.trainable
    some = [texts[int(i)] for i in np.unique(np.linspace(0, len(texts) - 1, 500).astype(int))]
    lengths = [len(ids) for ids in encoder.tokenizer(some, verbose=False)["input_ids"]]
    tokens = float(np.mean(lengths)) * len(texts)
    matrices = sum(p.numel() for n, p in encoder.transformer.named_parameters() if p.ndim > 1 and "embedding" not in n)
    from stages.trainer import ENCODER_DEFAULTS  # loads Trainer, which prediction does not need

    epochs = settings.training.get("num_train_epochs", ENCODER_DEFAULTS["num_train_epochs"])
    # 6 operations a parameter and token: forward and backward (Kaplan et al. 2020)
    seconds = 6 * matrices * tokens * epochs / (CORE_FLOPS * (os.cpu_count() or 1))
    on_gpu = encoder.device.type == "cuda"
    choice = "all" if on_gpu or seconds < FULL_TRAINING_LIMIT else "frozen"
    where = "on a GPU" if on_gpu else f"about {duration(seconds)} for a full training on this processor"
    logger.info("trainable: %s (auto; %.2g tokens, %.2g parameters, %s)", choice, tokens, matrices, where)
    return choice


@dataclass(frozen=True)
class _VectorData(Dataset):
    """Cached segment vectors with group targets."""

    vectors: SegmentVectors
    targets: np.ndarray
    documents: np.ndarray  # places in `vectors`

    def __len__(self) -> int:
        return len(self.documents)

    def __getitem__(self, place: int) -> tuple[np.ndarray, int]:
        document = int(self.documents[place])
        return self.vectors[document], int(self.targets[document])


@dataclass(frozen=True)
class _TextData(Dataset):
    """Documents with group targets."""

    texts: Sequence[str]
    targets: np.ndarray
    documents: np.ndarray  # places in `texts`

    def __len__(self) -> int:
        return len(self.documents)

    def __getitem__(self, place: int) -> tuple[str, int]:
        document = int(self.documents[place])
        return self.texts[document], int(self.targets[document])


class NeuralStage:
    """Encoder, vector cache and document model of one training.

    Parameters
    ----------
    settings
        With ``trainable`` resolved.
    encoder, segmenter
        As `load_encoder` gives them.
    train_texts, valid_texts
        The documents.
    folder
        Run folder for cache and checkpoints.
    """

    def __init__(
        self,
        settings: Settings,
        encoder: Encoder,
        segmenter: Segmenter,
        *,
        train_texts: Sequence[str],
        valid_texts: Sequence[str],
        folder: Path,
    ) -> None:
        self.settings = settings
        self.pretrained = encoder
        self.encoder = encoder  # the coarse stage's: a trained copy where it is trained
        self.segmenter = segmenter
        self.train_texts = train_texts
        self.valid_texts = valid_texts
        self.folder = folder
        self._read: dict[int, tuple[SegmentVectors, SegmentVectors]] = {}

    def vectors(self, encoder: Encoder) -> tuple[SegmentVectors, SegmentVectors]:
        """Segment vectors of training and validation documents, from the cache or computed now."""
        if id(encoder) not in self._read:
            options = (encoder, self.segmenter, self.settings.tokens_per_chunk, self.folder)
            self._read[id(encoder)] = (
                cached_vectors(self.train_texts, *options, what="vectors of training documents"),
                cached_vectors(self.valid_texts, *options, what="vectors of validation documents"),
            )
        return self._read[id(encoder)]

    def pretrained_pooled(self) -> np.ndarray:
        """Pooled vectors of the training documents by the untrained encoder, (documents, features)."""
        return self.vectors(self.pretrained)[0].pooled()

    def train_coarse(
        self, taxonomy: Taxonomy, space: LabelSpace, targets: np.ndarray, valid_targets: np.ndarray
    ) -> "Training":
        """Train the document model, and the encoder with it unless it is frozen.

        Parameters
        ----------
        taxonomy, space
            For the label texts of each group.
        targets, valid_targets
            (documents,) group of each document; -1 leaves one out.
        """
        from stages.trainer import ENCODER_DEFAULTS, train_model

        embeddings = self._group_embeddings(taxonomy, space)
        torch.manual_seed(self.settings.seed)
        self.document_model = make_document_model(self.settings, self.pretrained.hidden_size, embeddings).to(
            self.pretrained.device
        )
        rows, valid_rows = np.flatnonzero(targets >= 0), np.flatnonzero(valid_targets >= 0)
        model: nn.Module
        collate: Callable[[Sequence[Any]], dict[str, Any]]
        train: Dataset
        valid: Dataset
        if self.settings.trainable == "frozen":
            vectors, valid_vectors = self.vectors(self.pretrained)
            train = _VectorData(vectors, targets, rows)
            valid = _VectorData(valid_vectors, valid_targets, valid_rows)
            model, collate, settings = self.document_model, _collate_vectors, self.settings.training
        else:
            self.encoder = copy.deepcopy(self.pretrained)
            self.encoder.precision = "fp32"  # Trainer's own bf16/fp16 settings rule the training
            _freeze(self.encoder, self.settings.top_layers)
            train = _TextData(self.train_texts, targets, rows)
            valid = _TextData(self.valid_texts, valid_targets, valid_rows)
            model = CoarseModel(encoder=self.encoder, document_model=self.document_model)
            collate, settings = self._collate_texts, {**ENCODER_DEFAULTS, **self.settings.training}
        key = self._training_key(targets, valid_targets, embeddings)
        result = train_model(
            model,
            train=train,
            valid=valid,
            collate=collate,
            settings=settings,
            folder=self.folder / f"coarse-{key}",
            seed=self.settings.seed,
            weights_file=self.folder / f"coarse-{key}" / "trained.safetensors",
        )
        self.encoder.precision = self.settings.precision
        model.eval().requires_grad_(False)
        return result

    def fine_vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """Pooled vectors of training and validation documents, (documents, features) each."""
        pairs = [self.vectors(encoder) for encoder in self._fine_encoders()]
        train, valid = zip(*((t.pooled(), v.pooled()) for t, v in pairs), strict=True)
        return np.hstack(train), np.hstack(valid)

    def valid_logits(self) -> np.ndarray:
        """Group logits of the validation documents, (documents, groups)."""
        return cached_group_logits(self.document_model, self.vectors(self.encoder)[1])

    def features(self) -> NeuralFeatures:
        """Return what turns new texts into the same features."""
        return NeuralFeatures(
            encoder=self.encoder,
            fine_encoders=self._fine_encoders(),
            segmenter=self.segmenter,
            document_model=self.document_model,
            tokens_per_chunk=self.settings.tokens_per_chunk,
        )

    def _fine_encoders(self) -> list[Encoder]:
        if self.encoder is self.pretrained:
            return [self.pretrained]
        return fine_encoders(self.settings.fine_features, trained=self.encoder, pretrained=self.pretrained)

    def _group_embeddings(self, taxonomy: Taxonomy, space: LabelSpace) -> torch.Tensor:
        encoder, segmenter = self.pretrained, self.segmenter
        if self.settings.label_encoder is not None:
            encoder = Encoder.from_pretrained(
                self.settings.label_encoder, pooling=self.settings.pooling, precision=self.settings.precision
            )
            segmenter = encoder.segmenter(segment_tokens=min(256, encoder.max_tokens))
        groups = [taxonomy.groups[taxonomy.group_index(g)] for g in space.group_ids]
        group_texts = [g.text for g in groups]
        label_texts = [label.text for g in groups for label in g.labels]
        _check_label_texts(self.settings, encoder, label_texts)
        group_of = torch.tensor([i for i, g in enumerate(groups) for _ in g.labels])
        return group_text_embeddings(
            torch.from_numpy(encoder.encode_texts(group_texts, segmenter)),
            torch.from_numpy(encoder.encode_texts(label_texts, segmenter)),
            group_of,
        )

    def _collate_texts(self, items: Sequence[tuple[str, int]]) -> dict[str, Any]:
        texts, targets = zip(*items, strict=True)
        segments = self.segmenter(texts)
        pad_id = self.pretrained.tokenizer.pad_token_id or 0
        chunks = chunked(segments.input_ids, tokens_per_chunk=self.settings.tokens_per_chunk, pad_id=pad_id)
        return {
            "labels": torch.tensor(targets),
            "chunks": list(chunks),
            "counts": torch.from_numpy(segments.counts),
        }

    def _training_key(self, targets: np.ndarray, valid_targets: np.ndarray, embeddings: torch.Tensor) -> str:
        names = ("trainable", "aggregator", "aggregator_layers", "aggregator_heads", "label_attention", "dropout",
                 "training", "seed", "segment_tokens", "overlap", "max_segments")  # fmt: skip
        digest = hashlib.sha256(json.dumps([getattr(self.settings, n) for n in names], default=str).encode())
        digest.update(self.pretrained.fingerprint().encode())
        for array in (targets, valid_targets, embeddings.cpu().numpy()):
            digest.update(np.ascontiguousarray(array).data)
        for text in (*self.train_texts, *self.valid_texts):
            digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
        return digest.hexdigest()[:16]


def make_document_model(settings: Settings, hidden: int, group_embeddings: torch.Tensor) -> DocumentModel:
    """Build the untrained document model.

    Parameters
    ----------
    settings
        Aggregator, label attention and dropout are read.
    hidden
        Dimensions of a segment vector.
    group_embeddings
        (groups, label hidden) start values.
    """
    return DocumentModel(
        aggregator=Aggregator(
            hidden=hidden,
            layers=settings.aggregator_layers if settings.aggregator else 0,
            heads=settings.aggregator_heads,
            dropout=settings.dropout,
        ),
        label_attention=LabelAttention(group_embeddings=group_embeddings, hidden=hidden, dropout=settings.dropout)
        if settings.label_attention
        else None,
        hidden=hidden,
        groups=len(group_embeddings),
        dropout=settings.dropout,
    )


def fine_encoders(fine_features: str, *, trained: Encoder, pretrained: Encoder) -> list[Encoder]:
    """Return the encoders whose pooled vectors the neural rows read."""
    return {"trained": [trained], "pretrained": [pretrained], "both": [pretrained, trained]}[fine_features]


def _collate_vectors(items: Sequence[tuple[np.ndarray, int]]) -> dict[str, torch.Tensor]:
    vectors, targets = zip(*items, strict=True)
    return {
        "labels": torch.tensor(targets),
        "segments": torch.from_numpy(np.concatenate(vectors)),
        "counts": torch.tensor([len(v) for v in vectors]),
    }


def _check_sizes(settings: Settings, encoder: Encoder) -> None:
    problems = []
    hidden, depth = encoder.hidden_size, encoder.transformer.config.num_hidden_layers
    if settings.aggregator and hidden % settings.aggregator_heads:
        problems.append(
            f"aggregator_heads {settings.aggregator_heads} does not divide the encoder's {hidden} dimensions: "
            f"set it to a divisor of {hidden}"
        )
    if settings.top_layers is not None and settings.top_layers > depth:
        problems.append(
            f"trainable top_{settings.top_layers}: this encoder has {depth} layers: use top_{depth} or less"
        )
    if problems:
        raise ConfigError(problems)


def _check_label_texts(settings: Settings, encoder: Encoder, texts: Sequence[str]) -> None:
    share = unknown_token_share(encoder.tokenizer, texts)
    if settings.label_attention and share > UNKNOWN_TOKEN_LIMIT:
        raise EncoderError(
            f"{share:.0%} of the tokens of the label texts are unknown to the encoder: "
            "set label_encoder to one that reads the language of the labels"
        )


def _freeze(encoder: Encoder, top_layers: int | None) -> None:
    """Leave only the last layers trainable; None leaves all."""
    if top_layers is None:
        return
    depth = encoder.transformer.config.num_hidden_layers
    layers = next(m for m in encoder.transformer.modules() if isinstance(m, nn.ModuleList) and len(m) == depth)
    encoder.requires_grad_(False)
    for layer in list(layers)[-top_layers:]:
        layer.requires_grad_(True)
