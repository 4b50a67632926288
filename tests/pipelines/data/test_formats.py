"""Files that are not what their names say, and names that are no files: one sentence each, and no guess."""

import contextlib
import gzip
import json
import os
import random

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


VALUE, CLASSES = {"dtype": "string", "_type": "Value"}, {"names": ["x", "y"], "_type": "ClassLabel"}


def described(folder, columns, features=None, raw=None):
    """Write a Parquet file that the datasets library seems to have described."""
    import pyarrow.parquet as pq

    metadata = raw if raw is not None else json.dumps({"info": {"features": features}})
    file = folder / "t.parquet"
    pq.write_table(pa.table(columns).replace_schema_metadata({"huggingface": metadata}), file)
    return file


@pytest.mark.parametrize("labels", [[0, 2], [-2, 1], [0.5, 1.0], ["x", "y"]])
def test_class_numbers_without_a_name(tmp_path, labels):
    file = described(tmp_path, {"text": ["a", "b"], "label": labels}, {"text": VALUE, "label": CLASSES})
    with pytest.raises(DataError, match=r"row \d: column 'label' holds .*, and the file names 2 classes"):
        read_documents(file)


@pytest.mark.parametrize(
    ("labels", "feature"),
    [
        ([1, 0], CLASSES),
        ([[1], [0]], {"feature": CLASSES, "_type": "Sequence"}),
        ([[1], [0]], {"feature": CLASSES, "_type": "List"}),
        ([[1], [0]], [CLASSES]),
    ],
)
def test_class_numbers_get_their_names(tmp_path, labels, feature):
    file = described(tmp_path, {"text": ["a", "b"], "label": labels}, {"text": VALUE, "label": feature})
    assert list(read_documents(file)["label"]) == ["y", "x"]


@pytest.mark.parametrize("raw", [b"{", b"\xff", b"[]", b"5", b'{"info": 5}', b'{"info": null}', b"[" * 100_000])
def test_damaged_descriptions(tmp_path, raw):
    with pytest.raises(DataError, match=r"the metadata 'huggingface', .* is damaged"):
        read_documents(described(tmp_path, {"text": ["a"], "label": ["b"]}, raw=raw))


@pytest.mark.parametrize(
    "features", [{"text": {"_type": "Nope"}}, {"text": 5, "label": []}, {"other": {"_type": "Audio"}}, {}, None]
)
def test_descriptions_that_name_no_classes_do_not_matter(tmp_path, features):
    file = described(tmp_path, {"text": ["a"], "label": ["b"]}, features)
    assert list(read_documents(file)["label"]) == ["b"]


@pytest.mark.parametrize("cell", [{"bytes": b"x", "path": "a.wav"}, {"en": "a", "de": "b"}, [["a"]]])
def test_cells_that_are_no_text(tmp_path, cell):
    file = described(tmp_path, {"text": [cell], "label": ["b"]}, {"text": {"_type": "Audio"}, "label": VALUE})
    with pytest.raises(DataError, match=r"row 0: column 'text' holds (an object|a list)"):
        read_documents(file)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_damaged_bytes_are_one_sentence(tmp_path, suffix):
    table = pa.table({"text": ["one", "two"], "label": ["x", "y"]})
    whole = tmp_path / f"whole{suffix}"
    if suffix == ".parquet":
        whole = described(tmp_path, {"text": ["one", "two"], "label": ["x", "y"]}, {"text": VALUE, "label": VALUE})
    else:
        with pa.ipc.new_file(whole, table.schema) as writer:
            writer.write_table(table)
    content, draw = whole.read_bytes(), random.Random(3)  # noqa: S311
    for number in range(150):
        damaged = bytearray(content)
        for _ in range(3):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        file = tmp_path / f"{number}{suffix}"
        file.write_bytes(damaged[: draw.randrange(1, len(damaged))] if number % 3 == 0 else damaged)
        with contextlib.suppress(DataError):
            read_documents(file, cache_dir=tmp_path)


def test_what_does_not_fit_into_memory(tmp_path, monkeypatch):
    def full(*_):
        raise pa.ArrowMemoryError("malloc of size 9 failed")

    file = tmp_path / "t.csv"
    file.write_bytes(TABLE)
    monkeypatch.setattr("pipelines.data.reading.refuse_other_kind", full)
    with pytest.raises(DataError, match=r"does not fit into memory \(malloc of size 9 failed\)"):
        read_documents(file)
