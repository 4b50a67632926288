"""A user's text in a place that would read more into it: one function for each language that is written."""

import csv
import io
import re
from collections.abc import Iterable
from typing import Any
from unicodedata import category

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # turn the text around that follows them
SHORT = 200  # characters of a value in a message
_HIDDEN = ("Cc", "Cs", "Zl", "Zp")  # controls, halves of a character, line and paragraph separators
_MARKDOWN = re.compile(
    r"[\\`*\[\]|]"
    r"|<(?=[A-Za-z/!?])|&(?=#?\w+;)"  # a tag, an entity
    r"|~(?=~)|(?<=~)~|\$(?=\$)|(?<=\$)\$"
    r"|(?<!\w)_|_(?!\w)|(?<!\S)#"
)
_BLOCK = re.compile(r"^(?:(?=[#>+=-])|\d+(?=[.)]))")  # what begins a heading, a quotation, a list or an underline
# A cell, or what another delimiter makes one of, that a spreadsheet computes. ("'" shows the rest as it stands.)
_CELL = r"(^|[;|\t\r\n])"
_FORMULA = r"""["']*[=+\-@\t\r\n＝＋－＠]"""
_COMPUTED = re.compile(f"{_CELL}(?={_FORMULA})")
_COMPUTED_IN_JSON = re.compile(r"""([;|]["']*)([=+\-@＝＋－＠])""")  # of characters that are escaped already, none
_GUARDED = re.compile(f"{_CELL}'(?={_FORMULA})")


def visible(text: str) -> str:
    r"""Write text for a terminal or a log, on one line: what would act there or not be seen is escaped.

    Parameters
    ----------
    text
        Anything. Control characters, line breaks, bidi overrides and halves of a character become ``\x1b``, ``\n``
        and the like.
    """
    if text.isprintable():
        return text
    return "".join(c.encode("unicode_escape").decode() if category(c) in _HIDDEN or c in BIDI else c for c in text)


def short_repr(value: object) -> str:
    """Return a value as Python writes it, in one line for a message; of a long one the beginning.

    Parameters
    ----------
    value
        Anything. Python does not write whole numbers of more than some thousand digits.
    """
    try:
        written = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    if "\n" in written:  # of tables and arrays
        written = " ".join(written.split())
    return written if len(written) <= SHORT else f"{written[:SHORT]}…"


def markdown(text: str) -> str:
    """Write text into a line of Markdown, or into a cell of a table: it reads there as it stands."""
    line = visible(re.sub(r"[\r\n]+", " ", text))
    return _MARKDOWN.sub(lambda found: f"\\{found.group()}", line)


def markdown_lines(text: str) -> list[str]:
    """Write text as paragraphs of Markdown; its own line breaks stay, and nothing in it makes a heading or a list."""
    return [_BLOCK.sub(r"\g<0>\\", markdown(line.strip())) for line in text.splitlines()]


def markdown_code(text: str) -> str:
    """Write text as a span of code."""
    line = visible(text)
    ticks = "`" * (_longest(line) + 1)
    blank = " " if "`" in line else ""
    return f"{ticks}{blank}{line}{blank}{ticks}"


def markdown_block(lines: list[str], language: str) -> list[str]:
    """Put lines of code into a block that nothing in them ends."""
    fence = "`" * max(3, _longest("\n".join(lines)) + 1)
    return [f"{fence}{language}", *lines, fence]


def _longest(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def spreadsheet_cell(text: str) -> str:
    """Write text into a table for a spreadsheet, which then computes nothing in it; see `from_spreadsheet_cell`."""
    return _COMPUTED.sub(r"\1'", text)


def from_spreadsheet_cell(cell: str) -> str:
    """Return the text that `spreadsheet_cell` wrote."""
    return _GUARDED.sub(r"\1", cell)


def csv_row(cells: Iterable[Any], delimiter: str = ",") -> str:
    """Write a line of a table; a lone return within a cell is quoted, which Python's writer forgets before 3.13."""
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="\r\n").writerow(cells)  # it quotes what may end its lines
    return f"{line.getvalue()[:-2]}\n"


def spreadsheet_json(text: str) -> str:
    """Write JSON into a table for a spreadsheet: it is the same JSON, and the spreadsheet computes nothing in it."""
    return _COMPUTED_IN_JSON.sub(lambda found: f"{found[1]}\\u{ord(found[2]):04x}", text)
