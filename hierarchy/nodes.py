"""What a taxonomy consists of: labels, groups, and the tree that holds both.

Plain frozen data, and two rules. Of ids: one that the owner did not give is the name, or `group/name` where one name
stands in several places. Of ownership: what the builder made bears its mark, which no longer fits when a person has
edited it by hand; what a person made or edited is pinned.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

_LETTERS = str.maketrans("0123456789", "ghijklmnop")  # a text in YAML without quotes, whatever reads it


@dataclass(frozen=True)
class Node:
    """What labels and groups have in common.

    Parameters
    ----------
    id
        What data files and predictions use. A rename or a move keeps it.
    name
        What people read.
    description
        What helps an encoder, and people, to know what is meant.
    """

    id: str
    name: str
    description: str = ""

    @property
    def text(self) -> str:
        """What an encoder reads: name and description."""
        return f"{self.name}: {self.description}" if self.description else self.name


@dataclass(frozen=True)
class Label(Node):
    """A fine label: what is predicted in the end.

    Parameters
    ----------
    pinned
        A person put it where it stands: it stays there in a rebuild, in a group that the builder made, too.
    """

    pinned: bool = False


@dataclass(frozen=True)
class Group(Node):
    """A coarse label: a set of fine labels.

    Parameters
    ----------
    labels
        The fine labels of this group, in the owner's order.
    built
        The builder made this group, and its labels may move in a rebuild: the builder's `mark` of it, or True where
        there is none (older files). Labels of any other group are pinned.
    frozen_name
        A person named or edited this group: a rebuild keeps it and its name, whatever labels it gets.
    min_size, max_size
        Limits for this group alone; None leaves the builder's.
    """

    labels: tuple[Label, ...] = ()
    built: bool | str = False
    frozen_name: bool = False
    min_size: int | None = None
    max_size: int | None = None

    @property
    def mark(self) -> str:
        """Eight letters that stand for id, name, description and the set of labels of the group as it is now."""
        content = [self.id, self.name, self.description, *sorted(label.id for label in self.labels)]
        digest = hashlib.blake2b(
            "\0".join(map(str, content)).encode("utf-8", "surrogatepass"), digest_size=4
        ).hexdigest()
        return digest.translate(_LETTERS)

    @property
    def edited(self) -> bool:
        """Whether the builder made it and a person edited it by hand since: then it is pinned as a whole."""
        return isinstance(self.built, str) and self.built not in ("", self.mark)

    @property
    def stays(self) -> bool:
        """Whether a rebuild keeps the group, with its id, name and description."""
        limited = self.min_size is not None or self.max_size is not None
        return not self.built or self.frozen_name or limited or bool(self.pinned)

    @property
    def pinned(self) -> tuple[Label, ...]:
        """The labels that a rebuild leaves here."""
        return self.labels if not self.built or self.edited else tuple(label for label in self.labels if label.pinned)

    def as_built(self) -> "Group":
        """Return it with the builder's mark of what it is now."""
        return replace(self, built=self.mark)


@dataclass(frozen=True)
class Tree:
    """The bare content of a taxonomy, as its files hold it. `Taxonomy` adds what can be asked of it.

    Parameters
    ----------
    groups
        The groups, each with its labels.
    unplaced
        Labels that stand in no group yet.
    name
        What the taxonomy is called.
    must_link, cannot_link
        Lists of label ids that the builder keeps in one group, or in different groups.
    merged_into
        What documents call labels that were merged → id of the label that these count for, which may be merged too.
    retired
        Ids that were used once and are never used again, and names that went with them; such documents are left out.
    """

    groups: tuple[Group, ...] = ()
    unplaced: tuple[Label, ...] = ()
    name: str = ""
    must_link: tuple[tuple[str, ...], ...] = ()
    cannot_link: tuple[tuple[str, ...], ...] = ()
    merged_into: Mapping[str, str] = field(default_factory=dict, hash=False)
    retired: tuple[str, ...] = ()

    @property
    def all_labels(self) -> tuple[Label, ...]:
        """All labels in the order of the file: group by group, then those in no group."""
        return (*(label for group in self.groups for label in group.labels), *self.unplaced)

    @property
    def homes(self) -> dict[str, str | None]:
        """Label id → id of its group, None for those in no group; in the order of `all_labels`."""
        placed = {label.id: group.id for group in self.groups for label in group.labels}
        return placed | dict.fromkeys((label.id for label in self.unplaced), None)

    def heir(self, word: str) -> str:
        """Return what a word of `merged_into` counts for in the end: the id of a label, or one that is retired."""
        while word in self.merged_into:
            word = self.merged_into[word]
        return word


class Named(Protocol):
    """What has an id and a name: a label, a group, or a row of a table about one."""

    @property
    def id(self) -> str:
        """What files and programs use."""

    @property
    def name(self) -> str:
        """What people read; empty where it is not known."""


def named(node: Named) -> str:
    """Return what a person is shown of a label or a group: its name, with its id in brackets where that is another."""
    return node.id if node.name in ("", node.id) else f"{node.name} ({node.id})"


def with_default_ids(groups: Sequence[Group], unplaced: Sequence[Label]) -> tuple[tuple[Group, ...], tuple[Label, ...]]:
    """Fill empty ids: the name, or `group/name` for a name that stands in several places.

    Parameters
    ----------
    groups, unplaced
        Groups and labels whose `id` may be the empty string.

    Returns
    -------
    tuple
        The same groups and labels, each with an id.
    """
    groups = [group if group.id else replace(group, id=group.name) for group in groups]
    places = Counter(name for group in groups for name in {label.name for label in group.labels if not label.id})
    places.update({label.name for label in unplaced if not label.id})

    def filled(label: Label, prefix: str) -> Label:
        if label.id:
            return label
        return replace(label, id=f"{prefix}{label.name}" if places[label.name] > 1 else label.name)

    return (
        tuple(replace(g, labels=tuple(filled(label, f"{g.id}/") for label in g.labels)) for g in groups),
        tuple(filled(label, "") for label in unplaced),
    )
