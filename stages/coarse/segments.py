"""Documents into overlapping segments of tokens, and segments into ragged batches.

A document of any length becomes one or more windows of at most `segment_tokens` tokens. Batches are *ragged*: the
segments of all documents of a batch are sorted by length and cut into chunks, each padded to its own longest, so a
padded segment slot is never encoded and little padding is.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from hierarchy.embedding.pretrained import TEXTS_PER_CALL, whole_tokens, window_bounds
from hierarchy.errors import EncoderError

if TYPE_CHECKING:
    import torch

UNKNOWN_TOKEN_LIMIT = 0.05  # above this share the tokenizer was made for other texts
ALIKE = 0.85  # of a chunk's longest segment: shorter ones go into the next chunk
MIN_CHUNK_TOKENS = 512  # below this a forward pass costs more than the padding
WINDOWS_VERSION = 2  # of the code that cuts: what an older one left in a cache is not read
NO_TOKEN = 2**32 - 1  # the largest id that fits a tokenizer's type, far above any vocabulary
logger = logging.getLogger(f"coarsefine.{__name__}")
T = TypeVar("T")


@dataclass(frozen=True)
class Segments:
    """The segments of some documents, document after document.

    Attributes
    ----------
    input_ids
        Token ids of each segment, special tokens included, no padding.
    counts
        (documents,) segments of each document, at least 1.
    tokens
        Tokens of all documents before `max_segments` left any out, overlaps counted twice.
    dropped
        (documents,) tokens that `max_segments` left out.
    """

    input_ids: list[list[int]]
    counts: np.ndarray
    tokens: int
    dropped: np.ndarray

    @property
    def left_out(self) -> np.ndarray:
        """(3,) tokens, those that `max_segments` left out, and documents that lost any: to be summed over calls."""
        return np.array([self.tokens, self.dropped.sum(), np.count_nonzero(self.dropped)])


class Segmenter:
    """Cuts documents into overlapping windows of tokens.

    Parameters
    ----------
    tokenizer
        A fast tokenizer of transformers.
    segment_tokens
        Tokens of a window, special tokens included.
    overlap
        Tokens that a window shares with the one before it.
    max_segments
        Windows kept of one document, spread evenly from its first to its last; None keeps all.

    Raises
    ------
    EncoderError
        The tokenizer is not a fast one, or the sizes leave no room for a step forward.
    """

    def __init__(
        self, tokenizer: Any, *, segment_tokens: int = 256, overlap: int = 32, max_segments: int | None = None
    ) -> None:
        if not tokenizer.is_fast:
            raise EncoderError(
                f"the tokenizer {type(tokenizer).__name__} is not a fast one, so it cannot cut windows: "
                "save the encoder with its tokenizer.json (AutoTokenizer.from_pretrained(..., use_fast=True))"
            )
        self._before, self._after = _special_tokens(tokenizer)
        self._room = segment_tokens - len(self._before) - len(self._after)
        if overlap >= self._room:
            raise EncoderError(
                f"overlap {overlap} leaves no step forward in segments of {segment_tokens} tokens "
                f"({self._room} without special tokens): make overlap smaller or segment_tokens larger"
            )
        self.tokenizer = tokenizer
        self.segment_tokens = segment_tokens
        self.overlap = overlap
        self.max_segments = max_segments

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Characters (start, end) of `text` from the first to the last token of each segment, special tokens aside."""
        offsets = whole_tokens(self.tokenizer, [text], return_offsets_mapping=True)["offset_mapping"][0]
        if not offsets:
            return [(0, 0)]
        return self._spread([(offsets[first][0], offsets[end - 1][1]) for first, end in self._bounds(len(offsets))])

    def __call__(self, texts: Sequence[str]) -> Segments:
        """Cut `texts` into segments; an empty text becomes one of special tokens, else of padding."""
        input_ids: list[list[int]] = []
        counts, dropped, tokens = [], [], 0
        for ids in _token_ids(self.tokenizer, texts):
            all_of_one = self._windows(ids)
            kept = self._spread(all_of_one)
            total = sum(map(len, all_of_one))
            tokens += total
            dropped.append(total - sum(map(len, kept)))
            counts.append(len(kept))
            input_ids.extend(kept)
        return Segments(input_ids, np.array(counts, dtype=np.int64), tokens, np.array(dropped, dtype=np.int64))

    def _windows(self, ids: list[int]) -> list[list[int]]:
        if not ids and not self._before and not self._after:  # an encoder has to read something
            ids = [self.tokenizer.pad_token_id or 0]
        return [[*self._before, *ids[first:end], *self._after] for first, end in self._bounds(len(ids))]

    def _bounds(self, tokens: int) -> Iterator[tuple[int, int]]:
        return window_bounds(tokens, self._room, self.overlap)

    def _spread(self, windows: list[T]) -> list[T]:
        if self.max_segments is None or len(windows) <= self.max_segments:
            return windows
        picks = np.linspace(0, len(windows) - 1, self.max_segments).round().astype(int)
        return [windows[i] for i in picks]


def unknown_token_share(tokenizer: Any, texts: Sequence[str]) -> float:
    """Share of the tokens of `texts` that the tokenizer does not know (0 where it has no unknown token)."""
    if tokenizer.unk_token_id is None or not len(texts):
        return 0.0
    unknown = total = 0
    for ids in _token_ids(tokenizer, texts):
        total += len(ids)
        unknown += ids.count(tokenizer.unk_token_id)
    return unknown / max(total, 1)


def _token_ids(tokenizer: Any, texts: Sequence[str]) -> Iterator[list[int]]:
    for start in range(0, len(texts), TEXTS_PER_CALL):
        yield from whole_tokens(tokenizer, list(texts[start : start + TEXTS_PER_CALL]))["input_ids"]


@dataclass(frozen=True)
class Chunk:
    """Segments that go through the encoder together.

    Attributes
    ----------
    index
        (segments,) places of the segments in the batch that the chunk was cut from.
    input_ids, attention_mask
        (segments, tokens) padded to the longest of the chunk.
    """

    index: "torch.Tensor"
    input_ids: "torch.Tensor"
    attention_mask: "torch.Tensor"


def chunked(input_ids: list[list[int]], *, tokens_per_chunk: int, pad_id: int) -> Iterator[Chunk]:
    """Cut segments into chunks of similar length.

    Longest first: a batch that does not fit in memory fails at once and not after an hour.

    Parameters
    ----------
    input_ids
        Token ids of each segment.
    tokens_per_chunk
        Upper limit of segments x tokens of a chunk; a longer segment is a chunk of its own.
    pad_id
        Token id for padding.
    """
    import torch

    lengths = np.array([len(ids) for ids in input_ids])
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = int(lengths[order[start]])
        room = order[start : start + max(1, tokens_per_chunk // longest)]
        # Short of the room, a chunk ends where padding would begin to count, unless it would be too small to be fast.
        alike = np.count_nonzero(lengths[room] >= ALIKE * longest)
        index = room[: max(alike, MIN_CHUNK_TOKENS // longest)]
        padded = np.full((len(index), longest), pad_id, dtype=np.int64)
        for row, segment in enumerate(index):
            padded[row, : lengths[segment]] = input_ids[segment]
        mask = np.arange(longest) < lengths[index, None]
        yield Chunk(torch.from_numpy(index), torch.from_numpy(padded), torch.from_numpy(mask.astype(np.int64)))
        start += len(index)


def _special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Ids that the tokenizer's own post-processor puts before and after the tokens of a text."""
    from tokenizers import Encoding

    processor = tokenizer.backend_tokenizer.post_processor
    if processor is None:
        return [], []
    one = Encoding()
    one.pad(1, pad_id=NO_TOKEN)  # a text of one token, which stands out among those put around it
    ids = processor.process(one).ids
    place = ids.index(NO_TOKEN)
    return ids[:place], ids[place + 1 :]
