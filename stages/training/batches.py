"""Documents into the batches of a training: unit vectors as they are, or tokens of windows in chunks.

The numbers of units stay NumPy arrays, which `Trainer` leaves on the processor: on a GPU they would be waited for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from stages.coarse.chunks import chunked
from stages.coarse.segments import Segmenter, Windows
from stages.shards import DocumentArrays


@dataclass(frozen=True)
class WindowedTokens:
    """Token ids of documents, each with the windows of it that are read.

    Attributes
    ----------
    tokens
        (tokens,) int32 of each document.
    windows
        Of each document, as `Segmenter.windows` chooses them.
    """

    tokens: DocumentArrays
    windows: Sequence[Windows]

    def __getitem__(self, document: int) -> tuple[np.ndarray, Windows]:
        return self.tokens[document], self.windows[document]


@dataclass(frozen=True)
class Examples(Dataset):
    """Documents with their labels, one by one.

    Attributes
    ----------
    items
        What is read of each: unit vectors, or tokens with windows.
    targets
        Label of each, as an integer.
    documents
        Places in both of the documents that are given, in their order.
    """

    items: DocumentArrays | WindowedTokens
    targets: np.ndarray
    documents: np.ndarray

    def __len__(self) -> int:
        return len(self.documents)

    def __getitem__(self, place: int) -> tuple[Any, int]:
        document = int(self.documents[place])
        return self.items[document], int(self.targets[document])


@dataclass(frozen=True)
class CollateTokens:
    """Token ids of documents, each with its windows, into a batch: chunks of windows, as the encoder reads them.

    Attributes
    ----------
    segmenter
        Cuts the documents.
    tokens_per_chunk, pad_id
        As for `chunked`.
    """

    segmenter: Segmenter
    tokens_per_chunk: int
    pad_id: int

    def __call__(self, items: Sequence[tuple[tuple[np.ndarray, Windows], int]]) -> dict[str, Any]:
        """Return ``labels`` (documents,), ``chunks``, and ``counts`` (documents,), units of each."""
        documents, targets = zip(*items, strict=True)
        segments = self.segmenter.cut(*zip(*documents, strict=True))
        chunks = chunked(segments.input_ids, segments.units, tokens_per_chunk=self.tokens_per_chunk, pad_id=self.pad_id)
        return {
            "labels": torch.tensor(targets),
            "chunks": list(chunks),
            "counts": segments.counts,
        }


def collate_vectors(items: Sequence[tuple[np.ndarray, int]]) -> dict[str, Any]:
    """Join unit vectors of documents: ``labels`` (documents,), ``units`` of all, ``counts`` (documents,) of each."""
    vectors, targets = zip(*items, strict=True)
    return {
        "labels": torch.tensor(targets),
        "units": torch.from_numpy(np.concatenate(vectors)),
        "counts": np.array([len(v) for v in vectors]),
    }
