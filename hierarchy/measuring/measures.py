"""What is measured of each label of a taxonomy: how well it fits its group, and what a probe takes it for.

The quality figures and the picture are both drawn from it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hierarchy.arguments import document_columns
from hierarchy.embedding.label_vectors import Documents, Embed, unit
from hierarchy.errors import DataError, TaxonomyError
from hierarchy.measuring.probe import Probe
from hierarchy.measuring.signals import by_label_id, label_signals
from hierarchy.taxonomy import Taxonomy

AT_HOME = 0.5  # share of a group's labels that are nearest to it: a group below is unsorted
MEANING = {"text": 1.0, "documents": 1.0}  # confusions are told apart from meaning, by the probe


@dataclass(frozen=True)
class Measures:
    """Arrays over the labels of a taxonomy, in the order of `taxonomy.labels`.

    Attributes
    ----------
    taxonomy
        What was measured.
    vectors
        (labels, dimensions), rows of length 1.
    margins
        (labels,) cosine to the rest of the own group less the best other group's; the lower, the worse it fits.
    nearest
        (labels,) that best other group, as a position; 0 where there is one group.
    probe
        What a probe that was cross-fitted on the documents takes them for; None without documents.
    """

    taxonomy: Taxonomy
    vectors: np.ndarray
    margins: np.ndarray
    nearest: np.ndarray
    probe: Probe | None = None

    @cached_property
    def unsorted(self) -> tuple[str, ...]:
        """Ids of groups that hold together badly: less than half of their labels are nearest to them."""
        if len(self.taxonomy.groups) == 1:  # there is no other group to be nearer to
            return ()
        group_of = self.taxonomy.group_of
        at_home = np.bincount(group_of, weights=self.margins > 0) / np.bincount(group_of)
        return tuple(self.taxonomy.group_ids[g] for g in np.flatnonzero(at_home < AT_HOME))

    @cached_property
    def counts(self) -> np.ndarray:
        """Documents of each label: int64, shape (labels,)."""
        targets = np.empty(0, dtype=np.int64) if self.probe is None else self.probe.targets
        return np.bincount(targets, minlength=len(self.taxonomy.labels))

    @cached_property
    def sent_to(self) -> np.ndarray:
        """Documents of each label that the probe sends to each group: int64, shape (labels, groups)."""
        n, groups = len(self.taxonomy.labels), len(self.taxonomy.groups)
        if self.probe is None:
            return np.zeros((n, groups), dtype=np.int64)
        places = self.probe.targets * groups + self.taxonomy.group_of[self.probe.best[:, 0]]
        return np.bincount(places, minlength=n * groups).reshape(n, groups)

    @cached_property
    def sent_elsewhere(self) -> np.ndarray:
        """Share of each label's documents that the probe sends outside its group: NaN without documents."""
        kept = self.sent_to[np.arange(len(self.counts)), self.taxonomy.group_of]
        return np.where(self.counts > 0, 1.0 - kept / np.maximum(self.counts, 1), np.nan)

    @cached_property
    def mixed(self) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of labels (true, taken for) that a document stands for, and how many do: (pairs, 2) and (pairs,)."""
        if self.probe is None:
            return np.empty((0, 2), dtype=np.int64), np.empty(0, dtype=np.int64)
        answers = np.column_stack([self.probe.targets, self.probe.best[:, 0]]).astype(np.int64)
        pairs, counts = np.unique(answers, axis=0, return_counts=True)
        return pairs, counts


def measure(
    taxonomy: Taxonomy,
    documents: Documents | None = None,
    embed: Embed | None = None,
    encoder: str = "embedded",
    random_state: int = 0,
) -> Measures:
    """Measure each label of a taxonomy.

    Parameters
    ----------
    taxonomy
        With at least one group.
    documents
        (texts or vectors of shape (documents, dimensions), label of each document), or None. Documents whose label
        stands in no group are left out.
    embed, encoder, random_state
        As for `TaxonomyBuilder`.

    Returns
    -------
    Measures
        Arrays over labels.

    Raises
    ------
    TaxonomyError
        Where no label stands in a group.
    DataError
        Where documents and labels are no columns of one length, or fewer than two documents have a label that stands
        in a group.
    """
    if not taxonomy.groups:
        raise TaxonomyError("no label stands in a group yet; place the labels with TaxonomyBuilder first")
    given = document_columns(documents)
    by_id = None if given is None else by_label_id(given, taxonomy)
    if by_id is not None:
        placed = sum(label_id in taxonomy.label_positions for label_id in by_id[1])
        if placed < 2:
            raise DataError(f"only {placed} documents have a label that stands in a group; two or more are needed")
    signals = label_signals(taxonomy.labels, by_id, embed, encoder, random_state)
    return measures_of(taxonomy, signals.blend(MEANING), signals.probe)


def measures_of(taxonomy: Taxonomy, vectors: np.ndarray, probe: Probe | None = None) -> Measures:
    """Measure a taxonomy by the vectors of its labels, which are there: (labels, dimensions), rows of length 1."""
    return Measures(taxonomy, vectors, *_margins(vectors, taxonomy.group_of), probe)


def _margins(vectors: np.ndarray, group_of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosine to the rest of the own group less the best other group's, and which group that is: (labels,) each."""
    # 1. Cosine of each label to the sum of each group.
    n, groups = len(vectors), int(group_of.max()) + 1
    sums = np.zeros((groups, vectors.shape[1]))
    np.add.at(sums, group_of, vectors)
    cosines = vectors @ unit(sums).T  # (labels, groups)
    # 2. To its own group without itself: a label must not count as a reason for its own place.
    own = np.einsum("ij,ij->i", vectors, unit(sums[group_of] - vectors))
    alone = np.bincount(group_of)[group_of] == 1
    own[alone] = 1.0
    if groups == 1:
        return own, np.zeros(n, dtype=np.int64)
    # 3. Less the best other group's.
    cosines[np.arange(n), group_of] = -np.inf
    return own - cosines.max(axis=1), cosines.argmax(axis=1)
