"""What makes a taxonomy contradict itself: every rule in one place, for files and for Python callers alike."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, islice

from hierarchy.errors import PROBLEMS_SHOWN
from hierarchy.nodes import Label, Tree, named
from hierarchy.text.characters import has_half
from hierarchy.text.escaping import short_repr
from hierarchy.text.likeness import Likeness, most_like

LARGEST_SIZE = 10**9  # labels of a group
MOST_PROBLEMS = 10_000  # of one kind; a list of links can have millions

Key = tuple[str | int, ...]
"""A place in a tree: ("group", i), ("label", i, j), ("unplaced", j), ("must_link", i), ("retired", i) ...

("dropped", i) marks a group some of whose labels could not be read: it is not called empty as well.
"""

Problem = tuple[int | None, str]
"""The line in the file, where there is one, and the message."""


def find_problems(tree: Tree, lines: Mapping[Key, int] | None = None) -> list[Problem]:
    """Find everything that is wrong with a tree.

    Parameters
    ----------
    tree
        Groups, labels and the owner's constraints.
    lines
        The line of each place in the file that was read; empty for a tree made in Python.

    Returns
    -------
    list
        (line or None, message) for each problem.
    """
    lines = lines or {}
    checks = (_check_names, _check_ids, _check_groups, _check_links)
    return [problem for check in checks for problem in islice(check(tree, lines), MOST_PROBLEMS)]


def in_words(problems: Iterable[Problem]) -> list[str]:
    """Put the problems in the order of the file, each with its line."""
    ordered = sorted(problems, key=lambda problem: (problem[0] is None, problem[0] or 0))
    return [text if line is None else f"line {line}: {text}" for line, text in ordered]


def suggestion(word: str, known: Sequence[str]) -> str:
    """Return `; did you mean 'x'?` for a word that is close to a known one, else an empty string."""
    close = most_like(word, known)
    return f"; did you mean '{close[0]}'?" if close else ""


class _Hints:
    """The suggestions for many words; those that a message does not show have none, for each takes a while."""

    def __init__(self, known: Sequence[str]) -> None:
        self.known, self.given = known, 0
        self.likeness: Likeness | None = None

    def of(self, word: str) -> str:
        self.given += 1
        if self.given > PROBLEMS_SHOWN:
            return ""
        self.likeness = self.likeness or Likeness(self.known)
        near = self.likeness.nearest(word, least=0.6)
        return f"; did you mean '{self.known[near[0][0]]}'?" if near else ""


def link_components(links: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
    """Merge lists that share an id: what must be linked with the same label must be linked with each other.

    Parameters
    ----------
    links
        Lists of label ids.

    Returns
    -------
    list
        Disjoint tuples of ids, in the order of their first appearance.
    """
    home: dict[str, list[str]] = {}
    for link in links:
        for member in link:
            home.setdefault(member, [member])
        for member in link[1:]:
            smaller, larger = sorted((home[link[0]], home[member]), key=len)
            if smaller is not larger:  # each member moves seldom: its new list is twice as long at least
                larger += smaller
                home.update(dict.fromkeys(smaller, larger))
    order = {member: place for place, member in enumerate(home)}
    unique = {id(component): component for component in home.values()}
    return [tuple(sorted(component, key=order.__getitem__)) for component in unique.values()]


def _labels(tree: Tree) -> Iterator[tuple[Key, Label]]:
    for i, group in enumerate(tree.groups):
        for j, label in enumerate(group.labels):
            yield ("label", i, j), label
    for j, label in enumerate(tree.unplaced):
        yield ("unplaced", j), label


def _check_names(tree: Tree, lines: Mapping[Key, int]) -> Iterator[Problem]:
    nodes = [*((("group", i), group) for i, group in enumerate(tree.groups)), *_labels(tree)]
    if not any(True for _ in _labels(tree)):
        yield None, "there are no labels at all; list them under 'labels:' or in a group"
    for what, value in (("name of the taxonomy", tree.name), *(("retired id", word) for word in tree.retired)):
        if isinstance(value, str) and has_half(value):
            yield None, f"the {what} {value!r} holds half a character and cannot be saved as UTF-8"
    for key, node in nodes:
        what = "group" if key[0] == "group" else "label"
        for field in ("id", "name", "description"):
            value = getattr(node, field)
            if not isinstance(value, str):
                yield (
                    lines.get(key),
                    f"the {field} of {what} {value!r} is a {type(value).__name__}; write it as text",
                )
            elif not value.strip() and field != "description":
                yield lines.get(key), f"a {what} has an empty {field}; give it one or remove the entry"
            elif has_half(value):
                yield (
                    lines.get(key),
                    f"the {field} {value!r} holds half a character and cannot be saved as UTF-8",
                )


def _check_ids(tree: Tree, lines: Mapping[Key, int]) -> Iterator[Problem]:
    remedy = "give one of them another 'id:' or remove it"
    first: dict[str, Key] = {}
    for key, label in _labels(tree):
        if label.id in first:
            made = next((g for k in (key, first[label.id]) if (g := _made_of(tree, k, label.id))), "")
            yield (
                lines.get(key),
                f"label id '{label.id}' is used twice{_first(first[label.id], lines)}{made}; {remedy}",
            )
        else:
            first[label.id] = key
    for i, word in enumerate(tree.retired):
        if word in first:
            yield (
                lines.get(("retired", i)),
                f"'{word}' is retired, yet a label uses this id{_first(first[word], lines)}; "
                "give the label a new id or take the old one off the list",
            )
    groups: dict[str, Key] = {}
    for i, group in enumerate(tree.groups):
        if group.id in groups:
            yield (
                lines.get(("group", i)),
                f"group id '{group.id}' is used twice{_first(groups[group.id], lines)}; {remedy}",
            )
        groups.setdefault(group.id, ("group", i))


def _made_of(tree: Tree, key: Key, label_id: str) -> str:
    """Say how an id of the form group/name came to a label whose name stands in several places."""
    if key[0] != "label":
        return ""
    group = tree.groups[int(key[1])]
    name = group.labels[int(key[2])].name
    if label_id != f"{group.id}/{name}":
        return ""
    return f": label '{name}' of group '{group.name}' gets it, since its name stands in several places"


def _first(key: Key, lines: Mapping[Key, int]) -> str:
    return f" (first on line {lines[key]})" if key in lines else ""


def _check_groups(tree: Tree, lines: Mapping[Key, int]) -> Iterator[Problem]:
    for i, group in enumerate(tree.groups):
        line = lines.get(("group", i))
        if not group.labels and ("dropped", i) not in lines:
            yield line, f"group '{named(group)}' is empty; give it labels or remove it"
        low, high = group.min_size, group.max_size
        for field, value in (("min_size", low), ("max_size", high)):
            if value is not None and not 1 <= value <= LARGEST_SIZE:
                yield (
                    line,
                    f"{field} of group '{named(group)}' is {short_repr(value)}; it must be from 1 to a billion",
                )
        if low is not None and high is not None and high < low <= LARGEST_SIZE:
            yield line, f"group '{named(group)}' has min_size {low} above max_size {high}; swap or change them"


def _check_links(tree: Tree, lines: Mapping[Key, int]) -> Iterator[Problem]:
    home = {label.id: (key[1] if key[0] == "label" else None) for key, label in _labels(tree)}
    hints = _Hints(list(home))
    called = {label.id: named(label) for _, label in _labels(tree)}
    for field in ("must_link", "cannot_link"):
        for i, link in enumerate(getattr(tree, field)):
            line = lines.get((field, i))
            for member in link:
                if member not in home:
                    yield line, f"{field} names '{member}', which is no label id{hints.of(member)}"
            if len(set(link)) < max(2, len(link)):
                yield line, f"{field} entry {list(link)} needs two or more different label ids"

    def pinned(member: str) -> int | None:
        place = home.get(member)
        return place if isinstance(place, int) and not tree.groups[place].built else None

    component_of: dict[str, int] = {}
    for number, component in enumerate(link_components(tree.must_link)):
        component_of.update(dict.fromkeys(component, number))
        places = {pinned(member): member for member in component if pinned(member) is not None}
        if len(places) > 1:
            joined = " and ".join(f"'{called[member]}'" for member in places.values())
            line = next(
                (lines.get(("must_link", i)) for i, x in enumerate(tree.must_link) if x and x[0] in component), None
            )
            yield (
                line,
                f"must_link joins {joined}, which stand in different pinned groups; move one or drop the link",
            )
    for i, link in enumerate(tree.cannot_link):
        members = [member for member in dict.fromkeys(link) if member in home]
        line = lines.get(("cannot_link", i))
        for left, right in _pairs_of_one(members, component_of.get):
            pair = f"'{called[left]}' and '{called[right]}'"
            yield line, f"cannot_link parts {pair}, which must_link joins; drop one of the two"
        for left, right in _pairs_of_one(members, pinned):
            if left in component_of and component_of[left] == component_of.get(right):
                continue  # said above
            group = named(tree.groups[pinned(left) or 0])
            yield (
                line,
                f"cannot_link parts '{called[left]}' and '{called[right]}', which are both pinned in group '{group}'; "
                "move one or drop the entry",
            )


def _pairs_of_one(members: Sequence[str], home: Callable[[str], int | None]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of members that have the same home; a list of thousands has millions of others."""
    together: dict[int, list[str]] = {}
    for member in members:
        place = home(member)
        if place is not None:
            together.setdefault(place, []).append(member)
    for inmates in together.values():
        yield from combinations(inmates, 2)
