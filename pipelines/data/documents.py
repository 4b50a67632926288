"""Documents with their labels, as every training takes them."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import overload

import numpy as np


@dataclass(frozen=True)
class Extended(Sequence[str]):
    """Texts with more texts behind them; none is copied."""

    texts: Sequence[str]
    more: Sequence[str]

    def __len__(self) -> int:
        return len(self.texts) + len(self.more)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        """Return a text, or some in a list."""
        edge = len(self.texts)
        places = range(len(self))[place]  # counts negative places from the end, and refuses one that lies outside
        if isinstance(places, int):
            return self.texts[places] if places < edge else self.more[places - edge]
        if places.step != 1:
            return [self[i] for i in places]
        start, stop = places.start, places.stop  # read in one go: from disk, text by text is slow
        return [*self.texts[start : min(stop, edge)], *self.more[max(start - edge, 0) : max(stop - edge, 0)]]

    def __iter__(self) -> Iterator[str]:
        """Give the texts one after the other."""
        return chain(self.texts, self.more)


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
        (documents,) place of each in what the user gave, -1 of what was made; None where nobody asks.
    made
        How many, behind those that the user gave, were made for the training (`pipelines.data.augmentation`).
    """

    texts: Sequence[str]
    labels: Sequence[str]
    rows: np.ndarray | None = None
    made: int = 0

    @property
    def given(self) -> int:
        """How many documents, from the first, the user gave."""
        return len(self.texts) - self.made

    def keys(self) -> np.ndarray:
        """(documents,) uint64 hash of each text, by which a document is known again."""
        digests = (hashlib.blake2b(t.encode("utf-8", "surrogatepass"), digest_size=8).digest() for t in self.texts)
        return np.frombuffer(b"".join(digests), dtype="<u8")

    def select(self, places: np.ndarray) -> "Documents":
        """Return the documents at some places, in memory."""
        rows = None if self.rows is None else self.rows[places]
        return Documents([self.texts[int(i)] for i in places], [self.labels[int(i)] for i in places], rows)
