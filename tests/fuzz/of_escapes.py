"""A stranger's text in Markdown, in a spreadsheet and on a terminal: it reads as it stands, and does nothing."""

import csv
import io
import re
from pathlib import Path
from random import Random
from typing import Any
from unicodedata import category

from fuzz.cases import ACCEPTED, Target, Wrong
from fuzz.mutation import HALVES, text
from hierarchy.text import escaping

RUN = tuple("=+-@\t\r\n＝＋－＠")  # what a cell that is computed begins with


def parser() -> Any:
    """Return a parser of Markdown as the hub reads it."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _make(rng: Random) -> str:
    return text(rng) + rng.choice(["", "", "", rng.choice(HALVES), text(rng)])


def _check(word: str, folder: Path) -> str:
    _check_terminal(word)
    _check_markdown(word)
    _check_code(word or "x")
    _check_cell(word)
    return ACCEPTED


def _check_terminal(word: str) -> None:
    shown = escaping.visible(word)
    if any(category(c) in ("Cc", "Cs", "Zl", "Zp") or c in escaping.BIDI for c in shown):
        raise Wrong("a terminal would obey a text", shown)


def _check_markdown(word: str) -> None:
    """In a line, in a cell of a table, and as paragraphs."""
    told = escaping.visible(re.sub(r"[\r\n]+", " ", word))
    line = escaping.markdown(word)
    expected = f"x {told} x"
    if (found := _read(f"x {line} x")) != [expected]:
        raise Wrong("a text in Markdown reads otherwise", (found, expected))
    cells = _read(f"|a|b|c|\n|-|-|-|\n|1|x {line} x|2|")
    if cells != ["a", "b", "c", "1", expected, "2"]:
        raise Wrong("a text in a table of Markdown reads otherwise", (cells, expected))
    kinds = {token.type for token in parser().parse("\n".join(escaping.markdown_lines(word)))}
    if not kinds <= {"paragraph_open", "inline", "paragraph_close"}:
        raise Wrong("lines in Markdown are more than paragraphs", kinds)


def _read(source: str) -> list[str]:
    return ["".join(_content(child) for child in token.children) for token in parser().parse(source) if token.children]


def _content(child: Any) -> str:
    return child.content if child.type == "text" else f"<{child.type}>"


def _check_code(word: str) -> None:
    (inline,) = [token for token in parser().parse(f"x {escaping.markdown_code(word)} x") if token.children]
    if [child.type for child in inline.children] != ["text", "code_inline", "text"]:
        raise Wrong("a span of code ends early", inline.children)
    lines = word.splitlines()
    blocks = parser().parse("\n".join(escaping.markdown_block(lines, "python")))
    if [token.type for token in blocks] != ["fence"]:
        raise Wrong("a block of code ends early", [token.type for token in blocks])


def _check_cell(word: str) -> None:
    cell = escaping.spreadsheet_cell(word)
    if escaping.from_spreadsheet_cell(cell) != word:
        raise Wrong("a cell does not read back", (word, cell))
    check_no_formula(_row(cell))


def _row(cell: str) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerow(["x", cell, "x"])
    return stream.getvalue()


def check_no_formula(content: str) -> None:
    """Refuse a CSV of which a spreadsheet computes something, whatever it takes for the delimiter."""
    limit = csv.field_size_limit(2**31 - 1)
    for delimiter in ",;\t|":
        for row in csv.reader(io.StringIO(content, newline=""), delimiter=delimiter):
            for cell in row:
                if cell.lstrip("\"'").startswith(RUN) and not cell.startswith("'"):
                    raise Wrong("a spreadsheet would compute a cell", (delimiter, cell[:80]))
    csv.field_size_limit(limit)


ESCAPES = [Target("escapes", _make, _check, share=1, in_suite=400)]
