"""What differs between two taxonomies, and which parts of a model trained on the old one must be refitted."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from hierarchy.nodes import Node, named
from hierarchy.taxonomy import Taxonomy

N = TypeVar("N", bound=Node)

_SIZES = ("min_size", "max_size")
_REBUILD = {  # what a group's flags mean, off and on
    "built": ("leaves its labels where they are", "may move its labels"),
    "edited": ("takes its labels for the builder's again", "takes it for edited by hand and leaves all as it is"),
    "frozen_name": ("may give up the group and its name", "keeps the group and its name"),
}
_FIELDS = ("name", "must_link", "cannot_link")


@dataclass(frozen=True)
class TaxonomyDiff:
    """Differences of two taxonomies; labels and groups are the same where their ids are.

    Attributes
    ----------
    added, removed
        (label id, group id) of labels that only the new, or only the old tree has; None is no group.
    merged
        (label id, id of the label that its documents count for) of labels that were merged into another one; they
        stand among `removed` as well.
    recounted
        What documents call labels that were gone before, where these count for another label now, or for none.
    moved
        (label id, old group id, new group id) of labels that changed their group.
    renamed_labels, renamed_groups
        (id, old name, new name).
    groups_added, groups_removed
        Ids of groups that only one of the trees has.
    described, described_groups
        Ids of labels and of groups whose description changed.
    heads
        Ids of the groups of the new tree that got or lost a label, or a label's documents: their heads must be
        refitted.
    other
        What else differs, in words: settings of groups, links, retired ids, the order.
    label_names, group_names
        What a person is shown of the labels and groups of both trees, by their ids: the new name where both have one.
    """

    added: tuple[tuple[str, str | None], ...] = ()
    removed: tuple[tuple[str, str | None], ...] = ()
    merged: tuple[tuple[str, str], ...] = ()
    recounted: tuple[str, ...] = ()
    moved: tuple[tuple[str, str | None, str | None], ...] = ()
    renamed_labels: tuple[tuple[str, str, str], ...] = ()
    renamed_groups: tuple[tuple[str, str, str], ...] = ()
    groups_added: tuple[str, ...] = ()
    groups_removed: tuple[str, ...] = ()
    described: tuple[str, ...] = ()
    described_groups: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    label_names: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    group_names: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def empty(self) -> bool:
        """Tell whether the two trees are equal."""
        return self == TaxonomyDiff()

    @property
    def coarse(self) -> bool:
        """Tell whether the coarse stage must be refitted: some group holds other labels, or documents, than before."""
        labels = self.added or self.removed or self.moved or self.recounted
        return bool(labels or self.groups_added or self.groups_removed)

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the names, with `empty` and `coarse`, as JSON would hold it."""
        content = asdict(self)
        del content["label_names"], content["group_names"]
        return {"empty": self.empty, "coarse": self.coarse} | content

    def lines(self) -> list[str]:
        """Return the changes in words, one a line; none where the trees are equal."""
        into = {label: f"merged into {self._label(heir)} and " for label, heir in self.merged}
        return [
            *(f"{self._group(group)} is new" for group in self.groups_added),
            *(f"{self._group(group)} is gone" for group in self.groups_removed),
            *(f"{self._label(label)} is new in {self._group(group)}" for label, group in self.added),
            *(
                f"{self._label(label)} is {into.get(label, '')}gone from {self._group(group)}"
                for label, group in self.removed
            ),
            *(
                f"{self._label(label)} moved from {self._group(old)} to {self._group(new)}"
                for label, old, new in self.moved
            ),
            *(f"group '{group}' was named '{old}', now '{new}'" for group, old, new in self.renamed_groups),
            *(f"label '{label}' was named '{old}', now '{new}'" for label, old, new in self.renamed_labels),
            *(f"{self._group(group)} has another description" for group in self.described_groups),
            *(f"{self._label(label)} has another description" for label in self.described),
            *self.other,
        ]

    def _label(self, label_id: str) -> str:
        return f"label '{self.label_names.get(label_id, label_id)}'"

    def _group(self, group_id: str | None) -> str:
        return "no group" if group_id is None else f"group '{self.group_names.get(group_id, group_id)}'"


def diff(old: Taxonomy, new: Taxonomy) -> TaxonomyDiff:
    """Compare two taxonomies by the ids of their groups and labels.

    Parameters
    ----------
    old, new
        Before and after. A group that has the same id and another name was renamed; one with another id is another
        group, whatever its name.

    Returns
    -------
    TaxonomyDiff
        Empty where the trees are equal. Everything stands in the order of the tree that has it.
    """
    labels, labels_before = _by_id(new.all_labels), _by_id(old.all_labels)
    groups, groups_before = _by_id(new.groups), _by_id(old.groups)
    home, home_before = new.homes, old.homes
    added = tuple((label, home[label]) for label in labels if label not in labels_before)
    removed = tuple((label, home_before[label]) for label in labels_before if label not in labels)
    moved = tuple(
        (label, home_before[label], home[label])
        for label in labels
        if label in labels_before and home[label] != home_before[label]
    )
    merged = tuple((label, new.heir(label)) for label, _ in removed if new.heir(label) in labels)
    counted = {word: (old.resolve(word), new.resolve(word)) for word in {**old.merged_into, **new.merged_into}}
    other_heirs = {label for both in counted.values() if both[0] != both[1] for label in both if label is not None}
    touched = {group for _, group in (*added, *removed)} | {group for _, *both in moved for group in both}
    touched |= {home.get(label) for label in other_heirs}
    return TaxonomyDiff(
        added=added,
        removed=removed,
        merged=merged,
        recounted=tuple(word for word, (was, now) in counted.items() if was != now and (was is None or was in labels)),
        moved=moved,
        renamed_labels=_renamed(labels_before, labels),
        renamed_groups=_renamed(groups_before, groups),
        groups_added=tuple(group for group in groups if group not in groups_before),
        groups_removed=tuple(group for group in groups_before if group not in groups),
        described=_described(labels_before, labels),
        described_groups=_described(groups_before, groups),
        heads=tuple(group for group in groups if group in touched),
        other=tuple(_other(old, new)),
        label_names=old.label_names | new.label_names,
        group_names=old.group_names | new.group_names,
    )


def _by_id(nodes: Iterable[N]) -> dict[str, N]:
    return {node.id: node for node in nodes}


def _renamed(old: Mapping[str, Node], new: Mapping[str, Node]) -> tuple[tuple[str, str, str], ...]:
    return tuple((x, old[x].name, new[x].name) for x in new if x in old and old[x].name != new[x].name)


def _described(old: Mapping[str, Node], new: Mapping[str, Node]) -> tuple[str, ...]:
    return tuple(x for x in new if x in old and old[x].description != new[x].description)


def _other(old: Taxonomy, new: Taxonomy) -> Iterator[str]:
    before = _by_id(old.groups)
    for group in new.groups:
        earlier = before.get(group.id, group)
        for flag, words in _REBUILD.items():
            if bool(getattr(earlier, flag)) != (means := bool(getattr(group, flag))):
                yield f"group '{named(group)}': a rebuild {words[means]} from now on"
        for size in _SIZES:
            old_size, new_size = getattr(earlier, size), getattr(group, size)
            if old_size != new_size:
                yield f"group '{named(group)}': {size} was {_shown(old_size)}, now {_shown(new_size)}"
    pins = {label.id: label.pinned for label in old.all_labels}
    for label in new.all_labels:
        if label.pinned != pins.get(label.id, False):
            yield f"label '{named(label)}' is {'pinned where it stands' if label.pinned else 'no longer pinned'}"
    for key in _FIELDS:
        was, now = getattr(old, key), getattr(new, key)
        if key == "name" and was != now:
            yield f"the taxonomy was named {_shown(was)}, now {_shown(now)}"
        elif was != now:
            was, now = [_named(old, x) for x in was], [_named(new, x) for x in now]
            changes = [("gone", x) for x in was if x not in now] + [("new", x) for x in now if x not in was]
            yield f"{key}: {', '.join(f'{_shown(x)} is {word}' for word, x in changes) or 'another order'}"
    yield from _traces(old, new)
    if _reordered(old.groups, new.groups):
        yield "the groups stand in another order"
    pairs = [(before[group.id].labels, group.labels) for group in new.groups if group.id in before]
    if any(_reordered(was, now) for was, now in [*pairs, (old.unplaced, new.unplaced)]):
        yield "labels stand in another order"


def _traces(old: Taxonomy, new: Taxonomy) -> Iterator[str]:
    """Say what is new in merged_into and retired, or gone from them, where a label that only now went does not."""
    gone = [label for label in old.all_labels if label.id not in new.homes]
    told = {label.name for label in gone} | {label.id for label in gone if label.id in new.merged_into}
    for word in dict.fromkeys((*old.merged_into, *new.merged_into)):
        was, now = old.merged_into.get(word), new.merged_into.get(word)
        if was != now and not (word in told and was is None):
            yield f"merged_into: '{word}' counted for {_quoted(was)}, now for {_quoted(now)}"
    if old.retired != new.retired:
        back = [x for x in old.retired if x not in new.retired]
        put = [x for x in new.retired if x not in old.retired and (x in old.homes or x not in told)]
        changes = [("no longer retired", back), ("now retired", put)]
        lines = [f"{what}: {', '.join(map(old.label_named, words))}" for what, words in changes if words]
        yield from lines or ["retired: another order"]


def _quoted(label_id: str | None) -> str:
    return "no label" if label_id is None else f"'{label_id}'"


def _named(tree: Taxonomy, members: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(tree.label_named, members))


def _reordered(old: Sequence[Any], new: Sequence[Any]) -> bool:
    before, after = [node.id for node in old], [node.id for node in new]
    common = set(before) & set(after)
    return [x for x in before if x in common] != [x for x in after if x in common]


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_shown(part) for part in value)}]"
    return "not set" if value is None or value == "" else str(value)
