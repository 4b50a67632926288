"""The record of a run: one fingerprint for one config on one data set, and another for whatever decides the result."""

import copy
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from hierarchy.errors import ArtifactError
from hierarchy.nodes import Group, Label
from hierarchy.taxonomy import Taxonomy
from pipelines.classifier import HierarchicalClassifier
from pipelines.data.documents import Documents
from pipelines.model.artifact.loading import load_model
from pipelines.model.record import hardware, peak_memory, run_fingerprint, run_record, with_test
from pipelines.settings import Settings

TREE = Taxonomy(
    groups=(
        Group(id="kitchen", name="kitchen", labels=(Label("kettles", "kettles", "boil water"), Label("pans", "pans"))),
        Group(id="garden", name="garden", labels=(Label("mowers", "mowers"), Label("hoses", "hoses"))),
    )
)
TRAIN = Documents(["a kettle", "a pan", "a mower", "a hose"], ["kettles", "pans", "mowers", "hoses"])
VALID = Documents(["the kettle", "the pan"], ["kettles", "pans"])


def record(settings=None, taxonomy=TREE, train=TRAIN, valid=VALID, encoder=None):
    given = Settings.model_validate({"encoder": "none", **(settings or {})})
    return run_record(given, taxonomy, train, valid, encoder=encoder, history=[{"epoch": 1.0}], seconds={"rows": 2.0})


def fingerprint(**changed):
    return record(**changed)["fingerprint"]


# What the fingerprint stands for


def test_the_same_run_has_the_same_fingerprint():
    one, other = record(), record()
    assert one["fingerprint"] == other["fingerprint"]
    assert len(one["fingerprint"]) == 64
    assert run_fingerprint(json.loads(json.dumps(one))) == one["fingerprint"]  # from the file alone


def test_whatever_decides_the_result_changes_the_fingerprint():
    kitchen, garden = TREE.groups
    kettles, pans = kitchen.labels
    described = Label("kettles", "kettles", "boil milk")

    def tree(*groups):
        return Taxonomy(groups=groups)

    def labels(*names):
        return Group(id="kitchen", name="kitchen", labels=names)

    others = {
        "a text": fingerprint(train=Documents(["a kettle!", *TRAIN.texts[1:]], TRAIN.labels)),
        "a label": fingerprint(train=Documents(TRAIN.texts, ["pans", *TRAIN.labels[1:]])),
        "order of documents": fingerprint(train=Documents(TRAIN.texts[::-1], TRAIN.labels[::-1])),
        "a document less": fingerprint(train=Documents(TRAIN.texts[:3], TRAIN.labels[:3])),
        "validation text": fingerprint(valid=Documents(["the kettle", "that pan"], VALID.labels)),
        "validation label": fingerprint(valid=Documents(VALID.texts, ["pans", "pans"])),
        "parts exchanged": fingerprint(train=VALID, valid=TRAIN),
        "order of labels": fingerprint(taxonomy=tree(labels(pans, kettles), garden)),
        "order of groups": fingerprint(taxonomy=tree(garden, kitchen)),
        "a description": fingerprint(taxonomy=tree(labels(described, pans), garden)),
        "a label in another group": fingerprint(
            taxonomy=tree(labels(kettles), Group(id="garden", name="garden", labels=(pans, *garden.labels)))
        ),
        "no taxonomy": fingerprint(taxonomy=None),
        "random_state": fingerprint(settings={"random_state": 1}),
        "a number": fingerprint(settings={"lexical_C": 2.0}),
        "a training argument": fingerprint(
            settings={"encoder": "somewhere", "training": {"learning_rate": 0.01}}, encoder="a" * 64
        ),
        "encoder": fingerprint(settings={"encoder": "somewhere"}, encoder="a" * 64),
        "its weights": fingerprint(settings={"encoder": "somewhere"}, encoder="b" * 64),
    }
    everything = [fingerprint(), *others.values()]
    assert len(set(everything)) == len(everything), others


def test_what_cannot_change_the_result_does_not_change_the_fingerprint():
    for settings in ({"device": "cpu"}, {"n_jobs": 1}, {"run_dir": "elsewhere"}):
        assert fingerprint(settings=settings) == fingerprint(), settings
    moved = [fingerprint(settings={"encoder": place}, encoder="a" * 64) for place in ("here", "there")]
    assert moved[0] == moved[1]  # the same weights in another folder
    arguments = ({"learning_rate": 0.1, "warmup_steps": 5}, {"warmup_steps": 5, "learning_rate": 0.1})
    assert len({fingerprint(settings={"encoder": "here", "training": one}) for one in arguments}) == 1
    tested = with_test(record(), VALID, "test.jsonl", train=TRAIN)
    assert run_fingerprint(tested) == fingerprint()


def test_several_processes_are_another_run(monkeypatch):
    alone = fingerprint()
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert fingerprint() != alone


# What a training writes


def test_every_fit_makes_a_record(fitted, saved, english):
    written = json.loads((saved / "run.json").read_text(encoding="utf-8"))
    assert written == fitted.model_.record
    assert written["documents"] == {"train": 204, "valid": 48}
    assert set(written["fingerprints"]) == {"train", "valid", "taxonomy", "encoder"}
    assert all(len(print_) == 64 for print_ in written["fingerprints"].values())
    assert written["random_state"] == 0
    assert written["versions"].keys() >= {"python", "coarsefine", "torch", "transformers", "numpy", "scikit-learn"}
    assert written["settings"]["trainable"] == "frozen"
    assert not {"device", "n_jobs", "run_dir"} & set(written["settings"])
    assert written["seconds"]["rows"] > 0
    epochs = [entry["epoch"] for entry in written["history"] if "eval_loss" in entry]
    assert epochs == sorted(epochs)
    assert len(epochs) > 1
    config = json.loads((saved / "config.json").read_text(encoding="utf-8"))
    assert not {"record", "versions"} & set(config)  # one place for each fact


def test_two_trainings_have_one_fingerprint_and_another_document_another(english):
    def fit(texts, n_jobs=1):
        classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=n_jobs)
        return classifier.fit(texts, english.train[1], validation=english.valid).model_.record["fingerprint"]

    first = fit(english.train[0])
    assert fit(english.train[0], n_jobs=2) == first
    assert fit([*english.train[0][:-1], "another kettle"]) != first


def test_a_copy_of_the_encoder_is_the_same_encoder(tiny_classifier, tiny_encoder, english, tmp_path):
    shutil.copytree(tiny_encoder, tmp_path / "copy")
    first = tiny_classifier().fit(*english.train, validation=english.valid).model_.record
    copied = tiny_classifier(encoder=str(tmp_path / "copy")).fit(*english.train, validation=english.valid).model_.record
    assert copied["fingerprint"] == first["fingerprint"]


def test_an_encoder_that_is_trained_is_recorded_as_it_was(tiny_classifier, fitted, english):
    trained = tiny_classifier(trainable="all", training={"num_train_epochs": 1})
    found = trained.fit(*english.train, validation=english.valid).model_.record["fingerprints"]["encoder"]
    assert found == fitted.model_.record["fingerprints"]["encoder"]


def test_promises_are_part_of_the_run(fitted_lexical, english):
    def calibrated(documents=english.test, **asked):
        classifier = copy.copy(fitted_lexical).calibrate(*documents, **{"precision": 0.6, **asked})
        return classifier.model_.record

    record = calibrated()
    assert record["documents"]["calibration"] == 48
    assert record["promised"] == {
        "precision": 0.6, "delta": 0.1, "coverage": 0.9, "by_group": False, "false_alarms": None
    }  # fmt: skip
    prints = [fitted_lexical.model_.record["fingerprint"], record["fingerprint"]]
    prints += [calibrated(coverage=0.8)["fingerprint"], calibrated(false_alarms=0.05)["fingerprint"]]
    prints.append(calibrated((english.test[0][:40], english.test[1][:40]))["fingerprint"])
    assert len(set(prints)) == 5
    assert calibrated()["fingerprint"] == record["fingerprint"]
    at_once = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1)
    at_once.fit(*english.train, validation=english.valid)
    at_once.calibrate(*english.test, precision=0.6)
    assert at_once.model_.record["fingerprint"] == record["fingerprint"]


def test_a_refit_is_recorded_and_ends_promises(fitted_lexical, english):
    classifier = copy.copy(fitted_lexical).calibrate(*english.test, precision=0.6)
    before = classifier.model_.record
    classifier.refit_groups(["kitchen"], *english.train, validation=english.valid)
    record = classifier.model_.record
    assert "promised" not in record
    assert record["documents"] == {"train": 204, "valid": 48}
    refit = record["refits"][0]
    assert refit["before"] == fitted_lexical.model_.record["fingerprint"]  # without the promises, which count no more
    assert refit["fingerprints"]["train"] == record["fingerprints"]["train"]
    assert refit["versions"] == record["versions"]
    assert record["fingerprint"] not in (before["fingerprint"], fitted_lexical.model_.record["fingerprint"])


def test_test_documents_that_were_trained_on_are_counted():
    found = with_test(record(), Documents(["a kettle", "b"], ["kettles", "pans"]), "test.jsonl", train=TRAIN)
    assert found["test_in_training"] == 1
    assert found["sources"] == {"test": "test.jsonl"}
    assert found["documents"]["test"] == 2


# The machine


def test_hardware_is_described():
    found = hardware()
    assert found["cores"] >= 1
    assert found["processor"]
    assert found["processes"] == 1
    assert found["memory_mb"] is None or found["memory_mb"] > 100


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells of a process")
def test_peak_memory_is_what_the_system_says():
    block = np.ones(50_000_000, dtype=np.uint8)
    del block  # a peak stays when it is over
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    kilobytes = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])
    assert peak_memory()["process"] == pytest.approx(kilobytes * 1024 / 1e6, rel=0.05)


def test_a_model_without_a_record_is_refused(saved, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(saved, folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    del manifest["sha256"]["run.json"]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"it does not list run\.json: copy the model again"):
        load_model(folder)
