"""Edits of a taxonomy: labels added, moved, merged, split, retired and renamed. Ids stay, or go for good.

Every function takes a taxonomy and gives back an `Edited`; nothing is written. A label may be named by its id or by a
name that only one label has, a group by its id or name. What cannot be done is refused, all at once, with the remedy.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from hierarchy.building.naming import group_names
from hierarchy.editing.draft import Draft, Edited
from hierarchy.editing.links import within
from hierarchy.embedding.label_vectors import embed_texts
from hierarchy.nodes import Label, named
from hierarchy.taxonomy import Taxonomy

if TYPE_CHECKING:
    from hierarchy.building.builder import TaxonomyBuilder
    from hierarchy.embedding.label_vectors import Documents


def add(taxonomy: Taxonomy, labels: Sequence[Label], group: str | None = None, *, new_group: bool = False) -> Edited:
    """Add labels at the end of a group, or to those that stand in no group; see `place`.

    Parameters
    ----------
    taxonomy
        Is not changed.
    labels
        With an empty id where the name, or `group/name` if another label has it, shall be the id.
    group
        Id or name; None leaves the labels unplaced.
    new_group
        Make the group, whose name must be new.
    """
    work = Draft(taxonomy)
    home = None if group is None else work.new_group(group) if new_group else work.group(group)
    new = [work.new_label(label, home) for label in labels]
    work.put(new, home)
    work.pin(new)
    return work.done()


def place(edited: Edited, builder: "TaxonomyBuilder", documents: "Documents | None" = None) -> Edited:
    """Let the builder place the labels that an edit left in no group; every other label stays where it stands.

    Parameters
    ----------
    edited
        What `add` gave.
    builder
        Says how.
    documents
        (texts or vectors, label of each), or None.
    """
    new, waiting = edited.new, edited.old.unplaced  # which are not ours to place
    ids = {label.id for label in new.all_labels}.difference(label.id for label in waiting)
    unplaced = tuple(label for label in new.unplaced if label.id in ids)
    part = Taxonomy(new.groups, unplaced, new.name, *within(new, ids), new.retired)
    built = builder.build(part, documents=documents, keep=True)
    return replace(edited, new=replace(new, groups=built.groups, unplaced=waiting))


def move(taxonomy: Taxonomy, labels: Sequence[str], group: str, *, new_group: bool = False) -> Edited:
    """Move labels to the end of another group, where they are pinned; one that stands there already is pinned there.

    Parameters
    ----------
    taxonomy
        Is not changed.
    labels
        Ids or names.
    group
        Id or name.
    new_group
        Make the group, whose name must be new.
    """
    work = Draft(taxonomy)
    found = [work.label(word) for word in dict.fromkeys(labels)]
    home = work.new_group(group) if new_group else work.group(group)
    movers = [label for label in found if work.home.get(label.id) != home]
    work.take({label.id for label in movers})
    work.put(movers, home)
    work.pin(found)
    return work.done()


def merge_groups(taxonomy: Taxonomy, sources: Sequence[str], target: str) -> Edited:
    """Move all labels of some groups to the end of another one, where they are pinned; the emptied groups go away."""
    work = Draft(taxonomy)
    home = work.group(target)
    for source in dict.fromkeys(work.group(word) for word in sources):
        if source == home:
            work.problems.append(f"group '{target}' cannot be merged into itself; name another group")
        labels = work.members.get(source, [])
        work.take({label.id for label in labels})
        work.put(labels, home)
        work.pin(labels)
    work.keep(home)
    return work.done()


def merge_labels(taxonomy: Taxonomy, sources: Sequence[str], target: str) -> Edited:
    """Take labels out whose documents count for another one from now on; links to them become links to that one."""
    work = Draft(taxonomy)
    heir = work.label(target)
    gone = [work.label(word) for word in dict.fromkeys(sources)]
    if heir in gone:
        work.problems.append(f"label '{target}' cannot be merged into itself; name another label")
    work.merge(gone, heir)
    return work.done()


def split_off(taxonomy: Taxonomy, group: str, labels: Sequence[str], name: str) -> Edited:
    """Move some labels of a group into a new one behind it, which is the owner's; a rebuild keeps both.

    Parameters
    ----------
    taxonomy
        Is not changed.
    group
        Id or name of the group that is split.
    labels
        Ids or names of labels in it.
    name
        Of the new group.
    """
    work = Draft(taxonomy)
    source = work.group(group)
    found = [work.label(word, group) for word in dict.fromkeys(labels)]
    outside = [named(label) for label in found if source and label.id and work.home[label.id] != source]
    work.problems += [f"label '{label}' is not in group '{group}'; move it there first" for label in outside]
    new = work.new_group(name, behind=source)
    work.take({label.id for label in found})
    if source and not work.members[source]:
        work.problems.append(f"group '{group}' would be left without labels; rename it instead")
    work.put(found, new)
    work.keep(source)
    return work.done()


def split_group(
    taxonomy: Taxonomy, group: str, parts: int, builder: "TaxonomyBuilder", documents: "Documents | None" = None
) -> Edited:
    """Replace a group by several, of labels that are alike, with names after their labels; a rebuild keeps them all.

    Parameters
    ----------
    taxonomy
        Is not changed.
    group
        Id or name.
    parts
        How many groups, at least 2.
    builder
        Says how labels are compared; sizes are between about half and twice the mean.
    documents
        (texts or vectors, label of each), or None.
    """
    work = Draft(taxonomy)
    source = work.group(group)
    labels = work.members.get(source, [])
    if source and not 2 <= parts <= len(labels):
        work.problems.append(f"group '{group}' has {len(labels)} labels; it can be split into 2 to {len(labels)} parts")
    work.check()
    ids = {label.id for label in labels}
    sub = Taxonomy((), tuple(labels), "", *within(taxonomy, ids))
    divider = copy(builder)
    divider.n_groups = parts
    divider.min_group_size, divider.max_group_size = max(1, len(labels) // (2 * parts)), ceil(2 * len(labels) / parts)
    clusters = [part.labels for part in divider.build(sub, documents=_documents_of(documents, sub)).groups]
    vectors = embed_texts([label.name for cluster in clusters for label in cluster], builder.embed, builder.encoder)
    names = group_names(
        clusters,
        np.split(vectors, np.cumsum([len(cluster) for cluster in clusters])[:-1]),
        background=[other.labels for other in taxonomy.groups if other.id != source],
        taken=[text for other in taxonomy.groups for text in (other.id, other.name)],
    )
    work.take(ids)
    built = source is not None and source not in work.by_hand and work.groups[source].built
    behind = source
    for name, cluster in zip(names, clusters, strict=True):
        behind = work.new_group(name, behind=behind, built=built)
        work.put(cluster, behind)
        work.pin([label for label in cluster if label.pinned])
    return work.done()


def split_label(taxonomy: Taxonomy, label: str, into: Sequence[Label]) -> Edited:
    """Retire a label and put several new ones in its place; links to it become links to each of them."""
    work = Draft(taxonomy)
    old = work.label(label)
    if len(into) < 2:
        work.problems.append(f"label '{label}' must be split into two or more; to change its name, rename it")
    home = work.home.get(old.id)
    siblings = work.members[home]
    at = next((i for i, sibling in enumerate(siblings) if sibling.id == old.id), 0)
    new = [replace(work.new_label(part, home), pinned=old.pinned) for part in into]
    siblings[at:at] = new
    work.home |= {part.id: home for part in new}
    work.retire([old], new)
    parts = " or ".join(f"'{named(part)}'" for part in new)
    work.notes.append(f"documents labelled '{named(old)}' are left out from now on; to keep them, label them {parts}")
    return work.done()


def retire(taxonomy: Taxonomy, labels: Sequence[str] = (), groups: Sequence[str] = ()) -> Edited:
    """Take labels, or all labels of groups, out of the tree, with their documents.

    Their ids are never used again, and links to them go.
    """
    work = Draft(taxonomy)
    gone = [work.label(word) for word in dict.fromkeys(labels)]
    gone += [label for word in groups for label in work.members.get(work.group(word), [])]
    work.retire(gone)
    if gone:
        work.notes.append("documents of retired labels are left out from now on")
    return work.done()


def rename_label(taxonomy: Taxonomy, label: str, name: str) -> Edited:
    """Give a label another name; its id stays."""
    work = Draft(taxonomy)
    old = work.label(label)
    home = work.home.get(old.id)
    if any(other.name == name and other.id != old.id for other in work.members[home]):
        work.problems.append(f"another label of this group is named '{name}'; merge the two, or choose another name")
    work.members[home] = [replace(x, name=name) if x.id == old.id else x for x in work.members[home]]
    if name != old.name:
        work.check_label_name(name)
    if old.name not in (old.id, name):
        work.notes.append(f"documents must say '{old.id}' (the id) or '{name}'; '{old.name}' is no longer understood")
    return work.done()


def rename_group(taxonomy: Taxonomy, group: str, name: str) -> Edited:
    """Give a group another name; its id stays. The builder keeps a group of its own that was renamed."""
    work = Draft(taxonomy)
    source = work.group(group)
    work.check_group_name(name, source)
    if source:
        work.groups[source] = replace(work.groups[source], name=name)
        work.keep(source)
    return work.done()


def pin(taxonomy: Taxonomy, labels: Sequence[str] = (), groups: Sequence[str] = ()) -> Edited:
    """Have a rebuild leave labels where they stand, and whole groups as they are, which are the owner's then."""
    work = Draft(taxonomy)
    found = [work.label(word) for word in dict.fromkeys(labels)]
    loose = [label for label in found if label.id and work.home[label.id] is None]
    work.problems += [f"label '{named(label)}' stands in no group yet: move it to one" for label in loose]
    work.pin(found)
    for group in filter(None, map(work.group, dict.fromkeys(groups))):
        work.groups[group] = replace(work.groups[group], built=False)
    return work.done()


def unpin(taxonomy: Taxonomy, labels: Sequence[str] = (), groups: Sequence[str] = ()) -> Edited:
    """Let a rebuild deal labels, and all labels of groups, as it does those that nobody has touched."""
    work = Draft(taxonomy)
    found = [work.label(word) for word in dict.fromkeys(labels)]
    owned = {group.id: named(group) for group in taxonomy.groups if not group.built or group.edited}
    for label in found:
        if (group := owned.get(work.home.get(label.id) or "")) is not None:
            work.problems.append(f"label '{named(label)}' stands in group '{group}', which is yours: unpin the group")
    work.pin(found, pinned=False)
    for group in filter(None, map(work.group, dict.fromkeys(groups))):
        work.release(group)
    return work.done()


def _documents_of(documents: "Documents | None", part: Taxonomy) -> "Documents | None":
    """Return the documents of a part's labels; None where there are none."""
    if documents is None:
        return None
    contents, targets = documents
    rows = [row for row, target in enumerate(targets) if part.resolve(str(target)) is not None]
    chosen = contents[rows] if isinstance(contents, np.ndarray) else [contents[row] for row in rows]
    return (chosen, [targets[row] for row in rows]) if rows else None
