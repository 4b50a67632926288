"""Vectors of labels, from their texts and, where there are documents, from those.

`hierarchy.measuring.signals` makes label vectors of them. An encoder is any function texts → array with one
row a text, however long the text is.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from hierarchy.disk.paths import expanded, path_exists
from hierarchy.embedding.embedded import embedded_encoder_path
from hierarchy.embedding.hub_names import hub_refusal
from hierarchy.embedding.pretrained import TEXTS_PER_CALL, is_panic, quiet_transformers, whole_tokens, window_bounds
from hierarchy.errors import EncoderError, first_line

logger = logging.getLogger(f"coarsefine.{__name__}")

Embed = Callable[[Sequence[str]], np.ndarray]
Documents = tuple[Sequence[str] | np.ndarray, Sequence[str]]
"""(texts or vectors, label id of each)."""


@runtime_checkable
class TextEncoder(Protocol):
    """A function texts → array that also tells which share of their tokens it does not know."""

    def __call__(self, texts: Sequence[str], /) -> np.ndarray:
        """Embed texts, (texts, dimensions)."""

    def unknown_share(self, texts: Sequence[str], /) -> float:
        """Return the share of their tokens that it does not know."""


OTHERS = "give a Hugging Face id, a folder, 'embedded' or 'none'"
MAX_UNKNOWN = 0.05  # above this share of unknown tokens an encoder reads noise
SPARE_TOKENS = 6  # of a window: a word that is cut in two may take a few tokens more than the whole word did


class SentenceEncoder:
    """A sentence-transformers model that reads texts of any length: the mean of a text's windows.

    Parameters
    ----------
    model
        A `SentenceTransformer`.
    overlap
        Tokens that a window shares with the next one.
    batch_size
        Windows a step.
    """

    def __init__(self, model: Any, overlap: int = 32, batch_size: int = 32) -> None:
        self.model = model
        self.overlap = overlap
        self.batch_size = batch_size

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Embed texts.

        Parameters
        ----------
        texts
            Texts of any length; nothing is cut off.

        Returns
        -------
        np.ndarray
            (texts, dimensions), float32.
        """
        windows, owner = self.windows(texts)
        vectors = self.model.encode(windows, batch_size=self.batch_size, show_progress_bar=False)
        return means(np.asarray(vectors, dtype=np.float32), owner, len(texts))[0]

    def windows(self, texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
        """Cut texts into overlapping windows that the model reads whole.

        Parameters
        ----------
        texts
            Texts of any length.

        Returns
        -------
        tuple
            The windows as text, and for each the position of its text.
        """
        size, cut = max(1, self._room() - SPARE_TOKENS), []
        for start in range(0, len(texts), TEXTS_PER_CALL):
            cut += self._cut(list(texts[start : start + TEXTS_PER_CALL]), size)
        counts = np.array([len(windows) for windows in cut], dtype=np.int64)
        return list(chain(*cut)), np.repeat(np.arange(len(texts)), counts)

    def _cut(self, texts: list[str], size: int) -> list[list[str]]:
        """Cut texts into windows of at most `size` tokens, none with more tokens than the model reads."""
        overlap = min(self.overlap, size // 4)
        cut = []
        for text, spans in zip(texts, self._tokens(texts, "offset_mapping"), strict=True):
            bounds = window_bounds(len(spans), size, overlap)
            windows = [text[spans[first][0] : spans[end - 1][1]] if spans else "" for first, end in bounds]
            cut.append([part for window in windows for part in self._fitted(window, size)])
        return cut

    def _fitted(self, window: str, size: int) -> list[str]:
        """Cut a window again that has more tokens, read by itself, than it had in its text."""
        if size == 1 or len(self._tokens([window], "input_ids")[0]) <= self._room():
            return [window]
        return self._cut([window], size // 2)[0]

    def _room(self) -> int:
        """Tokens of a text that the model reads beside its special tokens and its prompt; it drops what is above."""
        prompt = (self.model.prompts or {}).get(self.model.default_prompt_name) or ""
        around = self.model.tokenizer.num_special_tokens_to_add() + len(self._tokens([prompt], "input_ids")[0])
        return int(self.model.max_seq_length - around)

    def _tokens(self, texts: list[str], wanted: str) -> list[list[Any]]:
        return whole_tokens(self.model.tokenizer, texts, return_offsets_mapping=wanted == "offset_mapping")[wanted]

    def unknown_share(self, texts: Sequence[str]) -> float:
        """Return the share of tokens that the tokenizer does not know.

        Parameters
        ----------
        texts
            What is to be embedded.

        Returns
        -------
        float
            Between 0 and 1.
        """
        tokens = self._tokens(list(texts), "input_ids")
        unknown = sum(ids.count(self.model.tokenizer.unk_token_id) for ids in tokens)
        return unknown / max(1, sum(len(ids) for ids in tokens))


def load_sentence_encoder(encoder: str = "embedded") -> SentenceEncoder:
    """Load a sentence-transformers model, no pickle and no code of its own; the one place that imports the library.

    Parameters
    ----------
    encoder
        `embedded`, a Hugging Face id, or a folder.

    Returns
    -------
    SentenceEncoder
        A function texts → array.

    Raises
    ------
    EncoderError
        Where it cannot be found or loaded.
    """
    place = str(embedded_encoder_path()) if encoder == "embedded" else expanded(encoder)
    refusal = None if path_exists(place) else hub_refusal(place)
    if refusal is not None:
        raise EncoderError(f"encoder '{encoder}' cannot be loaded ({refusal}); {OTHERS}")
    if any(Path(place).rglob("adapter_config.json")):  # with peft installed, its base would be fetched
        raise EncoderError(f"encoder '{encoder}' is an adapter of another encoder: merge the two and save them as one")
    from sentence_transformers import SentenceTransformer

    # Torch's own attention and experts, not a kernel of the hub that a config.json names.
    ours = {"use_safetensors": True, "attn_implementation": None, "experts_implementation": None}
    try:
        with quiet_transformers():
            model = SentenceTransformer(place, trust_remote_code=False, model_kwargs=ours)
    except MemoryError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        raise EncoderError(f"encoder '{encoder}' cannot be loaded ({first_line(error)}); {OTHERS}") from error
    return SentenceEncoder(model)


def ngram_vectors(texts: Sequence[str], dimensions: int = 256, random_state: int = 0) -> np.ndarray:
    """Vectors of character n-grams: TF-IDF of 1 to 3 characters, reduced by SVD. They read any script.

    Parameters
    ----------
    texts
        Texts of any length.
    dimensions
        How many at most.
    random_state
        Of the SVD.

    Returns
    -------
    np.ndarray
        (texts, at most `dimensions`), rows of length 1.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    from hierarchy.matching import match_key

    # char_wb pads each run of characters with blanks, so that the ends of words count.
    vectorizer = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(1, 3), preprocessor=match_key, sublinear_tf=True, dtype=np.float64
    )
    counts = vectorizer.fit_transform(texts)
    if min(counts.shape) <= dimensions:
        return unit(counts.toarray())
    with threadpool_limits(1):  # sums come out the same whatever the number of cores
        return unit(TruncatedSVD(dimensions, random_state=random_state).fit_transform(counts))


def embed_texts(
    texts: Sequence[str], embed: Embed | None = None, encoder: str = "embedded", random_state: int = 0
) -> np.ndarray:
    """Embed texts with the function or encoder that can read them.

    Parameters
    ----------
    texts
        Label texts, or label texts followed by documents.
    embed
        A function texts → array. It is used as it is; n-grams take the place of a `TextEncoder` that does not know the
        tokens.
    encoder
        Where there is no function: the name of an encoder, or `none` for character n-grams. Where there is one: the
        name that a warning gives it.
    random_state
        Of the n-grams' SVD.

    Returns
    -------
    np.ndarray
        (texts, dimensions), rows of length 1.
    """
    vectors = np.asarray(text_reader(texts, embed, encoder, random_state)(list(texts)), dtype=np.float64)
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise EncoderError(
            f"embed gave an array of shape {vectors.shape} for {len(texts)} texts; it must be (texts, dimensions)"
        )
    if not np.isfinite(vectors).all():
        place = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise EncoderError(f"embed gave NaN or infinity for a text: {texts[place]!r:.80}")
    return unit(vectors)


def text_reader(
    texts: Sequence[str], embed: Embed | None = None, encoder: str = "embedded", random_state: int = 0
) -> Embed:
    """Choose what reads texts as `embed_texts` does: one choice, and one warning, for all texts about the same labels.

    Parameters
    ----------
    texts
        Some of them.
    embed, encoder, random_state
        See `embed_texts`.

    Returns
    -------
    Embed
        The function or the encoder, or character n-grams where it does not know the tokens.
    """
    by_ngrams = partial(ngram_vectors, random_state=random_state)
    if embed is None and encoder == "none":
        return by_ngrams
    embed = load_sentence_encoder(encoder) if embed is None else embed
    unknown = _unknown_share(texts, embed)
    if unknown <= MAX_UNKNOWN:
        return embed
    logger.warning(
        "encoder '%s' does not know %.0f %% of the tokens of the label texts; "
        "character n-grams are used in its place (set another encoder, or 'none')",
        encoder, 100 * unknown,
    )  # fmt: skip
    return by_ngrams


def reads_meaning(texts: Sequence[str], embed: Embed | None) -> bool:
    """Tell whether `embed_texts` compares what texts mean, or their letters alone."""
    return embed is not None and _unknown_share(texts, embed) <= MAX_UNKNOWN


def _unknown_share(texts: Sequence[str], embed: Embed) -> float:
    return embed.unknown_share(texts) if isinstance(embed, TextEncoder) else 0.0


def principal_components(vectors: np.ndarray, dimensions: int = 100, random_state: int = 0) -> np.ndarray:
    """Keep the principal components of label vectors: what few labels share is noise to a clustering.

    Parameters
    ----------
    vectors
        (labels, dimensions).
    dimensions
        How many components; fewer labels or dimensions than that are left as they are.
    random_state
        Of the randomized decomposition.

    Returns
    -------
    np.ndarray
        (labels, at most `dimensions`), rows of length 1.
    """
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits

    if min(vectors.shape) <= dimensions:
        return vectors
    with threadpool_limits(1):
        return unit(PCA(dimensions, svd_solver="randomized", random_state=random_state).fit_transform(vectors))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale rows to length 1; rows of zeros stay as they are."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1.0))


def means(vectors: np.ndarray, owner: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the vectors of each owner, and how many there are: (n, dimensions), (n,)."""
    order = np.argsort(owner, kind="stable")
    counts = np.bincount(owner, minlength=n)
    sums = np.zeros((n, vectors.shape[1]))
    present = np.flatnonzero(counts)
    starts = np.concatenate([[0], np.cumsum(counts[present])[:-1]]).astype(np.int64)
    if len(present):
        sums[present] = np.add.reduceat(vectors[order], starts, axis=0, dtype=np.float64)
    return sums / np.maximum(counts, 1)[:, None], counts
