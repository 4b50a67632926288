"""Segments into chunks, which an encoder reads at once: of like length, and cut into units, each with its own vector.

Batches are *ragged*: the segments of all documents of a batch are sorted by length and cut into chunks, each padded to
its own longest, so a padded segment slot is never encoded and little padding is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

ALIKE = 0.85  # of a chunk's longest segment: shorter ones go into the next chunk
SMALLEST = 8  # times that a chunk with no more than this share of the tokens is: below it costs more than the padding


@dataclass(frozen=True)
class Chunk:
    """Segments that go through the encoder together.

    Attributes
    ----------
    input_ids, attention_mask
        (segments, tokens) padded to the longest of the chunk.
    bounds
        (segments, units + 1) where each unit begins and the last one ends; padded to the most units of a segment.
    slots
        (units of all segments,) places of the units that there are among the padded (segments x units).
    index
        (units of all segments,) places of these in the batch that the chunk was cut from.
    """

    input_ids: "torch.Tensor"
    attention_mask: "torch.Tensor"
    bounds: "torch.Tensor"
    slots: "torch.Tensor"
    index: "torch.Tensor"


def chunked(
    input_ids: Sequence[Sequence[int] | np.ndarray],
    units: np.ndarray | None = None,
    *,
    tokens_per_chunk: int,
    pad_id: int,
) -> Iterator[Chunk]:
    """Cut segments into chunks of similar length.

    Longest first: a batch that does not fit in memory fails at once and not after an hour.

    Parameters
    ----------
    input_ids
        Token ids of each segment.
    units
        (segments,) units of each; None is one each.
    tokens_per_chunk
        Upper limit of segments x tokens of a chunk; a longer segment is a chunk of its own.
    pad_id
        Token id for padding.
    """
    lengths = np.array([len(ids) for ids in input_ids])
    units = np.ones_like(lengths) if units is None else units
    first_units = np.cumsum(units) - units  # place of each segment's first unit in the batch
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = int(lengths[order[start]])
        room = order[start : start + max(1, tokens_per_chunk // longest)]
        # Short of the room, a chunk ends where padding would begin to count, unless it would be too small to be fast.
        alike = np.count_nonzero(lengths[room] >= ALIKE * longest)
        of_chunk = room[: max(alike, tokens_per_chunk // SMALLEST // longest)]
        yield _padded([input_ids[i] for i in of_chunk], units[of_chunk], first_units[of_chunk], pad_id)
        start += len(of_chunk)


def unit_bounds(lengths: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Cut segments into even parts: bound i of n tokens in k units is i·n/k, rounded.

    Parameters
    ----------
    lengths, units
        (segments,) tokens and units of each.

    Returns
    -------
    numpy.ndarray
        (segments, most units + 1) int64; a segment with fewer units repeats its last bound.
    """
    lengths, units = lengths[:, None], units[:, None]
    number = np.minimum(np.arange(units.max() + 1), units)  # (segments, most units + 1)
    return (2 * number * lengths + units) // (2 * units)


def _padded(input_ids: list[Sequence[int] | np.ndarray], units: np.ndarray, first: np.ndarray, pad_id: int) -> Chunk:
    """Build a chunk; `first` (segments,) is the place of each segment's first unit in the batch."""
    import torch

    lengths = np.array([len(ids) for ids in input_ids])
    padded = np.full((len(lengths), lengths.max()), pad_id, dtype=np.int64)
    for row, ids in enumerate(input_ids):
        padded[row, : len(ids)] = ids
    mask = np.arange(padded.shape[1]) < lengths[:, None]  # (segments, tokens)
    place = np.arange(units.max())
    there = place < units[:, None]  # (segments, most units)
    arrays = (padded, mask.astype(np.int64), unit_bounds(lengths, units))
    slots, index = np.flatnonzero(there), (first[:, None] + place)[there]
    return Chunk(*map(torch.from_numpy, (*arrays, slots, index)))
