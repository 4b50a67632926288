"""The n-grams of whole documents, for every script: the features of the lexical expert.

A document is a row of words, of characters of scripts without spaces (Chinese, Japanese, Thai, ...), and of signs:
symbols, emoji, punctuation. All of them are n-grams of their own, in one vocabulary; so are two neighbours ("type 1",
"c +", "用lstm"), and three characters of a script without spaces. Nothing is cut off, and torch is not needed.
"""

import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy import sparse

from hierarchy.errors import DataError

# Scripts written without spaces between words: Thai, Lao, Myanmar, Khmer, kana, Han with its extensions.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003134f"
)
# Vowel signs and points inside words (combining, Hebrew, Arabic, Indic), which \w leaves out.
MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc"
    "\u06df-\u06e8\u06ea-\u06ed\u0900-\u0963\u0971-\u0df3\u1ab0-\u1aff\u1dc0-\u1dff"
)
_WORD = rf"[^\W{UNSPACED}]+(?:[{MARKS}]+[^\W{UNSPACED}]*)*"
_TRIGRAM = re.compile(rf"[{UNSPACED}]{{3}}")
_UNITS = re.compile(rf"(?P<unspaced>[{UNSPACED}]+)|(?P<word>{_WORD})|(?P<sign>[^\w\s])")
# Documents that a trigram of characters must stand in unless min_df is 1: most are rarer, and take room in vectors of
# unit length from characters and pairs. With very few documents a label the rarer ones help: hence that exception.
TRIGRAM_MIN_DF = 5
# Of the idf of pairs of words: rare as they are, they would take most of a vector of unit length from the words.
WORD_PAIR_WEIGHT = 0.7
TAGS = frozenset(map(chr, range(0xE0021, 0xE007F)))  # unseen letters that tell the flag of England from that of Wales
JOINING_JAMO = ("\u1160", "\u11ff")  # vowels and final consonants: letters that melt into the one before


def fold(text: str) -> str:
    """Bring width, compatibility forms and case together (NFKC and case folding)."""
    return unicodedata.normalize("NFKC", text).casefold()


def ngrams(text: str) -> list[str]:
    """All n-grams of a document, as often as they stand in it."""
    return [ngram for ngram, _, _ in _ngrams_of_folded(fold(text))]


def ngram_spans(text: str) -> list[tuple[str, int, int]]:
    """All n-grams of a document, as `ngrams` gives them and in its order, with where they stand.

    Parameters
    ----------
    text
        The document as it was written.

    Returns
    -------
    list of tuple
        (n-gram, start, end): ``text[start:end]`` holds the n-gram, so that `ngrams` finds it there. It is no longer
        than it must be: only characters that fold together (a ligature, a letter with its marks) are not parted.
    """
    folded, starts, ends = _fold_with_places(text)
    return [(ngram, starts[start], ends[end - 1]) for ngram, start, end in _ngrams_of_folded(folded)]


def _ngrams_of_folded(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield (n-gram, start, end) for all n-grams of a folded text.

    Words and symbols pair over blanks and punctuation. A character of a script without spaces pairs with what it
    touches: what stands behind a comma or a line's end is as a rule another phrase.
    """
    before, start_before, end_before, unspaced_before = "", 0, -1, False
    for match in _UNITS.finditer(text):
        unit, start, end, kind = match.group(), match.start(), match.end(), match.lastgroup
        if kind == "sign":
            kind = _kind_of_sign(unit)
        unspaced = kind == "unspaced"
        if unspaced:
            yield from _characters(text, start, end)
        elif kind != "joiner":
            yield unit, start, end
        if kind in ("joiner", "punctuation"):
            continue
        if unspaced or unspaced_before:
            if start == end_before:
                first = unit[0] if unspaced else unit
                yield before + first, start_before, start + len(first)
        elif before:
            yield f"{before} {unit}", start_before, end
        before, start_before = (unit[-1], end - 1) if unspaced else (unit, start)
        end_before, unspaced_before = end, unspaced


def _characters(text: str, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    """Yield the 1-3-grams of characters between two places."""
    for size in (1, 2, 3):
        for place in range(start, end - size + 1):
            yield text[place : place + size], place, place + size


@lru_cache(maxsize=10_000)
def _kind_of_sign(sign: str) -> str:
    """Tell symbols (emoji too, and those that are too new for this Unicode) from punctuation and from joiners."""
    if sign in TAGS:
        return "symbol"
    category = unicodedata.category(sign)
    if category[0] == "P":
        return "punctuation"
    return "joiner" if category[0] == "M" or category in ("Cc", "Cf", "Cs") else "symbol"


def _fold_with_places(text: str) -> tuple[str, Sequence[int], Sequence[int]]:
    """Fold, and say for each folded character where the characters that it comes from start and end.

    Folding does not go character by character: letters melt with the marks behind them, and marks change places. So
    the text is folded stretch by stretch, each as short as it can be.
    """
    if text.isascii():
        return text.lower(), range(len(text)), range(1, len(text) + 1)
    whole = fold(text)
    for begins in (_begins_stretch, str.isascii):  # no mark melts into an ASCII character, in any version of Unicode
        cuts = [0, *(place for place in range(1, len(text)) if begins(text[place])), len(text)]
        parts = [fold(text[start:end]) for start, end in pairwise(cuts)]
        if "".join(parts) == whole:
            break
    starts = [start for (start, _), part in zip(pairwise(cuts), parts, strict=True) for _ in part]
    ends = [end for (_, end), part in zip(pairwise(cuts), parts, strict=True) for _ in part]
    return whole, starts, ends


@lru_cache(maxsize=10_000)
def _begins_stretch(character: str) -> bool:
    """Tell whether a character folds apart from all that stands before it."""
    first = unicodedata.normalize("NFKD", character)[0]
    joins = unicodedata.combining(first) or unicodedata.category(first) in ("Mn", "Mc")
    return not joins and not JOINING_JAMO[0] <= first <= JOINING_JAMO[1]


def reduced(features: sparse.csr_matrix, *, random_state: int, dimensions: int = 256) -> np.ndarray:
    """Few dense dimensions of n-gram features, for what cannot read thousands: clustering, the probe.

    Parameters
    ----------
    features
        (documents, n-grams).
    random_state
        Of the randomized decomposition.
    dimensions
        How many at most.

    Returns
    -------
    numpy.ndarray
        (documents, at most `dimensions`).
    """
    from sklearn.decomposition import TruncatedSVD

    if features.shape[1] < 2:
        return np.asarray(features.toarray())
    kept = max(1, min(dimensions, min(features.shape) - 1))
    return TruncatedSVD(kept, random_state=random_state).fit_transform(features)


class NgramVectorizer:
    """TF-IDF over `ngrams`: made by `fit`, or of what was saved.

    Term frequencies are sublinear (1 + log tf), rare n-grams are left out, the idf of pairs of words is times
    `WORD_PAIR_WEIGHT`, rows have unit length.

    Parameters
    ----------
    vocabulary
        The n-grams, in the order of the features.
    idf
        (n-grams,) inverse document frequencies.

    Attributes
    ----------
    columns
        N-gram -> its column in the features.
    idf
        (n-grams,) float32 inverse document frequencies, those of pairs of words times `WORD_PAIR_WEIGHT`.
    """

    def __init__(self, vocabulary: Iterable[str], idf: np.ndarray) -> None:
        self.columns = {ngram: column for column, ngram in enumerate(vocabulary)}
        self.idf = np.asarray(idf, dtype=np.float32)

    @classmethod
    def fit(
        cls, texts: Iterable[str], n_documents: int, *, min_df: int = 2
    ) -> tuple["NgramVectorizer", sparse.csr_matrix]:
        """Learn vocabulary and idf from training texts; return the vectorizer and their features.

        Parameters
        ----------
        texts
            Training documents, read once.
        n_documents
            How many there are: with fewer than 20 every n-gram counts.
        min_df
            Documents that an n-gram must stand in; unless it is 1, those of three characters must stand in
            `TRIGRAM_MIN_DF`.

        Returns
        -------
        tuple[NgramVectorizer, scipy.sparse.csr_matrix]
            The features are (documents, n-grams) float32.

        Raises
        ------
        DataError
            No n-gram stands in enough documents.
        """
        from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

        min_df = min_df if n_documents >= 20 else 1
        counter = CountVectorizer(analyzer=ngrams, min_df=min_df, dtype=np.float32)
        try:
            counts = counter.fit_transform(texts).tocsr()
        except ValueError as error:
            remedy = "lower min_df" if min_df > 1 else "give documents with letters, digits or symbols"
            raise DataError(
                f"no n-gram stands in {min_df} or more of the {n_documents} training documents, so the lexical expert "
                f"has nothing to read: {remedy}, or set lexical: false and name an encoder"
            ) from error
        vocabulary = counter.get_feature_names_out()
        if min_df > 1:
            common = counts.getnnz(0) >= TRIGRAM_MIN_DF
            kept = common | [_TRIGRAM.fullmatch(ngram) is None for ngram in vocabulary]
            counts, vocabulary = counts[:, kept], vocabulary[kept]
        pairs = np.array([" " in ngram for ngram in vocabulary])
        idf = np.where(pairs, WORD_PAIR_WEIGHT, 1).astype(np.float32) * TfidfTransformer().fit(counts).idf_
        vectorizer = cls(vocabulary.tolist(), idf)
        return vectorizer, vectorizer._weighted(counts)

    def transform(self, texts: Iterable[str]) -> sparse.csr_matrix:
        """Features of documents, (documents, n-grams) float32."""
        # Not by scikit-learn, whose import alone takes longer than the first answer.
        columns, numbers, starts = array("i"), array("f"), [0]
        for text in texts:
            counts = Counter(self.columns[ngram] for ngram in ngrams(text) if ngram in self.columns)
            columns.extend(counts)
            numbers.extend(counts.values())
            starts.append(len(columns))
        data = (np.array(numbers), np.array(columns), np.array(starts))
        found = sparse.csr_matrix(data, shape=(len(starts) - 1, len(self.columns)))
        found.sort_indices()
        return self._weighted(found)

    def _weighted(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        """Turn counts (documents, n-grams) float32 into rows of unit length, in place."""
        counts.data = (np.log(counts.data) + 1) * self.idf[counts.indices]
        documents = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))  # of each number
        lengths = np.sqrt(np.bincount(documents, counts.data**2, minlength=counts.shape[0]))
        counts.data = (counts.data / lengths[documents]).astype(np.float32)
        return counts

    @property
    def vocabulary(self) -> list[str]:
        """The n-grams, in the order of the features."""
        return list(self.columns)
