"""Rows, one a node of a tree of any depth → a tree of two levels. Every shape of a file but the format's own ends here.

A deeper tree is cut at its coarse level: the nodes there are groups, the leaves below are labels, and the path from the
group down is a label's id. A node that is a leaf there, or above, is a group with one label of its name.
"""

import logging
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from hierarchy.checks import Key, Problem
from hierarchy.errors import Remedy, TaxonomyError
from hierarchy.files.reading import all_problems
from hierarchy.files.shape import Shape
from hierarchy.nodes import Group, Label, Tree, with_default_ids
from hierarchy.text.escaping import short_repr
from hierarchy.text.separators import BETWEEN
from hierarchy.text.wording import count

logger = logging.getLogger(f"coarsefine.{__name__}")
NAMED = 3  # nodes that a line of the log names
DEEPEST = 20  # levels

Path = tuple[str, ...]
"""Names from the top of a tree down."""


class Row(NamedTuple):
    """A node as a file has it.

    Parameters
    ----------
    line
        Where it stands.
    path
        Names from the top down; the first is empty where a label stands in no group yet.
    id
        Empty where the file gives none.
    name
        What people read, where that is not the last name of the path.
    description
        What helps to know what is meant.
    """

    line: int
    path: Path
    id: str = ""
    name: str = ""
    description: str = ""


def tree_of_rows(
    rows: Iterable[Row],
    shape: Shape,
    where: str,
    *,
    separator: str = BETWEEN,
    problems: Sequence[Problem] = (),
    name: str = "",
    hint: str = "",
) -> Tree:
    """Make a tree of two levels.

    Parameters
    ----------
    rows
        In the order of the file; inner nodes may be missing.
    shape
        Says where a deeper tree is cut, and whether inner nodes are labels.
    where
        The file's name, for messages.
    separator
        Stands between the names of a path in ids.
    problems
        What could not be read of the file.
    name
        Of the tree.
    hint
        What the file seems to be, where it has problems.

    Returns
    -------
    Tree
        Groups in the order in which they first appear. Paths of one name are labels that stand in no group yet, where
        there are no longer ones.

    Raises
    ------
    TaxonomyError
        With all problems, each with its line.
    """
    written, repeated = _by_path(rows, separator)
    depth = max((len(path) for path in written if path[0]), default=1)
    if depth == 1:
        written = {("", *path[-1:]): same for path, same in written.items()}
    _check_level(shape, depth, where)
    unplaced = [row for path, same in written.items() if not path[0] for row in same]
    nodes = _with_inner({path: same for path, same in written.items() if path[0]})
    tree, lines = _cut(nodes, unplaced, shape, separator)
    if found := all_problems(tree, [*problems, *repeated], lines):
        raise TaxonomyError(found, where, hint)
    _tell(nodes, tree, depth, shape, where)
    return replace(tree, name=name)


def _by_path(rows: Iterable[Row], separator: str) -> tuple[dict[Path, list[Row]], list[Problem]]:
    """Return the rows of each path, of which a leaf may have several with ids of their own, and what is wrong."""
    written: dict[Path, list[Row]] = {}
    problems: list[Problem] = []
    for row in rows:
        if len(row.path) > DEEPEST:
            problems.append((row.line, f"names are nested deeper than {DEEPEST} levels; a tree of labels is not"))
            continue
        same = written.setdefault(row.path, [])
        if same and not (row.id and same[0].id and same[0].id != row.id):
            shown = separator.join(filter(None, row.path))
            problems.append((row.line, f"'{shown}' stands twice (first on line {same[0].line}); remove or rename one"))
        else:
            same.append(row)
    inner = {path[:length] for path in written for length in range(1, len(path))}
    for path, (first, *more) in written.items():
        if more and path in inner:
            shown = f"'{separator.join(path)}' stands twice (first on line {first.line})"
            problems.append((more[0].line, f"{shown}, and nodes below it: below which? Rename one"))
    return written, problems


def _check_level(shape: Shape, depth: int, where: str) -> None:
    if depth == 1:
        shape.check_used(where, "labels without groups", *(set(vars(shape)) - {"coarse_level", "inner_nodes"}))
    elif shape.coarse_level >= depth:
        deepest = f"the tree has {depth} levels, and labels stand below their group: give "
        raise TaxonomyError(Remedy(deepest, "coarse_level", f", {depth - 1} at most", value=str(depth - 1)), where)


def _with_inner(written: dict[Path, list[Row]]) -> dict[Path, list[Row]]:
    """Return the nodes with those above them, each before what stands below it."""
    nodes: dict[Path, list[Row]] = {}
    for path, same in written.items():
        for length in range(1, len(path) + 1):
            above = path[:length]
            nodes.setdefault(above, written.get(above, [Row(same[0].line, above)]))
    return nodes


def _cut(
    nodes: dict[Path, list[Row]], unplaced: Sequence[Row], shape: Shape, separator: str
) -> tuple[Tree, dict[Key, int]]:
    level = shape.coarse_level
    inner = {path[:-1] for path in nodes}
    members: dict[Path, list[Row]] = {}
    for path, same in nodes.items():
        if path not in inner or (shape.inner_nodes and len(path) >= level):
            members.setdefault(path[:level], []).extend(same)
    ends = Counter(path[-1] for path in members)
    lines: dict[Key, int] = {("unplaced", j): row.line for j, row in enumerate(unplaced)}
    groups = []
    for i, (path, rows) in enumerate(members.items()):
        own, whole = nodes[path][0], separator.join(path)
        lines["group", i] = own.line
        lines |= {("label", i, j): row.line for j, row in enumerate(rows)}
        name = own.name or (path[-1] if ends[path[-1]] == 1 else whole)
        description = "" if rows == [own] else own.description  # of a group with one label of its name, the label's
        groups.append(Group(own.id or whole, name, description, _labels(rows, nodes, level, separator)))
    # Ids are worked out on the paths, names are what people read.
    placed, rest = with_default_ids(groups, [Label(row.id, row.path[-1], row.description) for row in unplaced])
    named = [
        replace(group, labels=_named(group.labels, rows)) for group, rows in zip(placed, members.values(), strict=True)
    ]
    return Tree(tuple(named), _named(rest, unplaced)), lines


def _labels(rows: Sequence[Row], nodes: Container[Path], level: int, separator: str) -> tuple[Label, ...]:
    """Call labels by the path below their group; by the whole path where that below is the one of another node."""
    below = {row.path: row.path[level:] or row.path[-1:] for row in rows}
    alike = len({*below.values()}) < len(below)  # of the group's own label and another one
    ids = {path: path if alike or (len(end) > 1 and end in nodes) else end for path, end in below.items()}
    return tuple(Label(row.id, separator.join(ids[row.path]), row.description) for row in rows)


def _named(labels: Sequence[Label], rows: Sequence[Row]) -> tuple[Label, ...]:
    """Name labels by the last name of their path, where no other of the group has it."""
    ends = Counter(row.path[-1] for row in rows)
    names = (row.name or (row.path[-1] if ends[row.path[-1]] == 1 else "") for row in rows)
    return tuple(replace(label, name=name or label.name) for label, name in zip(labels, names, strict=True))


def _tell(nodes: Mapping[Path, list[Row]], tree: Tree, depth: int, shape: Shape, where: str) -> None:
    """Log what a person may not expect of the cut."""
    if depth > 2:
        logger.info(
            "%s: a tree of %d levels, cut at level %d: %s in %s", where, depth, shape.coarse_level,
            count(len(tree.all_labels), "label"), count(len(tree.groups), "group"),
        )  # fmt: skip
    inner = {path[:-1] for path in nodes}
    lone = [path[-1] for path in nodes if len(path) <= shape.coarse_level and path not in inner]
    if lone:
        shown = ", ".join(map(short_repr, lone[:NAMED])) + (" ..." if len(lone) > NAMED else "")
        logger.info(
            "%s: groups with nothing below them, %d of them, have one label of the same name each (%s)",
            where, len(lone), shown,
        )  # fmt: skip
    if depth > 2 and len(tree.groups) == 1:
        logger.warning(
            "%s: all labels stand below '%s': cut the tree at a deeper level (coarse_level=%d)",
            where, tree.groups[0].name, shape.coarse_level + 1,
        )  # fmt: skip
