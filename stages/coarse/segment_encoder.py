"""What reads segments, whatever computes it: token ids in, a vector for each unit out.

`stages.coarse.encoder.Encoder` does it with torch, and can be trained; `stages.coarse.exported_encoder.ExportedEncoder`
is made of one, for a runtime that needs no torch. All else knows this interface alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hierarchy.errors import EncoderError
from stages.coarse.segments import Segmenter
from stages.vectors import mean_vectors

ENCODING_VERSION = 2  # of the code from token ids to vectors: what an older one left in a cache is not read


class SegmentEncoder(ABC):
    """An encoder with its tokenizer, giving one vector a unit.

    Attributes
    ----------
    tokenizer
        A fast tokenizer of transformers, or a `stages.coarse.fast_tokenizer.FastTokenizer`.
    pooling
        ``mean`` over the tokens of a unit, or ``cls``: the first token of a segment, which is one unit then.
    """

    tokenizer: Any
    pooling: str

    @property
    @abstractmethod
    def hidden_size(self) -> int:
        """Dimensions of a vector."""

    @property
    @abstractmethod
    def max_tokens(self) -> int:
        """Longest segment that the encoder takes, special tokens included."""

    @property
    @abstractmethod
    def vector_type(self) -> np.dtype:
        """In what `encode` gives vectors: float16 where the encoder reads in bf16, which is no finer, else float32.

        In fp32 such a rounding would turn float noise into steps of 0.001: neighbours would move probabilities by more
        than 1e-5.
        """

    @property
    @abstractmethod
    def runtime(self) -> str:
        """What computes, with its version: vectors of another are not read from a cache."""

    @abstractmethod
    def encode(
        self,
        input_ids: Sequence[Sequence[int] | np.ndarray],
        units: np.ndarray | None = None,
        *,
        tokens_per_chunk: int | Literal["auto"] = "auto",
    ) -> np.ndarray:
        """Encode segments.

        Parameters
        ----------
        input_ids, units
            As for `stages.coarse.chunks.alike`.
        tokens_per_chunk
            Padded tokens that go through the encoder at once; ``auto`` is what fits this machine.

        Returns
        -------
        numpy.ndarray
            (units of all segments, hidden) `vector_type`; what is beyond its range is the largest number that it has.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 over all that the vectors depend on, but the version of what computes them."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the encoder and its tokenizer."""

    @property
    def pad_id(self) -> int:
        """Token id that fills up what is shorter than its chunk."""
        return self.tokenizer.pad_token_id or 0

    def segmenter(
        self,
        *,
        segment_tokens: int = 256,
        overlap: int = 32,
        max_segments: int | None = None,
        unit_tokens: int | None = None,
    ) -> Segmenter:
        """Return the segmenter that fits this encoder.

        Raises
        ------
        EncoderError
            `segment_tokens` is more than the encoder takes.
        """
        if segment_tokens > self.max_tokens:
            raise EncoderError(
                f"segment_tokens {segment_tokens} is more than this encoder takes ({self.max_tokens}): "
                f"set segment_tokens to {self.max_tokens} or less"
            )
        return Segmenter(
            self.tokenizer,
            segment_tokens=segment_tokens,
            overlap=overlap,
            max_segments=max_segments,
            unit_tokens=unit_tokens if self.pooling == "mean" else None,
        )

    def encode_texts(self, texts: Sequence[str], segmenter: Segmenter) -> np.ndarray:
        """Vectors of short texts (label names, descriptions): the mean of their units, of length 1.

        Returns
        -------
        numpy.ndarray
            (texts, hidden) float32.
        """
        segments = segmenter(texts)
        vectors = self.encode(segments.input_ids, segments.units)
        return mean_vectors(vectors.astype(np.float32), segments.counts)
