"""The head bank: the rows of all fine labels, ordered by group, so that a group is one slice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from stages.fine.rows import Features, Rows


@dataclass(frozen=True)
class HeadBank:
    """All heads of one expert.

    Attributes
    ----------
    rows
        The rows of all labels, group after group.
    offsets
        (groups + 1,) the head of group g is rows[offsets[g]:offsets[g + 1]].
    """

    rows: Rows
    offsets: np.ndarray

    @classmethod
    def from_heads(cls, heads: Sequence[Rows], offsets: np.ndarray) -> "HeadBank":
        """Join heads, one a group that has labels, in the order of the groups."""
        return cls(Rows.stack(heads), offsets)

    def score(self, features: Features) -> np.ndarray:
        """Scores of all labels, (documents, labels) float32."""
        return self.rows.score(features)

    def head(self, group: int) -> Rows:
        """Rows of one group."""
        return self.rows[slice(self.offsets[group], self.offsets[group + 1])]

    def with_heads(self, heads: Mapping[int, Rows], offsets: np.ndarray, places: np.ndarray) -> "HeadBank":
        """Return a bank of another tree: some heads new, all other rows as they are, in their new order.

        Parameters
        ----------
        heads
            Group of the new bank -> its rows.
        offsets
            (groups + 1,) of the new bank.
        places
            (labels,) row of each of the new bank's labels in this one; not read where the head is new.
        """
        old = [places[start:end] for start, end in pairwise(offsets)]
        parts = [heads[group] if group in heads else self.rows[rows] for group, rows in enumerate(old)]
        return HeadBank.from_heads(parts, offsets)
