"""Several files as training data: those behind the first correct, and what is told names file and row."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cli_serve import Process

from hierarchy.errors import ConfigError, DataError
from pipelines.cli.documents import read_checked, sources_of
from pipelines.config import Config, load_config


def write(file: Path, *rows: tuple[str, Any], **more: str) -> str:
    lines = [json.dumps({"text": text, "label": label, **more}) for text, label in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(file)


def checked(*files: str, **data: Any) -> tuple[list[str], list[str]]:
    config = Config.model_validate({"data": {"train": list(files), **data}})
    _, found = read_checked(sources_of(config, ("train",)), config, None)
    return list(found["train"].texts), list(found["train"].labels)


FIRST = (("a red hose", "garden"), ("a kettle", "garden"), ("a lamp", "light"), ("a lamp", "garden"))


def test_a_later_file_corrects_what_stands_before_and_the_last_correction_counts(tmp_path: Path, caplog: Any):
    first = write(tmp_path / "train.jsonl", *FIRST)
    later = write(
        tmp_path / "corrections.jsonl", ("A  kettle", "light"), ("a Kettle", "kitchen"), ("a red hose", "garden"),
        ("new", "light"), at="2026-11-28T09:00:00+00:00", model="0123456789ab",
    )  # fmt: skip
    caplog.set_level("INFO", "coarsefine")
    texts, labels = checked(first, later)
    assert list(zip(texts, labels, strict=True)) == [
        FIRST[0], FIRST[2], FIRST[3], ("a Kettle", "kitchen"), ("a red hose", "garden"), ("new", "light"),
    ]  # fmt: skip
    assert f"{first}, {later}: 2 documents whose label a later file corrects (left out)" in caplog.text
    assert "rows train.jsonl:3, train.jsonl:4: garden, light: 'a lamp'" in caplog.text  # kept, as in one file


TEXTS = st.sampled_from(["x", "X ", "y", "z"])
ROWS = st.lists(st.tuples(TEXTS, st.sampled_from(["one", "two", "three"])), min_size=1, max_size=8)


@settings(max_examples=25, deadline=None)
@given(st.lists(ROWS, min_size=2, max_size=3))
def test_what_is_left_is_what_the_rule_says(tmp_path_factory: Any, rows: list[list[tuple[str, str]]]):
    folder = tmp_path_factory.mktemp("rows")
    texts, labels = checked(*(write(folder / f"{number}.jsonl", *part) for number, part in enumerate(rows)))
    said = {text.strip().lower(): label for part in rows[1:] for text, label in part}
    right = [(text, label) for part in rows for text, label in part if said.get(text.strip().lower(), label) == label]
    assert list(zip(texts, labels, strict=True)) == right


def test_a_label_that_was_corrected_away_has_no_documents(tmp_path: Path, caplog: Any):
    caplog.set_level("INFO", "coarsefine")
    files = write(tmp_path / "a.jsonl", ("x", "one"), ("y", "two")), write(tmp_path / "b.jsonl", ("x", "two"))
    assert checked(*files)[1] == ["two", "two"]
    assert "2 documents in 1 label (" in caplog.text
    assert "1 label without documents: one" in caplog.text


def test_corrections_are_read_by_their_own_columns_where_the_others_are_missing(tmp_path: Path):
    first, later = tmp_path / "tickets.csv", write(tmp_path / "corrections.jsonl", ("no  light", "lamps"))
    first.write_text("title,body,intent,team\nno,kettle,kettles,kitchen\n,no light,kettles,kitchen\n", encoding="utf-8")
    columns = {"text": ["title", "body"], "label": "intent", "group": "team"}
    assert checked(str(first), later, **columns) == (["no\n\nkettle", "no  light"], ["kettles", "lamps"])
    with pytest.raises(DataError, match=r"corrections\.jsonl: 3 problems\s+- there is no column 'title'"):
        checked(later, str(first), **columns)


def test_a_file_that_nobody_has_corrected_in_yet_is_told_and_passed_over(tmp_path: Path, caplog: Any):
    first, later = write(tmp_path / "train.jsonl", *FIRST[:2]), tmp_path / "corrections.jsonl"
    later.touch()
    assert checked(first, str(later)) == (["a red hose", "a kettle"], ["garden", "garden"])
    assert f"{later}: the file is empty, so it corrects nothing" in caplog.messages
    with pytest.raises(DataError, match=r"corrections\.jsonl: the file is empty: name one"):
        checked(str(later), first)


def test_what_is_wrong_names_its_file_and_row_and_all_is_told(tmp_path: Path):
    first = write(tmp_path / "train.jsonl", ("a", "one"), ("b", ""), ("c", ["one", "two"]))
    later = write(tmp_path / "corrections.jsonl", ("d", "one"), ("e", None), ("f", "two"))
    with pytest.raises(DataError) as refused:
        checked(first, later)
    assert "2 documents without a label (rows train.jsonl:2, corrections.jsonl:2)" in str(refused.value)
    assert "(rows train.jsonl:3: one + two)" in str(refused.value)
    (tmp_path / "corrections.jsonl").write_text('{"text": "a", "label": "one"}\n{"text": ', encoding="utf-8")
    with pytest.raises(DataError, match=r"corrections\.jsonl: line 2"):
        checked(write(tmp_path / "train.jsonl", ("a", "one")), later)
    with pytest.raises(DataError) as refused:
        checked(str(tmp_path / "none.jsonl"), str(tmp_path / "nothing.jsonl"))
    assert "none.jsonl" in str(refused.value)
    assert "nothing.jsonl" in str(refused.value)


def test_files_of_one_name_are_told_by_their_folders(tmp_path: Path):
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
    first, later = write(tmp_path / "a" / "t.jsonl", ("a", "one")), write(tmp_path / "b" / "t.jsonl", ("b", ""))
    with pytest.raises(DataError, match=re.escape(f"(rows {Path('b', 't.jsonl')}:1)")):
        checked(first, later)


@pytest.mark.parametrize(("given", "told"), [("[]", "at least one file"), ("[a.jsonl, ./a.jsonl]", "each once")])
def test_lists_that_name_nothing_or_one_file_twice_are_refused(given: str, told: str):
    with pytest.raises(ConfigError, match=told):
        load_config(None, [f"data.train={given}"])


@pytest.fixture
def corpus(english: Any, tmp_path: Path) -> dict[str, str]:
    english.taxonomy.to_yaml(tmp_path / "taxonomy.yaml")
    parts = {part: zip(*getattr(english, part), strict=True) for part in ("train", "valid")}
    return {part: write(tmp_path / f"{part}.jsonl", *rows) for part, rows in parts.items()}


def test_what_a_person_corrected_is_answered_so_by_the_next_model(
    corpus: dict[str, str], fitted_lexical: Any, cli: Any, english: Any, tmp_path: Path
):
    (texts, labels), folder = english.train, tmp_path / "shop"
    fitted_lexical.save_pretrained(folder)
    corrections, right = tmp_path / "corrections.jsonl", "lamps"
    text = next(text for text, label in zip(texts, labels, strict=True) if label != right)
    service = Process(folder, tmp_path / "log.txt", "--corrections", str(corrections))
    for label in (labels[-1], right):  # the first one was a slip
        body = json.dumps({"text": text, "label": label}).encode()
        assert service.ask(service.head("POST", "/corrections", len(body)) + body)[0] == 201
    assert service.end() == 0

    common = ("--set", f"data.train=[{corpus['train']}, {corrections}]", "--set", f"taxonomy={folder}")
    model = tmp_path / "model"
    cli(
        "train", *common, "--set", f"data.valid={corpus['valid']}", "--set", "classifier.encoder=none",
        "--set", f"output={model}", "--no-baselines",
    )  # fmt: skip
    assert json.loads(cli("predict", str(model), "--text", text, "--json").stdout)["paths"][0]["label"] == right
    record = json.loads((model / "run.json").read_text(encoding="utf-8"))
    assert record["sources"]["train"] == f"{corpus['train']}, {corrections}"
    assert record["config"]["data"]["train"] == [corpus["train"], str(corrections)]
    assert f'data.train=["{corpus["train"]}", "{corrections}"]' in (model / "README.md").read_text(encoding="utf-8")


def test_an_id_that_one_file_lacks_names_the_file(corpus: dict[str, str], cli: Any, tmp_path: Path):
    first = write(tmp_path / "numbered.jsonl", *FIRST, number="1")
    refused = cli(
        "label-errors", "--set", f"data.train=[{first}, {corpus['train']}]", "--set", "classifier.encoder=none", "--id",
        "number", "--set", f"run_dir={tmp_path / 'run'}", "-o", tmp_path / "review.csv",
    )  # fmt: skip
    assert refused.exit_code
    assert "train.jsonl: there is no column 'number'" in " ".join(refused.output.split())


def test_label_errors_names_file_and_row(corpus: dict[str, str], cli: Any, tmp_path: Path):
    rows = [("kettle boils water steam tea pot", "lamps")] * 3
    later = write(tmp_path / "corrections.jsonl", *rows)
    review = tmp_path / "review.csv"
    cli(
        "label-errors", "--set", f"data.train=[{corpus['train']}, {later}]", "--set",
        f"taxonomy={tmp_path / 'taxonomy.yaml'}", "--set", "classifier.encoder=none", "--set", "classifier.n_jobs=1",
        "--set", f"run_dir={tmp_path / 'run'}", "--folds", "2", "--text", "-o", str(review),
    )  # fmt: skip
    found = list(csv.DictReader(review.open(encoding="utf-8")))
    assert found
    lines = {name: Path(file).read_text(encoding="utf-8").splitlines() for name, file in
             (("train.jsonl", corpus["train"]), ("corrections.jsonl", later))}  # fmt: skip
    for one in found:
        file, row = one["id"].split(":")
        assert row == one["row"]
        assert json.loads(lines[file][int(row) - 1])["label"] == one["label"]
