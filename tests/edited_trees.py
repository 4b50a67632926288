"""Trees that were edited, for the tests of what follows an edit."""

from dataclasses import replace

from hierarchy.nodes import Group, Label
from hierarchy.taxonomy import Taxonomy


def edited(taxonomy, *, remove=(), move=None, add=None):
    """The tree without some labels, with others in another group or new there; a group left empty is gone."""
    labels = {label.id: label for label in taxonomy.labels} | {label: Label(label, label) for label in add or {}}
    home = {label.id: group.id for group in taxonomy.groups for label in group.labels}
    home = {label: group for label, group in home.items() if label not in remove} | (move or {}) | (add or {})
    kept = {group.id: group for group in taxonomy.groups} | {
        group: Group(group, group) for group in home.values() if group not in taxonomy.group_ids
    }
    groups = [
        replace(group, labels=tuple(labels[label] for label in home if home[label] == name))
        for name, group in kept.items()
        if name in home.values()
    ]
    return Taxonomy(tuple(groups), retired=tuple(remove))
