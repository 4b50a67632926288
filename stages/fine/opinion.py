"""What the n-gram rows of the groups think of parts of a document: where there is not time to read all, read those."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stages.fine.ngrams import NgramVectorizer
from stages.fine.rows import Rows
from stages.run_folder import cache_key, texts_digest


@dataclass(frozen=True, eq=False)
class NgramOpinion:
    """How sure the n-gram rows are of the group of a text.

    Attributes
    ----------
    vectorizer
        Reads texts.
    group_rows
        A row a group.
    """

    vectorizer: NgramVectorizer
    group_rows: Rows

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Return the largest margin of all groups, (texts,) float32."""
        margins: np.ndarray = self.group_rows.score(self.vectorizer.transform(texts)).max(axis=1)
        return margins

    @cached_property
    def key(self) -> str:
        """SHA-256 of n-grams and rows."""
        rows = self.group_rows.tensors("rows")
        return cache_key(vocabulary=texts_digest(self.vectorizer.vocabulary), idf=self.vectorizer.idf, **rows)
