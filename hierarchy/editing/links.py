"""What an edit of labels does to the owner's links: must_link and cannot_link."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from hierarchy.checks import link_components
from hierarchy.nodes import Tree, named

Links = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Relinked:
    """Links after some labels were replaced.

    Attributes
    ----------
    must_link, cannot_link
        The links as they are then.
    dropped
        In words, what became of links that lost their meaning.
    problems
        In words, links that the replacement contradicts.
    """

    must_link: Links
    cannot_link: Links
    dropped: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def relinked(tree: Tree, replaced: Mapping[str, tuple[str, ...]]) -> Relinked:
    """Put other labels in the place of those that go.

    Parameters
    ----------
    tree
        Holds the links.
    replaced
        Label id → the ids that stand for it from now on; none where it goes without any.

    Returns
    -------
    Relinked
        What must go with the old label must go with all new ones; what must stand apart from it, from each.
    """
    must: list[tuple[str, ...]] = []
    cannot: list[tuple[str, ...]] = []
    dropped, problems = [], []
    for link in tree.must_link:
        left = tuple(dict.fromkeys(new for member in link for new in replaced.get(member, (member,))))
        if left == link or (len(left) > 1 and left not in must):
            must.append(left)
        elif len(left) < 2:
            dropped.append(f"the must_link entry {_shown(link)} is gone: fewer than two of its labels are left")
    for link in tree.cannot_link:
        members = [replaced.get(member, (member,)) for member in link]
        choices = list(product(*(choice for choice in members if choice)))
        if len(choices[0]) < 2:
            dropped.append(f"the cannot_link entry {_shown(link)} is gone: fewer than two of its labels are left")
        elif any(len(set(left)) < len(left) for left in choices):
            problems.append(f"cannot_link parts the labels {_shown(link)}; take that entry out of the file first")
        else:
            cannot += [left for left in choices if left == link or left not in cannot]
    return Relinked(tuple(must), tuple(cannot), tuple(dropped), tuple(problems))


def broken_links(new: Tree, old: Tree) -> list[str]:
    """Say which links a tree breaks that it did not break before the edit.

    Parameters
    ----------
    new, old
        After and before.
    """
    before = set(_broken(old))
    return [problem for problem in _broken(new) if problem not in before]


def within(links: Links, ids: Iterable[str]) -> Links:
    """Return the links with only the members that are among some ids; those with fewer than two are left out."""
    known = set(ids)
    kept = (tuple(member for member in link if member in known) for link in links)
    return tuple(link for link in kept if len(link) > 1)


def _broken(tree: Tree) -> Iterator[str]:
    home = {label.id: group for group in tree.groups for label in group.labels}
    called = {label.id: named(label) for label in tree.all_labels}
    for component in link_components(tree.must_link):
        places: dict[str, str] = {}
        for member in component:
            if member in home:
                places.setdefault(home[member].id, member)
        if len(places) > 1:
            joined = " and ".join(f"'{called[x]}' (group '{named(home[x])}')" for x in places.values())
            yield f"must_link joins {joined}; move them together, or take the entry out of the file first"
    for link in tree.cannot_link:
        for left, right in combinations(link, 2):
            if left in home and right in home and home[left].id == home[right].id:
                group = named(home[left])
                yield (
                    f"cannot_link parts '{called[left]}' and '{called[right]}', which would both stand in group "
                    f"'{group}'; move one elsewhere, or take the entry out of the file first"
                )


def _shown(link: Sequence[str]) -> str:
    return f"[{', '.join(link)}]"
