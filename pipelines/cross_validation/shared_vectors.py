"""Segment vectors of all documents, encoded once, from which trainings on parts of them take theirs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipelines.data.documents import Documents
from pipelines.settings import Settings
from stages.coarse.encoder import Encoder
from stages.coarse.segments import Segmenter
from stages.features import cached_vectors, vector_cache
from stages.vectors import UnitVectors


class SharedVectors:
    """Gives the cache of a training on some documents the vectors that it would compute.

    Parameters
    ----------
    settings
        Of the classifier.
    encoder, segmenter
        As `pipelines.training.encoder.load_encoder` gives them.
    documents
        All of them.
    folder
        Run folder, in whose cache the vectors are kept.
    """

    def __init__(
        self, settings: Settings, encoder: Encoder, segmenter: Segmenter, documents: Documents, folder: Path
    ) -> None:
        self._cache = vector_cache(encoder, segmenter, folder)
        self._vectors: UnitVectors = cached_vectors(
            documents.texts, encoder, segmenter, settings.tokens_per_chunk, folder, what="vectors of all documents"
        )
        keys = documents.keys()
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def copy(self, texts: Sequence[str], folder: Path) -> None:
        """Put the vectors of some of the documents into the cache of a run folder, unless they are there."""
        cache = replace(self._cache, folder=folder / self._cache.folder.name)
        cache.shards(texts, self._look_up, read=list, what="vectors")

    def _look_up(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        places = self._order[np.searchsorted(self._keys, Documents(texts, ()).keys())]
        return np.concatenate([self._vectors[int(place)] for place in places]), self._vectors.counts[places]
