"""The constructor that scikit-learn asks for: every setting by name, kept as it was given."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

from hierarchy.arguments import known_keywords
from hierarchy.disk.paths import local_path
from hierarchy.errors import ConfigError
from hierarchy.taxonomy import Taxonomy
from hierarchy.wrong_values import validated
from pipelines.model.artifact.replacement import run_place
from pipelines.settings import Settings
from stages.machine import n_processes


class Parameters(BaseEstimator):
    """What a classifier is given; `fit` checks it.

    Parameters
    ----------
    taxonomy
        Groups and labels; unplaced labels are placed by `fit`. None builds groups from labels and documents.
    mode, encoder, label_encoder, pooling, dtype, trainable, fine_features, segment_tokens, overlap, \
max_segments, tokens_per_chunk, aggregator, aggregator_layers, aggregator_heads, label_attention, dropout, \
attention_dropout, lexical, min_df, prune, negatives, prior_correction, neural_C, lexical_C, \
keep_neighbours, routing, beam, n_groups, min_group_size, max_group_size, signals, fine_loss, loss_weights, \
row_start, imbalance, imbalance_scope, merge_spellings, \
label_documents, augment, word_dropout, augmented_copies, training, device, \
n_jobs, random_state, run_dir
        See `pipelines.settings.Settings`, which says what each is for.
    """

    @known_keywords
    def __init__(
        self,
        taxonomy: Taxonomy | None = None,
        *,
        mode: str = "chained",
        encoder: str = "embedded",
        label_encoder: str | None = None,
        pooling: str = "mean",
        dtype: str = "auto",
        trainable: str = "auto",
        fine_features: str = "both",
        segment_tokens: int = 256,
        overlap: int = 32,
        max_segments: int | None = None,
        tokens_per_chunk: int = 4096,
        aggregator: bool = True,
        aggregator_layers: int = 1,
        aggregator_heads: int = 4,
        label_attention: bool = True,
        dropout: float = 0.1,
        attention_dropout: float | None = None,
        lexical: bool = True,
        min_df: int = 2,
        prune: float = 0.005,
        negatives: str = "auto",
        prior_correction: float = 0.2,
        neural_C: float = 1.0,
        lexical_C: float = 1.0,
        keep_neighbours: bool = False,
        routing: str = "auto",
        beam: int = 3,
        n_groups: int | str = "auto",
        min_group_size: int | None = None,
        max_group_size: int | None = None,
        signals: dict[str, float] | None = None,
        fine_loss: str = "all",
        loss_weights: tuple[float, float] | str = (1.0, 0.8),
        row_start: str = "labels",
        imbalance: str = "none",
        imbalance_scope: str = "labels",
        merge_spellings: bool = True,
        label_documents: bool = True,
        augment: str | None = None,
        word_dropout: float = 0.0,
        augmented_copies: int = 1,
        training: dict[str, Any] | None = None,
        device: str | None = None,
        n_jobs: int = -1,
        random_state: int = 0,
        run_dir: str | None = None,
    ) -> None:
        self.taxonomy = taxonomy
        self.mode = mode
        self.encoder = encoder
        self.label_encoder = label_encoder
        self.pooling = pooling
        self.dtype = dtype
        self.trainable = trainable
        self.fine_features = fine_features
        self.segment_tokens = segment_tokens
        self.overlap = overlap
        self.max_segments = max_segments
        self.tokens_per_chunk = tokens_per_chunk
        self.aggregator = aggregator
        self.aggregator_layers = aggregator_layers
        self.aggregator_heads = aggregator_heads
        self.label_attention = label_attention
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.lexical = lexical
        self.min_df = min_df
        self.prune = prune
        self.negatives = negatives
        self.prior_correction = prior_correction
        self.neural_C = neural_C
        self.lexical_C = lexical_C
        self.keep_neighbours = keep_neighbours
        self.routing = routing
        self.beam = beam
        self.n_groups = n_groups
        self.min_group_size = min_group_size
        self.max_group_size = max_group_size
        self.signals = signals
        self.fine_loss = fine_loss
        self.loss_weights = loss_weights
        self.row_start = row_start
        self.imbalance = imbalance
        self.imbalance_scope = imbalance_scope
        self.merge_spellings = merge_spellings
        self.label_documents = label_documents
        self.augment = augment
        self.word_dropout = word_dropout
        self.augmented_copies = augmented_copies
        self.training = training
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.run_dir = run_dir

    def _settings(self) -> Settings:
        values = self.get_params(deep=False)
        del values["taxonomy"]
        values["training"] = values["training"] or {}
        if values["encoder"] is None:
            raise ConfigError(
                "encoder is not set: the classifier was loaded, and a new training fetches no encoder because a model "
                "names it (model_.settings.encoder): name one with set_params(encoder=...)"
            )
        settings = validated(Settings, values, where="HierarchicalClassifier")
        if settings.encoder != "none":
            from stages.training.arguments import check_training

            check_training(settings.training, joint=settings.mode == "joint", device=settings.device)
        return settings

    @contextmanager
    def _run_folder(self) -> Iterator[Path]:
        if self.run_dir is not None:
            with run_place(local_path(self.run_dir)) as folder:
                yield folder
            return
        if n_processes() > 1:
            raise ConfigError("several processes share what they do in a run folder: set run_dir")
        with tempfile.TemporaryDirectory(prefix="coarsefine-") as temporary:
            yield Path(temporary)
