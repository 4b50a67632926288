"""The encoders that settings name, for documents and for label texts: each is loaded once, when it is first needed."""

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.settings import Settings

if TYPE_CHECKING:
    from stages.coarse.encoder import Encoder
    from stages.coarse.segments import Segmenter

LABEL_TOKENS = 256  # of a segment of a label text, for a `label_encoder` that takes so many


class Encoders:
    """The encoders of one piece of work; called with label texts, their vectors, (texts, hidden) rows of length 1.

    Parameters
    ----------
    settings
        Of the classifier; ``encoder`` and ``label_encoder`` name them.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __reduce__(self) -> Any:  # another process loads its own
        return type(self), (self.settings,)

    @cached_property
    def of_documents(self) -> "tuple[Encoder, Segmenter]":
        """The encoder that reads documents, on its device, and what cuts them into segments."""
        from stages.coarse.encoder import Encoder
        from stages.machine import device_of

        settings = self.settings
        device = device_of(settings.device)
        encoder = Encoder.from_pretrained(
            settings.encoder,
            pooling=settings.pooling,
            dtype=settings.dtype,
            attention_dropout=settings.attention_dropout,
        )
        segmenter = encoder.segmenter(
            segment_tokens=settings.segment_tokens,
            overlap=settings.overlap,
            max_segments=settings.max_segments,
            unit_tokens=settings.unit_tokens,
        )
        return encoder.to(device), segmenter

    @cached_property
    def of_labels(self) -> "tuple[Encoder, Segmenter]":
        """The encoder that reads label texts, that of the documents unless another is named, and what cuts them."""
        from stages.coarse.encoder import Encoder

        settings = self.settings
        if settings.label_encoder is None:
            return self.of_documents
        if settings.label_encoder == settings.encoder:
            encoder = self.of_documents[0]
        else:
            encoder = Encoder.from_pretrained(settings.label_encoder, pooling=settings.pooling, dtype=settings.dtype)
        return encoder, encoder.segmenter(segment_tokens=min(LABEL_TOKENS, encoder.max_tokens))

    @property
    def for_trees(self) -> dict[str, Any]:
        """``embed`` and ``encoder``, as a builder and the figures of a tree take them."""
        name = self.settings.label_encoder or self.settings.encoder
        return {"embed": None if name == "none" else self, "encoder": name}

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Embed label texts, in fp32 on every machine: a rounding in bf16 is enough for another tree."""
        encoder, segmenter = self.of_labels
        reader = copy(encoder)  # with the same weights
        reader.dtype = "float32"
        return reader.encode_texts(texts, segmenter)

    def unknown_share(self, texts: Sequence[str]) -> float:
        """Return the share of the tokens of label texts that their encoder does not know."""
        from stages.coarse.segments import unknown_token_share

        return unknown_token_share(self.of_labels[0].tokenizer, texts)
