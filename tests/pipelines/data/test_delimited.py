"""CSV and TSV as people write them: quotes that swallow rows are named, and quoting, delimiter and encoding are set."""

import csv
import logging
import re

import pytest

from hierarchy.errors import DataError
from pipelines.data.reading import read_documents

RAW = 'text\tlabel\n" alone at the start\tA\nmiddle one\tB\nlast "\tC\nplain\tD\n'
RAW_ROWS = [('" alone at the start', "A"), ("middle one", "B"), ('last "', "C"), ("plain", "D")]


def rows(path, content, **options):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    documents = read_documents(path, **options)
    return list(zip(documents["text"], documents["label"], strict=True))


SWALLOWED = {
    "the whole case": (RAW, "lines 2 to 4"),
    "two lines": ('text\tlabel\na\tA\n"b\tB\nc"\tC\n', "lines 3 to 4"),
    "a blank line between": ('text\tlabel\n"b\tB\n\nc"\tC\n', "lines 2 to 4"),
    "the last column": ('label\ttext\nA\t"b\nB\tc\nC\td"\nD\te\n', "lines 2 to 4"),
    "a column in the middle": ('id\ttext\tlabel\n1\t"b\tA\n2\tc\tB\n3\td"\tC\n', "lines 2 to 4"),
    "to the last line": ('text\tlabel\n"b\tB\nc"\tC', "lines 2 to 3"),
    "after a true text of lines": ('text\tlabel\n"b\nb"\tB\n"c\tC\nd"\tD\n', "lines 4 to 5"),
    "line ends of Windows": (RAW.replace("\n", "\r\n"), "lines 2 to 4"),
}


@pytest.mark.parametrize("name", SWALLOWED)
def test_rows_that_quotes_swallow_in_a_tsv_are_refused(name, tmp_path):
    content, place = SWALLOWED[name]
    with pytest.raises(
        DataError, match=rf"{place} are one row.* set data.quoting=none .*, data.quoting=double.*It begins "
    ):
        rows(tmp_path / "d.tsv", content)
    assert any("\n" in cell for row in rows(tmp_path / "d.tsv", content, quoting="double") for cell in row)


def test_without_quoting_each_line_is_a_row(tmp_path):
    assert rows(tmp_path / "d.tsv", RAW, quoting="none") == RAW_ROWS
    content = 'text\tlabel\r\n"Great" they said\tA\r\n\r\n""\t"B"\r\na\rb \u2028 c\tC\r\n'
    expected = [('"Great" they said', "A"), ('""', '"B"'), ("a\rb \u2028 c", "C")]
    assert rows(tmp_path / "e.tsv", content, quoting="none") == expected
    with pytest.raises(DataError, match=r"line 3: 3 fields, but the header names 2; without quoting no field can"):
        rows(tmp_path / "f.tsv", "text\tlabel\na\tA\nb\tB\tc\n", quoting="none")


@pytest.mark.parametrize(
    "content", ['text\tlabel\n"Great" they said\tA\n', 'text\tlabel\n"open\tA\nb\tB\n', 'text\tlabel\n"b\nc"\td\tC\n']
)
def test_other_errors_of_quotes_name_the_remedy(content, tmp_path):
    with pytest.raises(DataError, match=r"^.*d\.tsv: line 2: .* set data.quoting=none"):
        rows(tmp_path / "d.tsv", content)


LETTERS = ["Dear Sir,\nplease help", "one, two\nthree", "a\n\n\nb", 'say "no"\nand go', "x\ty\nz", "plain"]


@pytest.mark.parametrize("name", ["d.csv", "d.tsv"])
def test_letters_of_several_lines_are_read_as_they_are(name, tmp_path, caplog):
    records = [(text, f"l{place}") for place, text in enumerate([*LETTERS[:4], LETTERS[5]])]
    with (tmp_path / name).open("w", newline="") as file:
        writer = csv.writer(file, delimiter="," if name == "d.csv" else "\t")
        writer.writerows([("text", "label"), *records])
    with caplog.at_level(logging.WARNING):
        documents = read_documents(tmp_path / name)
    assert list(zip(documents["text"], documents["label"], strict=True)) == records
    assert not caplog.records


def test_a_csv_that_could_be_read_without_quotes_is_read_and_reported(tmp_path, caplog):
    content = RAW.replace("\t", ",")
    for _ in range(2):  # the second time from the table
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert len(rows(tmp_path / "d.csv", content, cache_dir=tmp_path / "cache")) == 2
        assert re.search(r"lines 2 to 4 are one row.* set data.quoting=none", caplog.text)
        assert len(caplog.records) == 1
    caplog.clear()
    assert rows(tmp_path / "d.csv", content, quoting="none") == RAW_ROWS
    assert len(rows(tmp_path / "d.csv", content, quoting="double")) == 2
    # With a line elsewhere that is no row by itself, two lines are no evidence, and three are.
    assert len(rows(tmp_path / "e.csv", 'text,label\n"a, b",E\n"Dear Sir,\nplease help",A\n')) == 2
    assert not caplog.records
    assert len(rows(tmp_path / "g.csv", content + '"a, b",E\n')) == 3
    assert "lines 2 to 4 are one row" in caplog.text
    caplog.clear()
    many = "text,label\n" + 'a "b,A\n'.replace("a ", "") + 'c",B\n' + '"d,A\ne",B\n'
    assert len(rows(tmp_path / "f.csv", many)) == 2
    assert "lines 2 to 3 are one row" in caplog.text
    assert "So it is in 1 more" in caplog.text


def test_one_column_has_no_rows_to_swallow(tmp_path):
    (tmp_path / "d.tsv").write_text('text\n"a\nb"\nc\n')
    assert list(read_documents(tmp_path / "d.tsv", label=None)["text"]) == ["a\nb", "c"]
    assert list(read_documents(tmp_path / "d.tsv", label=None, quoting="none")["text"]) == ['"a', 'b"', "c"]


@pytest.mark.parametrize(
    ("delimiter", "mark"), [("|", "|"), ("tab", "\t"), ("\\t", "\t"), ("\t", "\t"), (";", ";"), ("、", "、")]
)
def test_the_delimiter_can_be_set(delimiter, mark, tmp_path):
    content = f"text{mark}label\na, b{mark}A\n"
    for name in ("d.csv", "d.tsv"):
        assert rows(tmp_path / name, content, delimiter=delimiter) == [("a, b", "A")]
        assert rows(tmp_path / name, content, delimiter=delimiter, quoting="none") == [("a, b", "A")]
    if mark != ";":
        with pytest.raises(DataError, match=r"with delimiter=\.\.\."):
            rows(tmp_path / "e.csv", content.replace(",", ""))


@pytest.mark.parametrize("encoding", ["gb18030", "big5", "utf-16", "utf-16-le", "utf-8-sig", "shift_jis", "iso2022_jp"])
@pytest.mark.parametrize("name", ["d.csv", "d.jsonl"])
def test_the_encoding_can_be_set(name, encoding, tmp_path):
    text = "日本中文"
    content = f"text,label\n{text},甲\n" if name == "d.csv" else f'{{"text": "{text}", "label": "甲"}}\n'
    assert rows(tmp_path / name, content.encode(encoding), encoding=encoding) == [(text, "甲")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quoting": "no"}, "quoting='no': use one of auto, double, none"),
        ({"delimiter": ""}, "the delimiter '' must be one character"),
        ({"delimiter": "||"}, "must be one character"),
        ({"delimiter": '"'}, "must be one character, no quote"),
        ({"encoding": "utf-9"}, "'utf-9' is no encoding that Python knows: use utf-8"),
        ({"encoding": "rot13"}, "is no encoding"),
        ({"encoding": "base64"}, "is no encoding"),
        ({"encoding": ""}, "is no encoding"),
    ],
)
def test_wrong_options_are_refused_before_the_file_is_looked_for(options, message, tmp_path):
    with pytest.raises(DataError, match=re.escape(message)):
        read_documents(tmp_path / "missing.csv", **options)


BROKEN = {
    "utf16.csv": ("text,label\na,b\n".encode("utf-16"), "utf-8", "is UTF-16; .* encoding='utf-16'"),
    "le.csv": ("text,label\na,b\n".encode("utf-16-le"), "utf-8", "seems to be UTF-16; .* encoding='utf-16-le'"),
    "be.jsonl": ('{"text": "a"}\n'.encode("utf-16-be"), "utf-8", "seems to be UTF-16; .* encoding='utf-16-be'"),
    "late.csv": (
        b"text,label\n" + b"ok,a\n" * 40_000 + b"\xd6\xd0,b\n",
        "utf-8",
        "line 40002: byte 0xd6 at offset 200011",
    ),
    "gb.csv": (b"text,label\nok,a\n\xff,b\n", "gb18030", "line 3: byte 0xff at offset 16 is not GB18030"),
    "cut.csv": ("text,label\na,b\n".encode("utf-16")[:-1], "utf-16", "line .* is not UTF-16|is UTF-16"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_bytes_that_are_not_of_the_encoding(name, tmp_path):
    content, encoding, message = BROKEN[name]
    with pytest.raises(DataError, match=message):
        rows(tmp_path / name, content, encoding=encoding)


def test_marks_of_files_that_were_joined_are_taken_off(tmp_path):
    mark = "\ufeff"
    lines = [f'{mark}{{"text": "a", "label": "A"}}\n', f'{mark}{{"text": "b", "label": "B"}}\n']
    assert rows(tmp_path / "d.jsonl", "".join(lines)) == [("a", "A"), ("b", "B")]
    assert rows(tmp_path / "d.csv", f"{mark}label,text\nA,a\n{mark}B,b\n") == [("a", "A"), ("b", "B")]
