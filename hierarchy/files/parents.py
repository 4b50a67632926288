"""Rows that name the one above them → rows with their paths from the top."""

from collections.abc import Sequence
from typing import NamedTuple

from hierarchy.checks import Problem
from hierarchy.errors import PROBLEMS_SHOWN
from hierarchy.files.rows import DEEPEST, Path, Row
from hierarchy.text.likeness import nearest_hints

TOP = (
    "",
    "0",
    "-1",
    "-",
    "null",
    "none",
    "root",
)  # how a table says that nothing stands above, where no row has the id
CHAIN = 5  # ids of a circle that a message names


class Child(NamedTuple):
    """A row of a table with ids and the ids above them."""

    line: int
    id: str
    parent: str
    name: str
    description: str = ""


def rows_of_parents(children: Sequence[Child]) -> tuple[list[Row], list[Problem]]:
    """Follow the ids to the top.

    Parameters
    ----------
    children
        In the order of the file, which need not name a parent before its children.

    Returns
    -------
    tuple
        The rows that a top node is above, and what is wrong with the others: ids that stand twice, parents that no row
        has, rows that stand above themselves.
    """
    problems: list[Problem] = []
    known: dict[str, Child] = {}
    for child in children:
        first = known.setdefault(child.id, child)
        if first is not child:
            problems.append(
                (child.line, f"id '{child.id}' stands twice (first on line {first.line}); give each row its own")
            )
    orphans = [child for child in known.values() if not _is_top(child, known) and child.parent not in known]
    hints = nearest_hints([child.parent for child in orphans[:PROBLEMS_SHOWN]], list(known)) if orphans else {}
    for child in orphans:
        remedy = hints.get(child.parent) or "; add its row, or leave the cell of a top node empty"
        problems.append((child.line, f"no row has the id '{child.parent}', which stands above '{child.id}'{remedy}"))
    paths: dict[str, Path | None] = {child.id: None for child in orphans}  # None for what no top node is above
    for child in known.values():
        above: dict[str, Child] = {}  # from the child up, as far as no path is known
        at = child
        while at.id not in paths and at.id not in above:
            above[at.id] = at
            at = at if _is_top(at, known) else known[at.parent]
        if at.id in above and not _is_top(at, known):
            problems.append((at.line, _circle(list(above), at.id)))
        for one in reversed(above.values()):
            top = _is_top(one, known)
            path = () if top else paths.get(one.parent)
            # One level too many is told of; what stands below it is not worth a path of its own.
            paths[one.id] = None if path is None or len(path) > DEEPEST else (*path, one.name)
    rows = [
        Row(child.line, path, child.id, description=child.description)
        for child in known.values()
        if (path := paths[child.id]) is not None
    ]
    return rows, problems


def _is_top(child: Child, known: dict[str, Child]) -> bool:
    return child.parent.lower() in TOP and child.parent not in known


def _circle(above: list[str], at: str) -> str:
    circle = [*above[above.index(at) :], at]
    shown = [*circle[:CHAIN], "...", at] if len(circle) > CHAIN + 1 else circle
    return f"the rows stand above themselves: {' below '.join(map(repr, shown))}; give one of them another parent"
