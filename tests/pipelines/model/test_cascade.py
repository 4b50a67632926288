"""A model with a cascade: n-grams answer what they are sure of, the encoder reads the rest, and each answer says so."""

import copy
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from test_saving import sign

from hierarchy.errors import ArtifactError, ConfigError, DataError
from pipelines.classifier import HierarchicalClassifier
from pipelines.model.record import SET_ASIDE
from stages import shards
from stages.features import NeuralFeatures
from stages.router.cascade import confidence
from stages.router.router import Inputs

WISHES = {"precision": 0.6, "delta": 0.2, "coverage": 0.8}


@pytest.fixture
def texts(english):
    """Documents of which some are surely of a label to n-grams, some not, and two of which these know nothing."""
    return [*english.test[0], "", "xyzzy plugh", *english.valid[0][:10]]


@pytest.fixture
def many(english):
    """Enough documents to choose a cascade with a small limit and to carry promises."""
    return tuple(part * 20 for part in english.test)


def told(classifier, texts):
    return [(one[0].read, one[0].path, one[0].level, one[0].reason) for one in classifier.predict_paths(texts)]


# What is answered


def test_each_answer_is_that_of_its_reader(cascaded, texts):
    model = cascaded.model_
    inputs = model.extractor(texts)
    whole = model.router.route(inputs)
    alone = model.cascade.router.route(Inputs(ngrams=inputs.ngrams))
    sure = confidence(alone) > model.cascade.threshold
    [(_, routed)] = model.route_texts(texts)
    assert (routed.by_ngrams == sure).all()
    assert 5 < sure.sum() < len(texts) - 5
    assert not sure[texts.index("")]
    assert not sure[texts.index("xyzzy plugh")]
    assert np.abs(routed.probabilities - np.where(sure[:, None], alone.probabilities, whole.probabilities)).max() < 1e-5
    assert (cascaded.predict_paths([""])[0][0].level, cascaded.predict_paths([""])[0][0].read) == ("none", "encoder")
    assert (model.route(inputs, routing="auto", beam=3).by_ngrams == sure).all()


def test_answers_do_not_depend_on_what_is_asked_beside(cascaded, texts, monkeypatch):
    together = told(cascaded, texts)
    assert {reader for reader, *_ in together} == {"ngrams", "encoder"}
    assert [told(cascaded, [text])[0] for text in texts] == together
    order = np.random.default_rng(0).permutation(len(texts))
    assert told(cascaded, [texts[place] for place in order]) == [together[place] for place in order]
    monkeypatch.setattr(shards, "SHARD_DOCUMENTS", 7)  # several blocks, which a thread begins
    assert told(cascaded, texts) == together


def test_the_encoder_reads_only_what_is_left(cascaded, texts, monkeypatch):
    read, segments = [], NeuralFeatures.segments
    monkeypatch.setattr(NeuralFeatures, "segments", lambda self, some: read.extend(some) or segments(self, some))
    left = [text for text, (reader, *_) in zip(texts, told(cascaded, texts), strict=True) if reader == "encoder"]
    assert read == left
    read.clear()
    sure = [text for text in texts if text not in left]
    assert told(cascaded, sure)
    assert read == []


def test_readers_of_models_without_a_cascade(fitted, fitted_lexical, texts):
    assert {reader for reader, *_ in told(fitted, texts)} == {"encoder"}
    assert {reader for reader, *_ in told(fitted_lexical, texts)} == {"ngrams"}


def test_with_another_routing_the_encoder_reads_all(cascaded, many, texts):
    beam = copy.copy(cascaded).set_params(routing="beam", beam=2)
    assert not any(routed.by_ngrams.any() for _, routed in beam.model_.route_texts(texts, routing="beam", beam=2))
    beam.calibrate(*many, cascade=2.0, **WISHES)
    assert beam.model_.cascade.routing == "beam: 2"
    assert {reader for reader, *_ in told(beam, texts)} == {"ngrams", "encoder"}


def test_an_explanation_is_that_of_the_answer(cascaded, texts):
    for text, (reader, *_) in zip(texts, told(cascaded, texts), strict=True):
        if text:
            found = cascaded.explain(text)
            neural = [part.name for part in found.parts if "neural" in part.name]
            assert (found.paths[0].read, bool(neural)) == (reader, reader == "encoder")
            assert sum(part.value for part in found.parts) == pytest.approx(found.margin, abs=1e-3)


def test_an_evaluation_is_that_of_the_answers(cascaded, english):
    texts, labels = english.test
    report = cascaded.evaluate(texts, labels)
    assert report.accuracy.value == pytest.approx(np.mean(cascaded.predict(texts) == np.array(labels)))
    share = np.mean([reader == "ngrams" for reader, *_ in told(cascaded, texts)])
    assert f"n-grams answered {share:.1%} of the documents alone; the encoder read the rest" in report.notes


# How it is chosen


def test_the_limit_holds_on_the_documents_that_chose(cascaded, many):
    texts, labels = many
    whole = copy.copy(cascaded)
    whole.model_ = replace(cascaded.model_, cascade=None)
    right = [classifier.predict(texts) == np.array(labels) for classifier in (whole, cascaded)]
    assert np.mean(right[0] & ~right[1]) <= 0.02


def test_documents_are_parted_and_recorded(cascaded, fitted, many, english):
    record, cascade = cascaded.model_.record, cascaded.model_.cascade
    assert (record["documents"]["calibration"], record["documents"]["cascade"]) == (480, 480)
    assert cascaded.model_.promises.documents == 480
    assert cascade.documents == 280  # without those that fitted the weights
    assert record["promised"]["cascade"] == 2.0
    assert record["sources"]["cascade"] == SET_ASIDE
    prints = record["fingerprints"]
    assert prints["cascade"] != prints["calibration"]
    own = copy.copy(fitted).calibrate(*english.valid, cascade=2.0, cascade_data=many, **WISHES)
    assert own.model_.record["documents"]["calibration"] == len(english.valid[0])
    assert own.model_.record["documents"]["cascade"] == 960
    assert "cascade" not in own.model_.record.get("sources", {})
    again = copy.copy(fitted).calibrate(*many, cascade=2.0, **WISHES)
    assert again.model_.record["fingerprint"] == record["fingerprint"]
    assert own.model_.record["fingerprint"] != record["fingerprint"]


def test_a_cascade_ends_with_the_next_calibration_and_with_a_refit(cascaded, fitted, many, english, caplog):
    plain = copy.copy(cascaded).calibrate(*many, **WISHES)
    assert plain.model_.cascade is None
    fresh = copy.copy(fitted).calibrate(*many, **WISHES)
    assert plain.model_.record["fingerprint"] == fresh.model_.record["fingerprint"]
    assert "cascade" not in plain.model_.record["documents"]
    refitted = copy.copy(cascaded).refit_groups(["office"], *english.train, validation=english.valid)
    assert refitted.model_.cascade is None
    assert "cascade" not in refitted.model_.record["documents"]
    assert "promises and the cascade of the model ended with the refit" in caplog.text


def test_n_grams_that_know_nothing_answer_nothing(fitted, many, caplog):
    lost = copy.copy(fitted)
    lexical = lost.model_.router.lexical
    against = replace(lexical, weight=-lexical.weight)
    groups = replace(lost.model_.router.group_rows, weight=-lost.model_.router.group_rows.weight)
    lost.model_ = replace(lost.model_, router=replace(lost.model_.router, lexical=against, group_rows=groups))
    lost.calibrate(*many, cascade=2.0, **WISHES)
    assert lost.model_.cascade is None
    assert "n-grams may answer nothing alone at a loss of at most 2 points on 280 documents" in caplog.text
    assert lost.model_.record["promised"]["cascade"] == 2.0  # what was asked for, so that it can be asked for again


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"cascade": 0}, "cascade is 0: it must lie between 0 and 100"),
        ({"cascade": 0.3}, r"takes 736 documents at least, and the half .* set aside for it has 480: give more"),
        ({"cascade_data": (["a"], ["lamps"])}, "documents for a cascade are given, and none is asked for"),
        ({"cascade": 2.0, "cascade_data": (["a"], ["lamps"])}, r"takes 280 documents .* these documents are 1:"),
        ({"cascade": 2.0, "cascade_data": ["a"]}, r"cascade_data is a list of 1: give a pair"),
        ({"cascade": 2.0, "cascade_data": "same"}, "all documents of the cascade are calibration documents too"),
    ],
)
def test_what_no_cascade_can_rest_on_is_refused(fitted, many, asked, told):
    if asked.get("cascade_data") == "same":
        asked = {**asked, "cascade_data": many}
    classifier = copy.copy(fitted)
    with pytest.raises((ConfigError, DataError), match=told):
        classifier.calibrate(*many, **{**WISHES, **asked})
    assert classifier.model_.promises is None


def test_models_without_one_of_the_readers_are_refused(fitted, fitted_lexical, many):
    with pytest.raises(ConfigError, match="has no encoder, so a cascade has nothing to spare"):
        copy.copy(fitted_lexical).calibrate(*many, cascade=2.0, **WISHES)
    neural = copy.copy(fitted)
    neural.model_ = replace(fitted.model_, extractor=replace(fitted.model_.extractor, vectorizer=None))
    with pytest.raises(ConfigError, match=r"no n-grams \(lexical: false\), which must answer first"):
        neural.calibrate(*many, cascade=2.0, **WISHES)


# What is saved


@pytest.fixture(scope="module")
def folder(cascaded, tmp_path_factory):
    place = tmp_path_factory.mktemp("cascaded") / "model"
    cascaded.save_pretrained(place)
    return place


def test_save_and_load_keep_the_cascade(cascaded, folder, texts):
    again = HierarchicalClassifier.from_pretrained(folder)
    assert told(again, texts) == told(cascaded, texts)
    for name in ("threshold", "routing", "points", "delta", "documents", "answered"):
        assert getattr(again.model_.cascade, name) == getattr(cascaded.model_.cascade, name)
    assert again.model_.cascade.router.fusions == cascaded.model_.cascade.router.fusions


def test_the_card_says_what_n_grams_answer_and_how_to_make_it_again(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "n-grams answer alone above probability" in card
    assert "accuracy falls by at most 2 points for it, with probability 0.8" in card
    assert f"| cascade | {SET_ASIDE} | 480 |" in card
    assert "cascade=2.0, by_group=False)" in card


def edited(folder, tmp_path, change):
    place = shutil.copytree(folder, tmp_path / "model")
    content = json.loads((place / "router.json").read_text(encoding="utf-8"))
    change(content)
    (place / "router.json").write_text(json.dumps(content), encoding="utf-8")
    sign(place, "router.json")
    return place


def test_a_model_of_before_has_no_cascade(folder, tmp_path, texts):
    without = HierarchicalClassifier.from_pretrained(edited(folder, tmp_path, lambda router: router.pop("cascade")))
    assert without.model_.cascade is None
    assert {reader for reader, *_ in told(without, texts)} == {"encoder"}


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("threshold", 1.5, "cascade.threshold: input should be less than or equal to 1"),
        ("routing", "some", "cascade.routing"),
        ("points", 0, "cascade.points: input should be greater than 0"),
        ("answered", 281, "answered: it is more than documents"),
        ("fine", {"lexical": 1.0}, "cascade.fine.neural: field required"),
    ],
)
def test_a_damaged_cascade_is_refused(folder, tmp_path, key, value, problem):
    with pytest.raises(ArtifactError, match=problem):
        HierarchicalClassifier.from_pretrained(
            edited(folder, tmp_path, lambda router: router["cascade"].update({key: value}))
        )


def test_a_cascade_in_a_model_without_an_encoder_is_refused(folder, fitted_lexical, tmp_path):
    cascade = json.loads((folder / "router.json").read_text(encoding="utf-8"))["cascade"]
    fitted_lexical.save_pretrained(tmp_path / "lexical")
    place = edited(tmp_path / "lexical", tmp_path, lambda router: router.update(cascade=cascade))
    with pytest.raises(ArtifactError, match="cascade: the model has no encoder"):
        HierarchicalClassifier.from_pretrained(place)
