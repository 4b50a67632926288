"""Documents that stand for all of their part: spread over it, in a random order, with what all of them amount to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CHARACTERS = 1_000_000  # of a sample, at most
DOCUMENTS = 2_000  # of a sample, at most
LENGTHS_READ = 20_000  # of at most so many documents, which stand for the others


@dataclass(frozen=True)
class Sample:
    """A sample of some documents, and their size.

    Attributes
    ----------
    documents
        How many there are in all.
    characters
        Of all of them; estimated where there are more than `LENGTHS_READ`.
    lengths
        (documents,) characters of each of those that were looked at.
    texts
        The sample.
    places
        (sample,) where its documents stand among all.
    """

    documents: int
    characters: float
    lengths: np.ndarray
    texts: list[str]
    places: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str], *, times: int = 1) -> "Sample":
        """Draw the same sample of the same documents each time.

        Parameters
        ----------
        texts
            The documents.
        times
            How often each counts, as where augmented copies of it will be made.
        """
        looked_at = _spread(len(texts), LENGTHS_READ)
        every = texts if len(looked_at) == len(texts) else (texts[int(place)] for place in looked_at)
        lengths = np.fromiter(map(len, every), dtype=np.int64, count=len(looked_at))
        mean = max(1.0, float(lengths.mean()))
        places = np.random.default_rng(0).permutation(
            _spread(len(texts), min(DOCUMENTS, max(1, int(CHARACTERS / mean))))
        )
        return cls(
            documents=len(texts) * times,
            characters=mean * len(texts) * times,
            lengths=lengths,
            texts=[texts[int(place)] for place in places],
            places=places,
        )

    def size(self, documents: int) -> float:
        """Return the characters of the first documents of the sample."""
        return float(max(1, sum(map(len, self.texts[:documents]))))

    @property
    def share(self) -> float:
        """How many times the sample's characters all documents have."""
        return self.characters / self.size(len(self.texts))


def _spread(length: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, length - 1, min(length, most)).astype(int))
