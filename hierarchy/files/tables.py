"""Tables of labels → a tree: labels with their groups, a column a level, paths, ids with the ids above them.

And the way back, as it goes into a spreadsheet.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from hierarchy.checks import Problem
from hierarchy.files.columns import COLUMNS, TreeColumns, columns_of
from hierarchy.files.lines import empty_name, separator_of
from hierarchy.files.parents import TOP, Child, rows_of_parents
from hierarchy.files.rows import Path, Row, tree_of_rows
from hierarchy.files.shape import Shape
from hierarchy.files.sheet import Sheet
from hierarchy.nodes import Group, Tree
from hierarchy.text.escaping import from_spreadsheet_cell, spreadsheet_cell
from hierarchy.text.separators import BETWEEN, path_of
from hierarchy.text.wording import count

logger = logging.getLogger(f"coarsefine.{__name__}")

NAMES = ("label", "group", "id", "parent", "name")  # roles of columns whose cells have one line
Cells: TypeAlias = tuple[int, list[str]]  # with their line


def read_table(sheet: Sheet, where: str, shape: Shape) -> Tree:
    """Read a table with a header.

    Parameters
    ----------
    sheet
        Its cells. One of the columns of `COLUMNS` in our order is one of `table_rows`, whose guards are taken away; in
        any other each cell is the owner's, as it stands.
    where
        The file's name, for messages.
    shape
        Names columns; others are known by their header.

    Returns
    -------
    Tree
        Groups in the order in which they first appear. A label without a group, or of a table without groups, stands
        in none yet.

    Raises
    ------
    TaxonomyError
        With all problems, each with its line.
    """
    columns = columns_of(sheet.columns, shape, where)
    has_paths = "parent" not in columns.places and not columns.levels
    idle = {"sheet": bool(sheet.delimiter), "separator": not has_paths}
    shape.check_used(where, "such a table", *(field for field in vars(shape) if not idle.get(field)))
    is_ours = tuple(map(str.lower, sheet.columns)) in (COLUMNS[:4], COLUMNS)
    problems: list[Problem] = []
    lines: list[Cells] = []
    for line, cells in sheet.rows:
        if problem := _row_problem(sheet, columns, cells):
            problems.append((line, problem))
        else:
            lines.append((line, [from_spreadsheet_cell(cell) for cell in cells] if is_ours else cells))
    separator = BETWEEN
    if has_paths:
        # Beside a group a label is a name, whatever it holds, unless a person says what parts it.
        cut = "group" not in columns.places or shape.separator is not None
        found = separator_of([columns.cell("label", cells) for _, cells in lines], where, shape) if cut else None
        rows, separator = _rows_of_labels(lines, columns, problems, found), found or BETWEEN
    elif columns.levels:
        rows = _rows_of_levels(lines, columns, problems, where)
    else:
        rows, wrong = rows_of_parents(list(_children(lines, columns, problems)))
        problems += wrong
    return tree_of_rows(rows, shape, where, separator=separator, problems=problems)


def table_rows(tree: Tree) -> list[tuple[str, ...]]:
    """Return a tree as the rows of a table, its header first; what else a taxonomy holds has no column.

    A spreadsheet computes nothing in it; `read_table` undoes what that takes.
    """
    groups = [(group, group.labels) for group in tree.groups]
    # Only groups that are more than their id need columns of their own.
    width = 6 if any(group.name != group.id or group.description for group, _ in groups) else 4
    rows = [
        (label.id, group.id, label.name, label.description, group.name, group.description)
        for group, labels in [*groups, (Group("", ""), tree.unplaced)]
        for label in labels
    ]
    return [COLUMNS[:width], *(tuple(map(spreadsheet_cell, row[:width])) for row in rows)]


def _row_problem(sheet: Sheet, columns: TreeColumns, cells: Sequence[str]) -> str:
    """Say that a row has too many or too few cells, or that a stray quote seems to have swallowed the next rows."""
    if len(cells) > len(sheet.columns) or (len(cells) < len(sheet.columns) and not columns.levels):
        is_cut = len(cells) > len(sheet.columns) and sheet.delimiter
        quotes = f"; quote cells that hold '{sheet.delimiter}'" if is_cut else ""
        return f"{count(len(cells), 'cell')}, but the header has {len(sheet.columns)}{quotes}"
    names = {at for role in NAMES for at in columns.places.get(role, ())}
    for at, cell in enumerate(cells):
        # A description may have lines and commas, but hardly tabs.
        if "\n" in cell and sheet.delimiter and sheet.delimiter in cell and (at in names or sheet.delimiter == "\t"):
            return (
                f"the {sheet.columns[at]} {cell[:60]!r} holds several rows, from a quote at its beginning to a quote "
                'at its end; put a name with a quote in quotes, with its own written twice ("")'
            )
    return ""


def _rows_of_labels(
    lines: Sequence[Cells], columns: TreeColumns, problems: list[Problem], separator: str | None
) -> list[Row]:
    rows: list[Row] = []
    groups: dict[Path, Row] = {}
    role = "label" if "label" in columns.places else "id"
    for line, cells in lines:
        label, group = columns.cell(role, cells), columns.cell("group", cells)
        path = path_of(label, separator) if separator else (label,)
        if not label or (problem := empty_name(path, label, separator)):
            problems.append((line, problem if label else "the label is empty; write one or remove the row"))
            continue
        if "group" in columns.places:
            above = path_of(group, separator) if separator else (group,)
            name, description = columns.cell("group name", cells), columns.cell("group description", cells)
            if group and (name or description):
                groups.setdefault(above, Row(line, above, name=name, description=description))
            path = (*above, *path)
        rows.append(_row(line, path, columns, cells))
    return [*rows, *groups.values()]


def _rows_of_levels(lines: Sequence[Cells], columns: TreeColumns, problems: list[Problem], where: str) -> list[Row]:
    """Read a path from each row; what is empty at its beginning, as of merged cells, is as in the row above."""
    rows: list[Row] = []
    above: Path = ()
    filled: list[int] = []
    for line, cells in lines:
        levels, label = columns.cells("group", cells), columns.cell("label", cells)
        while levels and not levels[-1]:
            levels.pop()
        blank = next((at for at, name in enumerate(levels) if name), len(above))
        path = (*above[:blank], *levels[blank:])
        if not levels and not label:
            problems.append((line, "no level is filled; write one or remove the row"))
        elif blank > len(above) or not path or not all(path):
            empty = "an empty level stands above one that is not, and the row above does not say it; write it"
            problems.append((line, empty))
        else:
            filled += [line] * (blank > 0)
            above = path
            rows.append(_row(line, (*path, label) if label else path, columns, cells))
    if filled:
        logger.info("%s: %d rows begin with empty levels, which are taken from the row above (first on line %d)",
                    where, len(filled), filled[0])  # fmt: skip
    return rows


def _row(line: int, path: Path, columns: TreeColumns, cells: Sequence[str]) -> Row:
    return Row(line, path, *(columns.cell(role, cells) for role in ("id", "name", "description")))


def _children(lines: Sequence[Cells], columns: TreeColumns, problems: list[Problem]) -> Iterator[Child]:
    """Read ids and parents; where the ids are the names, a parent without a row of its own is a top node."""
    role = "id" if "id" in columns.places else "label"
    has_names = role == "id" and "label" in columns.places
    ids = {columns.cell(role, cells) for _, cells in lines}
    for line, cells in lines:
        own, parent = columns.cell(role, cells), columns.cell("parent", cells)
        name = columns.cell("label", cells) if has_names else own
        if not own or not name:
            problems.append((line, f"the {'name' if own else 'id'} is empty; write one or remove the row"))
            continue
        if not has_names and parent not in ids and parent.lower() not in TOP:
            ids.add(parent)
            yield Child(line, parent, "", parent)
        yield Child(line, own, parent, name, columns.cell("description", cells))
