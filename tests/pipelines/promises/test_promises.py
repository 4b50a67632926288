"""Promises through the public face: calibrate, predict, sets, save and load, and what is refused."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest

from hierarchy.errors import ConfigError, DataError
from pipelines.classifier import HierarchicalClassifier
from pipelines.evaluation.comparison import EvaluationReport
from pipelines.evaluation.report import promises_table
from pipelines.pages.evaluation import write_report
from pipelines.promises.kept import kept_promises
from pipelines.promises.promises import OutOfScope, Promises


@pytest.fixture
def calibrated(fitted, english):
    return copy.copy(fitted).calibrate(*english.test, precision=0.8, delta=0.2, coverage=0.8, false_alarms=0.05)


def test_without_calibration_nothing_is_promised(fitted, english):
    assert fitted.model_.promises is None
    paths = fitted.predict_paths(english.test[0][:5])
    assert {(p.level, p.reason) for one in paths for p in one} == {("fine", None)}
    with pytest.raises(ConfigError, match="no calibration, so no set promises anything"):
        fitted.predict_sets(english.test[0][:2])


def test_levels_follow_the_thresholds(calibrated, english):
    promises = calibrated.model_.promises
    texts = [*english.test[0], "xyzzy plugh", ""]
    paths = [one[0] for one in calibrated.predict_paths(texts)]
    for routed_part, part in [(calibrated.model_.router.route(calibrated.model_.extractor(texts)), paths)]:
        for text, path, energy in zip(texts, part, routed_part.energy, strict=True):
            if not text:
                assert (path.level, path.reason) == ("none", "nothing_known")
            elif energy < promises.out_of_scope.energy:
                assert (path.level, path.reason) == ("none", "out_of_scope")
            elif promises.back_off.fine is not None and path.probability > promises.back_off.fine:
                assert (path.level, path.reason) == ("fine", None)
            elif promises.back_off.group is not None and path.group_probability > promises.back_off.group:
                assert (path.level, path.reason) == ("group", None)
            else:
                assert (path.level, path.reason) == ("none", "unsure")
    assert {path.level for path in paths} >= {"fine", "none"}


def test_a_document_without_known_words_seems_out_of_scope(fitted, english):
    calibrated = copy.copy(fitted).calibrate(*english.test, precision=0.8, delta=0.2, false_alarms=0.2)
    path = calibrated.predict_paths(["xyzzy plugh quux"])[0][0]
    assert (path.level, path.reason) == ("none", "out_of_scope")


@pytest.mark.parametrize("within", ["labels", "tree"])
def test_sets_hold_the_right_label_as_often_as_promised(calibrated, english, within):
    texts, labels = english.test
    sets = calibrated.predict_sets(texts, within=within)
    tree = calibrated.taxonomy_
    group_of = {label: tree.group_ids[tree.group_of[tree.label_index(label)]] for label in tree.label_ids}
    held = [(label if s.level == "label" else group_of[label]) in s.ids for s, label in zip(sets, labels, strict=True)]
    assert np.mean(held) >= 0.8  # on the very documents that set the limit
    assert all(s.ids for s in sets)
    assert sets[7] == calibrated.predict_sets(texts[7:8], within=within)[0]
    exact = calibrated.predict_sets(texts, within=within, keep_best=False)
    assert all(set(a.ids) <= set(b.ids) for a, b in zip(exact, sets, strict=True) if a.level == b.level)


def test_save_and_load_keep_the_promises(calibrated, english, tmp_path):
    calibrated.save_pretrained(tmp_path / "model")
    again = HierarchicalClassifier.from_pretrained(tmp_path / "model")
    assert again.model_.promises == calibrated.model_.promises
    texts = english.test[0][:10]
    assert again.predict_paths(texts) == calibrated.predict_paths(texts)
    assert again.predict_sets(texts) == calibrated.predict_sets(texts)
    assert "precision 0.8" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")


def test_promises_survive_json(calibrated):
    promises = calibrated.model_.promises
    by_group = replace(promises, conformal=replace(promises.conformal, groups=(0.5, float("inf"))), out_of_scope=None)
    for one in (promises, by_group):
        assert Promises.from_dict(json.loads(json.dumps(one.as_dict(), allow_nan=False))) == one


def test_another_routing_is_refused(calibrated, english):
    other = copy.copy(calibrated).set_params(routing="beam", beam=2)
    for answer in (other.predict_paths, other.predict_sets):
        with pytest.raises(ConfigError, match="made with routing exhaustive and do not hold with beam: 2"):
            answer(english.test[0][:2])
    assert other.predict(english.test[0][:2]).shape == (2,)  # which promises nothing
    again = other.calibrate(*english.test, precision=0.8, delta=0.2)
    assert again.predict_paths(english.test[0][:2])
    assert again.model_.settings.routing == "beam"


def test_fit_takes_calibration_documents(english):
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1)
    with pytest.raises(DataError, match="3 calibration documents are too few to promise"):
        classifier.fit(*english.train, calibration=(english.test[0][:3], english.test[1][:3]))
    texts, labels = english.test
    classifier.fit(*english.train, calibration=(list(texts) * 2, list(labels) * 2))
    assert classifier.model_.promises.documents == 2 * len(texts)


def test_wrong_wishes_and_documents(fitted, english):
    classifier = copy.copy(fitted)
    with pytest.raises(ConfigError) as caught:
        classifier.calibrate(*english.test, precision=1.5, delta=0, coverage=90)
    assert len(caught.value.problems) == 3
    assert "precision is 1.5: it must lie between 0 and 1" in str(caught.value)
    for wish in ("0.9", None):
        with pytest.raises(ConfigError, match=f"precision is {wish!r}: it must lie between 0 and 1"):
            classifier.calibrate(*english.test, precision=wish)
    with pytest.raises(DataError, match=r"too few for a rate of false alarms of 0\.001: it takes 999 at least"):
        classifier.calibrate(*english.test, precision=0.8, delta=0.2, false_alarms=0.001)
    with pytest.raises(DataError, match=r"label 'nowhere' .* is not in the taxonomy"):
        classifier.calibrate(["a text"], ["nowhere"])
    with pytest.raises(ConfigError, match="within 'all' is not known"):
        copy.copy(fitted).calibrate(*english.test, precision=0.8, delta=0.2).predict_sets(["a"], within="all")
    assert classifier.model_.promises is None


def test_validation_documents_are_told(fitted, english, caplog):
    texts, labels = english.valid
    with caplog.at_level("WARNING"):
        copy.copy(fitted).calibrate(texts, labels, precision=0.6, delta=0.4, coverage=0.5)
    assert f"{len(texts)} of the {len(texts)} calibration documents stand among the validation documents" in caplog.text


def test_the_share_of_false_alarms_is_kept(calibrated, english):
    promises = calibrated.model_.promises
    energy = calibrated.model_.router.route(calibrated.model_.extractor(list(english.test[0]))).energy
    assert np.mean(energy < promises.out_of_scope.energy) <= 0.05
    assert isinstance(promises.out_of_scope, OutOfScope)


def test_where_all_get_a_fine_answer_nothing_is_said_against_the_groups(fitted, english, caplog):
    with caplog.at_level("INFO"):
        calibrated = copy.copy(fitted).calibrate(*english.train, precision=0.3, delta=0.2)
    assert calibrated.model_.promises.back_off.fine == 0
    assert "every document gets a fine answer" in caplog.text
    assert "no group answer keeps" not in caplog.text


def test_a_refit_ends_the_promises(fitted_lexical, english, caplog):
    classifier = copy.copy(fitted_lexical).calibrate(*english.test, precision=0.8, delta=0.2)
    with caplog.at_level("WARNING"):
        classifier.refit_groups(["office"], *english.train, validation=english.valid)
    assert classifier.model_.promises is None
    assert "ended with the refit: calibrate it again" in caplog.text


def test_what_became_of_the_promises_is_counted(calibrated, english):
    texts, labels = english.test
    model, promises = calibrated.model_, calibrated.model_.promises
    routed = model.router.route(model.extractor(texts))
    kept = {k.what: k for k in kept_promises(promises, routed, texts, *model.places(labels), model.space)}
    paths = [one[0] for one in calibrated.predict_paths(texts)]
    fine = [path.path[1] == label for path, label in zip(paths, labels, strict=True) if path.level == "fine"]
    assert kept["fine answers"].found == pytest.approx(np.mean(fine))
    assert kept["fine answers"].documents == len(fine)
    sets = calibrated.predict_sets(texts, keep_best=False)
    held = np.mean([label in s.ids for s, label in zip(sets, labels, strict=True)])
    assert kept["sets of labels"].found == pytest.approx(held)
    assert kept["false alarms"].found <= 0.05


def test_a_report_tells_what_became_of_the_promises(calibrated, english, tmp_path):
    report = calibrated.evaluate(*english.test, data="test")
    assert [kept.what for kept in report.promises][:2] == ["fine answers", "group answers"]
    again = EvaluationReport.from_dict(json.loads(json.dumps(report.as_dict())))
    assert again.promises == report.promises
    assert promises_table(report).rows[0][:2] == ("fine answers", "0.8000")
    write_report(report, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "What the model promises" in page
    assert "at most 5.0%" in page
    other = copy.copy(calibrated).set_params(routing="beam", beam=2).evaluate(*english.test)
    assert not other.promises
    assert any("made with routing exhaustive, not with beam: 2" in note for note in other.notes)
