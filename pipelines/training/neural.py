"""The neural side of a training: the encoder, its cached vectors, and what is trained on groups and labels.

What is trained is kept in the run folder under a name that says everything its weights depend on.
"""

import copy
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from hierarchy.taxonomy import Taxonomy
from pipelines.model.document_model import make_document_model
from pipelines.settings import MACHINE, Settings
from pipelines.training.encoder import freeze
from stages.coarse.encoder import Encoder
from stages.coarse.segment_encoder import SegmentEncoder
from stages.coarse.segments import Opinion, Segmenter
from stages.features import (
    NeuralFeatures,
    cached_tokens,
    cached_vectors,
    fine_encoders,
    run_document_model,
    vector_key,
    warn_of_dropped_tokens,
)
from stages.fine.rows import Rows
from stages.label_space import LabelSpace, label_ratio
from stages.machine import first_goes_first, n_processes
from stages.run_folder import array_digest, cache_key, made_once, texts_digest
from stages.shards import DocumentArrays, Shard
from stages.training.arguments import ENCODER_DEFAULTS
from stages.training.batches import CollateTokens, Examples, WindowedTokens, collate_vectors
from stages.training.sampling import LabelSampler
from stages.training.two_stage import HierarchicalLoss, TwoStageModel, logit_shifts, rows_from_vectors
from stages.vectors import UnitVectors

if TYPE_CHECKING:
    from stages.training.evaluations import Watch
    from stages.training.trainer import Training


TRAINING_VERSION = 5  # of the code: another one trains anew instead of reading what an older one left
LIBRARIES = ("accelerate", "torch", "transformers")
# Settings that the weights do not depend on; all others are in the key. What differs in these alone shares a training,
# as the trials of a tune do.
NO_MATTER = (
    MACHINE  # where it runs
    | {"encoder", "pooling", "dtype"}  # the fingerprint of the encoder says what they come to
    | {"label_encoder"}  # the embeddings of the groups are in the key
    | {"label_documents", "augment", "word_dropout", "augmented_copies"}  # the documents that they make are in it
    | {"merge_spellings"}  # the labels are in it
    | {"n_groups", "min_group_size", "max_group_size", "signals"}  # the groups that they make are in it
    | {"fine_features", "neural_C", "negatives"}  # of rows that are fitted afterwards
    | {"lexical", "lexical_C", "min_df", "prune", "prior_correction"}  # of n-grams; if they choose segments, in it
    | {"keep_neighbours", "routing", "beam"}  # of the finished model
)


class NeuralStage:
    """Encoder, vector cache, and what is trained above it: the document model, with rows that a joint training keeps.

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
    watch
        Is told the figures of every evaluation, as `stages.training.trainer.train_model` says.
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
        watch: "Watch | None" = None,
    ) -> None:
        self.settings = settings
        self.pretrained = encoder
        self.encoder = encoder  # the coarse stage's: a trained copy where it is trained
        self.segmenter = segmenter
        self.train_texts = train_texts
        self.valid_texts = valid_texts
        self.folder = folder
        self.watch = watch
        self._read: dict[tuple[int, str], UnitVectors] = {}

    def vectors(self, encoder: SegmentEncoder, part: str) -> UnitVectors:
        """Return the unit vectors of a part, ``training`` or ``validation``, from the cache or computed now."""
        key = (id(encoder), part)
        if key not in self._read:
            chunk = self.settings.tokens_per_chunk
            with first_goes_first():
                self._read[key] = cached_vectors(
                    self._texts(part), encoder, self.segmenter, chunk, self.folder, what=f"vectors of {part} documents"
                )
        return self._read[key]

    def ask(self, opinion: Opinion) -> None:
        """Have `opinion` choose the windows that are read, as `Segmenter.asking` says."""
        self.segmenter = self.segmenter.asking(opinion)
        self._read.clear()

    def tokens(self, part: str) -> DocumentArrays:
        """Token ids of a part, ``training`` or ``validation``, from the cache or read now."""
        with first_goes_first():
            return cached_tokens(self._texts(part), self.segmenter, self.folder, what=f"tokens of {part} documents")

    def pretrained_pooled(self, documents: int) -> np.ndarray:
        """Pooled vectors of the first training documents by the untrained encoder, (documents, features)."""
        return self.vectors(self.pretrained, "training").pooled()[:documents]

    def train(
        self,
        taxonomy: Taxonomy,
        space: LabelSpace,
        targets: np.ndarray,
        valid_targets: np.ndarray,
        *,
        group_embeddings: torch.Tensor,
    ) -> "Training":
        """Train the document model and rows, and the encoder unless it is frozen.

        Parameters
        ----------
        taxonomy, space
            Labels, groups and their texts.
        targets, valid_targets
            (documents,) label of each document; -1 leaves one out.
        group_embeddings
            (groups, label hidden), at which the label attention starts.
        """
        self._space = space
        self._key = training_key(
            self.settings,
            encoder=self.pretrained,
            segmenter=self.segmenter,
            taxonomy=taxonomy,
            space=space,
            group_embeddings=group_embeddings,
            train=(self.train_texts, targets),
            valid=(self.valid_texts, valid_targets),
        )
        torch.manual_seed(self.settings.random_state)
        device = self.pretrained.device
        hidden = self.pretrained.hidden_size
        self.document_model = make_document_model(self.settings, hidden, group_embeddings).to(device)
        self.rows = self._start_rows(taxonomy, space, targets).to(device)
        parts = {"document_model": self.document_model, "rows": self.rows}
        loss = _loss(self.settings, space, targets).to(device)
        frozen = self.settings.trainable == "frozen"
        if not frozen:
            self.encoder = copy.deepcopy(self.pretrained)
            self.encoder.dtype = "float32"  # Trainer's own bf16/fp16 settings rule the training
            freeze(self.encoder, self.settings.top_layers)
        model = TwoStageModel(encoder=None if frozen else self.encoder, **parts, loss=loss)
        result = self._train(model, targets, valid_targets)
        if not frozen:
            self.encoder.dtype = self.settings.dtype
        for module in (self.encoder, self.document_model, self.rows):
            module.eval().requires_grad_(False)
        return result

    def fine_vectors(self) -> np.ndarray:
        """Return what rows that are fitted read of training documents, (documents, features)."""
        features = self.features()
        return features.read({encoder: self.vectors(encoder, "training") for encoder in features.encoders})[0]

    def trained_rows(self) -> Rows | None:
        """Return the rows of a joint training; a chained one fits its own."""
        if self.settings.mode == "chained":
            return None
        return Rows(self.rows.weight.cpu().numpy(), self.rows.bias.cpu().numpy())

    def features(self) -> NeuralFeatures:
        """Return what turns new texts into the same features."""
        return NeuralFeatures(
            encoder=self.encoder,
            fine_encoders=None if self.settings.mode == "joint" else self._fine_encoders(),
            segmenter=self.segmenter,
            document_model=self.document_model,
            tokens_per_chunk=self.settings.tokens_per_chunk,
        )

    def _train(self, model: TwoStageModel, targets: np.ndarray, valid_targets: np.ndarray) -> "Training":
        from stages.training.trainer import train_model

        rows, valid_rows = np.flatnonzero(targets >= 0), np.flatnonzero(valid_targets >= 0)
        items: Sequence[DocumentArrays | WindowedTokens]
        collate: Callable[[Sequence[Any]], dict[str, Any]]
        lengths = None
        if model.encoder is None:
            items = [self.vectors(self.pretrained, "training"), self.vectors(self.pretrained, "validation")]
            collate = collate_vectors
        else:
            items = [self._windows("training"), self._windows("validation")]
            at_once = model.encoder.tokens_per_chunk(self.settings.tokens_per_chunk, training=True)
            collate = CollateTokens(self.segmenter, at_once, model.encoder.pad_id)
            lengths = self.tokens("training").counts[rows]
        folder = self.folder / f"{self.settings.mode}-{self._key}"
        with made_once(folder):
            return train_model(
                model,
                train=Examples(items[0], targets, rows),
                valid=Examples(items[1], valid_targets, valid_rows),
                collate=collate,
                settings={**({} if model.encoder is None else ENCODER_DEFAULTS), **self.settings.training},
                folder=folder,
                random_state=self.settings.random_state,
                sampler=_sampler(self.settings, self._space, targets[rows]),
                lengths=lengths,
                watch=self.watch,
            )

    def _windows(self, part: str) -> WindowedTokens:
        tokens = self.tokens(part)
        windows = self.segmenter.windows(self._texts(part), tokens.counts)
        warn_of_dropped_tokens(tokens.counts, windows, self.segmenter, what=part)
        return WindowedTokens(tokens, windows)

    def _texts(self, part: str) -> Sequence[str]:
        return {"training": self.train_texts, "validation": self.valid_texts}[part]

    def _fine_encoders(self) -> list[Encoder]:
        if self.encoder is self.pretrained:
            return [self.pretrained]
        return fine_encoders(self.settings.fine_features, trained=self.encoder, pretrained=self.pretrained)

    def _start_rows(self, taxonomy: Taxonomy, space: LabelSpace, targets: np.ndarray) -> nn.Linear:
        """Rows before the training: random, or what the untrained document model makes of label texts or documents."""
        width, start = self.document_model.width, self.settings.row_start
        if start == "random":
            return nn.Linear(width, len(space.label_ids))
        self.document_model.eval()
        if start == "labels":
            segments = self.segmenter([taxonomy.labels[taxonomy.label_index(i)].text for i in space.label_ids])
            chunk = self.settings.tokens_per_chunk
            vectors = self.pretrained.encode(segments.input_ids, segments.units, tokens_per_chunk=chunk)
            means = run_document_model(self.document_model, UnitVectors([Shard(vectors, segments.counts)]))[0]
        else:
            documents = run_document_model(self.document_model, self.vectors(self.pretrained, "training"))[0]
            means = np.zeros((len(space.label_ids), width), dtype=np.float32)
            known = targets >= 0
            np.add.at(means, targets[known], documents[known])
            means /= np.bincount(targets[known], minlength=len(means))[:, None]
        self.document_model.train()
        return rows_from_vectors(torch.from_numpy(means))


def training_key(
    settings: Settings,
    *,
    encoder: Encoder,
    segmenter: Segmenter,
    taxonomy: Taxonomy,
    space: LabelSpace,
    group_embeddings: torch.Tensor,
    train: tuple[Sequence[str], np.ndarray],
    valid: tuple[Sequence[str], np.ndarray],
) -> str:
    """Name a training.

    Parameters
    ----------
    settings
        With ``trainable`` resolved.
    encoder, segmenter
        As they are before the training.
    taxonomy, space
        Labels, groups and their texts.
    group_embeddings
        (groups, label hidden) start values of the label attention.
    train, valid
        Texts and targets (documents,); -1 leaves a document out.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    return cache_key(
        made_by=[TRAINING_VERSION, {name: version(name) for name in LIBRARIES}, n_processes()],
        settings=settings.model_dump(exclude=NO_MATTER),
        vectors=vector_key(encoder, segmenter),
        dropout_rates=encoder.dropout_rates(),
        labels=[[label, taxonomy.labels[taxonomy.label_index(label)].text] for label in space.label_ids],
        group_of=space.group_of,
        group_embeddings=group_embeddings.cpu().numpy(),
        documents=[[texts_digest(texts), array_digest(targets)] for texts, targets in (train, valid)],
    )[:16]


def _loss(settings: Settings, space: LabelSpace, targets: np.ndarray) -> HierarchicalLoss:
    """Build the loss of both levels; `targets` (documents,) has -1 for a document that is left out."""
    weights: dict[str, np.ndarray] = {}
    if settings.imbalance in ("weights", "logits"):
        ratio = _ratio(settings, space, targets)
        weights = {"label_weights": ratio}
        if settings.imbalance == "logits":
            counts = np.bincount(targets[targets >= 0], minlength=len(ratio))
            group_shifts, label_shifts = logit_shifts(ratio, counts, space)
            weights = {"group_shifts": group_shifts, "label_shifts": label_shifts}
    return HierarchicalLoss(
        space=space,
        fine_loss=settings.fine_loss,
        weights=None if settings.loss_weights == "learned" else settings.loss_weights,
        smoothing=settings.training.get("label_smoothing_factor", 0.0),
        **weights,
    )


def _sampler(settings: Settings, space: LabelSpace, targets: np.ndarray) -> LabelSampler | None:
    """Build what draws the training documents of an epoch; None takes each once."""
    if settings.imbalance not in ("oversample", "undersample"):
        return None
    ratio = _ratio(settings, space, targets)
    return LabelSampler(
        targets, ratio, undersample=settings.imbalance == "undersample", random_state=settings.random_state
    )


def _ratio(settings: Settings, space: LabelSpace, targets: np.ndarray) -> np.ndarray:
    counts = np.bincount(targets[targets >= 0], minlength=len(space.label_ids))
    return label_ratio(counts, space, settings.imbalance_scope)
