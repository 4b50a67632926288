"""Tables of documents: keyed by content, whole or not there, gone with the process; half characters told."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hierarchy import Taxonomy
from hierarchy.errors import ConfigError, DataError, TaxonomyError
from hierarchy.wrong_values import validated
from pipelines.classifier import HierarchicalClassifier
from pipelines.config import CardFacts
from pipelines.data.reading import read_documents

datasets = pytest.importorskip("datasets")

HALF = "\ud83d"


@pytest.fixture
def read(tmp_path):
    return lambda source, **options: read_documents(source, cache_dir=tmp_path / "cache", **options)


def stamped(path, write):
    """Write again, and put back the times of all files."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    stats = {file: file.stat() for file in files}
    write()
    for file, stat in stats.items():
        assert file.stat().st_size == stat.st_size
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize("name", ["d.csv", "d.jsonl", "d.parquet", "folder"])
def test_equal_size_and_time_are_no_equal_content(name, tmp_path, read):
    path = tmp_path / name

    def write(text):
        table = datasets.Dataset.from_dict({"text": [text], "label": ["a"]})
        if name == "d.csv":
            path.write_text(f"text,label\n{text},a\n")
        elif name == "d.jsonl":
            path.write_text(json.dumps({"text": text, "label": "a"}))
        elif name == "d.parquet":
            table.to_parquet(path)
        else:
            arrow = path / "data-00000-of-00001.arrow"
            if path.exists():
                arrow.write_bytes(arrow.read_bytes().replace(b"old", text.encode()))
            else:
                table.save_to_disk(path)

    write("old")
    assert list(read(path)["text"]) == ["old"]
    stamped(path, lambda: write("new"))
    assert list(read(path)["text"]) == ["new"]


def test_class_names_and_mapped_files_count_as_content(tmp_path, read):
    path = tmp_path / "d"
    features = datasets.Features(text=datasets.Value("string"), label=datasets.ClassLabel(names=["old", "x"]))
    datasets.Dataset.from_dict({"text": ["abc"], "label": [0]}, features).save_to_disk(path)
    assert list(read(path)["label"]) == ["old"]
    assert list(read(datasets.load_from_disk(path))["label"]) == ["old"]
    info = path / "dataset_info.json"
    stamped(path, lambda: info.write_text(info.read_text().replace("old", "new")))
    assert list(read(path)["label"]) == ["new"]
    assert list(read(datasets.load_from_disk(path))["label"]) == ["new"]
    arrow = path / "data-00000-of-00001.arrow"
    stamped(path, lambda: arrow.write_bytes(arrow.read_bytes().replace(b"abc", b"xyz")))
    assert list(read(datasets.load_from_disk(path))["text"]) == ["xyz"]


def test_how_it_is_read_counts_too(tmp_path, read):
    path = tmp_path / "d.csv"
    path.write_bytes('text,label,Group\n"ä;b",A;B,g\n'.encode())
    read_all = [
        read(path), read(path, quoting="none"), read(path, encoding="latin-1"), read(path, label="Group"),
        read(path, group="Group"), read(path, label=None), read(path, text=["text", "label"]),
    ]  # fmt: skip
    assert len({table.cache_files[0]["filename"] for table in read_all}) == len(read_all)
    assert [table["text"][0] for table in read_all[:3]] == ["ä;b", '"ä;b"', "Ã¤;b"]
    for name in ("d.tsv", "d.json"):  # the same bytes, another format
        (tmp_path / name).write_bytes(path.read_bytes())
        with pytest.raises(DataError):
            read(tmp_path / name)


def test_a_table_is_whole_or_not_there(tmp_path, read):
    path = tmp_path / "d.jsonl"
    path.write_text('{"text": "a", "label": "A"}\n' * 500 + "broken\n")
    with pytest.raises(DataError, match="line 501: broken JSON"):
        read(path)
    assert not list((tmp_path / "cache").iterdir())


def test_without_a_folder_nothing_stays_and_no_home_is_needed(tmp_path):
    (tmp_path / "d.csv").write_text("text,label\nsecret,A\n")
    datasets.Dataset.from_dict({"text": ["secret"], "label": ["A"]}).save_to_disk(tmp_path / "d")
    program = (
        "from pipelines.data.reading import read_documents\n"
        "for source in ('d.csv', 'd'):\n"
        "    table = read_documents(source)\n"
        "    assert list(table['text']) == ['secret']\n"
        "    assert read_documents(source).cache_files == table.cache_files\n"
        "print(table.cache_files[0]['filename'])\n"
    )
    (tmp_path / "tmp").mkdir()
    environment = {
        **os.environ, "HOME": "/dev/null/home", "HF_HOME": "/dev/null/hf", "TMPDIR": str(tmp_path / "tmp"),
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path / "tmp"))
    assert not list((tmp_path / "tmp").iterdir())


def test_half_characters_in_texts_are_healed_and_counted(tmp_path, read, caplog):
    path = tmp_path / "d.jsonl"
    lines = [{"text": "whole 🙂", "label": "A"}, *({"text": f"cut {HALF}", "label": "B"} for _ in range(7))]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for _ in range(2):  # the second time from the table
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            texts = list(read(path)["text"])
        assert texts == ["whole 🙂", *["cut \ufffd"] * 7]
        told = [record.getMessage() for record in caplog.records]
        assert told == [f"{path}: 7 texts with half a character, which is read as U+FFFD (rows 2, 3, 4, 5, 6, ...)"]


@pytest.mark.parametrize("column", ["label", "group"])
@pytest.mark.parametrize("cell", [HALF, f"ab{HALF}", [f"ab{HALF}"], ["ok", f"{HALF}x"]])
def test_half_characters_in_names_are_refused_with_row_and_value(column, cell, tmp_path, read):
    path = tmp_path / "d.jsonl"
    lines = [{"text": "x", "label": "A", "group": "g"}, {"text": "x", "label": "A", "group": "g", column: cell}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(DataError, match=rf"d\.jsonl: line 2: column '{column}' holds '.*\\ud83d.*', with half a char"):
        read(path, group="group")


def test_half_characters_from_python(tmp_path):
    texts, labels = ["a b", "c d", "e f"] * 2, ["x", "y", f"z{HALF}"] * 2
    with pytest.raises(DataError, match=r"labels\[2\] holds 'z\\ud83d', with half a character"):
        HierarchicalClassifier(encoder="none", n_jobs=1).fit(texts, labels)
    for content in ({"name": HALF}, {"retired": [HALF]}, {"groups": [{"name": HALF, "labels": ["a"]}]}):
        (tmp_path / "t.json").write_text(json.dumps({"groups": [{"name": "g", "labels": ["a"]}], **content}))
        with pytest.raises(TaxonomyError, match=r"\\ud83d' holds half a character"):
            Taxonomy.from_file(tmp_path / "t.json")
    for facts in ({"notes": HALF}, {"language": ["en", HALF]}):
        with pytest.raises(ConfigError, match=r"'\\ud83d' holds half a character"):
            validated(CardFacts, facts, where="card")
