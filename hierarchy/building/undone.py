"""What a person did in a tree and another tree does not keep: what a build must never undo in silence."""

from collections import Counter
from collections.abc import Iterator

from hierarchy.nodes import Group, named
from hierarchy.taxonomy import Taxonomy


def undone(before: Taxonomy, after: Taxonomy) -> list[str]:
    """Say what a person did in a tree that another one does not keep.

    Parameters
    ----------
    before
        The tree with what a person did: labels pinned or described, groups named, edited or limited, links, labels
        merged or retired. What an older file says of groups that the builder made may be by hand as well.
    after
        The tree that takes its place.

    Returns
    -------
    list of str
        A line for each; empty where all is kept.
    """
    return [*_groups(before, after), *_labels(before, after), *_links(before, after), *_traces(before, after)]


def moved_labels(before: Taxonomy, after: Taxonomy) -> tuple[tuple[str, str, str], ...]:
    """List the labels that left their group.

    A group goes on as the one with its id, or else as the one that holds more than half of its labels: labels that stay
    together under another name have not moved.

    Parameters
    ----------
    before, after
        The same tree before and after a build.

    Returns
    -------
    tuple
        (label id, id of its group before, id of its group now).
    """
    old = {label.id: group.id for group in before.groups for label in group.labels}
    shared = Counter((old[x.id], group.id) for group in after.groups for x in group.labels if x.id in old)
    heirs = {group: group for group in set(before.group_ids) & set(after.group_ids)}
    sizes = Counter(old.values())
    for group, heir in sorted(shared, key=lambda pair: -shared[pair]):
        if group not in heirs and heir not in heirs.values() and 2 * shared[group, heir] > sizes[group]:
            heirs[group] = heir
    now = ((label.id, group.id) for group in after.groups for label in group.labels)
    return tuple((x, old[x], group) for x, group in now if x in old and heirs.get(old[x]) != group)


def _groups(before: Taxonomy, after: Taxonomy) -> Iterator[str]:
    groups, homes = {group.id: group for group in after.groups}, after.homes
    moved = {label for label, *_ in moved_labels(before, after)}
    for group in before.groups:
        now = groups.get(group.id)
        if group.stays:
            yield from _group(group, now)
        pins = {label.id for label in group.pinned}
        kept = set() if now is None else {label.id for label in now.pinned}
        for label in group.labels:
            if label.id not in homes:
                continue  # told of the label
            home = homes[label.id]
            where = "no group" if home is None else f"group '{after.group_named(home)}'"
            called = f"label '{named(label)}', {'pinned ' if label.id in pins else ''}in group '{named(group)}',"
            if label.id in pins and home != group.id:
                yield f"{called} would stand in {where}"
            elif label.id in pins and label.id not in kept:
                yield f"{called} would be pinned no longer"
            elif group.built is True and (label.id in moved or home is None):  # an older file
                yield f"{called} maybe by hand, would stand in {where}"


def _group(group: Group, now: Group | None) -> Iterator[str]:
    called = f"group '{named(group)}'"
    if now is None:
        yield f"{called} would be gone"
        return
    for what in ("name", "description", "min_size", "max_size"):
        if getattr(group, what) != getattr(now, what):
            yield f"the {what} of {called} would be {getattr(now, what)!r}, no longer {getattr(group, what)!r}"
    if not now.stays and not group.pinned:  # of pinned labels it is told for itself
        yield f"{called} would be kept no longer"


def _labels(before: Taxonomy, after: Taxonomy) -> Iterator[str]:
    labels = {label.id: label for label in after.all_labels}
    for label in before.all_labels:
        now = labels.get(label.id)
        if now is None and label.id not in after.merged_into and label.id not in after.retired:
            yield f"label '{named(label)}' would be gone"
        for what in ("name", "description") if now is not None else ():
            if getattr(label, what) not in ("", getattr(now, what)):
                yield f"the {what} of label '{named(label)}' would be {getattr(now, what)!r}"


def _links(before: Taxonomy, after: Taxonomy) -> Iterator[str]:
    retired = frozenset(after.retired)
    for kind in ("must_link", "cannot_link"):
        kept = {frozenset(map(after.heir, link)) for link in getattr(after, kind)}
        for link in getattr(before, kind):
            members = frozenset(map(after.heir, link)) - retired
            if len(members) > 1 and members not in kept and not any(members < other for other in kept):
                yield f"{kind} [{', '.join(link)}] would be gone"


def _traces(before: Taxonomy, after: Taxonomy) -> Iterator[str]:
    if before.name and before.name != after.name:
        yield f"the name of the taxonomy would be {after.name!r}, no longer {before.name!r}"
    for word, heir in before.merged_into.items():
        if word not in after.merged_into and word not in after.retired:
            yield f"'{word}' would count for '{heir}' no longer"
    for word in before.retired:
        if word not in after.retired:
            yield f"'{word}' would be retired no longer"
