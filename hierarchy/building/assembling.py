"""The tree that a build makes: groups that stay with what they took, groups that go on, and new ones with names."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hierarchy.building.naming import group_names, telling_words
from hierarchy.building.placement import Placement
from hierarchy.embedding.label_vectors import unit
from hierarchy.nodes import Group, Label
from hierarchy.taxonomy import Taxonomy
from hierarchy.text.wording import count

logger = logging.getLogger(f"coarsefine.{__name__}")


def assembled(
    taxonomy: Taxonomy,
    plan: Placement,
    home: np.ndarray,
    free: np.ndarray,
    spoken: tuple[Sequence[str], Sequence[str]] | None,
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
    free
        (placed labels, dimensions) their vectors, which say what is central to a group.
    spoken
        Texts and their labels, whose telling words help to name groups; None without documents.
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
    centrality = []
    for c in unnamed:
        mine_ = free[home == c]
        centrality.append(mine_ @ unit(mine_.sum(axis=0)[None])[0])
    words = None
    if spoken is not None and len(unnamed) > 1:
        place = {label.id: g for g, c in enumerate(unnamed) for label in taken[c]}
        owner = np.array([place.get(label, -1) for label in spoken[1]])
        words = telling_words(spoken[0], owner, len(unnamed))
    stay = [*kept, *(group for group in heirs.values() if group is not None)]
    names = group_names(
        [taken[c] for c in unnamed],
        centrality,
        background=[group.labels for group in stay],
        taken=[text for group in stay for text in (group.id, group.name)],
        words=words,
    )
    made = {c: Group(name, name, built="made") for c, name in zip(unnamed, names, strict=True)}
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
