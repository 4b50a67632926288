"""A taxonomy taken apart for an edit, and what an edit gives back; `edits` beside it holds the edits themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from hierarchy.diff import TaxonomyDiff, diff
from hierarchy.editing.links import broken_links, relinked
from hierarchy.errors import PROBLEMS_SHOWN, TaxonomyError
from hierarchy.matching import is_called
from hierarchy.nodes import Group, Label, Tree, named
from hierarchy.taxonomy import Taxonomy
from hierarchy.text.likeness import nearest_hint


@dataclass(frozen=True)
class Edited:
    """A taxonomy before and after an edit, and what to know about it.

    Attributes
    ----------
    old, new
        The taxonomy before and after.
    notes
        What a person must know and the difference of the trees does not say: links that were dropped, documents
        that count no longer.
    """

    old: Taxonomy
    new: Taxonomy
    notes: tuple[str, ...] = ()

    @cached_property
    def diff(self) -> TaxonomyDiff:
        """What differs between the two trees."""
        return diff(self.old, self.new)

    def lines(self) -> list[str]:
        """Return the changes and the notes in words, one a line."""
        return [*self.diff.lines(), *self.notes]


def find_group(taxonomy: Taxonomy, word: str) -> Group | None:
    """Return the group with an id, a name, or a name but for case and width; None where none or several fit."""
    for fits in (lambda g: g.id == word, lambda g: g.name == word, lambda g: is_called(g, word)):
        found = [group for group in taxonomy.groups if fits(group)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


class Draft:
    """A taxonomy taken apart for an edit. `members` None are the unplaced labels; so is a group that is not found."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.old = taxonomy
        self.groups = {group.id: group for group in taxonomy.groups}
        self.members: dict[str | None, list[Label]] = {group.id: list(group.labels) for group in taxonomy.groups}
        self.members[None] = list(taxonomy.unplaced)
        self.home = taxonomy.homes
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.replaced: dict[str, tuple[str, ...]] = {}  # id of a label that goes → ids that stand for it in links
        self.by_hand = {group.id for group in taxonomy.groups if group.edited}
        self.merged_into = dict(taxonomy.merged_into)
        self.retired = dict.fromkeys(taxonomy.retired)  # in their order

    def group(self, word: str) -> str | None:
        """Return the id of an existing group."""
        found = find_group(self.old, word)
        if found is not None:
            return found.id
        texts = [text for group in self.old.groups for text in (group.id, group.name)] if self._hints() else []
        hint = nearest_hint(word, texts)
        self.problems.append(f"there is no group '{word}'{hint or '; `coarsefine taxonomy show` lists them'}")
        return None

    def label(self, word: str, group: str | None = None) -> Label:
        """Return an existing label; one with an empty id where there is a problem."""
        match = self.old.match(word, group)
        if match.id is not None and not match.merged:
            return next(label for label in self.members[self.home[match.id]] if label.id == match.id)
        alike = [x.id for labels in self.members.values() for x in labels if x.name == word]
        if match.id is not None:
            self.problems.append(f"label '{word}' was merged into '{self.old.label_named(match.id)}'; name that one")
        elif match.retired:
            self.problems.append(f"label '{word}' is retired and stands in no group any more")
        elif alike:
            self.problems.append(f"several labels are named '{word}'; say which by its id: {', '.join(alike)}")
        else:
            nearest = self.old.nearest(word) if self._hints() else []
            near = ", ".join(f"'{self.old.label_named(x)}'" for x in nearest)
            self.problems.append(f"there is no label '{word}'; {f'nearest: {near}' if near else 'nothing is like it'}")
        return Label("", word)

    def _hints(self) -> bool:
        """Whether a problem still gets a suggestion: those that a message does not show need none."""
        return len(self.problems) < PROBLEMS_SHOWN

    def new_label(self, label: Label, home: str | None) -> Label:
        """Return a label with an id that nothing else has or had."""
        if any(other.name == label.name for other in self.members[home]):
            self.problems.append(f"{self.called(home)} has a label named '{label.name}' already; choose another name")
            return label
        if label.id:
            self.check_label_name(label.name)
        new = label if label.id else replace(label, id=label.name)
        if not label.id and new.id in self.home and home is not None:
            new = replace(new, id=f"{home}/{label.name}")
        if new.id in self.home:
            where = self.called(self.home[new.id])
            self.problems.append(f"the label id '{new.id}' is used already, in {where}; give the new label another id")
        if new.id in self.retired or new.id in self.merged_into:
            how = "retired" if new.id in self.retired else f"merged into '{self.merged_into[new.id]}'"
            self.problems.append(f"the label id '{new.id}' is {how} and never used again; give the label another id")
        return new

    def new_group(self, name: str, behind: str | None = None, *, built: bool | str = False) -> str:
        """Make an empty group, at the end or behind another one; where the builder fills it, it keeps its name."""
        self.check_group_name(name, None)
        order = [x for g in self.groups for x in ((g, name) if g == behind else (g,))]
        self.groups[name] = Group(name, name, built=built, frozen_name=bool(built))
        self.groups = {g: self.groups[g] for g in dict.fromkeys([*order, name])}
        self.members[name] = []
        return name

    def check_label_name(self, name: str) -> None:
        """Note a problem where documents that say this name are those of a retired label."""
        if name in self.retired:
            self.problems.append(f"'{name}' is what documents of a retired label say; choose another name")

    def check_group_name(self, name: str, own: str | None) -> None:
        """Note a problem where another group has this name."""
        found = [g for g in self.groups.values() if g.id != own and is_called(g, name)]
        if found:
            self.problems.append(f"there is a group '{named(found[0])}' already; choose another name, or merge the two")

    def keep(self, group: str | None) -> None:
        """Have a rebuild keep a group that the builder made, with its name."""
        if group is not None:
            old = self.groups[group]
            self.groups[group] = replace(old, frozen_name=old.frozen_name or bool(old.built))

    def take(self, ids: set[str]) -> None:
        """Take labels out of their groups."""
        for home in {self.home[x] for x in ids if x in self.home}:
            self.members[home] = [label for label in self.members[home] if label.id not in ids]

    def put(self, labels: Sequence[Label], home: str | None) -> None:
        """Put labels at the end of a group."""
        self.members[home] = [*self.members[home], *(replace(label, pinned=False) for label in labels)]
        self.home |= {label.id: home for label in labels}

    def pin(self, labels: Sequence[Label], *, pinned: bool = True) -> None:
        """Have a rebuild leave labels where they stand, or not; in a group that is not the builder's all stay."""
        ids = {label.id for label in labels}
        for home in {self.home[x] for x in ids if self.home.get(x) is not None}:
            flag = pinned and bool(self.groups[home or ""].built)
            self.members[home] = [replace(x, pinned=flag) if x.id in ids else x for x in self.members[home]]

    def release(self, group: str) -> None:
        """Have a rebuild deal the labels of a group as those of any that the builder made."""
        self.groups[group] = replace(self.groups[group], built="released", frozen_name=False)
        self.members[group] = [replace(label, pinned=False) for label in self.members[group]]
        self.by_hand.discard(group)

    def merge(self, labels: Sequence[Label], heir: Label) -> None:
        """Take labels out whose documents count for another one from now on."""
        self._take_out(labels, (heir.id,))
        self.merged_into |= {word: heir.id for label in labels for word in self._words(label)}

    def retire(self, labels: Sequence[Label], parts: Sequence[Label] = ()) -> None:
        """Take labels out for good, with their documents; links to them become links to the parts."""
        self._take_out(labels, tuple(part.id for part in parts))
        self.retired |= {word: None for label in labels for word in self._words(label)}

    def _take_out(self, labels: Sequence[Label], heirs: tuple[str, ...]) -> None:
        self.replaced |= {label.id: heirs for label in labels}
        self.take({label.id for label in labels})

    def _words(self, label: Label) -> list[str]:
        """Return what documents call a label that is taken out: its id, and its name where no other label had it."""
        gone = [*self.merged_into, *self.retired]
        others = [*self.old.all_labels, *(x for members in self.members.values() for x in members)]
        had = {word for x in others if x.id != label.id for word in (x.id, x.name)}
        had |= {word for x in gone for word in (x, x.rpartition("/")[2])}
        return [label.id] if label.name == label.id or label.name in had else [label.id, label.name]

    def called(self, home: str | None) -> str:
        """Return a group's name, for a message."""
        return "no group" if home is None else f"group '{named(self.groups[home])}'"

    def check(self) -> None:
        """Raise TaxonomyError where there are problems."""
        if self.problems:
            raise TaxonomyError(self.problems)

    def done(self) -> Edited:
        """Put the taxonomy together again; raises TaxonomyError with all problems."""
        self.check()
        links = relinked(self.old, self.replaced, self.notes, self.problems)
        groups = tuple(self._whole(group) for group in self.groups.values() if self.members[group.id])
        before = {group.id: len(group.labels) for group in self.old.groups}
        for group in groups:
            size, was = len(group.labels), before.get(group.id, 0)
            limits = f"change it in the file, or choose other labels (it would have {size})"
            if group.max_size is not None and size > max(was, group.max_size):
                self.problems.append(f"group '{named(group)}' has max_size {group.max_size}; {limits}")
            if group.min_size is not None and size < min(was, group.min_size):
                self.problems.append(f"group '{named(group)}' has min_size {group.min_size}; {limits}")
        traces = self.merged_into, tuple(self.retired)
        new = Tree(groups, tuple(self.members[None]), self.old.name, *links, *traces)
        broken = set(broken_links(self.old))
        self.problems += [problem for problem in broken_links(new) if problem not in broken]
        self.check()
        return Edited(self.old, Taxonomy(**vars(new)), tuple(self.notes))

    def _whole(self, group: Group) -> Group:
        """Return a group with its labels; the builder's mark follows the edit, unless it did not fit before."""
        whole = replace(group, labels=tuple(self.members[group.id]))
        return whole.as_built() if isinstance(group.built, str) and group.id not in self.by_hand else whole
