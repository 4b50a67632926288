"""What an edit of labels does to the owner's links: must_link and cannot_link."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product

from hierarchy.checks import link_components
from hierarchy.nodes import Tree, named

Links = tuple[tuple[str, ...], ...]


def relinked(
    tree: Tree, replaced: Mapping[str, tuple[str, ...]], notes: list[str], problems: list[str]
) -> tuple[Links, Links]:
    """Put other labels in the place of those that go.

    Parameters
    ----------
    tree
        Holds the links.
    replaced
        Label id → the ids that stand for it from now on; none where it goes without any.
    notes, problems
        Get, in words, what became of links that lost their meaning, and links that the replacement contradicts.

    Returns
    -------
    tuple
        must_link and cannot_link as they are then: what must go with the old label must go with all new ones; what
        must stand apart from it, from each.
    """
    must: list[tuple[str, ...]] = []
    cannot: list[tuple[str, ...]] = []
    gone = "is gone: fewer than two of its labels are left"
    for link in tree.must_link:
        left = tuple(dict.fromkeys(new for member in link for new in replaced.get(member, (member,))))
        if left == link or (len(left) > 1 and left not in must):
            must.append(left)
        elif len(left) < 2:
            notes.append(f"the must_link entry {_shown(link)} {gone}")
    for link in tree.cannot_link:
        members = [replaced.get(member, (member,)) for member in link]
        choices = list(product(*(choice for choice in members if choice)))
        if len(choices[0]) < 2:
            notes.append(f"the cannot_link entry {_shown(link)} {gone}")
        elif any(len(set(left)) < len(left) for left in choices):
            problems.append(f"cannot_link parts the labels {_shown(link)}; take that entry out of the file first")
        else:
            cannot += [left for left in choices if left == link or left not in cannot]
    return tuple(must), tuple(cannot)


def within(tree: Tree, ids: Iterable[str]) -> tuple[Links, Links, dict[str, str]]:
    """Return must_link and cannot_link with only the members among some ids, and what was merged into these labels.

    Links with fewer than two members are left out.
    """
    known = set(ids)

    def part(links: Links) -> Links:
        kept = (tuple(member for member in link if member in known) for link in links)
        return tuple(link for link in kept if len(link) > 1)

    merged = {word: heir for word in tree.merged_into if (heir := tree.heir(word)) in known}
    return part(tree.must_link), part(tree.cannot_link), merged


def broken_links(tree: Tree) -> Iterator[str]:
    """Say which links the groups of a tree break."""
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
