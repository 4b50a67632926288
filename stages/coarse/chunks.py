"""Segments into chunks, which an encoder reads at once: of like length, and cut into units, each with its own vector.

Batches are *ragged*: the segments of all documents of a batch are sorted by length and cut into chunks, each padded to
its own longest, so a padded segment slot is never encoded and little padding is.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

ALIKE = 0.85  # of a chunk's longest segment: shorter ones go into the next chunk
SMALLEST = 8  # times that a chunk with no more than this share of the tokens is: below it costs more than the padding
ON_PROCESSOR = 4096  # padded tokens of a chunk: more gain nothing there
ON_GPU = {"reading": 262_144, "training": 65_536}  # at most: a forward pass of MiniLM fills an H200 with that


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
    is_padded
        Whether any of its segments is shorter than the longest.
    """

    input_ids: "torch.Tensor"
    attention_mask: "torch.Tensor"
    bounds: "torch.Tensor"
    slots: "torch.Tensor"
    index: "torch.Tensor"
    is_padded: bool

    def to(self, device: "torch.device | str", *, non_blocking: bool = False) -> "Chunk":
        """Return the chunk on a device, as torch and accelerate move batches."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Chunk":
        """Return the chunk in memory from which a GPU copies while it works, as torch's loaders ask for it."""
        return self._each(lambda tensor: tensor.pin_memory())

    def halves(self) -> tuple["Chunk", "Chunk"]:
        """Cut the segments, two or more, into two chunks."""
        half, most = len(self.input_ids) // 2, self.bounds.shape[1] - 1
        first = int((self.slots < half * most).sum())  # units of the first half
        return (
            self._part(slice(0, half), slice(0, first), 0),
            self._part(slice(half, None), slice(first, None), half * most),
        )

    def _part(self, segments: slice, units: slice, slots_before: int) -> "Chunk":
        return replace(
            self,
            input_ids=self.input_ids[segments],
            attention_mask=self.attention_mask[segments],
            bounds=self.bounds[segments],
            slots=self.slots[units] - slots_before,
            index=self.index[units],
        )

    def _each(self, change: "Callable[[torch.Tensor], torch.Tensor]") -> "Chunk":
        tensors = ("input_ids", "attention_mask", "bounds", "slots", "index")
        changed: dict[str, Any] = {name: change(getattr(self, name)) for name in tensors}
        return replace(self, **changed)


def chunked(
    input_ids: Sequence[Sequence[int] | np.ndarray],
    units: np.ndarray | None = None,
    *,
    tokens_per_chunk: int,
    pad_id: int,
) -> Iterator[Chunk]:
    """Cut segments into chunks of similar length.

    Parameters
    ----------
    input_ids
        Token ids of each segment.
    units
        (segments,) units of each; None is one each.
    tokens_per_chunk
        As for `alike`.
    pad_id
        Token id for padding.
    """
    import torch

    lengths = np.array([len(ids) for ids in input_ids])
    units = np.ones_like(lengths) if units is None else units
    first_units = np.cumsum(units) - units  # place of each segment's first unit in the batch
    for some in alike(lengths, tokens_per_chunk=tokens_per_chunk):
        padded, mask = padded_ids([input_ids[i] for i in some], pad_id)
        bounds, there, index = unit_places(lengths[some], units[some], first_units[some])
        yield Chunk(
            input_ids=torch.from_numpy(padded),
            attention_mask=torch.from_numpy(mask),
            bounds=torch.from_numpy(bounds),
            slots=torch.from_numpy(np.flatnonzero(there)),
            index=torch.from_numpy(index),
            is_padded=not mask.all(),
        )


def alike(lengths: np.ndarray, *, tokens_per_chunk: int) -> Iterator[np.ndarray]:
    """Yield the places of the segments of chunk after chunk, which are of similar length.

    Longest first: a batch that does not fit in memory fails at once and not after an hour.

    Parameters
    ----------
    lengths
        (segments,) tokens of each.
    tokens_per_chunk
        Upper limit of segments x tokens of a chunk; a longer segment is a chunk of its own.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = int(lengths[order[start]])
        room = order[start : start + max(1, tokens_per_chunk // longest)]
        # Short of the room, a chunk ends where padding would begin to count, unless it would be too small to be fast.
        of_like_length = np.count_nonzero(lengths[room] >= ALIKE * longest)
        of_chunk = room[: max(of_like_length, tokens_per_chunk // SMALLEST // longest)]
        yield of_chunk
        start += len(of_chunk)


def padded_ids(input_ids: Sequence[Sequence[int] | np.ndarray], pad_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Pad segments to the longest of them; return their ids and their attention mask, (segments, tokens) int64 both."""
    lengths = np.array([len(ids) for ids in input_ids])
    padded = np.full((len(lengths), lengths.max()), pad_id, dtype=np.int64)
    for row, ids in enumerate(input_ids):
        padded[row, : len(ids)] = ids
    return padded, (np.arange(padded.shape[1]) < lengths[:, None]).astype(np.int64)


def unit_places(lengths: np.ndarray, units: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Say where the units of a chunk are.

    Parameters
    ----------
    lengths, units
        (segments,) tokens and units of each segment of the chunk.
    first
        (segments,) the place of each segment's first unit in the batch.

    Returns
    -------
    bounds, there, index : numpy.ndarray
        (segments, most units + 1) as `unit_bounds` gives them; (segments, most units) bool, which units there are; and
        (units of all segments,) their places in the batch.
    """
    place = np.arange(units.max())
    there = place < units[:, None]
    return unit_bounds(lengths, units), there, (first[:, None] + place)[there]


def tokens_at_once(device: "torch.device", hidden: int, *, training: bool = False) -> int:
    """Return the padded tokens that go through an encoder at once where nobody sets them.

    On a GPU it is a power of two: as many as take half of the free memory, at 64 bytes a token and dimension, which is
    about what the widest layer of a transformer needs in fp32 (16 times the width of its states). A training holds the
    states of a whole batch anyway, so its chunks have an eighth of the card to themselves, whatever else lies there:
    the same seed then gives the same chunks.

    Parameters
    ----------
    device
        Where the encoder computes.
    hidden
        Dimensions of its states.
    training
        Whether gradients are kept.
    """
    import torch

    if device.type != "cuda":
        return ON_PROCESSOR
    free, total = torch.cuda.mem_get_info(device)
    room = (total // 8 if training else free // 2) // (64 * hidden)
    most = ON_GPU["training" if training else "reading"]
    return max(ON_PROCESSOR, min(most, 1 << max(room, 1).bit_length() - 1))


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
