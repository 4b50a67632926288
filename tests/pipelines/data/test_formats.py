"""Files that are not what their names say, and names that are no files: one sentence each, and no guess."""

import gzip
import os

import pytest

from hierarchy.errors import DataError
from pipelines.data.reading import read_documents

pa = pytest.importorskip("pyarrow")
TABLE = b"text,label\nx,y\n"
ZIPPED = gzip.compress(TABLE, mtime=0)  # the name of a test must not depend on the clock
LINE = b'{"text": "x", "label": "y"}\n'


def parquet() -> bytes:
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": ["x"], "label": ["y"]}), sink)
    return bytes(sink.getvalue())


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", parquet(), "is a Parquet file, .* end in .parquet"),
        ("t.arrow", parquet(), "is a Parquet file"),
        ("t.parquet", b"ARROW1\0\0", "is an Arrow file, .* end in .arrow"),
        ("t.csv", ZIPPED, "compressed with gzip, .* end in .gz"),
        ("t.parquet", ZIPPED, "compressed with gzip"),
        ("t.csv", b"PK\x03\x04\0\0\0", "an Excel file"),
        ("t.jsonl", b"PK\x03\x04\0\0\0", "an Excel file"),
        ("t.csv", b"%PDF-1.4\n", "a PDF"),
        ("t.tsv", b"\xef\xbb\xbf<!doctype html>\n", "a web page"),
        ("t.csv", LINE, "is JSON, .* end in .json"),
        ("t.tsv", b"[" + LINE.strip() + b"]", "is JSON"),
        ("t.csv", TABLE.decode().encode("utf-32"), "the file is UTF-32"),
        ("t.csv", b"text,label\rx,y\r", "a carriage return stands in it"),
        ("t.jsonl", b'{"text": ' + b"[" * 100_000, "nested too deep"),
    ],
)
def test_a_file_of_another_kind_is_told_as_such(name, content, said, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_documents(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content"),
    [("t.csv", b"PAR1,text,label\nq,x,y\n"), ("t.csv.gz", ZIPPED), ("t.jsonl.gz", gzip.compress(LINE, mtime=0))],
)
def test_a_beginning_alone_does_not_make_another_kind(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    assert read_documents(tmp_path / name)["text"][:] == ["x"]


def test_a_document_in_the_place_of_a_file(tmp_path):
    document = "My card was lost on Monday. " * 400
    with pytest.raises(DataError, match=r"cannot be read: .*too long") as error:
        read_documents(document)
    assert len(str(error.value)) < 3000


def test_what_is_there_and_no_file_is_told(tmp_path):
    (tmp_path / "link.csv").symlink_to("gone.csv")
    with pytest.raises(DataError, match=r"link\.csv' is a link to 'gone\.csv', which is not there"):
        read_documents(tmp_path / "link.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="a pipe or a device"):
        read_documents(tmp_path / "pipe.csv")
