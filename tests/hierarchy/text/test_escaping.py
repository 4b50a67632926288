"""A user's text in terminals, Markdown and spreadsheets: shown as it stands, read back as it was."""

import csv
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hierarchy.errors import DataError
from hierarchy.text.escaping import (
    csv_row,
    from_spreadsheet_cell,
    markdown,
    markdown_block,
    markdown_code,
    markdown_lines,
    spreadsheet_cell,
    spreadsheet_json,
    visible,
)

FORMULA = re.compile(r"""["']?[=+\-@\t\r＝＋－＠]""")


@pytest.mark.parametrize(
    "text", ["Kitchen & garden", "家电 100 %", "a\u200db", "👍🏽", "(a|b) [x] <y> \\n", "é\u0301", "عربي"]
)
def test_what_a_terminal_shows_by_itself_stays(text):
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mred", r"a\x1b[31mred"), ("a\x1b]0;title\x07", r"a\x1b]0;title\x07"), ("a\nb\r\n\tc", r"a\nb\r\n\tc"),
        ("a\u202eb\u2066c", r"a\u202eb\u2066c"), ("a\x9b31m\x7f", r"a\x9b31m\x7f"), ("a\u2028b\x85", r"a\u2028b\x85"),
        ("half \ud83d", r"half \ud83d"),
    ],
)  # fmt: skip
def test_what_would_act_on_a_terminal_is_escaped(text, shown):
    assert visible(text) == shown


def test_problems_of_an_error_are_a_line_each():
    error = DataError(["label 'a\nb'", "label '\x1b[2J'"], where="x\n.csv")
    assert str(error).splitlines() == [r"x\n.csv: 2 problems", r"  - label 'a\nb'", r"  - label '\x1b[2J'"]
    assert str(DataError("label 'a\nb'")) == r"label 'a\nb'"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a|b", r"a\|b"), ("`a`", r"\`a\`"), ("**a**", r"\*\*a\*\*"), ("[x](javascript:y)", r"\[x\](javascript:y)"),
        ("<script>", r"\<script>"), ("</td>", r"\</td>"), ("<!-- x", r"\<!-- x"), ("a < 3 > b", "a < 3 > b"),
        ("R&D &lt; AT&T", r"R&D \&lt; AT&T"), ("snake_case _x_", r"snake_case \_x\_"), ("C# and # x", r"C# and \# x"),
        ("a\nb\r\nc", "a b c"), ("a\\b", r"a\\b"), ("~5 ~~x~~", r"~5 \~\~x\~\~"), ("+1.2 (95%)", "+1.2 (95%)"),
        ("$5 $$x$$", r"$5 \$\$x\$\$"), ("a\x1bb", r"a\\x1bb"),
    ],
)  # fmt: skip
def test_markdown_shows_text_as_it_stands(text, written):
    assert markdown(text) == written


def test_paragraphs_of_text_make_no_headings_lists_or_blocks_of_code():
    lines = markdown_lines("# a\n\n    code\n- b\n+ c\n1. d\n2) e\n> f\n===\n---\n```\ng 1. h")
    assert lines == [r"\# a", "", "code", r"\- b", r"\+ c", r"1\. d", r"2\) e", r"\> f", r"\===", r"\---",
                     r"\`\`\`", "g 1. h"]  # fmt: skip


def test_code_is_not_ended_by_what_stands_in_it():
    assert markdown_code("a") == "`a`"
    assert markdown_code("a``b") == "``` a``b ```"
    assert markdown_block(["x", "```", "y"], "bash") == ["````bash", "x", "```", "y", "````"]


@given(st.text(alphabet="=+-@;|\t\r\n'\"ab ＝,", max_size=8))
def test_a_spreadsheet_computes_nothing_and_the_text_comes_back(text):
    cell = spreadsheet_cell(text)
    assert from_spreadsheet_cell(cell) == text
    # Whatever delimiter the program takes, no cell begins with a formula.
    assert not any(FORMULA.match(part) and part[0] != "'" for part in re.split(r"[;|\n]", cell))


@given(st.lists(st.text(alphabet="=+-@;|\t\r\n'\"\\ab ＝,", max_size=8), max_size=3))
def test_json_for_a_spreadsheet_is_the_same_json(texts):
    cell = spreadsheet_json(json.dumps([{"label": text, "probability": -0.5} for text in texts], ensure_ascii=False))
    assert [entry["label"] for entry in json.loads(cell)] == texts
    assert not any(FORMULA.match(part) for part in re.split(r"[;|\n]", cell))


def test_other_cells_stay():
    for text in ("", "plain", "a-b = c", "'tis", "1,5 - 2", "x; y", "2024-01-01"):
        assert spreadsheet_cell(text) == text


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_whatever_may_end_a_line_is_quoted_in_a_table(delimiter):
    rows = [["a\rb", "\n", "\r"], ["", '"', f"x{delimiter}y"], ["plain", 1.5, None], ["\r\n", "\r", ""]]
    text = "".join(csv_row(row, delimiter) for row in rows)
    read = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    assert read == [["" if cell is None else str(cell) for cell in row] for row in rows]
    assert csv_row(["a", "b"], delimiter) == f"a{delimiter}b\n"
