import copy
import csv
import json
import logging
import os
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hierarchy.disk import output
from hierarchy.errors import ArtifactError, ConfigError, DataError
from hierarchy.text.escaping import from_spreadsheet_cell
from pipelines.model.artifact import loading
from pipelines.model.artifact.loading import load_model
from pipelines.serving import predict as prediction
from pipelines.serving.predict import predict_file
from pipelines.serving.predict_files import predict_files


@pytest.fixture(scope="module")
def model(fitted_lexical, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prediction") / "model"
    fitted_lexical.save_pretrained(folder)
    return folder


@pytest.fixture
def documents(english, tmp_path):
    path = tmp_path / "documents.jsonl"
    lines = [{"text": text, "key": f"k{place}"} for place, text in enumerate(english.test[0])]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(prediction, "SHARD_DOCUMENTS", 7)


def read_jsonl(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_answers_are_those_of_the_classifier(model, documents, fitted_lexical, english, tmp_path):
    out = tmp_path / "answers.jsonl"
    assert predict_file(model, documents, out, id_column="key", top_k=2) == len(english.test[0])
    lines = read_jsonl(out)
    assert [line["label"] for line in lines] == fitted_lexical.predict(english.test[0]).tolist()
    assert [line["row"] for line in lines] == list(range(1, len(lines) + 1))
    assert [line["id"] for line in lines] == [f"k{place}" for place in range(len(lines))]
    for line, [path, second] in zip(lines, fitted_lexical.predict_paths(english.test[0], top_k=2), strict=True):
        assert (line["group"], line["label"]) == path.path
        assert line["probability"] == pytest.approx(path.probability, abs=1e-5)
        assert line["group_probability"] == pytest.approx(path.group_probability, abs=1e-5)
        assert line["coarse_probability"] == pytest.approx(path.coarse_probability, abs=1e-5)
        assert line["beam_mass"] == pytest.approx(1, abs=1e-5)
        assert [found["label"] for found in line["paths"]] == [path.path[1], second.path[1]]
    assert not out.with_name("answers.jsonl.parts").exists()


@pytest.mark.parametrize("sets", ["labels", "tree"])
def test_levels_and_sets_of_a_calibrated_model(sets, fitted_lexical, documents, english, tmp_path):
    classifier = copy.copy(fitted_lexical).calibrate(*english.test, precision=0.8, delta=0.2, coverage=0.8)
    classifier.save_pretrained(tmp_path / "calibrated")
    for suffix in ("jsonl", "csv"):
        predict_file(tmp_path / "calibrated", documents, tmp_path / f"out.{suffix}", sets=sets)
    lines = read_jsonl(tmp_path / "out.jsonl")
    paths = [one[0] for one in classifier.predict_paths(english.test[0])]
    assert [(line["level"], line["reason"]) for line in lines] == [(path.level, path.reason) for path in paths]
    found = classifier.predict_sets(english.test[0], within=sets)
    assert [(line["set_level"], tuple(line["set"])) for line in lines] == [(s.level, s.ids) for s in found]
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [json.loads(row["set"]) for row in rows] == [line["set"] for line in lines]


def test_sets_without_calibration_are_refused_before_documents_are_read(model, documents, tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.serving.predict.find_documents", None)
    monkeypatch.setattr("pipelines.serving.predict_files.find_documents", None)
    for predicts, source in ((predict_file, documents), (predict_files, [documents])):
        with pytest.raises(ConfigError, match="no calibration"):
            predicts(model, source, tmp_path / "out.csv", sets="labels")
    monkeypatch.undo()
    assert not (tmp_path / "out.csv.parts").exists()
    predict_file(model, documents, tmp_path / "out.csv")


def test_the_three_formats_hold_the_same(model, documents, tmp_path):
    for suffix in ("jsonl", "csv", "parquet"):
        predict_file(model, documents, tmp_path / f"out.{suffix}")
    lines = read_jsonl(tmp_path / "out.jsonl")
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == lines
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [line["label"] for line in lines]
    assert [float(row["probability"]) for row in rows] == [line["probability"] for line in lines]
    assert [json.loads(row["paths"]) for row in rows] == [line["paths"] for line in lines]


def stop_after(monkeypatch, shards: int) -> None:
    original = prediction.write_shard
    written = []

    def write(table, folder, place):
        if len(written) == shards:
            raise KeyboardInterrupt
        written.append(place)
        return original(table, folder, place)

    monkeypatch.setattr(prediction, "write_shard", write)


def test_a_stopped_run_goes_on_where_it_was(model, documents, tmp_path, monkeypatch):
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    predict_file(model, documents, whole)
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            predict_file(model, documents, out)
    parts = sorted(out.with_name("out.jsonl.parts").glob("*.jsonl"))
    assert len(parts) == 2
    assert not out.exists()
    times = [part.stat().st_mtime_ns for part in parts]
    kept = []
    with monkeypatch.context() as patch:
        original = prediction.read_shard
        patch.setattr(prediction, "read_shard", lambda file: (kept.append(file.stat().st_mtime_ns), original(file))[1])
        predict_file(model, documents, out)
    assert kept[:2] == times
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("change", ["documents", "rows", "options", "versions"])
def test_another_run_is_not_mixed_in(model, documents, tmp_path, monkeypatch, change):
    out = tmp_path / "out.jsonl"
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            predict_file(model, documents, out)
    options = {"top_k": 1} if change == "options" else {}
    lines = documents.read_text(encoding="utf-8")
    if change == "documents":
        documents.write_text(lines + '{"text": "one more"}\n', encoding="utf-8")
    if change == "rows":  # the same documents, which stand somewhere else
        documents.write_text("\n" + lines, encoding="utf-8")
    if change == "versions":
        monkeypatch.setattr(prediction, "code_and_libraries", lambda: {"code": "another"})
    told = {"options": "top_k", "rows": "documents"}.get(change, change)
    with pytest.raises(DataError, match=rf"differs in: {told}; .*--restart"):
        predict_file(model, documents, out, **options)
    answered = predict_file(model, documents, out, restart=True, **options)
    assert len(read_jsonl(out)) == answered == documents.read_text(encoding="utf-8").count('{"text"')


def test_an_output_that_cannot_be_finished_leaves_the_earlier_one(model, documents, tmp_path, monkeypatch):
    out = tmp_path / "out.csv"
    out.write_text("earlier", encoding="utf-8")

    def full(blocks):
        yield "half"
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(output, "_csv", full)
        with pytest.raises(DataError, match="No space left on device"):
            predict_file(model, documents, out)
    assert out.read_text(encoding="utf-8") == "earlier"
    predict_file(model, documents, out)
    assert len(out.read_text(encoding="utf-8").splitlines()) == 1 + len(documents.read_text().splitlines())


def test_damaged_shards_are_made_anew(model, documents, tmp_path, monkeypatch, caplog):
    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    predict_file(model, documents, whole)
    for damage in (lambda file: file.write_bytes(b""), lambda file: file.write_bytes(b"PAR1"), Path.unlink):
        with monkeypatch.context() as patch:
            stop_after(patch, 3)
            with pytest.raises(KeyboardInterrupt):
                predict_file(model, documents, out)
        damage(sorted(out.with_name("out.csv.parts").glob("*.jsonl"))[1])
        with caplog.at_level(logging.INFO):
            predict_file(model, documents, out)
        assert "2 of " in caplog.text
        assert out.read_bytes() == whole.read_bytes()
        caplog.clear()
        out.unlink()


def test_a_model_that_cannot_be_read_leaves_nothing_behind_and_costs_no_shards(model, documents, tmp_path, monkeypatch):
    def damaged(*_, **__):
        raise ArtifactError("damaged")

    out = tmp_path / "out.csv"
    for shards in (0, 2):
        if shards:
            with monkeypatch.context() as patch:
                stop_after(patch, shards)
                with pytest.raises(KeyboardInterrupt):
                    predict_file(model, documents, out)
        with monkeypatch.context() as patch:
            patch.setattr("pipelines.model.artifact.loading.load_model", damaged)
            with pytest.raises(ArtifactError, match="damaged"):
                predict_file(model, documents, out)
        assert len(list(tmp_path.glob("out.csv.parts/*.jsonl"))) == shards
        assert out.with_name("out.csv.parts").exists() == bool(shards)


@pytest.mark.parametrize("shards", [0, 2])
def test_a_model_that_is_replaced_meanwhile_answers_nothing(model, documents, tmp_path, monkeypatch, shards):
    out, ours = tmp_path / "out.jsonl", Path(shutil.copytree(model, tmp_path / "model"))
    if shards:
        with monkeypatch.context() as patch:
            stop_after(patch, shards)
            with pytest.raises(KeyboardInterrupt):
                predict_file(ours, documents, out)

    def replaced(*_, **__):
        manifest = ours / "manifest.json"
        manifest.write_bytes(manifest.read_bytes() + b"\n")  # as another training would change it
        return load_model(ours)

    with monkeypatch.context() as patch:
        patch.setattr(loading, "load_model", replaced)
        with pytest.raises(ArtifactError, match="was replaced in the meantime: give the same command again"):
            predict_file(ours, documents, out)
    assert not out.exists()
    assert len(list(tmp_path.glob("out.jsonl.parts/*.jsonl"))) == shards


def test_a_link_stays_and_names_of_others_are_not_followed(model, documents, tmp_path):
    victim, target, link = (tmp_path / name for name in ("victim", "target.jsonl", "link.jsonl"))
    victim.write_text("precious", encoding="utf-8")
    link.symlink_to(target)
    for name in (".target.jsonl.tmp", ".link.jsonl.tmp", f".target.jsonl.{os.getpid()}.tmp"):
        (tmp_path / name).symlink_to(victim)
    for _ in range(2):
        predict_file(model, documents, link)
        assert link.is_symlink()
        assert len(read_jsonl(target)) == len(documents.read_text(encoding="utf-8").splitlines())
        assert victim.read_text(encoding="utf-8") == "precious"
        target.write_text("old", encoding="utf-8")


def test_names_of_any_length_work(model, documents, tmp_path):
    for name in ("a" * 249 + ".jsonl", "字" * 83 + ".csv"):
        predict_file(model, documents, tmp_path / name)
        (tmp_path / name).unlink()
    with pytest.raises(DataError, match=r"cannot be written \(File name too long\): give it a shorter name"):
        predict_file(model, documents, tmp_path / ("a" * 250 + ".jsonl"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["documents.jsonl"]


def test_a_spreadsheet_computes_nothing_in_answers(model, documents, tmp_path):
    ids = ["=1+1", "'=1", "-5", "+x", "@SUM(1)", "a;=1", "\ttab", "plain", "＝1"]
    lines = [{"text": "kettle", "key": one} for one in ids]
    documents.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    for suffix in ("csv", "jsonl", "parquet"):
        predict_file(model, documents, tmp_path / f"out.{suffix}", id_column="key")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        written = [row["id"] for row in csv.DictReader(file)]
    assert [from_spreadsheet_cell(cell) for cell in written] == ids
    assert not [cell for cell in written if cell[0] in "=+-@\t＝"]
    assert [line["id"] for line in read_jsonl(tmp_path / "out.jsonl")] == ids
    assert pq.read_table(tmp_path / "out.parquet")["id"].to_pylist() == ids


def test_numbers_and_lists_of_a_csv_read_back_exactly(tmp_path):
    paths = [{"label": 'a;"=1', "probability": -0.25}, {"label": "b;=1|@x", "probability": 1e-05}]
    answer = {"row": -1, "probability": -0.5, "paths": paths, "set": ["=1", ";-1"], "id": None}
    output.write_answers(iter([[answer]]), tmp_path / "out.csv", schema=pytest.fail)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["row"], row["probability"], row["id"]) == ("-1", "-0.5", "")
    assert (json.loads(row["paths"]), json.loads(row["set"])) == (paths, ["=1", ";-1"])
    assert ";=" not in row["paths"]


def test_empty_documents_are_answered_and_told(model, tmp_path, caplog):
    path = tmp_path / "documents.jsonl"
    path.write_text('{"text": "kettle"}\n{"text": "  "}\n{"text": null}\n', encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        predict_file(model, path, tmp_path / "out.jsonl")
    assert "2 empty documents (rows 2, 3)" in caplog.text
    assert [line["row"] for line in read_jsonl(tmp_path / "out.jsonl")] == [1, 2, 3]


def test_the_beam_is_used(model, documents, tmp_path):
    out = tmp_path / "out.jsonl"
    predict_file(model, documents, out, routing="beam", beam=1)
    lines = read_jsonl(out)
    assert all(line["beam_mass"] == pytest.approx(line["coarse_probability"], abs=1e-5) for line in lines)
    assert all(len({path["group"] for path in line["paths"]}) == 1 for line in lines)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("out.txt", "must end in one of .jsonl, .csv, .parquet"),
        ("none/out.csv", "does not exist"),
        ("folder.csv", "is a folder"),
    ],
)
def test_an_output_that_cannot_be_written_is_told_first(model, tmp_path, out, message):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=message):
        predict_file(model, tmp_path / "not even there.csv", tmp_path / out)


def test_a_folder_that_is_not_ours_is_left_alone(model, documents, tmp_path):
    theirs = tmp_path / "out.jsonl.parts"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(DataError, match="is in the way"):
        predict_file(model, documents, tmp_path / "out.jsonl", restart=True)
    assert (theirs / "thesis.txt").exists()


@pytest.mark.parametrize(
    "name", ["documents/letters.jsonl", "documents/mine/documents-1", "documents/documents-1.jsonl"]
)
def test_documents_in_the_folder_of_parts_are_neither_read_nor_lost(model, documents, tmp_path, name):
    theirs = tmp_path / "out.jsonl.parts" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(documents.read_bytes())
    with pytest.raises(DataError, match="is in the way"):
        predict_file(model, theirs, tmp_path / "out.jsonl", restart=True)
    assert theirs.exists()


def test_bad_input_leaves_nothing_behind(model, documents, tmp_path):
    out = tmp_path / "out.jsonl"
    with pytest.raises(DataError, match="there is no column 'body'"):
        predict_file(model, documents, out, text="body")
    with pytest.raises(ArtifactError, match="holds no model"):
        predict_file(tmp_path, documents, out)
    assert [entry.name for entry in tmp_path.iterdir()] == ["documents.jsonl"]
