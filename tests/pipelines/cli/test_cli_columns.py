"""Columns and splits by options of their own."""

import json

import pytest
from datasets import Dataset, DatasetDict

from hierarchy.errors import CoarsefineError, DataError, Remedy, combined
from pipelines.cli.options import RoutingOption
from pipelines.model.sets import WITHIN
from stages.router.router import ROUTINGS

QUIET = ("--set", "classifier.encoder=none", "--set", "classifier.n_jobs=1")


@pytest.fixture(scope="module")
def files(english, fitted_lexical, tmp_path_factory):
    """A model, letters.csv with columns of its own, and a data set with two splits."""
    folder = tmp_path_factory.mktemp("columns")
    fitted_lexical.save_pretrained(folder / "model")
    texts, labels = english.test
    rows = [f"{text},{text.split()[0]},{label}\n" for text, label in zip(texts, labels, strict=True)]
    (folder / "letters.csv").write_text("letter,head,kind\n" + "".join(rows), encoding="utf-8")
    parts = {"one": texts[:5], "two": texts[5:]}
    of = {"one": labels[:5], "two": labels[5:]}
    splits = {name: Dataset.from_dict({"letter": part, "kind": of[name]}) for name, part in parts.items()}
    DatasetDict(splits).save_to_disk(folder / "set")
    return folder


COLUMNS = ("--text-column", "letter", "--label-column", "kind")


def test_one_file_names_its_columns(cli, files, tmp_path):
    done = cli("evaluate", files / "model", files / "letters.csv", *COLUMNS)
    assert done.exit_code == 0, done.stderr
    assert "48 documents" in done.stdout
    out = tmp_path / "answers.jsonl"
    done = cli("predict", files / "model", files / "letters.csv", *COLUMNS[:2], "-o", out)
    assert done.exit_code == 0, done.stderr
    assert len(out.read_text(encoding="utf-8").splitlines()) == 48
    assert cli("explain", files / "model", files / "letters.csv", *COLUMNS[:2], "--row", 2).exit_code == 0
    assert "No such option" in cli("predict", files / "model", files / "letters.csv", *COLUMNS).stderr


def test_a_text_of_several_columns(cli, files):
    columns = ("--text-column", "head", "--text-column", "letter")
    shown, other = (
        cli("explain", files / "model", files / "letters.csv", *named, "--row", 2, "--json").stdout
        for named in (columns, ("--set", "data.text=[head, letter]"))
    )
    assert json.loads(shown) == json.loads(other)
    assert shown != cli("explain", files / "model", files / "letters.csv", *COLUMNS[:2], "--row", 2, "--json").stdout


def test_an_option_goes_over_the_config(cli, files):
    done = cli("evaluate", files / "model", files / "letters.csv", *COLUMNS, "--set", "data.text=none")
    assert done.exit_code == 0, done.stderr


def test_training_documents_have_the_options_too(cli, files, tmp_path):
    done = cli("train", *QUIET, *COLUMNS, "--no-baselines", "--set", f"data.train={files / 'letters.csv'}",
               "--set", f"output={tmp_path / 'model'}")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    run = json.loads((tmp_path / "model" / "run.json").read_text(encoding="utf-8"))
    assert run["config"]["data"]["text"] == "letter"
    assert run["config"]["data"]["label"] == "kind"


@pytest.mark.parametrize("command", ["evaluate", "predict", "explain", "calibrate"])
def test_a_split_is_named_where_a_command_names_one_file(cli, files, tmp_path, command):
    more = {
        "evaluate": COLUMNS[2:],
        "calibrate": (*COLUMNS[2:], "--precision", "0.3", "--delta", "0.5", "-o", tmp_path / "new"),
        "predict": ("-o", tmp_path / "answers.jsonl"),
        "explain": ("--row", "0"),
    }[command]
    arguments = (command, files / "model", files / "set", *COLUMNS[:2], *more)
    refused = cli(*arguments)
    assert refused.exit_code == 2
    assert "there are several splits (one, two); say which with --split" in refused.stderr
    done = cli(*arguments, "--split", "two")
    assert done.exit_code == 0, done.stderr


def test_help_says_how_a_column_is_named(cli):
    assert "--text-column" in cli("predict", "--help").stdout


def test_allowed_values_are_those_of_the_model():
    assert RoutingOption.__args__[0].__args__[0].__args__ == ROUTINGS
    assert set(WITHIN) == {"labels", "tree"}


def test_an_error_carries_the_setting_that_solves_it():
    remedy = Remedy("no column 'x' {y}; name it with ", "text", ", or fill it in")
    assert remedy == "no column 'x' {y}; name it with text=..., or fill it in"
    assert remedy.setting == "text"
    error = DataError(["another", remedy], "a.csv", Remedy("read it with ", "encoding", value="'utf-16'"))
    assert str(error).startswith("a.csv: 2 problems; read it with encoding='utf-16'\n")
    options = {"text": "--text-column", "encoding": "--set data.encoding={}"}
    told = "a.csv: 2 problems; read it with --set data.encoding='utf-16'\n  - another\n  - no column 'x' {y}; name it "
    assert error.worded(options) == f"{told}with --text-column, or fill it in"
    both = combined([error, CoarsefineError("a third", "b.csv")])
    assert "with --text-column, or" in both.worded(options)
    assert "with text=..., or" in str(both)
