"""The labels that a model can answer with, and their groups, as columns of its scores: all that is known of levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hierarchy.taxonomy import Taxonomy


@dataclass(frozen=True)
class LabelSpace:
    """The labels that have training documents, group after group.

    Attributes
    ----------
    label_ids, group_ids
        Their names.
    group_of
        (labels,) place in `group_ids`, ascending but for what `with_untrained` adds.
    """

    label_ids: tuple[str, ...]
    group_ids: tuple[str, ...]
    group_of: np.ndarray

    @classmethod
    def of(cls, taxonomy: Taxonomy, labels: Sequence[str]) -> "LabelSpace":
        """Leave out the labels of `taxonomy` without documents, and groups of such labels only."""
        present = set(labels)
        kept = [i for i, label in enumerate(taxonomy.label_ids) if label in present]
        groups = np.unique(taxonomy.group_of[kept])
        return cls(
            tuple(taxonomy.label_ids[i] for i in kept),
            tuple(taxonomy.group_ids[g] for g in groups),
            np.searchsorted(groups, taxonomy.group_of[kept]),
        )

    @property
    def group_by_label(self) -> dict[str, str]:
        """Label id -> id of its group."""
        return {label: self.group_ids[group] for label, group in zip(self.label_ids, self.group_of, strict=True)}

    def under(self, group: int) -> slice:
        """Columns of the labels of a group."""
        return slice(*np.searchsorted(self.group_of, [group, group + 1]).tolist())

    @cached_property
    def group_sizes(self) -> np.ndarray:
        """(groups,) labels of each group."""
        return np.bincount(self.group_of, minlength=len(self.group_ids))

    def targets(self, labels: Sequence[str]) -> np.ndarray:
        """(documents,) place of each label; -1 where it had no training document."""
        place = {label: i for i, label in enumerate(self.label_ids)}
        return np.array([place.get(label, -1) for label in labels], dtype=np.int64)

    def groups(self, targets: np.ndarray) -> np.ndarray:
        """(documents,) place in `group_ids` of each target's group; -1 where the target is -1."""
        return np.where(targets >= 0, self.group_of[targets], -1)

    def group_mass(self, probabilities: np.ndarray) -> np.ndarray:
        """Sum the probabilities of each group's labels: (documents, groups) float64 from (documents, labels)."""
        starts = np.flatnonzero(np.diff(self.group_of[: probabilities.shape[1]], prepend=-1))
        mass: np.ndarray = np.add.reduceat(probabilities.astype(np.float64), starts, axis=1)
        return mass.clip(max=1.0)  # a row of float32 sums to 1 within rounding

    def with_untrained(self, labels: Sequence[str], taxonomy: Taxonomy) -> "LabelSpace":
        """Put those of some labels that have no training documents after the others, and their groups likewise."""
        known = set(self.label_ids)
        others = [label for label in dict.fromkeys(labels) if label not in known]
        homes = [taxonomy.group_ids[taxonomy.group_of[taxonomy.label_index(label)]] for label in others]
        group_ids = tuple(dict.fromkeys((*self.group_ids, *homes)))
        group_of = np.array([*self.group_of, *map(group_ids.index, homes)], dtype=np.int64)
        return LabelSpace((*self.label_ids, *others), group_ids, group_of)


def label_ratio(counts: np.ndarray, space: LabelSpace, scope: str, strength: float = 1.0) -> np.ndarray:
    """How much more each label should count than it does, (q / p) to the power of `strength`.

    q is the share that a label should have, p its share of the training documents. Losses weigh documents by the ratio,
    and `stages.training.sampling` draws them by it.

    Parameters
    ----------
    counts
        (labels,) training documents of each label, at least 1.
    space
        The labels and their groups.
    scope
        ``labels``: every label alike. ``groups``: every group alike, its labels in their own proportions.
        ``siblings``: every label of a group alike, groups in their own proportions.
    strength
        1 evens the labels out, 0 leaves them as they are.

    Returns
    -------
    numpy.ndarray
        (labels,) float64; its mean over documents is 1.
    """
    # 1. Shares as they are, (labels,) each: of the label, and of its group.
    p, group_of = counts / counts.sum(), space.group_of
    of_group = np.bincount(group_of, p)[group_of]
    siblings = np.bincount(group_of)[group_of]  # labels of its group
    # 2. Shares as they should be.
    q = {
        "labels": np.full(len(p), 1 / len(p)),
        "groups": p / of_group / len(np.unique(group_of)),
        "siblings": of_group / siblings,
    }[scope]
    # 3. Their ratio, with a mean of 1 over the documents.
    ratio = (q / p) ** strength
    return ratio / (p * ratio).sum()
