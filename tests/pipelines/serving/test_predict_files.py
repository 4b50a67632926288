"""Many files are answered into a folder: the answers of one file, nothing lost, nothing twice, nothing left over."""

import csv
import json
import os
import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hierarchy.errors import DataError
from pipelines.serving import predict_files as prediction
from pipelines.serving.predict import predict_file
from pipelines.serving.predict_files import predict_files


@pytest.fixture(scope="module")
def model(fitted_lexical, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prediction") / "model"
    fitted_lexical.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(english, tmp_path):
    """Three files of documents, one of them deeper, and what is none."""
    rows = [{"text": text, "key": f"k{place}"} for place, text in enumerate(english.test[0])]
    folder = tmp_path / "new"
    for name in ("a.jsonl", "deep/a.jsonl"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows[:25]), encoding="utf-8")
    with (folder / "b.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "key"])
        writer.writeheader()
        writer.writerows(rows[25:])
    for name in ("_SUCCESS", "notes.txt", ".hidden.csv", "_logs/log.csv"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(prediction, "SIZE", (7, 4_000_000))


def answers(out):
    return pq.read_table(out).to_pylist()


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def stop_after(monkeypatch, shards):
    original, written = prediction.write_content, []

    def write(*given):
        if len(written) == shards:
            raise KeyboardInterrupt
        written.append(given)
        return original(*given)

    monkeypatch.setattr(prediction, "write_content", write)


def test_answers_are_those_of_each_file(model, folder, tmp_path):
    out = tmp_path / "made" / "answers"
    n = predict_files(model, [folder], out, id_column="key", top_k=2)
    expected = []
    for name, file in {"new/a.jsonl": "a.jsonl", "new/b.csv": "b.csv", "deep/a.jsonl": "deep/a.jsonl"}.items():
        predict_file(model, folder / file, tmp_path / "one.jsonl", id_column="key", top_k=2)
        lines = (tmp_path / "one.jsonl").read_text(encoding="utf-8").splitlines()
        expected += [{"file": name, **json.loads(line)} for line in lines]
    assert answers(out) == expected
    assert n == len(expected)
    assert sorted(entry.name for entry in out.parent.iterdir()) == ["answers"]
    assert {file.suffix for file in out.iterdir()} == {".parquet"}


@pytest.mark.slow
def test_processes_write_the_same_bytes(model, folder, tmp_path):
    for name, processes in (("one", None), ("two", 2)):
        predict_files(model, [folder / "a.jsonl", folder / "b.csv"], tmp_path / name, processes=processes)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_one_that_was_stopped_while_it_read_goes_on_with_what_it_has_read(model, folder, tmp_path, monkeypatch):
    original, read = prediction.find_documents, []

    def find(file, **options):
        if len(read) == 2:
            raise KeyboardInterrupt
        read.append(file)
        return original(file, **options)

    monkeypatch.setattr(prediction, "find_documents", find)
    out = tmp_path / "answers"
    with pytest.raises(KeyboardInterrupt):
        predict_files(model, [folder], out)
    monkeypatch.setattr(prediction, "find_documents", original)
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "answers.parts" / "documents").glob("*.jsonl")}
    assert len(kept) == 2
    seen = []
    monkeypatch.setattr(prediction, "_key", lambda *given: seen.extend(
        file for file, time in kept.items() if file.stat().st_mtime_ns == time) or "key")  # fmt: skip
    predict_files(model, [folder], out)
    assert len(seen) == 2
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["answers", "new"]


def test_a_stopped_run_goes_on_where_it_was(model, folder, tmp_path, monkeypatch):
    whole, out = tmp_path / "whole", tmp_path / "out"
    predict_files(model, [folder], whole)
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            predict_files(model, [folder], out)
    assert not out.exists()
    first, second, third = sorted((tmp_path / "out.parts").glob("*.parquet"))
    second.write_bytes(b"PAR1")
    kept = [file.stat().st_ino for file in (first, third)]
    with pytest.raises(DataError, match=r"differs in: top_k; .*--restart"):
        predict_files(model, [folder], out, top_k=1)
    with pytest.raises(DataError, match="differs in: documents"):
        predict_files(model, [folder / "a.jsonl"], out)
    predict_files(model, [folder], out)
    assert contents(out) == contents(whole)
    assert [(out / file.name).stat().st_ino for file in (first, third)] == kept
    assert not (tmp_path / "out.parts").exists()


def test_earlier_answers_are_replaced_and_what_is_not_ours_is_refused(model, folder, tmp_path):
    out = tmp_path / "out"
    predict_files(model, [folder], out)
    predict_files(model, [folder / "a.jsonl"], out)
    assert len(answers(out)) == 25
    (out / "thesis.txt").touch()
    with pytest.raises(DataError, match=r"holds 'thesis.txt', which predict has not written: name another folder"):
        predict_files(model, [folder], out)
    with pytest.raises(DataError, match="lies in what is read"):
        predict_files(model, [folder], folder / "out")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["new", "out"]


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_answered(model, folder, tmp_path, caplog):
    (folder / "c.jsonl").write_text('{"text": "kettle"}\n{"text"', encoding="utf-8")
    (folder / "d.parquet").write_bytes(b"none")
    (folder / "e.csv").symlink_to("gone.csv")
    out = tmp_path / "out"
    with pytest.raises(DataError, match="3 problems"):
        predict_files(model, [folder], out, strict=True)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["new"]
    with pytest.raises(DataError, match=rf"3 files of 6 not answered, the others are, in '{out}': 3 problems") as told:
        predict_files(model, [folder], out)
    assert str(folder / "c.jsonl") in told.value.problems[0]
    assert str(folder / "d.parquet") in told.value.problems[1]
    assert told.value.problems[2].endswith("e.csv' is a link to 'gone.csv', which is not there")
    assert "line 2: broken JSON" in told.value.problems[0]
    assert "'c.jsonl' cannot be read" in caplog.text.replace(f"{folder}/", "")
    assert len({answer["file"] for answer in answers(out)}) == 3
    assert not (tmp_path / "out.parts").exists()
    with pytest.raises(DataError, match=r"c\.jsonl"):
        predict_files(model, [folder / "c.jsonl"], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_files_that_are_not_there_or_named_twice_are_told_at_once(model, folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="4 problems") as told:
        predict_files(model, [folder, "no.csv", folder / "a.jsonl", tmp_path / "empty", "no.csv"], tmp_path / "out")
    words = ["no file or folder 'no.csv'", "named twice", "holds no documents", "no file or folder"]
    assert [word in problem for word, problem in zip(words, told.value.problems, strict=True)] == [True] * 4
    with pytest.raises(DataError, match="no documents are named"):
        predict_files(model, [], tmp_path / "out")


def test_a_link_to_a_folder_is_not_followed_and_told(model, folder, tmp_path, caplog):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "z.jsonl").write_text('{"text": "kettle"}\n', encoding="utf-8")
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    (folder / "round").symlink_to(folder)
    caplog.set_level("INFO", logger="coarsefine")
    predict_files(model, [folder], tmp_path / "out")
    assert "z.jsonl" not in {Path(answer["file"]).name for answer in answers(tmp_path / "out")}
    assert "2 folder links in it not followed: name what they lead to as well" in caplog.text


def test_a_folder_of_the_datasets_library_is_one_source(model, folder, tmp_path):
    from datasets import Dataset

    Dataset.from_dict({"text": ["kettle boil", "desk drawer"]}).save_to_disk(tmp_path / "saved")
    predict_files(model, [tmp_path / "saved", folder / "a.jsonl"], tmp_path / "out")
    assert [(answer["file"], answer["row"]) for answer in answers(tmp_path / "out")][:3] == [
        ("saved", 0), ("saved", 1), ("a.jsonl", 1),
    ]  # fmt: skip


def test_a_copy_stands_where_there_are_no_links(model, folder, tmp_path, monkeypatch):
    def refused(*_, **__):
        raise PermissionError

    monkeypatch.setattr(os, "link", refused)
    predict_files(model, [folder / "a.jsonl"], tmp_path / "out")
    assert len(answers(tmp_path / "out")) == 25


def test_parquet_is_refused_without_pyarrow(model, folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match="pip install pyarrow"):
        predict_files(model, [folder], tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["new"]


def test_the_model_is_not_in_the_way(model, folder, tmp_path):
    ours = Path(shutil.copytree(model, tmp_path / "model"))
    with pytest.raises(DataError, match="would overwrite what is read"):
        predict_files(ours, [folder], ours)
