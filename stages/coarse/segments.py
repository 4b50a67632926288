"""Documents into overlapping segments of tokens, and segments into units.

A document of any length becomes one or more windows of at most `segment_tokens` tokens, the *segments*, which the
encoder reads one by one. A *unit* is a run of a segment's tokens with a vector of its own: the whole segment, or one of
the even parts that it is cut into.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, TypeAlias

import numpy as np

from hierarchy.embedding.pretrained import TEXTS_PER_CALL, whole_tokens, window_bounds
from hierarchy.errors import EncoderError
from stages.coarse.chunks import unit_bounds

UNKNOWN_TOKEN_LIMIT = 0.05  # above this share the tokenizer was made for other texts
TOKENS_VERSION = 1  # of the code that tokenizes: what an older one left in a cache is not read
WINDOWS_VERSION = 3  # of the code that cuts into segments and units
CHOICE_VERSION = 2  # of the code by which an opinion chooses among them
TOKEN_TYPE = np.dtype("int32")
NO_TOKEN = 2**32 - 1  # the largest id that fits a tokenizer's type, far above any vocabulary
Windows: TypeAlias = "list[tuple[int, int]]"  # (first, end) places of tokens in a document


class Opinion(Protocol):
    """Tells which texts are worth reading."""

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Return how much each text tells, (texts,), whatever texts stand beside it."""
        ...

    @property
    def key(self) -> str:
        """Name of all that it depends on."""
        ...


@dataclass(frozen=True)
class Segments:
    """The segments of some documents, document after document.

    Attributes
    ----------
    input_ids
        (tokens,) ids of each segment, special tokens included, no padding.
    units
        (segments,) units of each segment, at least 1.
    counts
        (documents,) units of each document, at least 1.
    """

    input_ids: list[np.ndarray]
    units: np.ndarray
    counts: np.ndarray


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
        Windows kept of one document, spread evenly from its first to its last, unless an opinion chooses them
        (`asking`); None keeps all.
    unit_tokens
        Tokens of a unit at most, special tokens included; None is one unit a window.

    Raises
    ------
    EncoderError
        The tokenizer is not a fast one, or the sizes leave no room for a step forward.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        segment_tokens: int = 256,
        overlap: int = 32,
        max_segments: int | None = None,
        unit_tokens: int | None = None,
    ) -> None:
        if not tokenizer.is_fast:
            raise EncoderError(
                f"the tokenizer {type(tokenizer).__name__} is not a fast one, so it cannot cut windows: "
                "save the encoder with its tokenizer.json (AutoTokenizer.from_pretrained(..., use_fast=True))"
            )
        before, after = _special_tokens(tokenizer)
        self._room = segment_tokens - len(before) - len(after)
        if overlap >= self._room:
            raise EncoderError(
                f"overlap {overlap} leaves no step forward in segments of {segment_tokens} tokens "
                f"({self._room} without special tokens): make overlap smaller or segment_tokens larger"
            )
        self._before, self._after = (np.array(ids, dtype=TOKEN_TYPE) for ids in (before, after))
        self.tokenizer = tokenizer
        self.segment_tokens = segment_tokens
        self.overlap = overlap
        self.max_segments = max_segments
        self.unit_tokens = unit_tokens
        self.opinion: Opinion | None = None

    @property
    def step(self) -> int:
        """Tokens of a document that a segment has before the next one begins."""
        return self._room - self.overlap

    def asking(self, opinion: Opinion) -> "Segmenter":
        """Return one that keeps the windows that tell most where a document has more than `max_segments`."""
        other = copy(self)
        other.opinion = opinion
        return other

    def __call__(self, texts: Sequence[str]) -> Segments:
        """Cut texts into segments."""
        tokens = self.tokens(texts)
        return self.cut(tokens, self.windows(texts, map(len, tokens)))

    def tokens(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Token ids of each text, (tokens,) int32, from its first to its last character, without special tokens."""
        return list(token_ids(self.tokenizer, texts))

    def windows(self, texts: Sequence[str], lengths: Iterable[int]) -> list[Windows]:
        """Choose the windows that are kept of each document, in its order.

        Parameters
        ----------
        texts
            Documents.
        lengths
            Tokens of each.
        """
        return [self._kept(text, self._every(length)) for text, length in zip(texts, lengths, strict=True)]

    def cut(self, documents: Iterable[np.ndarray], windows: Iterable[Windows]) -> Segments:
        """Cut the token ids of documents; one without any becomes a segment of special tokens, else of padding."""
        input_ids: list[np.ndarray] = []
        segments = []  # of each document
        for ids, kept in zip(documents, windows, strict=True):
            if not len(ids) + len(self._before) + len(self._after):  # an encoder has to read something
                ids, kept = np.array([self.tokenizer.pad_token_id or 0], dtype=TOKEN_TYPE), [(0, 1)]
            input_ids += [np.concatenate([self._before, ids[first:end], self._after]) for first, end in kept]
            segments.append(len(kept))
        units = self._units(np.array([len(ids) for ids in input_ids]))
        firsts = np.cumsum([0, *segments])[:-1]
        return Segments(input_ids, units, np.add.reduceat(units, firsts) if len(firsts) else units)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Characters (start, end) of `text` from the first to the last token of each unit, special tokens aside."""
        offsets = self._offsets(text)
        if not offsets:
            return [(0, 0)]
        spans = []
        for first, end in self._kept(text, self._every(len(offsets))):
            tokens = np.array([end - first + len(self._before) + len(self._after)])
            bounds = unit_bounds(tokens, self._units(tokens))[0] - len(self._before) + first
            for start, stop in pairwise(bounds.clip(first, end).tolist()):
                begins = offsets[min(start, end - 1)][0]
                spans.append((begins, offsets[stop - 1][1] if stop > start else begins))  # special tokens alone
        return spans

    def left_out(self, lengths: Iterable[int], windows: Iterable[Windows]) -> np.ndarray:
        """Count what `max_segments` leaves out of documents.

        Parameters
        ----------
        lengths
            Tokens of each document.
        windows
            Those that are kept of each.

        Returns
        -------
        numpy.ndarray
            (3,) tokens of all segments, those left out, and documents that lost any: to be summed over calls.
        """
        around = len(self._before) + len(self._after)
        told = np.zeros(3, dtype=np.int64)
        for length, kept in zip(lengths, windows, strict=True):
            whole, read = (sum(end - first + around for first, end in some) for some in (self._every(length), kept))
            told += (whole, whole - read, whole > read)
        return told

    def _units(self, lengths: np.ndarray) -> np.ndarray:
        """(segments,) units of segments of so many tokens."""
        return np.ones_like(lengths) if self.unit_tokens is None else -(-lengths // self.unit_tokens)

    def _every(self, tokens: int) -> Windows:
        return list(window_bounds(tokens, self._room, self.overlap))

    def _kept(self, text: str, windows: Windows) -> Windows:
        if self.max_segments is None or len(windows) <= self.max_segments:
            return windows
        if self.opinion is None:
            told = np.zeros(len(windows))
        else:
            offsets = self._offsets(text)
            told = self.opinion([text[offsets[first][0] : offsets[end - 1][1]] for first, end in windows])
        least = np.sort(told)[-self.max_segments]  # of those kept: more may tell as little, and are spread
        surest, alike = np.flatnonzero(told > least), np.flatnonzero(told == least)
        spread = np.linspace(0, len(alike) - 1, self.max_segments - len(surest)).round().astype(int)
        picks = np.sort(np.concatenate([surest, alike[spread]]))
        return [windows[pick] for pick in picks.tolist()]

    def _offsets(self, text: str) -> list[tuple[int, int]]:
        """Characters (start, end) of each token."""
        offsets: list[tuple[int, int]] = whole_tokens(self.tokenizer, [text], return_offsets_mapping=True)[
            "offset_mapping"
        ][0]
        return offsets


def unknown_token_share(tokenizer: Any, texts: Sequence[str]) -> float:
    """Share of the tokens of `texts` that the tokenizer does not know (0 where it has no unknown token)."""
    if tokenizer.unk_token_id is None or not len(texts):
        return 0.0
    unknown = total = 0
    for ids in token_ids(tokenizer, texts):
        total += len(ids)
        unknown += int(np.count_nonzero(ids == tokenizer.unk_token_id))
    return unknown / max(total, 1)


def token_ids(tokenizer: Any, texts: Sequence[str]) -> Iterator[np.ndarray]:
    """Yield the token ids of each text, (tokens,) int32, without special tokens."""
    for start in range(0, len(texts), TEXTS_PER_CALL):
        for ids in whole_tokens(tokenizer, list(texts[start : start + TEXTS_PER_CALL]))["input_ids"]:
            yield np.array(ids, dtype=TOKEN_TYPE)


def tokenizer_rules(tokenizer: Any) -> dict[str, Any]:
    """Return all that the token ids of a text depend on, JSON-ready."""
    rules: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    # How the last call truncated and padded; the next call sets its own.
    del rules["truncation"], rules["padding"]
    return rules


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
