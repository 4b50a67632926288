"""The n-grams of whole documents, for every script: the features of the lexical expert.

Words of scripts with spaces give 1-2-grams of words, runs of scripts without spaces (Chinese, Japanese, Thai, ...) give
1-3-grams of characters, in one vocabulary. Nothing is cut off, and torch is not needed.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from hierarchy.errors import DataError

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

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
_RUNS = re.compile(rf"(?P<unspaced>[{UNSPACED}]+)|[^\W{UNSPACED}]+(?:[{MARKS}]+[^\W{UNSPACED}]*)*")


def fold(text: str) -> str:
    """Bring width, compatibility forms and case together (NFKC and case folding)."""
    return unicodedata.normalize("NFKC", text).casefold()


def ngrams(text: str) -> list[str]:
    """All n-grams of a document: word 1-2-grams, and character 1-3-grams where words have no spaces."""
    found: list[str] = []
    before = None
    for match in _RUNS.finditer(fold(text)):
        run = match.group()
        if match.lastgroup:
            found += run
            found += map("".join, pairwise(run))
            found += map("".join, zip(run, run[1:], run[2:], strict=False))
            before = None
            continue
        if len(run) == 1:  # a lone letter tells nothing
            continue
        found.append(run)
        if before is not None:
            found.append(f"{before} {run}")
        before = run
    return found


def reduced(features: sparse.csr_matrix, *, seed: int, dimensions: int = 256) -> np.ndarray:
    """Few dense dimensions of n-gram features, for what cannot read thousands: clustering, the probe.

    Parameters
    ----------
    features
        (documents, n-grams).
    seed
        Of the randomized decomposition.
    dimensions
        How many at most.

    Returns
    -------
    numpy.ndarray
        (documents, at most `dimensions`).
    """
    from sklearn.decomposition import TruncatedSVD

    kept = max(1, min(dimensions, min(features.shape) - 1))
    return TruncatedSVD(kept, random_state=seed).fit_transform(features)


class NgramVectorizer:
    """TF-IDF over `ngrams`, fitted once and read back without refitting.

    Term frequencies are sublinear (1 + log tf), n-grams of a single document are left out, rows have unit length.

    Parameters
    ----------
    min_df
        Documents that an n-gram must stand in.
    """

    def __init__(self, min_df: int = 2) -> None:
        self.min_df = min_df
        self._tfidf: TfidfVectorizer | None = None

    def fit_transform(self, texts: Iterable[str], n_documents: int) -> sparse.csr_matrix:
        """Learn vocabulary and idf from training texts and return their features.

        Parameters
        ----------
        texts
            Training documents, read once.
        n_documents
            How many there are: with fewer than 20 every n-gram counts.

        Returns
        -------
        scipy.sparse.csr_matrix
            (documents, n-grams) float32.

        Raises
        ------
        DataError
            No n-gram stands in enough documents.
        """
        min_df = self.min_df if n_documents >= 20 else 1
        tfidf = self._make(min_df=min_df)
        try:
            features = tfidf.fit_transform(texts).tocsr()
        except ValueError as error:
            raise DataError(
                f"no n-gram stands in {min_df} or more of the {n_documents} training documents, so the lexical expert "
                "has nothing to read: lower min_df, or set lexical: false and name an encoder"
            ) from error
        self._tfidf = tfidf
        return features

    def transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Features of documents, (documents, n-grams) float32."""
        return self._fitted.transform(texts).tocsr()

    @property
    def vocabulary(self) -> list[str]:
        """The n-grams, in the order of the features."""
        return self._fitted.get_feature_names_out().tolist()

    @property
    def idf(self) -> np.ndarray:
        """(n-grams,) float32 inverse document frequencies."""
        return self._fitted.idf_.astype(np.float32)

    @classmethod
    def from_state(cls, vocabulary: Sequence[str], idf: np.ndarray) -> "NgramVectorizer":
        """Put a saved vectorizer together again."""
        vectorizer = cls()
        vectorizer._tfidf = cls._make(vocabulary={ngram: i for i, ngram in enumerate(vocabulary)})
        vectorizer._tfidf.idf_ = idf
        return vectorizer

    @property
    def _fitted(self) -> "TfidfVectorizer":
        if self._tfidf is None:
            raise AttributeError("this NgramVectorizer is not fitted: call fit_transform first")
        return self._tfidf

    @staticmethod
    def _make(**options: object) -> "TfidfVectorizer":
        from sklearn.feature_extraction.text import TfidfVectorizer

        return TfidfVectorizer(analyzer=ngrams, sublinear_tf=True, dtype=np.float32, **options)
