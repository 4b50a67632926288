"""Records of CSV and TSV files, with a look at what stands in quotes: a stray quote swallows the rows behind it."""

import csv
from collections.abc import Iterator
from itertools import chain

from hierarchy.errors import DataError
from hierarchy.files.text_format import TextFormat
from hierarchy.text.wording import count

DELIMITER_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab"}
IN_QUOTES = 'must stand in double quotes, with each quote inside it written twice ("")'
UNQUOTED = "where quotes are characters like all others, set data.quoting=none (in Python quoting='none')"
LONE_RETURN = (
    "a carriage return stands in it outside of quotes, with no line feed behind it: save the file with the line ends "
    "of today, and put a cell that holds one into double quotes"
)
EXCERPT = 60  # characters
MAX_FIELD = 2**28  # characters; the csv module's own limit of 131,072 is less than a long document
Row = tuple[int, list[str]]  # the line on which it begins, and its cells


def read_rows(lines: Iterator[str], default: str, text_format: TextFormat, notes: list[str]) -> Iterator[Row]:
    """Yield header and rows; blank lines are left out, and every row has as many cells as the header.

    Parameters
    ----------
    lines
        With their line ends.
    default
        The delimiter that the suffix stands for.
    text_format
        Quoting, and the delimiter where it is another.
    notes
        Is told of rows that quotes seem to have swallowed.

    Raises
    ------
    DataError
        For the first row that cannot be read.
    """
    first = next(lines, "")
    if not first:  # not one byte
        return
    lines = chain([first], lines)
    delimiter = text_format.delimiter or default
    if text_format.delimiter is None and delimiter == "," and ";" in first and "," not in first:
        delimiter = ";"  # as spreadsheets write it in half of Europe
    name = DELIMITER_NAMES.get(delimiter, repr(delimiter))
    if text_format.quoting == "none":
        yield from _checked(_plain_rows(lines, delimiter), f"without quoting no field can hold {name}")
        return
    swallowed = Swallowed(delimiter) if text_format.quoting == "auto" else None
    remedy = f"a field with {name}, a line break or a quote inside {IN_QUOTES}; {UNQUOTED}"
    yield from _checked(_quoted_rows(lines, delimiter, swallowed), remedy)
    notes += [] if swallowed is None else swallowed.notes()


class Swallowed:
    """Watches the lines of a table for rows between two quotes that belong to different cells.

    A cell of several lines holds rows where each line that it stands in has as many delimiters as the header. In a
    table with tabs that is an error at once. Text may have one comma a line: with other delimiters it is worth a note,
    and of two lines ("Dear Sir," and one more) only where the whole file could be read without quotes just as well.

    Parameters
    ----------
    delimiter
        Between cells.
    """

    def __init__(self, delimiter: str) -> None:
        self.delimiter = delimiter
        self.width = -1  # delimiters of the header
        self.rows: list[tuple[int, int]] = []  # first and last line of each cell that seems to hold rows
        self.even = True  # whether all lines so far have as many delimiters as the header

    def look(self, lines: list[str], start: int, cells: list[str]) -> None:
        """Look at the lines of one record, the first of which is number `start`; the first record is the header."""
        counts = [line.count(self.delimiter) for line in lines if line.strip("\r\n")]
        self.width = len(cells) - 1 if self.width < 0 else self.width
        whole = all(count == self.width for count in counts)
        self.even = self.even and whole
        if not whole or len(counts) < 2 or self.width < 1:
            return
        self.rows.append((start, start + len(lines) - 1))
        if self.delimiter == "\t":
            raise DataError(f"{self._message(*self.rows[-1])}. It begins {lines[0][:EXCERPT]!r}")

    def notes(self) -> list[str]:
        """Return what to tell at the end of the file."""
        rows = [(first, last) for first, last in self.rows if self.even or last > first + 1]
        more = f". So it is in {len(rows) - 1} more" if rows[1:] else ""
        return [f"{self._message(*rows[0])}{more}"] if rows else []

    def _message(self, first: int, last: int) -> str:
        return (
            f"lines {first} to {last} are one row, from a quote in the first to a quote in the last of them, but each "
            f"alone has the {self.width + 1} fields of the header: {UNQUOTED}; where they are one row indeed, "
            "data.quoting=double"
        )


def _plain_rows(lines: Iterator[str], delimiter: str) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        bare = line.removesuffix("\n").removesuffix("\r")
        yield number, bare.split(delimiter) if bare else []


def _quoted_rows(lines: Iterator[str], delimiter: str, swallowed: Swallowed | None) -> Iterator[Row]:
    limit = csv.field_size_limit(MAX_FIELD)
    record: list[str] = []  # the lines of the record that is read

    def recorded() -> Iterator[str]:
        for line in lines:
            record.append(line)
            yield line

    reader = csv.reader(recorded(), delimiter=delimiter, strict=True)
    start = 1
    try:
        while True:
            start = reader.line_num + 1  # where the record begins: a quoted field may span lines
            record.clear()
            cells = next(reader, None)
            if cells is None:
                return
            if swallowed is not None:
                swallowed.look(record, start, cells)
            yield start, cells
    except csv.Error as error:
        if "new-line character" in str(error):
            raise DataError(f"line {start}: {LONE_RETURN}") from None
        what = str(error).replace("\t", "\\t")
        remedy = f"a field that begins with a quote {IN_QUOTES}; {UNQUOTED}"
        raise DataError(f"line {start}: {what}; {remedy}") from None
    finally:
        csv.field_size_limit(limit)


def _checked(rows: Iterator[Row], remedy: str) -> Iterator[Row]:
    width = 0
    for line, cells in rows:
        if not width and not cells:
            raise DataError("the first line must name the columns, but it is empty")
        width = width or len(cells)
        if not cells:  # a blank line
            continue
        if len(cells) != width:
            raise DataError(f"line {line}: {count(len(cells), 'field')}, but the header names {width}; {remedy}")
        yield line, cells
