"""``cross-validate``, ``label-errors`` and what other commands take of them."""

import csv
import json

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pipelines.cli import console
from pipelines.cli.app import app
from pipelines.cli.documents import Part, warn_of_seen_parts
from pipelines.cross_validation.label_review import COLUMNS, NAMES
from pipelines.data.documents import Documents


@pytest.fixture(scope="module")
def files(english, fitted_lexical, tmp_path_factory):
    """Train.jsonl with ids and sources, one label of it wrong; test.jsonl; taxonomy.yaml; and a model."""
    folder = tmp_path_factory.mktemp("files")
    for part in ("train", "test"):
        with (folder / f"{part}.jsonl").open("w", encoding="utf-8") as file:
            file.write('{"text": "", "label": "lamps", "number": "empty", "customer": "none"}\n' * (part == "train"))
            for place, (text, label) in enumerate(zip(*getattr(english, part), strict=True)):
                given = "lamps" if (part, place) == ("train", 3) else label
                line = {"text": text, "label": given, "number": f"d{place}", "customer": f"c{place // 2 % 40}"}
                file.write(json.dumps(line) + "\n")
    english.taxonomy.to_yaml(folder / "taxonomy.yaml")
    fitted_lexical.save_pretrained(folder / "model")
    return folder


@pytest.fixture(scope="module")
def common(files):
    settings = (
        f"data.train={files / 'train.jsonl'}", f"taxonomy={files / 'taxonomy.yaml'}", f"run_dir={files / 'run'}",
        "classifier.encoder=none", "classifier.n_jobs=1",
    )  # fmt: skip
    return [argument for setting in settings for argument in ("--set", setting)]


@pytest.fixture(scope="module")
def predictions(files, common):
    """Out-of-fold predictions, and what was shown."""
    out = files / "out-of-fold.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console, "set_up_log", lambda: None)
        shown = CliRunner().invoke(
            app,
            [
                "cross-validate",
                *common,
                "--folds",
                "3",
                "--id",
                "number",
                "--source-column",
                "customer",
                "-o",
                str(out),
            ],
        )
    assert shown.exit_code == 0, shown.stderr
    return out, shown.stdout


def test_cross_validate_shows_the_spread_and_the_test(predictions):
    shown = " ".join(predictions[1].split())
    for told in ("documents", "204", "sources, each on one side", "±", "tf-idf + linear svm", "corrected", "p "):
        assert told in shown


def test_the_predictions_carry_rows_and_ids_of_the_file(predictions):
    lines = pq.read_table(predictions[0]).to_pylist()
    assert [line["row"] for line in lines] == list(range(2, 206))  # the first line has no text
    assert [line["id"] for line in lines] == [f"d{place}" for place in range(204)]
    folds = {}
    for place, line in enumerate(lines):
        folds.setdefault(place // 2 % 40, set()).add(line["fold"])
    assert all(len(found) == 1 for found in folds.values())


@pytest.mark.usefixtures("predictions")  # its folds are there already
def test_cross_validate_goes_on_and_gives_json(cli, common, tmp_path, caplog):
    arguments = (
        "cross-validate",
        *common,
        "--folds",
        3,
        "--source-column",
        "customer",
        "-o",
        tmp_path / "again.parquet",
    )
    with caplog.at_level("INFO"):
        shown = cli(*arguments, "--json")
    assert "fold 1 of 3" not in caplog.text  # all are there
    figures = json.loads(shown.stdout)
    assert figures["sources"] == 40
    assert len(figures["systems"]["this model"]["accuracy"]["folds"]) == 3
    assert figures["predictions"] == str(tmp_path / "again.parquet")
    assert "id" not in pq.read_schema(tmp_path / "again.parquet").names


def test_label_errors_from_predictions(cli, predictions, common, tmp_path):
    out = tmp_path / "errors.csv"
    shown = cli("label-errors", predictions[0], "-o", out, "--text", *common)
    assert shown.exit_code == 0, shown.stderr
    with out.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert tuple(lines[0]) == COLUMNS + NAMES
    assert all(line["text"] and line["label"] != line["suggested"] for line in lines)
    assert {line["where"] for line in lines} <= {"sibling", "other group"}
    probabilities = [float(line["probability"]) for line in lines]
    assert probabilities == sorted(probabilities)
    assert "Labels that may be wrong" in shown.stdout
    first = json.loads(cli("label-errors", predictions[0], "-o", out, "--top", 1, "--json").stdout)
    assert [one["id"] for one in first["found"]] == [lines[0]["id"]]
    assert out.read_text(encoding="utf-8").count("\n") == 2


def test_label_errors_from_documents(cli, common, tmp_path):
    out = tmp_path / "errors.csv"
    shown = cli("label-errors", *common, "--folds", 3, "--id", "number", "-o", out, "--json")
    assert shown.exit_code == 0, shown.stderr
    assert json.loads(shown.stdout)["documents"] == 204
    assert out.exists()


def test_the_page_of_an_evaluation_shows_them(cli, files, predictions, tmp_path):
    pytest.importorskip("bokeh")
    errors, page = tmp_path / "errors.csv", tmp_path / "page.html"
    named = json.loads(cli("label-errors", predictions[0], "-o", errors, "--json").stdout)["found"]
    shown = cli("evaluate", files / "model", files / "test.jsonl", "--html", page, "--label-errors", errors)
    assert shown.exit_code == 0, shown.stderr
    text = page.read_text(encoding="utf-8")
    assert "Labels that may be wrong" in text
    assert f"{len(named)} documents may carry a wrong label" in text
    assert f"<bdi>{named[0]['id']}</bdi>" in text
    cli("evaluate", files / "model", files / "test.jsonl", "--html", page)
    assert "Labels that may be wrong" not in page.read_text(encoding="utf-8")


def test_the_builder_takes_the_predictions(cli, files, predictions, common, tmp_path):
    out = tmp_path / "built.yaml"
    labels = tmp_path / "labels.yaml"
    labels.write_text(
        "".join(f"- {label}\n" for label in sorted({*pq.read_table(predictions[0])["label"].to_pylist()}))
    )
    sizes = ("--set", "classifier.min_group_size=2", "--set", "classifier.signals={confusion: 1}")
    built = cli("taxonomy", "build", labels, "-o", out, "--predictions", predictions[0], *common, *sizes, "--json")
    assert built.exit_code == 0, built.stderr
    probed = cli("taxonomy", "build", labels, "-o", tmp_path / "probed.yaml", *common, *sizes, "--json")
    assert json.loads(built.stdout)["curve"] != json.loads(probed.stdout)["curve"]


@pytest.mark.parametrize("command", ["cross-validate", "label-errors"])
def test_help_has_an_example(cli, command):
    assert f"coarsefine {command} " in cli(command, "--help").stdout.split("Example: ")[1]


def test_bad_input_is_told(cli, files, predictions, common, tmp_path):
    def message(*arguments):
        result = cli(*arguments)
        assert result.exit_code == 2, result.stdout
        return " ".join(result.stderr.split())

    assert "no training documents are named" in message("cross-validate", "--set", "classifier.encoder=none")
    assert "must end in .parquet" in message("cross-validate", *common, "-o", "out.csv")
    assert "does not exist: make it first" in message("cross-validate", *common, "-o", tmp_path / "no" / "out.parquet")
    told = message("cross-validate", *common, "--source-column", "custmer")
    assert "there is no column 'custmer' (did you mean 'customer'" in told
    assert "--source-column" in told
    told = message("cross-validate", *common, "--groups-column", "customer")
    assert "--groups-column: it is --source-column now, since groups are groups of labels" in told
    assert "there is no file" in message("label-errors", tmp_path / "none.parquet", "-o", tmp_path / "errors.csv")
    assert "must end in .csv" in message("label-errors", predictions[0], "-o", "errors.parquet")
    assert "--text needs the documents" in message("label-errors", predictions[0], "--text", "-o", tmp_path / "e.csv")
    test = files / "test.jsonl"
    assert "add --html FILE" in message("evaluate", files / "model", test, "--label-errors", tmp_path / "e.csv")
    told = message(
        "taxonomy", "build", files / "taxonomy.yaml", "--predictions", predictions[0], "-o", tmp_path / "t.yaml"
    )
    assert "--set data.train=FILE" in told


def test_validation_documents_that_stand_for_test_documents_are_called_what_they_are():
    train, valid = Documents(["a"], ["x"]), Documents(["a", "b"], ["x", "y"])
    parts = {role: Part(documents, role) for role, documents in (("train", train), ("valid", valid), ("test", valid))}
    [told] = warn_of_seen_parts(parts, "test")
    assert told.startswith("1 of the 2 validation documents stands among the training documents")
    parts["test"] = Part(Documents(["b"], ["y"]), "test")
    [told] = warn_of_seen_parts(parts, "test")
    assert told.startswith("1 of the 1 test documents stands among the validation documents")
