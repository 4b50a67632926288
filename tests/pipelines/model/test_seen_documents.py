"""Documents that training or validation has seen are told before the work, and beside what rests on them."""

import copy
import json
import logging

import numpy as np
import pytest

from pipelines.classifier import HierarchicalClassifier
from pipelines.data.documents import Documents
from pipelines.tuning import tune

NO_ENCODER = ("--set", "classifier.encoder=none", "--set", "classifier.n_jobs=1")


def said(number, of, what="test", where="training"):
    verb = "stands" if number == 1 else "stand"
    return (
        f"{number} of the {of} {what} documents {verb} among the {where} documents: what rests on them is too good; "
        f"{'give others' if number == of else 'leave them out'}"
    )


@pytest.fixture
def files(english, tmp_path):
    """Train, valid and test documents; `both` holds all of the first two, `mixed` some of each."""
    parts = {part: list(zip(*getattr(english, part), strict=True)) for part in ("train", "valid", "test")}
    parts["both"] = parts["train"] + parts["valid"]
    parts["mixed"] = parts["test"] + parts["train"][:8] + parts["valid"][:4]
    for part, documents in parts.items():
        lines = [json.dumps({"text": text, "label": label}) for text, label in documents]
        (tmp_path / f"{part}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    english.taxonomy.to_yaml(tmp_path / "tree.yaml")
    return tmp_path


@pytest.fixture
def run(cli, files, caplog):
    """Run a command; return its warnings about seen documents with what came before, and what it printed."""

    def run(command, *arguments, **parts):
        caplog.clear()
        named = [x for role, part in parts.items() for x in ("--set", f"data.{role}={files / f'{part}.jsonl'}")]
        with caplog.at_level(logging.INFO):
            result = cli(command, *arguments, *named, *(NO_ENCODER if command in ("train", "refit") else ()))
        assert result.exit_code == 0, result.stderr
        # Which come before the rows are fitted, or before the answers are given.
        work = next((i for i, line in enumerate(caplog.messages) if line.startswith("rows ...")), None)
        return caplog.messages[:work], " ".join(result.stdout.split())

    return run


@pytest.mark.parametrize("baselines", [(), ("--no-baselines",)])
def test_train_tells_before_it_trains_and_beside_the_report(run, files, baselines):
    arguments = (*baselines, "--set", f"taxonomy={files / 'tree.yaml'}", "--set", f"output={files / 'm'}")
    before, shown = run("train", *arguments, train="train", valid="valid", test="mixed", calibration="mixed")
    for line in (said(8, 60), said(4, 60, where="validation"), said(8, 60, "calibration"),
                 said(4, 60, "calibration", "validation")):  # fmt: skip
        assert line in before
    assert shown.count(said(8, 60)) == shown.count(said(4, 60, where="validation")) == 1
    before, shown = run("train", *arguments, train="train", valid="valid", test="test")
    assert "stand among" not in shown + " ".join(before)
    before, shown = run("train", *arguments, train="both", test="both")
    kept = json.loads((files / "m" / "run.json").read_text(encoding="utf-8"))["test_in_training"]
    for line in (said(kept, 252), said(252 - kept, 252, where="validation")):
        assert line in before
        assert line in shown


def test_evaluate_and_calibrate_tell_what_the_model_knows(run, files, fitted_lexical, cli):
    fitted_lexical.save_pretrained(files / "model")
    _, shown = run("evaluate", files / "model", files / "train.jsonl")
    assert said(204, 204) in shown
    _, shown = run("evaluate", files / "model", files / "both.jsonl")
    assert said(204, 252) in shown
    assert said(48, 252, where="validation") in shown
    _, shown = run("evaluate", files / "model", files / "test.jsonl")
    assert "stand among" not in shown
    out = ("-o", files / "calibrated", "--precision", 0.1)
    before, _ = run("calibrate", files / "model", files / "both.jsonl", *out)
    assert said(204, 252, "calibration") in before
    assert said(48, 252, "calibration", "validation") in before


def test_refit_tells_of_all_its_parts(run, files, fitted_lexical):
    fitted_lexical.save_pretrained(files / "model")
    arguments = (files / "model", "--groups", "garden", "-o", files / "new")
    before, shown = run("refit", *arguments, train="train", valid="mixed", test="mixed", calibration="train")
    for line in (said(8, 60), said(8, 60, "validation"), said(204, 204, "calibration")):
        assert line in before
    assert said(8, 60) in shown
    assert said(60, 60, where="validation") in shown
    _, shown = run("evaluate", files / "new", files / "train.jsonl")
    assert said(204, 204) in shown


def test_in_python(fitted_lexical, english, caplog):
    texts, labels = english.test
    more = ([*texts, english.train[0][0]], [*labels, english.train[1][0]])
    report = fitted_lexical.evaluate(*more, train=english.train)
    assert said(1, 49) in report.notes
    assert said(1, 49) in caplog.messages
    assert said(48, 48, where="validation") in fitted_lexical.evaluate(*english.valid).notes
    assert fitted_lexical.evaluate(texts, labels).notes == ()
    shuffled = np.random.default_rng(0).permutation(len(english.train[0]))
    other = Documents(*english.train).select(shuffled)
    assert fitted_lexical.evaluate(other.texts, other.labels).notes == ()  # the record knows the whole alone
    blank = (["", *english.train[0]], ["kettles", *english.train[1]])
    assert said(204, 205) in fitted_lexical.evaluate(*blank).notes  # training leaves out what is empty


def test_documents_of_the_promises_are_told(fitted_lexical, english):
    classifier = copy.copy(fitted_lexical).calibrate(*english.test, precision=0.5)
    assert said(48, 48, where="calibration") in classifier.evaluate(*english.test).notes
    fewer = Documents(*english.test).select(np.arange(40))
    assert classifier.evaluate(fewer.texts, fewer.labels).notes == ()  # the record knows the whole alone
    assert fitted_lexical.evaluate(*english.test).notes == ()


def test_a_tune_tells_of_its_test_documents(english, tmp_path, caplog):
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1, run_dir=str(tmp_path))
    tune(classifier, {"classifier.lexical_C": [1.0, 2.0]}, *english.train, validation=english.valid,
         test=english.valid, trials=1, sampler="grid")  # fmt: skip
    assert said(48, 48, where="validation") in caplog.messages
