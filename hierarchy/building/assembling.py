"""The tree that a build makes: groups that stay with what they took, groups that go on, and new ones with names."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hierarchy.building.naming import group_names
from hierarchy.building.placement import Placement
from hierarchy.nodes import Group, Label
from hierarchy.taxonomy import Taxonomy
from hierarchy.text.wording import count

logger = logging.getLogger(f"coarsefine.{__name__}")


def assembled(
    taxonomy: Taxonomy,
    plan: Placement,
    home: np.ndarray,
    names: np.ndarray,
) -> Taxonomy:
    """Make the taxonomy: kept groups with what they took, then the new ones.

    Parameters
    ----------
    taxonomy
        The tree before.
    plan
        What stays and what is placed.
    home
        (placed labels,) number of the group of each; the first numbers are those of the kept groups.
    names
        (placed labels, dimensions) vectors of their names, rows of length 1: they tell which names say most of a group.
    """
    n_clusters = max(len(plan.kept), int(home.max()) + 1)
    taken = [[plan.free[i] for i in np.flatnonzero(home == c)] for c in range(n_clusters)]
    kept = []
    for c, group in enumerate(plan.kept):
        mine = [*(label for label, g in zip(plan.fixed, plan.home, strict=True) if g == c), *taken[c]]
        before = {label.id: place for place, label in enumerate(group.labels)}  # what comes to it goes behind these
        whole = replace(group, labels=tuple(sorted(mine, key=lambda x: before.get(x.id, len(before)))))
        kept.append(replace(whole, built=False) if group.edited else _marked(whole))
    # New groups in the order of their first label, so that the file follows the owner's order.
    new = sorted((c for c in range(len(kept), n_clusters) if taken[c]), key=lambda c: int(np.flatnonzero(home == c)[0]))
    heirs = {c: _heir(taken[c], taxonomy.groups, kept) for c in new}
    unnamed = [c for c in new if heirs[c] is None]
    stay = [*kept, *(group for group in heirs.values() if group is not None)]
    made_names = group_names(
        [taken[c] for c in unnamed],
        [names[home == c] for c in unnamed],
        background=[group.labels for group in stay],
        taken=[text for group in stay for text in (group.id, group.name)],
    )
    made = {c: Group(name, name, built="made") for c, name in zip(unnamed, made_names, strict=True)}
    built = [_marked(replace(heirs[c] or made[c], labels=tuple(taken[c]))) for c in new]
    logger.info("placed %s; %s kept, %d built", count(len(plan.free), "label"), count(len(kept), "group"), len(built))
    return replace(taxonomy, groups=tuple(group for group in [*kept, *built] if group.labels), unplaced=())


def _marked(group: Group) -> Group:
    """Return a group of the builder with its mark; none where it had none: nobody knows what is by hand there."""
    return group.as_built() if isinstance(group.built, str) else group


def _heir(labels: Sequence[Label], groups: Sequence[Group], kept: Sequence[Group]) -> Group | None:
    """Return the earlier built group that goes on as these labels: each has more than half of the other's."""
    ids, stay = {label.id for label in labels}, {group.id for group in kept}
    for group in groups:
        shared = sum(label.id in ids for label in group.labels)
        if group.built and group.id not in stay and 2 * shared > max(len(ids), len(group.labels)):
            return group
    return None
