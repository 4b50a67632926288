"""What makes a taxonomy contradict itself: every rule in one place, for files and for Python callers alike."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, islice, product

from hierarchy.errors import PROBLEMS_SHOWN
from hierarchy.nodes import Label, Tree, named
from hierarchy.text.characters import has_half
from hierarchy.text.escaping import short_repr
from hierarchy.text.likeness import nearest_hints

LARGEST_SIZE = 10**9  # labels of a group
MOST_PROBLEMS = 10_000  # of one kind; a list of links can have millions

Key = tuple[str | int, ...]
"""A place in a tree: ("group", i), ("label", i, j), ("unplaced", j), ("must_link", i), ("merged_into", word) ...

("dropped", i) marks a group some of whose labels could not be read: it is not called empty as well.
"""

NOWHERE: Key = ()
Found = tuple[Key, str]

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
    checks = (
        _check_names(tree), _check_ids(tree, lines), _check_merged(tree), _check_groups(tree, lines), _check_links(tree)
    )  # fmt: skip
    return [(lines.get(key), problem) for found in checks for key, problem in islice(found, MOST_PROBLEMS)]


def in_words(problems: Iterable[Problem]) -> list[str]:
    """Put the problems in the order of the file, each with its line."""
    ordered = sorted(problems, key=lambda problem: (problem[0] is None, problem[0] or 0))
    return [text if line is None else f"line {line}: {text}" for line, text in ordered]


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


def _check_names(tree: Tree) -> Iterator[Found]:
    half = "holds half a character and cannot be saved as UTF-8"
    if not tree.all_labels:
        yield NOWHERE, "there are no labels at all; list them under 'labels:' or in a group"
    gone = [*tree.retired, *tree.merged_into, *tree.merged_into.values()]
    for what, value in (("name of the taxonomy", tree.name), *(("merged or retired id", word) for word in gone)):
        if isinstance(value, str) and has_half(value):
            yield NOWHERE, f"the {what} {value!r} {half}"
    nodes = [*((("group", i), group) for i, group in enumerate(tree.groups)), *_labels(tree)]
    for (key, node), field in product(nodes, ("id", "name", "description")):
        what, value = "group" if key[0] == "group" else "label", getattr(node, field)
        if not isinstance(value, str):
            yield key, f"the {field} of {what} {value!r} is a {type(value).__name__}; write it as text"
        elif not value.strip() and field != "description":
            yield key, f"a {what} has an empty {field}; give it one or remove the entry"
        elif has_half(value):
            yield key, f"the {field} {value!r} {half}"


def _check_ids(tree: Tree, lines: Mapping[Key, int]) -> Iterator[Found]:
    remedy = "give one of them another 'id:' or remove it"
    first: dict[str, Key] = {}
    for key, label in _labels(tree):
        other = first.setdefault(label.id, key)
        if other != key:
            made = _made_of(tree, key, label.id) or _made_of(tree, other, label.id)
            yield key, f"label id '{label.id}' is used twice{_first(other, lines)}{made or f'; {remedy}'}"
    for i, word in enumerate(tree.retired):
        if word in first:
            used = f"'{word}' is retired, yet a label uses this id{_first(first[word], lines)}"
            yield ("retired", i), f"{used}; give the label a new id or take the old one off the list"
    groups: dict[str, Key] = {}
    for i, group in enumerate(tree.groups):
        other = groups.setdefault(group.id, ("group", i))
        if other != ("group", i):
            yield ("group", i), f"group id '{group.id}' is used twice{_first(other, lines)}; {remedy}"


def _check_merged(tree: Tree) -> Iterator[Found]:
    labels, retired = {label.id for label in tree.all_labels}, set(tree.retired)
    for label in tree.all_labels:
        if label.id in tree.merged_into:
            used = f"merged_into holds '{label.id}', yet a label uses this id"
            yield ("merged_into", label.id), f"{used}; give the label a new id or take the entry out"
        elif label.name in tree.merged_into and label.id != _end(tree, label.name):
            used = f"merged_into holds '{label.name}', yet label '{label.id}' has this name"
            yield ("merged_into", label.name), f"{used}; rename the label or take the entry out"
    unknown = [heir for heir in tree.merged_into.values() if heir not in labels | retired | tree.merged_into.keys()]
    hints = nearest_hints(unknown[:PROBLEMS_SHOWN], list(labels))
    for word, heir in tree.merged_into.items():
        key = ("merged_into", word)
        if word in retired:
            yield key, f"'{word}' stands in merged_into and in retired; take it out of one of them"
        if heir in unknown:
            yield key, f"'{word}' is merged into '{heir}', which is no label id{hints.get(heir, '')}"
        elif _end(tree, word) is None:
            yield key, f"'{word}' is merged into '{heir}', which leads back to it; let one of them count for a label"


def _end(tree: Tree, word: str) -> str | None:
    """Return what a merged word counts for in the end; None where it is on a circle, or leads to one."""
    seen = set()
    while word in tree.merged_into:
        if word in seen:
            return None
        seen.add(word)
        word = tree.merged_into[word]
    return word


def _made_of(tree: Tree, key: Key, label_id: str) -> str:
    """Say how an id of the form group/name came to a label whose name stands in several places, and the remedy."""
    if key[0] != "label":
        return ""
    group = tree.groups[int(key[1])]
    name = group.labels[int(key[2])].name
    if label_id != f"{group.id}/{name}":
        return ""
    return (
        f": label '{name}' of group '{group.name}' gets it, since its name stands in several places; rename one of "
        "them, or give it another 'id:' in the file of the tree"
    )


def _first(key: Key, lines: Mapping[Key, int]) -> str:
    return f" (first on line {lines[key]})" if key in lines else ""


def _check_groups(tree: Tree, lines: Mapping[Key, int]) -> Iterator[Found]:
    for i, group in enumerate(tree.groups):
        key, low, high = ("group", i), group.min_size, group.max_size
        if not group.labels and ("dropped", i) not in lines:
            yield key, f"group '{named(group)}' is empty; give it labels or remove it"
        for field, value in (("min_size", low), ("max_size", high)):
            if value is not None and not 1 <= value <= LARGEST_SIZE:
                wrong = f"{field} of group '{named(group)}' is {short_repr(value)}"
                yield key, f"{wrong}; it must be from 1 to a billion"
        if low is not None and high is not None and high < low <= LARGEST_SIZE:
            yield key, f"group '{named(group)}' has min_size {low} above max_size {high}; swap or change them"


def _check_links(tree: Tree) -> Iterator[Found]:
    home = {label.id: (key[1] if key[0] == "label" else None) for key, label in _labels(tree)}
    pins = {label.id: i for i, group in enumerate(tree.groups) for label in group.pinned}
    called = {label.id: f"'{named(label)}'" for label in tree.all_labels}
    unknown = [member for link in (*tree.must_link, *tree.cannot_link) for member in link if member not in home]
    hints = nearest_hints(unknown[:PROBLEMS_SHOWN], list(home))  # what a message does not show needs none
    for field in ("must_link", "cannot_link"):
        for i, link in enumerate(getattr(tree, field)):
            for member in link:
                if member not in home:
                    yield (field, i), f"{field} names '{member}', which is no label id{hints.get(member, '')}"
            if len(set(link)) < max(2, len(link)):
                yield (field, i), f"{field} entry {list(link)} needs two or more different label ids"

    component_of: dict[str, int] = {}
    for number, component in enumerate(link_components(tree.must_link)):
        component_of.update(dict.fromkeys(component, number))
        places = {pins[member]: called[member] for member in component if member in pins}
        if len(places) > 1:
            key = next(("must_link", i) for i, link in enumerate(tree.must_link) if link and link[0] in component)
            joined = f"must_link joins {' and '.join(places.values())}"
            yield key, f"{joined}, which stand in different pinned groups; move one or drop the link"
    for i, link in enumerate(tree.cannot_link):
        members = [member for member in dict.fromkeys(link) if member in home]
        for left, right in _pairs_of_one(members, component_of.get):
            pair = f"cannot_link parts {called[left]} and {called[right]}"
            yield ("cannot_link", i), f"{pair}, which must_link joins; drop one of the two"
        for left, right in _pairs_of_one(members, pins.get):
            if left in component_of and component_of[left] == component_of.get(right):
                continue  # said above
            pair = f"cannot_link parts {called[left]} and {called[right]}"
            group = named(tree.groups[pins[left]])
            yield ("cannot_link", i), f"{pair}, which are both pinned in group '{group}'; move one or drop the entry"


def _pairs_of_one(members: Sequence[str], home: Callable[[str], int | None]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of members that have the same home; a list of thousands has millions of others."""
    together: dict[int, list[str]] = {}
    for member in members:
        place = home(member)
        if place is not None:
            together.setdefault(place, []).append(member)
    for inmates in together.values():
        yield from combinations(inmates, 2)
