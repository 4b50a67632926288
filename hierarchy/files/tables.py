"""CSV and TSV: a table of labels and their groups, as it comes out of a spreadsheet."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from hierarchy.checks import Key, Problem, in_words
from hierarchy.errors import PROBLEMS_SHOWN, TaxonomyError
from hierarchy.files.mistaken import columns_seem_to_be
from hierarchy.files.reading import all_problems
from hierarchy.nodes import Group, Label, Tree, with_default_ids
from hierarchy.text.escaping import csv_row, from_spreadsheet_cell, spreadsheet_cell
from hierarchy.text.likeness import nearest_hint

COLUMNS = ("label", "group", "name", "description")


class Row(NamedTuple):
    """A label as a line of the table has it; its name is what the label column says where there is no other."""

    line: int
    name: str
    label: Label  # without an id, and with what the label column says for a name: the id is worked out on that


def read_table(text: str, where: str, delimiter: str) -> Tree:
    r"""Read a table with a header.

    Parameters
    ----------
    text
        What the file holds. Columns: label (the id; also the name where there is no name column), group, and if
        wanted name and description. An empty group, or no such column, leaves the label unplaced.
    where
        The file's name, for messages.
    delimiter
        "," or "\t". A header that is split at semicolons, as some spreadsheets write it, is read as well.

    Returns
    -------
    Tree
        Groups in the order in which they first appear.

    Raises
    ------
    TaxonomyError
        With all problems, each with its line.
    """
    if not text.strip():
        raise TaxonomyError(
            "the file is empty; write a line with the columns, label and group, and a line a label", where
        )
    header_line = text.partition("\n")[0]
    if delimiter == "," and ";" in header_line and "," not in header_line:
        delimiter = ";"
    problems: list[Problem] = []
    groups: dict[str, list[Row]] = {}
    rows = _rows(text, where, delimiter)
    columns = [column.strip().lower() for column in next(rows)[1]]
    _check_header(columns, where)
    # All columns in our order: the table is one of `table_text`. In any other each cell is the owner's, as it stands.
    as_written = from_spreadsheet_cell if tuple(columns) == COLUMNS else str
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        problem = _row_problem(columns, cells, delimiter)
        row = {"group": ""} | dict(zip(columns, (as_written(cell.strip()) for cell in cells), strict=False))
        if problem or not row["label"]:
            problems.append((line, problem or "the label is empty; write one or remove the row"))
            continue
        # A label that differs from its name is an id, but it still becomes group/label where several groups hold it.
        entry = Row(line, row.get("name") or row["label"], Label("", row["label"], row.get("description", "")))
        groups.setdefault(row["group"], []).append(entry)
    unplaced = groups.pop("", [])
    tree, lines = _tree(groups, unplaced)
    if found := all_problems(tree, problems, lines):
        raise TaxonomyError(found, where)
    return tree


def table_text(tree: Tree, delimiter: str) -> str:
    """Write label ids, group ids, names and descriptions as a table; what else a taxonomy holds has no column.

    A spreadsheet computes nothing in it; `read_table` undoes what that takes.
    """
    homes = tree.homes
    rows = ((label.id, homes[label.id] or "", label.name, label.description) for label in tree.all_labels)
    guarded = (map(spreadsheet_cell, row) for row in rows)
    return "".join(csv_row(row, delimiter) for row in (COLUMNS, *guarded))


def _rows(text: str, where: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise TaxonomyError(f"line {line}: this row cannot be read ({error}); check its quotes", where) from None
        yield line, cells


def _row_problem(columns: list[str], cells: list[str], delimiter: str) -> str:
    """Say that a row has too many or too few cells, or that a stray quote seems to have swallowed the next rows."""
    if len(cells) != len(columns):
        return f"{len(cells)} cells, but the header has {len(columns)}; quote cells that hold '{delimiter}'"
    for column, cell in zip(columns, cells, strict=True):
        # A description may have lines and commas, but hardly tabs.
        if "\n" in cell and delimiter in cell and (column != "description" or delimiter == "\t"):
            return (
                f"the {column} {cell[:60]!r} holds several rows, from a quote at its beginning to a quote at its end; "
                'put a name with a quote in quotes, with its own written twice ("")'
            )
    return ""


def _check_header(columns: list[str], where: str) -> None:
    problems: list[Problem] = []
    shown = ", ".join(repr(column) for column in columns) or "nothing"
    counts = Counter(columns)
    for column in counts:
        if column not in COLUMNS:
            near = nearest_hint(column, COLUMNS) if len(problems) < PROBLEMS_SHOWN else ""
            hint = near or f"; known are {', '.join(COLUMNS)}"
            problems.append((1, f"unknown column '{column}'{hint}"))
        elif counts[column] > 1:
            problems.append((1, f"column '{column}' stands twice; remove one"))
    if "label" not in columns:
        problems.append((1, f"column 'label' is missing; the header must have it, found {shown}"))
    if problems:
        raise TaxonomyError(in_words(problems), where, columns_seem_to_be(columns))


def _tree(groups: dict[str, list[Row]], unplaced: list[Row]) -> tuple[Tree, dict[Key, int]]:
    lines: dict[Key, int] = {("unplaced", j): row.line for j, row in enumerate(unplaced)}
    for i, rows in enumerate(groups.values()):
        lines["group", i] = rows[0].line
        lines |= {("label", i, j): row.line for j, row in enumerate(rows)}
    bare = [Group("", name, labels=tuple(row.label for row in rows)) for name, rows in groups.items()]
    placed, rest = with_default_ids(bare, [row.label for row in unplaced])
    names = (row.name for rows in (*groups.values(), unplaced) for row in rows)

    def renamed(labels: tuple[Label, ...]) -> tuple[Label, ...]:
        return tuple(replace(label, name=next(names)) for label in labels)

    return Tree(tuple(replace(group, labels=renamed(group.labels)) for group in placed), renamed(rest)), lines
