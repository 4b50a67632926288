"""A path or a name a line → a tree: lists of `A > B > C`, of `A##B`, and Google's product taxonomy."""

import io
import logging
import re
from collections.abc import Sequence

from hierarchy.errors import TaxonomyError
from hierarchy.files.rows import Row, tree_of_rows
from hierarchy.files.shape import WHOLE, Shape
from hierarchy.nodes import Tree
from hierarchy.text.separators import BETWEEN, common_separators, guessed_separator, path_of

logger = logging.getLogger(f"coarsefine.{__name__}")

GOOGLE = "# Google_Product_Taxonomy_Version"  # how its text begins
_INDENT = " \t\u3000"
_WITH_ID = re.compile(r"(\d+) - (.+)")  # as Google writes a line in the version with ids

Line = tuple[int, str]
"""Its number from 1, and its text."""


def read_lines(text: str, where: str, shape: Shape) -> Tree:
    """Read a text with a path or a name a line.

    Parameters
    ----------
    text
        What the file holds. Blank lines are none.
    where
        The file's name, for messages.
    shape
        Names the separator, or leaves it to be guessed.

    Returns
    -------
    Tree
        As `tree_of_rows` makes it; names alone are labels that stand in no group yet.

    Raises
    ------
    TaxonomyError
        With all problems, each with its line.
    """
    shape.check_used(where, "a text", "separator", "coarse_level", "inner_nodes")
    numbered = list(enumerate(io.StringIO(text, newline=None), 1))  # lines end as in an editor
    lines = [(number, line.strip()) for number, line in numbered if line.strip()]
    if inside := [number for number, line in numbered if line.strip() and line[0] in _INDENT]:
        logger.warning("%s: lines are indented, which says nothing here (first: line %d); if it is a tree, write a "
                       "path a line, such as Kitchen > Kettles", where, inside[0])  # fmt: skip
    is_google = bool(lines) and lines[0][1].startswith(GOOGLE)
    if tabs := [number for number, line in lines if "\t" in line]:
        raise TaxonomyError(f"line {tabs[0]}: a tab stands in a path; let the name of a table end in .tsv", where)
    return tree_of_lines(lines[1:] if is_google else lines, where, shape, BETWEEN if is_google else None)


def tree_of_lines(lines: Sequence[Line], where: str, shape: Shape, separator: str | None = None) -> Tree:
    """Make a tree of paths or names, with ids where each begins with one (`12 - A > B`); see `read_lines`."""
    if not lines:
        raise TaxonomyError("the file is empty; write a path a line, such as Kitchen > Kettles", where)
    ids = [_WITH_ID.fullmatch(line) for _, line in lines]
    rows = [(number, match[2], match[1]) for (number, _), match in zip(lines, ids, strict=True) if match]
    if len(rows) < len(lines):  # of names that begin so, some
        rows = [(number, line, "") for number, line in lines]
    separator = separator_of([line for _, line, _ in rows], where, shape, separator)
    found: dict[tuple[str, ...], Row] = {}
    problems, repeated = [], []
    for number, line, own in rows:
        path = path_of(line, separator) if separator else (line,)
        if problem := empty_name(path, line, separator):
            problems.append((number, problem))
        elif (own, *path) in found:  # the Chinese version of Google's has such
            repeated.append(number)
        else:
            found[own, *path] = Row(number, path, own)
    if repeated:
        logger.warning("%s: %d lines say again what another says, and count once (first: line %d)",
                       where, len(repeated), repeated[0])  # fmt: skip
    return tree_of_rows(found.values(), shape, where, separator=separator or BETWEEN, problems=problems)


def separator_of(paths: Sequence[str], where: str, shape: Shape, known: str | None = None) -> str | None:
    """Return what parts the names of paths: as it is named, as it is known, or as it is guessed; None for nothing."""
    if shape.separator == WHOLE:
        return None
    found = shape.separator or known or guessed_separator(paths)
    if found is None:
        tell_uncut(paths, where)
    return found


def tell_uncut(names: Sequence[str], where: str) -> None:
    """Log that names which may be paths are not cut: too few of them begin alike."""
    if likely := next(common_separators(names), None):
        logger.warning("%s: most names hold %r and are not cut there, since few of them begin alike; if they are "
                       "paths, say so (separator=%r)", where, likely, likely)  # fmt: skip


def empty_name(path: Sequence[str], written: str, separator: str | None) -> str:
    """Say that a path has an empty name, as before a separator at its end; else an empty text."""
    mark = (separator or "").strip()
    if all(name and not (mark and (name.startswith(mark) or name.endswith(mark))) for name in path):
        return ""
    return f"the path '{written}' has an empty name; write it or remove a separator"
