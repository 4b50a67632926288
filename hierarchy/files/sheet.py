"""The cells of a table with their lines: of CSV and TSV here, of Excel in `hierarchy.files.excel`."""

import csv
import io
import re
from collections.abc import Iterator
from typing import NamedTuple

from hierarchy.errors import TaxonomyError

_QUOTED = re.compile('"[^"]*"')
EMPTY = "the file is empty; write a line with the columns, label and group, and a line a label"


class Sheet(NamedTuple):
    """A table as text.

    Parameters
    ----------
    columns
        The cells of its header.
    rows
        Of the others, the line and the cells, without blanks around them; lines without any text are left out.
    delimiter
        What stands between cells; empty where they are apart by themselves.
    """

    columns: list[str]
    rows: list[tuple[int, list[str]]]
    delimiter: str = ""


def read_delimited(text: str, where: str, delimiter: str) -> Sheet:
    r"""Read a CSV or TSV.

    Parameters
    ----------
    text
        What the file holds.
    where
        The file's name, for messages.
    delimiter
        "," or "\t". A header with more semicolons or tabs than commas, as some spreadsheets write it, is split there.

    Raises
    ------
    TaxonomyError
        The file is empty, or its quotes cannot be read.
    """
    if not text.strip():
        raise TaxonomyError(EMPTY, where)
    header = text.partition("\n")[0]
    if delimiter == ",":
        bare = _QUOTED.sub("", header)
        delimiter = max(",;\t", key=bare.count)  # the first of those that stand equally often
    (_, columns), *rows = ((line, [cell.strip() for cell in cells]) for line, cells in _rows(text, where, delimiter))
    return Sheet(columns, [row for row in rows if any(row[1])], delimiter)


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
