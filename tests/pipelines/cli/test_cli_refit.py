"""``coarsefine refit``: what it reads, says, writes and refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from edited_trees import edited

from pipelines.classifier import HierarchicalClassifier

ROOT = Path(__file__).parents[3]


@pytest.fixture
def files(english, fitted_lexical, tmp_path):
    """A model, documents, and the tree after a move."""
    fitted_lexical.save_pretrained(tmp_path / "model")
    for part in ("train", "valid", "test"):
        lines = [json.dumps({"text": t, "label": label}) for t, label in zip(*getattr(english, part), strict=True)]
        (tmp_path / f"{part}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    edited(english.taxonomy, move={"lamps": "kitchen"}).to_yaml(tmp_path / "edited.yaml")
    return tmp_path


def data(files, *parts):
    return [argument for part in parts for argument in ("--set", f"data.{part}={files / f'{part}.jsonl'}")]


ONE_JOB = ("--set", "classifier.n_jobs=1")


def test_the_command_as_a_process(files):
    out = files / "new"
    command = ["refit", files / "model", "--taxonomy", files / "edited.yaml", "-o", out, *ONE_JOB]
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *map(str, command), *data(files, "train", "valid", "test")],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "refit: heads of 'kitchen', 'office' and the coarse stage" in done.stderr
    assert f"Evaluationon{files / 'test.jsonl'}" in "".join(done.stdout.split())  # a title wraps as the table is wide
    assert "fusion" in done.stdout
    refitted = HierarchicalClassifier.from_pretrained(out)
    assert refitted.predict_paths(["lamp bulb light shade"])[0][0].path == ("kitchen", "lamps")
    assert refitted.metrics_["data"] == str(files / "test.jsonl")
    assert HierarchicalClassifier.from_pretrained(files / "model").metrics_ is None
    assert (files / "model.run").is_dir()


def test_the_command_evaluates_what_it_can(cli, files):
    model, groups = files / "model", ["--groups", "garden", "--groups", "office"]
    result = cli("refit", model, *groups, "-o", model, *ONE_JOB, *data(files, "train"))
    assert result.exit_code == 0, result.stderr
    assert "Evaluation" not in result.stdout
    replaced = HierarchicalClassifier.from_pretrained(model)
    assert replaced.metrics_ is None
    assert replaced.model_.record["refits"][0]["groups"] == ["garden", "office"]
    result = cli("refit", model, *groups, "-o", model, *ONE_JOB, *data(files, "train", "valid"))
    assert "Evaluation on validation documents" in result.stdout
    assert HierarchicalClassifier.from_pretrained(model).metrics_["documents"] == 48


def test_the_command_finds_the_validation_documents_again(cli, files):
    with (files / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write((files / "valid.jsonl").read_text(encoding="utf-8"))
    result = cli("refit", files / "model", "--taxonomy", files / "edited.yaml", "-o", files / "new", *ONE_JOB,
                 *data(files, "train", "test"))  # fmt: skip
    assert result.exit_code == 0, result.stderr
    refits = HierarchicalClassifier.from_pretrained(files / "new").model_.record["refits"]
    assert refits[0]["documents"] == {"train": 204, "valid": 48}


def louder(text, random):
    return f"{text} {random.integers(9)}"


def test_the_command_names_the_function_that_rewrites_copies(cli, files, english):
    name, model = f"{__name__}:louder", files / "augmented"
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1, augment=name, augmented_copies=2)
    classifier.fit(*english.train, validation=english.valid).save_pretrained(model)
    command = ["refit", model, "--groups", "garden", "-o", files / "new", *ONE_JOB, *data(files, "train", "valid")]
    refused = cli(*command)
    assert refused.exit_code == 2
    assert "name the function yourself with --set classifier.augment=module:function" in refused.stderr
    assert not (files / "new").exists()
    done = cli(*command, "--set", f"classifier.augment={name}")
    assert done.exit_code == 0, done.stderr
    refitted, before = (HierarchicalClassifier.from_pretrained(x).model_.router for x in (files / "new", model))
    for rows in ("lexical", "group_rows"):
        one, other = (getattr(router, rows) for router in (refitted, before))
        assert all((one.tensors("r")[n] == other.tensors("r")[n]).all() for n in one.tensors("r"))


def test_the_record_of_the_command_names_its_calibration_documents(cli, files):
    with (files / "calibration.jsonl").open("w", encoding="utf-8") as file:
        for part in ("valid", "test"):
            file.write((files / f"{part}.jsonl").read_text(encoding="utf-8"))
    result = cli("refit", files / "model", "--taxonomy", files / "edited.yaml", "-o", files / "new", *ONE_JOB,
                 *data(files, "train", "valid", "calibration"))  # fmt: skip
    assert result.exit_code == 0, result.stderr
    sources = json.loads((files / "new" / "run.json").read_text(encoding="utf-8"))["sources"]
    assert sources["calibration"] == str(files / "calibration.jsonl")


def test_bad_input_of_the_command(cli, files):
    model, tree, out = files / "model", ("--taxonomy", files / "edited.yaml"), ("-o", files / "new")

    def message(*arguments):
        result = cli("refit", *arguments, *ONE_JOB)
        assert result.exit_code == 2, result.stdout
        return result.stderr

    train = data(files, "train")
    assert f"name the folder of the new model: -o NEW, or -o {model} to replace" in message(model, *tree, *train)
    assert "nothing to do: name groups with --groups, or the edited tree" in message(model, *out, *train)
    assert "no training documents are named" in message(model, *tree, *out)
    assert "give validation documents with --set data.valid" in message(model, *tree, *out, *train)
    assert "no group 'gardn' in this model; nearest: garden" in message(model, "--groups", "gardn", *out, *train)
    assert "there is no taxonomy file" in message(model, "--taxonomy", files / "none.yaml", *out, *train)
    assert "is not empty and holds no model" in message(model, *tree, "-o", files, *train)
    assert "no folder" in message(files / "none", *tree, *out, *train)
    assert not (files / "new").exists()


def test_the_command_has_help_with_an_example(cli):
    assert "Example: coarsefine refit" in cli("refit", "--help").stdout
