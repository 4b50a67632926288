"""Columns whose names differ from the wanted ones in case, width or blanks, in every format and for every column."""

import json
import logging

import pytest

from hierarchy.errors import DataError
from pipelines.data.reading import read_documents

datasets = pytest.importorskip("datasets")


def write(path, records):
    """Write records in the format of the suffix; all have the same keys."""
    names = list(records[0])
    if path.suffix in (".csv", ".tsv"):
        mark = "," if path.suffix == ".csv" else "\t"
        lines = [mark.join(names), *(mark.join(record.values()) for record in records)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(records), encoding="utf-8")
    else:
        table = datasets.Dataset.from_list(records)
        if path.suffix == ".parquet":
            table.to_parquet(path)
        elif path.suffix == "":
            table.save_to_disk(path)
        else:
            return table
    return path


NAMES = ["d.csv", "d.tsv", "d.jsonl", "d.json", "d.parquet", "d", "d.memory"]


@pytest.mark.parametrize("name", NAMES)
def test_one_that_is_alike_is_read_and_told(name, tmp_path, caplog):
    source = write(tmp_path / name, [{"TEXT": "x", " Label ": "a", "Ｇｒｏｕｐ": "g", "more": "m"}])
    with caplog.at_level(logging.WARNING):
        documents = read_documents(source, group="group")
    assert documents[0] == {"text": "x", "row": documents[0]["row"], "label": "a", "label_count": 1, "group": "g"}
    assert [record.getMessage().partition("read: ")[2] for record in caplog.records] == [
        "'TEXT' for 'text', ' Label ' for 'label', 'Ｇｒｏｕｐ' for 'group'"
    ]
    assert list(read_documents(source, text=["More", "Text"], label=None)["text"]) == ["m\n\nx"]


@pytest.mark.parametrize("name", NAMES)
def test_two_that_are_alike_are_refused_by_name(name, tmp_path):
    source = write(tmp_path / name, [{"TEXT": "x", "Text": "y", "label": "a", "Group": "g", "GROUP": "h"}])
    with pytest.raises(DataError, match=r"the columns 'TEXT' and 'Text' differ in case.* with text=\.\.\."):
        read_documents(source)
    with pytest.raises(DataError, match=r"'Group' and 'GROUP' differ .* with group=\.\.\."):
        read_documents(source, text="Text", group="group")
    assert list(read_documents(source, text="Text")["text"]) == ["y"]
    with pytest.raises(DataError, match="there is no column 'body'"):
        read_documents(source, text="body")


@pytest.mark.parametrize("name", NAMES)
def test_the_wanted_name_comes_before_all_that_are_alike(name, tmp_path, caplog):
    source = write(tmp_path / name, [{"TEXT": "no", "text": "yes", "Label": "no", "label": "a"}])
    with caplog.at_level(logging.WARNING):
        documents = read_documents(source)
    assert (documents[0]["text"], documents[0]["label"]) == ("yes", "a")
    assert not caplog.records


def test_records_that_call_a_column_differently(tmp_path):
    path = tmp_path / "d.jsonl"
    path.write_text('{"text": "x", "label": "a"}\n{"Text": "y", "label": "b"}\n')
    with pytest.raises(DataError, match="the columns 'text' and 'Text' differ in case"):
        read_documents(path)
    path.write_text('{"TEXT": "x", "label": "a"}\n{"Text": "y", "label": "b"}\n')
    with pytest.raises(DataError, match="the columns 'TEXT' and 'Text' differ in case"):
        read_documents(path)
    path.write_text('{"Text": "x", "label": "a"}\n{"Text": "y"}\n{"label": "c"}\n')
    documents = read_documents(path)
    assert list(documents["text"]) == ["x", "y", ""]
    assert list(documents["label"]) == ["a", None, "c"]
