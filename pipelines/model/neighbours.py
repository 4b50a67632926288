"""The training documents near a new one: their vectors, places and labels, without their texts."""

from dataclasses import dataclass

import numpy as np

from pipelines.data.documents import Documents

SHOWN = 5  # nearest documents of an explanation
BLOCK = 65_536  # documents compared at a time


@dataclass(frozen=True)
class Neighbours:
    """What a model keeps of its training documents (``keep_neighbours``).

    Attributes
    ----------
    vectors
        (documents, features) float16: what the neural rows read of them.
    rows
        (documents,) place of each in the documents that were given to `fit`, from 0.
    labels
        (documents,) column of each one's label.
    """

    vectors: np.ndarray
    rows: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, documents: Documents, labels: np.ndarray) -> "Neighbours":
        """Keep the given documents; `vectors` (documents, features), `labels` (documents,)."""
        n = documents.given
        rows = np.arange(n) if documents.rows is None else documents.rows[:n]
        return cls(vectors[:n].astype(np.float16), rows, labels[:n])

    def tensors(self) -> dict[str, np.ndarray]:
        """Arrays by name, as they are saved."""
        return {"vectors": self.vectors, "rows": self.rows, "labels": self.labels}

    def nearest(self, vector: np.ndarray, k: int = SHOWN) -> list[tuple[int, int, float]]:
        """Nearest documents by cosine, nearest first, of equals the first.

        Parameters
        ----------
        vector
            (features,) of the new document.
        k
            How many at most.

        Returns
        -------
        list of tuple
            (row, column of the label, cosine).
        """
        cosines = np.empty(len(self.vectors), dtype=np.float32)
        for start in range(0, len(cosines), BLOCK):
            some = self.vectors[start : start + BLOCK].astype(np.float32)
            cosines[start : start + BLOCK] = some @ vector / np.maximum(np.linalg.norm(some, axis=1), 1e-12)
        cosines /= max(float(np.linalg.norm(vector)), 1e-12)
        found = np.argsort(-cosines, kind="stable")[:k]
        return [(int(self.rows[i]), int(self.labels[i]), float(cosines[i])) for i in found]
