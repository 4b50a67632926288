"""Texts into what the router reads: vectors for the neural rows, group logits and n-grams."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from hierarchy.text.characters import is_blank
from hierarchy.text.wording import count
from stages.arrays import Array
from stages.fine.ngrams import NgramVectorizer
from stages.router.router import Inputs
from stages.run_folder import cache_key
from stages.shards import DocumentArrays, Shard, ShardCache
from stages.vectors import UnitVectors, of_length_one

if TYPE_CHECKING:
    from scipy import sparse

    from stages.coarse.array_document_model import ArrayDocumentModel
    from stages.coarse.document_model import DocumentModel
    from stages.coarse.segment_encoder import SegmentEncoder
    from stages.coarse.segments import Segmenter, Segments, Windows

logger = logging.getLogger(f"coarsefine.{__name__}")
E = TypeVar("E")
DOCUMENTS_PER_BATCH = 64  # that the document model takes at once


@dataclass(frozen=True, eq=False, kw_only=True)
class NeuralFeatures:
    """Everything neural: encoders, their segmenter, and the document model above the coarse one.

    Attributes
    ----------
    encoder
        The coarse stage's encoder.
    fine_encoders
        The encoders whose pooled vectors the neural rows read beside the document vectors; often just `encoder`. None
        after joint training, where the rows read the document vectors alone.
    segmenter
        Cuts documents.
    document_model
        Unit vectors to group logits.
    tokens_per_chunk
        Padded tokens that go through an encoder at once.
    """

    encoder: "SegmentEncoder"
    fine_encoders: "Sequence[SegmentEncoder] | None"
    segmenter: "Segmenter"
    document_model: "DocumentModel | ArrayDocumentModel"
    tokens_per_chunk: int | Literal["auto"]

    def __call__(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors for the neural rows (documents, features) and group logits (documents, groups) of `texts`."""
        return self.read(self.unit_vectors(texts))

    def through_cache(self, texts: Sequence[str], folder: Path) -> tuple[np.ndarray, np.ndarray]:
        """Return the same for many documents, their vectors read from or kept in the cache of a run folder."""
        chunk = self.tokens_per_chunk
        return self.read({e: cached_vectors(texts, e, self.segmenter, chunk, folder) for e in self.encoders})

    def unit_vectors(self, texts: Sequence[str]) -> "dict[SegmentEncoder, UnitVectors]":
        """Vectors of the units of `texts` by each encoder."""
        return self.encode(self.segments(texts))

    def segments(self, texts: Sequence[str]) -> "Segments":
        """Cut `texts`, and say what `max_segments` leaves out."""
        tokens = self.segmenter.tokens(texts)
        lengths = [len(ids) for ids in tokens]
        windows = self.segmenter.windows(texts, lengths)
        warn_of_dropped_tokens(lengths, windows, self.segmenter, what="encoder")
        return self.segmenter.cut(tokens, windows)

    def encode(self, segments: "Segments") -> "dict[SegmentEncoder, UnitVectors]":
        """Vectors of the units of `segments` by each encoder."""
        ids, units, chunk = segments.input_ids, segments.units, self.tokens_per_chunk
        vectors = {e: e.encode(ids, units, tokens_per_chunk=chunk) for e in self.encoders}
        return {encoder: UnitVectors([Shard(own, segments.counts)]) for encoder, own in vectors.items()}

    def read(self, vectors: "dict[SegmentEncoder, UnitVectors]") -> tuple[np.ndarray, np.ndarray]:
        """Return for unit vectors what a call returns for texts."""
        documents, logits = run_document_model(self.document_model, vectors[self.encoder])
        if self.fine_encoders is None:
            return documents, logits
        return np.hstack([*(vectors[e].pooled() for e in self.fine_encoders), of_length_one(documents)]), logits

    def pooled(self, vectors: np.ndarray) -> np.ndarray:
        """Return the pooled vectors among what rows read, (documents, features); all of it after joint training."""
        return vectors if self.fine_encoders is None else vectors[:, : -self.document_model.width]

    @property
    def encoders(self) -> "list[SegmentEncoder]":
        """The encoder of the coarse stage, and those of the rows that are others."""
        return list(dict.fromkeys((self.encoder, *(self.fine_encoders or ()))))  # they hash by identity


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureExtractor:
    """Texts to `Inputs`, through the experts that there are.

    Attributes
    ----------
    neural
        None where there is no encoder.
    vectorizer
        None where there are no n-grams.
    """

    neural: NeuralFeatures | None
    vectorizer: NgramVectorizer | None

    def __call__(self, texts: Sequence[str]) -> Inputs:
        """Read some documents; the caller cuts long lists into blocks."""
        return self.inputs(texts, None if self.neural is None else self.neural(texts))

    def begin(self, texts: Sequence[str], *, ngrams: "sparse.csr_matrix | None" = None) -> Callable[[], Inputs]:
        """Read n-grams and tokens, which a thread can do ahead; what is returned reads the rest, with the encoder.

        `ngrams` are those of `texts` if already read.
        """
        neural, read = self.neural, self.ngrams(texts) if ngrams is None else ngrams
        if neural is None:
            return lambda: self.inputs(texts, None, ngrams=read)
        segments = neural.segments(texts)
        return lambda: self.inputs(texts, neural.read(neural.encode(segments)), ngrams=read)

    def ngrams(self, texts: Sequence[str]) -> "sparse.csr_matrix | None":
        """Read n-grams alone, (documents, n-grams); None where there are none."""
        return None if self.vectorizer is None else self.vectorizer.transform(texts)

    def through_cache(self, texts: Sequence[str], folder: Path, *, ngrams: "sparse.csr_matrix | None" = None) -> Inputs:
        """Read many documents, their vectors through the cache of a run folder; `ngrams` are theirs if already read."""
        neural = None if self.neural is None else self.neural.through_cache(texts, folder)
        return self.inputs(texts, neural, ngrams=ngrams)

    def pooled(self, inputs: Inputs) -> np.ndarray | None:
        """Return the pooled vectors among what was read of documents; None without an encoder."""
        return None if self.neural is None or inputs.vectors is None else self.neural.pooled(inputs.vectors)

    def inputs(
        self,
        texts: Sequence[str],
        neural: tuple[np.ndarray, np.ndarray] | None,
        *,
        ngrams: "sparse.csr_matrix | None" = None,
    ) -> Inputs:
        """Put n-grams beside what the neural part has read of `texts`, and tell which say nothing.

        Parameters
        ----------
        texts
            Documents.
        neural
            (documents, features) and (documents, groups), as `NeuralFeatures` gives them; None without an encoder.
        ngrams
            (documents, n-grams) where the vectorizer has read them already; None reads them.
        """
        vectors, logits = neural or (None, None)
        if ngrams is None:
            ngrams = self.ngrams(texts)
        return Inputs(vectors, logits, ngrams, np.array([is_blank(text) for text in texts], dtype=bool))


def fine_encoders(fine_features: str, *, trained: E, pretrained: E) -> list[E]:
    """Return the encoders whose pooled vectors the neural rows read."""
    return {"trained": [trained], "pretrained": [pretrained], "both": [pretrained, trained]}[fine_features]


def cached_tokens(texts: Sequence[str], segmenter: "Segmenter", folder: Path, *, what: str) -> DocumentArrays:
    """Token ids of documents, (tokens,) int32 of each, through the cache of a run.

    Parameters
    ----------
    texts
        Documents.
    segmenter
        Its tokenizer reads them.
    folder
        Run folder.
    what
        Name of the work in the progress shown.
    """
    return _tokens(texts, segmenter, token_cache(segmenter, folder), what)


def cached_vectors(
    texts: Sequence[str],
    encoder: "SegmentEncoder",
    segmenter: "Segmenter",
    tokens_per_chunk: int | Literal["auto"],
    folder: Path,
    *,
    what: str = "vectors",
) -> UnitVectors:
    """Return the unit vectors of documents through the cache of a run; their tokens are kept there, too.

    Parameters
    ----------
    texts
        Documents.
    encoder, segmenter, tokens_per_chunk
        How they are encoded.
    folder
        Run folder.
    what
        Name of the work in the progress shown.
    """
    kept = token_cache(segmenter, folder)
    making = _Making(encoder, segmenter, tokens_per_chunk, lambda some: _tokens(some, segmenter, kept, "tokens"))
    vectors = vector_cache(encoder, segmenter, folder).shards(texts, making.encode, read=making.read, what=what)
    warn_of_left_out(what, segmenter, making.left_out)
    return UnitVectors(vectors)


def vector_maker(
    encoder: "SegmentEncoder", segmenter: "Segmenter", tokens_per_chunk: int | Literal["auto"], folder: Path
) -> Callable[[Sequence[str]], np.ndarray]:
    """Return what makes the tokens and vectors of one shard's texts, and counts what is left out of them.

    Parameters
    ----------
    encoder, segmenter, tokens_per_chunk
        How they are encoded.
    folder
        Run folder.

    Returns
    -------
    Callable
        Texts to (3,) numbers, as `Segmenter.left_out` counts them; none of a shard that was there.
    """
    tokens, vectors = token_cache(segmenter, folder), vector_cache(encoder, segmenter, folder)

    def read_tokens(texts: Sequence[str]) -> DocumentArrays:
        return DocumentArrays([tokens.shard(texts, _joined, read=segmenter.tokens)])

    def made(texts: Sequence[str]) -> np.ndarray:
        making = _Making(encoder, segmenter, tokens_per_chunk, read_tokens)
        vectors.shard(texts, making.encode, read=making.read)
        return sum(making.left_out, np.zeros(3, dtype=np.int64))

    return made


@dataclass(frozen=True)
class _Making:
    """Reads the texts of one shard after the other and encodes them; what `max_segments` leaves out is counted."""

    encoder: "SegmentEncoder"
    segmenter: "Segmenter"
    tokens_per_chunk: int | Literal["auto"]
    tokens: Callable[[Sequence[str]], DocumentArrays]
    left_out: list[np.ndarray] = field(default_factory=list)

    def read(self, texts: Sequence[str]) -> "Segments":
        tokens = self.tokens(texts)
        windows = self.segmenter.windows(texts, tokens.counts)
        self.left_out.append(self.segmenter.left_out(tokens.counts, windows))
        return self.segmenter.cut(tokens, windows)

    def encode(self, segments: "Segments") -> tuple[np.ndarray, np.ndarray]:
        chunk = self.tokens_per_chunk
        return self.encoder.encode(segments.input_ids, segments.units, tokens_per_chunk=chunk), segments.counts


def _tokens(texts: Sequence[str], segmenter: "Segmenter", cache: ShardCache, what: str) -> DocumentArrays:
    return DocumentArrays(cache.shards(texts, _joined, read=segmenter.tokens, what=what))


def _joined(tokens: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate(tokens), np.array([len(ids) for ids in tokens])


def token_cache(segmenter: "Segmenter", folder: Path) -> ShardCache:
    """Return the cache of a run folder for the token ids that a segmenter cuts."""
    return ShardCache(
        folder / "tokens",
        key=token_key(segmenter),
        rows=Array("int32", ("rows",), below="vocabulary"),
        sizes={"vocabulary": len(segmenter.tokenizer)},
        least=0,
        tokens_a_row=1,
    )


def vector_cache(encoder: "SegmentEncoder", segmenter: "Segmenter", folder: Path) -> ShardCache:
    """Return the cache of a run folder for the vectors that an encoder makes of units."""
    return ShardCache(
        folder / "vectors",
        key=vector_key(encoder, segmenter),
        rows=Array(encoder.vector_type.name, ("rows", "hidden")),
        sizes={"hidden": encoder.hidden_size},
        least=1,
        tokens_a_row=min(segmenter.step, segmenter.unit_tokens or segmenter.step),
    )


def warn_of_dropped_tokens(
    lengths: Iterable[int], windows: "Sequence[Windows]", segmenter: "Segmenter", *, what: str
) -> None:
    """Say what `max_segments` leaves out of documents that are read without a cache of their vectors.

    Parameters
    ----------
    lengths
        Tokens of each document.
    windows
        Those that are kept of each.
    segmenter
        Cuts them.
    what
        What the documents are, for the message.
    """
    warn_of_left_out(what, segmenter, [segmenter.left_out(lengths, windows)])


def warn_of_left_out(what: str, segmenter: "Segmenter", left_out: Sequence[np.ndarray]) -> None:
    """Say what `max_segments` leaves out, by the sum of what `Segmenter.left_out` has counted."""
    tokens, dropped, documents = sum(left_out, np.zeros(3, dtype=np.int64))
    if dropped:
        logger.warning(
            "%s: max_segments %d leaves out %.1f %% of the tokens, in %s",
            what, segmenter.max_segments, 100 * dropped / tokens, count(int(documents), "document"),
        )  # fmt: skip


def token_key(segmenter: "Segmenter") -> str:
    """Everything but the texts that token ids depend on."""
    from stages.coarse.segments import TOKENS_VERSION, tokenizer_rules

    return cache_key(
        code=TOKENS_VERSION,
        versions={name: version(name) for name in ("tokenizers", "transformers")},
        rules=tokenizer_rules(segmenter.tokenizer),
    )


def vector_key(encoder: "SegmentEncoder", segmenter: "Segmenter") -> str:
    """Everything but the texts that unit vectors depend on."""
    from stages.coarse.segment_encoder import ENCODING_VERSION
    from stages.coarse.segments import CHOICE_VERSION, WINDOWS_VERSION

    return cache_key(
        code=[WINDOWS_VERSION, ENCODING_VERSION],
        versions=encoder.runtime,
        tokens=token_key(segmenter),
        encoder=encoder.fingerprint(),
        windows=[segmenter.segment_tokens, segmenter.overlap, segmenter.max_segments, segmenter.unit_tokens],
        **({} if segmenter.opinion is None else {"opinion": [CHOICE_VERSION, segmenter.opinion.key]}),
    )


def run_document_model(
    model: "DocumentModel | ArrayDocumentModel", vectors: UnitVectors | Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Run the document model over the unit vectors of documents.

    Parameters
    ----------
    model
        In evaluation mode.
    vectors
        (units, hidden) of each document.

    Returns
    -------
    tuple[numpy.ndarray, numpy.ndarray]
        (documents, width) document vectors and (documents, groups) group logits, float32.
    """
    documents = np.empty((len(vectors), model.width), dtype=np.float32)
    logits = np.empty((len(vectors), len(model.head_bias)), dtype=np.float32)
    for first in range(0, len(vectors), DOCUMENTS_PER_BATCH):
        some = slice(first, min(first + DOCUMENTS_PER_BATCH, len(vectors)))
        own = [vectors[document] for document in range(some.start, some.stop)]
        counts = np.array([len(one) for one in own])
        documents[some], logits[some], _ = model.answer(np.concatenate(own), counts)
    return documents, logits
