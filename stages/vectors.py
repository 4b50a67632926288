"""Unit vectors of documents, and the pooled vector that the neural rows read of each."""

import numpy as np

from stages.shards import DocumentArrays


class UnitVectors(DocumentArrays):
    """The unit vectors of documents: (units, hidden) float32 of each, whatever they are kept in."""

    def __getitem__(self, document: int) -> np.ndarray:
        """(units, hidden) float32 of one document."""
        return super().__getitem__(document).astype(np.float32)

    def pooled(self) -> np.ndarray:
        """Pooled vectors of all documents, (documents, 2 x hidden) float32."""
        return np.concatenate([pool_units(v.astype(np.float32), counts) for v, counts in self.by_shard()])


def pool_units(vectors: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Pooled vector of each document: mean and maximum of its unit vectors, each of unit length.

    Parameters
    ----------
    vectors
        (units, hidden), document after document.
    counts
        (documents,) units of each document, at least 1.

    Returns
    -------
    numpy.ndarray
        (documents, 2 x hidden) float32.
    """
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])  # first unit of each document
    highest = np.maximum.reduceat(vectors, starts, axis=0)  # (documents, hidden)
    return np.hstack([mean_vectors(vectors, counts), _of_length_1(highest)])


def mean_vectors(vectors: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean of the unit vectors of each document, of unit length, (documents, hidden) float32."""
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])  # first unit of each document
    return _of_length_1(np.add.reduceat(vectors, starts, axis=0) / counts[:, None])


def _of_length_1(vectors: np.ndarray) -> np.ndarray:
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.asarray(vectors / lengths, dtype=np.float32)
