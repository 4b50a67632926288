"""The groups of a training: labels that stand in none are placed by their texts and their documents' vectors."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hierarchy.building.builder import TaxonomyBuilder
from hierarchy.errors import UnreadableError
from hierarchy.nodes import Label
from hierarchy.taxonomy import Taxonomy
from hierarchy.text.wording import count
from pipelines.data.documents import Documents
from pipelines.settings import Settings
from pipelines.training.encoders import Encoders

if TYPE_CHECKING:
    from pipelines.training.neural import NeuralStage

logger = logging.getLogger(f"coarsefine.{__name__}")


def place_labels(
    encoders: Encoders, taxonomy: Taxonomy | None, train: Documents, neural: "NeuralStage | None"
) -> Taxonomy:
    """Return a taxonomy in which every label stands in a group.

    Parameters
    ----------
    encoders
        With the settings: limits of the groups and ``random_state`` are read.
    taxonomy
        The given one, with labels in no group; None makes groups of all labels of the training documents.
    train
        Their vectors tell, beside the label texts, which labels are alike.
    neural
        Where the vectors come from; None takes n-grams reduced by SVD.
    """
    vectors = (
        _lexical_vectors(train.texts, encoders.settings)
        if neural is None
        else neural.pretrained_pooled(len(train.texts))
    )
    labels = _to_place(taxonomy, train)
    built = builder_of(encoders).build(labels, documents=(vectors, train.labels))
    placed = len(taxonomy.unplaced) if taxonomy is not None else len(built.labels)
    logger.info("%s placed; %s in all", count(placed, "label"), count(len(built.groups), "group"))
    return built


def check_placeable(encoders: Encoders, taxonomy: Taxonomy | None, train: Documents) -> None:
    """Refuse sizes and numbers of groups that `place_labels` could not meet, before there are vectors."""
    builder_of(encoders).check(_to_place(taxonomy, train))


def builder_of(encoders: Encoders) -> TaxonomyBuilder:
    """Return the builder that settings describe; it reads label texts with their encoders."""
    settings = encoders.settings
    return TaxonomyBuilder(
        n_groups=settings.n_groups,
        min_group_size=settings.min_group_size,
        max_group_size=settings.max_group_size,
        signals=settings.signals,
        random_state=settings.random_state,
        **encoders.for_trees,
    )


def _to_place(taxonomy: Taxonomy | None, train: Documents) -> Taxonomy | list[Label]:
    return taxonomy if taxonomy is not None else [Label("", label) for label in sorted(set(train.labels))]


def document_vectors(texts: Sequence[str], encoders: Encoders, folder: Path) -> np.ndarray:
    """Return the vectors of documents that builder and quality figures read: pooled ones, through a run's cache.

    Parameters
    ----------
    texts
        Documents.
    encoders
        With ``encoder: none``, or one that cannot read the documents, the vectors are n-grams reduced by SVD.
    folder
        Run folder; a training with the same one finds the vectors there.

    Returns
    -------
    numpy.ndarray
        (documents, dimensions) float32.
    """
    settings = encoders.settings
    if settings.encoder == "none":
        return _lexical_vectors(texts, settings)
    from pipelines.training.encoder import load_encoder
    from stages.features import cached_vectors

    try:
        encoder, segmenter = load_encoder(encoders, texts, ())
    except UnreadableError as error:
        logger.warning("%s; until then the documents are compared by their n-grams", error)
        return _lexical_vectors(texts, settings)
    return cached_vectors(texts, encoder, segmenter, settings.tokens_per_chunk, folder).pooled()


def _lexical_vectors(texts: Sequence[str], settings: Settings) -> np.ndarray:
    from stages.fine.ngrams import NgramVectorizer, reduced

    ngrams = NgramVectorizer.fit(texts, len(texts), min_df=settings.min_df)[1]
    return reduced(ngrams, random_state=settings.random_state)
