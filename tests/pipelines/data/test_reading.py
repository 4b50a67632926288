"""Reading: every format gives the same documents, odd labels survive, every error names its place."""

import csv
import gzip
import json
import logging
import os
import shutil

import pytest

from hierarchy.errors import DataError
from pipelines.data.reading import read_documents

datasets = pytest.importorskip("datasets")

TEXTS = [
    "a plain text",
    'with "quotes", commas\nand two lines',
    "中文文档，第二类",
    "tab\tand ünïcode " + "long " * 50_000,
]
LABELS = ["007", "NA", "1.0", "2024-01-01"]
GROUPS = ["null", "一组", "no", "None"]
RECORDS = [{"text": t, "label": la, "group": g} for t, la, g in zip(TEXTS, LABELS, GROUPS, strict=True)]


@pytest.fixture
def read(tmp_path):
    def reader(source, **kwargs):
        return read_documents(source, cache_dir=tmp_path / "cache", **kwargs)

    return reader


def write_table(path, delimiter=",", encoding="utf-8", records=RECORDS):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(records[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(records)
    return path


def write_json_lines(path, records=RECORDS, encoding="utf-8"):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding=encoding) as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    return path


def table(records=RECORDS):
    return datasets.Dataset.from_list([dict(record) for record in records])


def write_parquet(path):
    table().to_parquet(path)
    return path


def write_folder(path):
    table().save_to_disk(path)
    return path


def write_arrow(path):
    folder = write_folder(path.with_suffix(""))
    next(folder.glob("*.arrow")).rename(path)
    return path


def write_json_list(path):
    path.write_text(json.dumps(RECORDS, indent=1), encoding="utf-8")
    return path


WRITERS = {
    "d.csv": write_table,
    "d.CSV": write_table,
    "d.csv.gz": write_table,
    "d.tsv": lambda path: write_table(path, "\t"),
    "d.tsv.gz": lambda path: write_table(path, "\t"),
    "bom.csv": lambda path: write_table(path, encoding="utf-8-sig"),
    "d.jsonl": write_json_lines,
    "d.jsonl.gz": write_json_lines,
    "bom.jsonl": lambda path: write_json_lines(path, encoding="utf-8-sig"),
    "lines.json": write_json_lines,
    "list.json": write_json_list,
    "d.parquet": write_parquet,
    "d.arrow": write_arrow,
    "folder": write_folder,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_documents(name, tmp_path, read):
    documents = read(WRITERS[name](tmp_path / name), group="group")
    assert list(documents["text"]) == TEXTS
    assert list(documents["label"]) == LABELS
    assert list(documents["group"]) == GROUPS
    assert list(documents["label_count"]) == [1, 1, 1, 1]
    assert documents.cache_files, "not memory-mapped"
    assert {documents.features[column].dtype for column in ("text", "label", "group")} == {"string"}


def test_a_dataset_in_memory_and_one_split_of_many(tmp_path, read):
    assert list(read(table(), group="group")["label"]) == LABELS
    both = datasets.DatasetDict(train=table(RECORDS[:3]), test=table(RECORDS[3:]))
    both.save_to_disk(tmp_path / "both")
    for source in (both, tmp_path / "both"):
        assert list(read(source, split="test")["label"]) == LABELS[3:]
        with pytest.raises(DataError, match=r"several splits \(train, test\); say which with split="):
            read(source)
        with pytest.raises(DataError, match=r"no split 'tset' \(did you mean 'test'"):
            read(source, split="tset")
    assert list(read(datasets.DatasetDict(train=table()))["label"]) == LABELS
    assert sorted(p.name for p in (tmp_path / "both" / "test").iterdir()) == [
        "data-00000-of-00001.arrow", "dataset_info.json", "state.json",
    ], "the folder that was read must not be written to"  # fmt: skip


def test_rows_are_lines_of_text_files_and_indices_elsewhere(tmp_path, read):
    (tmp_path / "d.csv").write_text('text,label\n"two\nlines",a\n\nnext,b\n')
    (tmp_path / "d.jsonl").write_text('{"text": "x", "label": "a"}\n\n{"text": "y", "label": "b"}\n')
    assert list(read(tmp_path / "d.csv")["row"]) == [2, 5]
    assert list(read(tmp_path / "d.jsonl")["row"]) == [1, 3]
    assert list(read(table())["row"]) == [0, 1, 2, 3]
    assert list(read(table([{"text": "x", "label": "y", "row": "mine"}]))["row"]) == [0]


def test_several_columns_make_one_text(tmp_path, read):
    records = [{"title": "T", "body": "B", "label": "a"}, {"title": " ", "body": "B", "label": "a"}]
    documents = read(write_table(tmp_path / "d.csv", records=records), text=["title", "body"])
    assert list(documents["text"]) == ["T\n\nB", "B"]
    (tmp_path / "d.jsonl").write_text('{"title": null, "body": " B "}\n{"title": "T"}\n')
    assert list(read(tmp_path / "d.jsonl", text=["title", "body"], label=None)["text"]) == [" B ", "T"]


def test_values_of_other_types_become_the_text_a_person_would_write(tmp_path, read):
    cells = ["7", "1.0", "1e5", "true", "null", "NaN", '"  "', '["a"]', "[]", '["a", "b"]']
    (tmp_path / "d.jsonl").write_text("".join(f'{{"text": "x", "label": {cell}}}\n' for cell in cells))
    documents = read(tmp_path / "d.jsonl")
    expected = ["7", "1.0", "1e5", "true", None, None, None, "a", None, '["a", "b"]']
    assert list(documents["label"]) == expected
    assert list(documents["label_count"]) == [1, 1, 1, 1, 0, 0, 0, 1, 0, 2]


def test_typed_columns_of_parquet(tmp_path, read):
    import datetime

    features = {
        "text": datasets.Value("string"),
        "class": datasets.ClassLabel(names=["007", "NA"]),
        "float": datasets.Value("float64"),
        "date": datasets.Value("date32"),
        "classes": datasets.Sequence(datasets.ClassLabel(names=["a", "b"])),
    }
    day = datetime.date(2024, 1, 1)
    data = {
        "text": ["x", None],
        "class": [1, -1],
        "float": [1.0, None],
        "date": [day, day],
        "classes": [[1], [0, 1]],
    }
    datasets.Dataset.from_dict(data, datasets.Features(features)).save_to_disk(tmp_path / "typed")
    read_label = {name: list(read(tmp_path / "typed", label=name)["label"]) for name in features if name != "text"}
    assert read_label == {
        "class": ["NA", None],
        "float": ["1.0", None],
        "date": ["2024-01-01", "2024-01-01"],
        "classes": ["b", '["a", "b"]'],
    }
    assert list(read(tmp_path / "typed", label=None)["text"]) == ["x", ""]


def test_without_labels_there_is_no_label_column(tmp_path, read):
    documents = read(write_json_lines(tmp_path / "d.jsonl"), label=None)
    assert documents.column_names == ["text", "row"]


def test_a_group_column_may_be_missing(tmp_path, read, caplog):
    with caplog.at_level(logging.WARNING):
        documents = read(write_json_lines(tmp_path / "d.jsonl"), group="department")
    assert list(documents["group"]) == [None] * 4
    assert "no document has a group in the column 'department'" in caplog.text


@pytest.mark.parametrize("name", ["d.csv", "d.jsonl", "d.parquet", "folder"])
def test_a_changed_source_is_read_again(name, tmp_path, read):
    path = WRITERS[name](tmp_path / name)
    assert len(read(path)) == 4
    if name == "folder":
        table(RECORDS[:2]).save_to_disk(path)
    elif name == "d.parquet":
        table(RECORDS[:2]).to_parquet(path)
    else:
        stat = path.stat()
        path.write_bytes(path.read_bytes().replace(b"a plain text", b"A PLAIN TEXT"))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))  # same size, a nanosecond later
        assert read(path)[0]["text"] == "A PLAIN TEXT"
        return
    assert len(read(path)) == 2


def test_the_same_source_is_read_once(tmp_path, read, monkeypatch):
    path = write_table(tmp_path / "d.csv")
    first = read(path)
    folder = write_folder(tmp_path / "folder")
    second = read(folder)
    monkeypatch.setattr("pipelines.data.tables._batches", lambda *args: pytest.fail("read again"))
    assert read(path).cache_files == first.cache_files
    assert read(folder).cache_files == second.cache_files
    shutil.copy(path, tmp_path / "elsewhere.csv")
    assert read(tmp_path / "elsewhere.csv").cache_files == first.cache_files, "the content counts, not the place"


def test_a_name_on_the_hub(read, monkeypatch):
    asked = []

    def load_dataset(path, name=None, *, split, cache_dir):
        asked.append((path, name, split))
        return table()

    monkeypatch.setattr("datasets.get_dataset_split_names", lambda path, name: ["train", "test"])
    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    assert list(read("owner/name:plus", split="test")["label"]) == LABELS
    assert asked == [("owner/name", "plus", "test")]
    with pytest.raises(DataError, match="several splits"):
        read("owner/name")

    def refuse(path, name):
        raise ConnectionError("the hub cannot be reached.\nmore")

    monkeypatch.setattr("datasets.get_dataset_split_names", refuse)
    with pytest.raises(DataError, match=r"^owner/name: there is no such file, .* be reached\. Check"):
        read("owner/name")


BAD_FILES = {
    # name: (bytes, what the message says)
    "empty.csv": (b"", "the file is empty"),
    "blank.jsonl": (b"\n \n", "holds no documents"),
    "header.csv": (b"text,label\n", "holds no documents"),
    "noheader.csv": (b"\ntext,label\n", "the first line must name the columns"),
    "column.csv": (
        b"Txt,label\na,b\n",
        r"no column 'text' \(did you mean 'Txt'\?\)\. The columns are 'Txt', 'label'; name .* with text=",
    ),
    "columns.jsonl": (
        b'{"txt": "a", "tag": "b"}\n',
        r"2 problems\n.*column 'text'.*\n.*column 'label'",
    ),
    "twice.csv": (b"text,label,text\na,b,c\n", "the column 'text' stands there twice"),
    "fields.csv": (
        b'text,label\n"two\nlines",b\na,b,c\n',
        "line 4: 3 fields, but the header names 2; a field with a comma",
    ),
    "fields.tsv": (b"text\tlabel\na\n", "line 2: 1 field, but the header names 2; a field with a tab"),
    "quote.csv": (b'text,label\na,b\n"a" b,c\n', "line 3: .*; a field that begins with a quote must"),
    "open.csv": (b'text,label\n"a,b\nc,d\n', "line 2: unexpected end of data"),
    "broken.jsonl": (b'{"text": "a", "label": "b"}\n\n{"text": "a"\n', "line 3: broken JSON at column"),
    "control.jsonl": (
        b'{"text": "a", "label": "b"}\n{"text": "b\n',
        "line 2: broken JSON at column 12: Invalid control character; ",
    ),
    "broken.json": (b'\n[{"text": "a"},\n {"text" "b"}]', "the list: broken JSON at line 3, column 10"),
    "scalar.jsonl": (
        b'{"text": "a", "label": "b"}\n"text"\n',
        "line 2: an object with named columns",
    ),
    "item.json": (b'[{"text": "a", "label": "b"}, 3]', "item 1: an object"),
    "object.jsonl": (
        b'{"text": {"a": 1}, "label": "b"}\n',
        "line 1: column 'text' holds an object where",
    ),
    "gbk.csv": (
        b"text,label\nok,a\n" + "中".encode("gb18030") + b",b\n",
        "line 3: byte 0xd6 at offset 16 is not UTF-8; save",
    ),
    "utf16.csv": ("text,label\na,b\n".encode("utf-16"), "the file is UTF-16; save it as UTF-8"),
    "cut.csv.gz": (
        gzip.compress(b"text,label\n" + os.urandom(2000).hex().encode())[:900],
        "damaged or cut off",
    ),
    "not.csv.gz": (b"text,label\n", "damaged or cut off"),
    "bad.parquet": (b"no parquet here", "cannot be read: "),
    "d.xlsx": (b"PK", r"the suffix '\.xlsx' is not known; use one of \.csv, "),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_refused_with_their_place(name, tmp_path, read):
    content, message = BAD_FILES[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


def test_a_missing_file_names_the_nearest(tmp_path, read):
    (tmp_path / "train.csv").touch()
    with pytest.raises(DataError, match=r"there is no file .*did you mean 'train\.csv'"):
        read(tmp_path / "trian.csv")
    with pytest.raises(DataError, match=r"the folder .* does not exist"):
        read(str(tmp_path / "nowhere" / "train.csv"))


def test_a_missing_file_is_not_looked_for_on_the_hub(tmp_path, read, monkeypatch):
    monkeypatch.setattr("datasets.get_dataset_split_names", lambda *args: pytest.fail("asked the hub"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for source in ("train.csv", "data/train", "notes.txt", "a/b/c"):
        with pytest.raises(DataError, match="there is no file"):
            read(source)


def test_other_wrong_sources(tmp_path, read):
    (tmp_path / "d.csv").write_text("text,label\na,b\n")
    with pytest.raises(DataError, match=r"not saved by the datasets library; name one of its files: d\.csv"):
        read(tmp_path)
    with pytest.raises(DataError, match="a file has no splits"):
        read(tmp_path / "d.csv", split="train")
    with pytest.raises(DataError, match=r"datasets\.Dataset is expected, not list"):
        read([{"text": "a"}])
    with pytest.raises(DataError, match="the given dataset: there is no column 'body'"):
        read(table(), text="body")
    with pytest.raises(DataError, match="row 1: column 'text' holds a list"):
        read(datasets.Dataset.from_dict({"text": [None, ["a"]], "label": ["a", "b"]}))
    with pytest.raises(DataError, match="holds no documents"):
        read(table().select([]))


def test_no_space_for_the_cache(tmp_path, read, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    path = write_folder(tmp_path / "folder")
    monkeypatch.setattr("pyarrow.ipc.new_stream", full)
    with pytest.raises(DataError, match=r"No space left on device.*free some space.*cache_dir"):
        read(path)


def test_the_csv_limit_is_put_back(tmp_path, read):
    before = csv.field_size_limit()
    read(write_table(tmp_path / "d.csv"))
    assert csv.field_size_limit() == before


@pytest.mark.parametrize("name", ["d.tsv", "d.jsonl", "d.tsv.gz", "d.jsonl.gz"])
def test_a_line_without_end_is_not_read_whole(name, tmp_path, read, monkeypatch):
    monkeypatch.setattr("pipelines.data.textfiles.LONGEST_LINE", 1000)
    head = '{"label": "a", "text": "' if "json" in name else "text\tlabel\n"
    content = (head + "x" * 2000).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    with pytest.raises(DataError, match=r"line \d has more than 1,000 characters: part"):
        read(tmp_path / name)


def test_a_list_without_end_is_not_read_whole(tmp_path, read, monkeypatch):
    monkeypatch.setattr("pipelines.data.textfiles.LONGEST_LIST", 1000)
    (tmp_path / "d.json").write_text("[\n" + '{"text": "x", "label": "a"},\n' * 100)
    with pytest.raises(DataError, match=r"the list has more than 1,000 characters: write one object a line"):
        read(tmp_path / "d.json")


def test_wrong_bytes_before_the_end_of_a_cut_gzip_file(tmp_path, read):
    whole = gzip.compress(b"text\tlabel\n\xa1wrong\ta\n" * 50)
    for name, content in (("cut.tsv.gz", whole[:-9]), ("bad.tsv.gz", whole[:-30] + b"[" * 200)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=r"the gzip file is damaged or cut off|is not UTF-8"):
            read(tmp_path / name)
