"""Documents with their labels, as every training takes them; what lies on disk stays there."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

READ_AT_ONCE = 200  # documents may be long
logger = logging.getLogger(f"coarsefine.{__name__}")


@dataclass(frozen=True)
class Selected(Sequence[str]):
    """Texts at some places of others, read from these when they are asked for."""

    texts: Sequence[str]
    places: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, place: Any) -> Any:
        """Return a text, or some in a list."""
        if not isinstance(place, slice):
            return self.texts[int(self.places[place])]
        places = self.places[place].tolist()
        try:  # a column of a table reads all of them in one go
            return list(self.texts[places])
        except (TypeError, ValueError, KeyError):
            return [self.texts[i] for i in places]

    def __iter__(self) -> Iterator[str]:
        """Give the texts one after the other."""
        for start in range(0, len(self), READ_AT_ONCE):
            yield from self[start : start + READ_AT_ONCE]


@dataclass(frozen=True)
class Extended(Sequence[str]):
    """Texts with more texts behind them; none is copied."""

    texts: Sequence[str]
    more: Sequence[str]

    def __len__(self) -> int:
        return len(self.texts) + len(self.more)

    def __getitem__(self, place: Any) -> Any:
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
class Documents(Sequence[str]):
    """Checked documents with their fine labels; to who reads it as a sequence, their texts.

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

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, place: Any) -> Any:
        """Return a text, or some."""
        return self.texts[place]

    def __iter__(self) -> Iterator[str]:
        """Give the texts one after the other."""
        return iter(self.texts)

    @property
    def given(self) -> int:
        """How many documents, from the first, the user gave."""
        return len(self.texts) - self.made

    def keys(self) -> np.ndarray:
        """(documents,) uint64 hash of each text, by which a document is known again."""
        digests = (hashlib.blake2b(t.encode("utf-8", "surrogatepass"), digest_size=8).digest() for t in self.texts)
        return np.frombuffer(b"".join(digests), dtype="<u8")

    def select(self, places: np.ndarray) -> "Documents":
        """Return the documents at some places; texts that are not in memory are read when they are asked for."""
        in_memory = isinstance(self.texts, list | tuple)
        texts = [self.texts[int(i)] for i in places] if in_memory else Selected(self.texts, places)
        rows = None if self.rows is None else self.rows[places]
        return Documents(texts, [self.labels[int(i)] for i in places], rows)


def warn_of_repeats(texts: Sequence[str], seen: Documents, *, what: str, where: str = "training") -> list[str]:
    """Warn of documents that stand among other ones too, and return what was said.

    Parameters
    ----------
    texts
        Documents that are to tell how good the model is on new ones.
    seen
        Documents that the model has seen.
    what, where
        What the documents are, and in what part the model has seen the others, for the message.
    """
    return warn_of_seen_keys(Documents(texts, ()).keys(), seen.keys(), what, where)


def warn_of_seen_keys(keys: np.ndarray, seen: np.ndarray, what: str, where: str) -> list[str]:
    """Do the same for documents that are known by their keys alone."""
    repeats = int(np.isin(keys, seen).sum())
    if not repeats:
        return []
    verb = "stands" if repeats == 1 else "stand"
    remedy = "give others" if repeats == len(keys) else "leave them out"
    line = (
        f"{repeats} of the {len(keys)} {what} {verb} among the {where} documents: what rests on them is too good; "
        f"{remedy}"
    )
    logger.warning("%s", line)
    return [line]
