"""Documents with their labels, as every training takes them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Documents:
    """Documents with their fine labels.

    Attributes
    ----------
    texts
        The documents, in memory or memory-mapped.
    labels
        Fine label id of each.
    rows
        (documents,) place of each in what the user gave; None where nobody asks.
    copies
        How many, behind the others, are augmented copies of these.
    """

    texts: Sequence[str]
    labels: Sequence[str]
    rows: np.ndarray | None = None
    copies: int = 0

    @property
    def originals(self) -> int:
        """How many documents, from the first, are no copies."""
        return len(self.texts) - self.copies

    def keys(self) -> np.ndarray:
        """(documents,) uint64 hash of each text, by which a document is known again."""
        digests = (hashlib.blake2b(t.encode("utf-8", "surrogatepass"), digest_size=8).digest() for t in self.texts)
        return np.frombuffer(b"".join(digests), dtype="<u8")

    def select(self, places: np.ndarray) -> "Documents":
        """Return the documents at some places, in memory."""
        rows = None if self.rows is None else self.rows[places]
        return Documents([self.texts[int(i)] for i in places], [self.labels[int(i)] for i in places], rows)
