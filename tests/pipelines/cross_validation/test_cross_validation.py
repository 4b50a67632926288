"""Cross-validation: every document once, nothing tested that was trained on, and a stopped run goes on."""

import json

import numpy as np
import pytest

from hierarchy import Taxonomy
from hierarchy.errors import ConfigError, DataError
from pipelines.classifier import HierarchicalClassifier
from pipelines.cross_validation import fold as folds_module
from pipelines.cross_validation.fold import OWN
from pipelines.cross_validation.validate import cross_validate
from pipelines.evaluation.comparison import LOGISTIC, NO_TREE, SVM
from pipelines.model import provenance


@pytest.fixture
def lexical(english, tmp_path):
    """Make a classifier of n-grams alone, with a run folder."""

    def make(taxonomy=english.taxonomy, **settings):
        settings = {"n_jobs": 1, **settings}
        return HierarchicalClassifier(taxonomy, encoder="none", run_dir=str(tmp_path / "run"), **settings)

    return make


@pytest.fixture
def trainings(monkeypatch):
    """Training and validation documents of each fold that is trained."""
    seen = []
    fit = folds_module.fit_model

    def spy(settings, taxonomy, train, valid, **how):
        seen.append((train, valid))
        return fit(settings, taxonomy, train, valid, **how)

    monkeypatch.setattr(folds_module, "fit_model", spy)
    return seen


def test_each_document_is_answered_once_by_a_model_that_has_not_seen_it(lexical, english, trainings):
    result = cross_validate(lexical(), *english.train, folds=3)
    texts, labels = english.train
    assert result.predictions.rows.tolist() == list(range(len(texts)))
    for number, (train, valid) in enumerate(trainings):
        tested = np.flatnonzero(result.predictions.folds == number)
        parts = [set(train.rows), set(valid.rows), set(tested)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == len(texts)
    assert [result.predictions.label_ids[t] for t in result.predictions.targets] == labels
    assert list(result.scores) == [OWN, NO_TREE, SVM]
    best = np.asarray(result.predictions.probabilities.argmax(axis=1)).reshape(-1)
    found = [np.mean((best == result.predictions.targets)[result.predictions.folds == fold]) for fold in range(3)]
    assert found == pytest.approx(result.scores[OWN]["accuracy"])
    assert result.mean("accuracy") > 0.4
    assert (result.rare, result.single, result.unlearned, result.sources) == (0, 0, 0, None)
    assert result.test_by_train == pytest.approx(1 / 2)


@pytest.mark.parametrize("repeats", [0, -1, True, 1.0, 1001, 10**9, 10**20])
def test_repeats_without_end_are_refused(lexical, english, repeats):
    with pytest.raises(ConfigError, match=r"repeats is .*: give a whole number from 1 to 1,000"):
        cross_validate(lexical(), *english.train, folds=3, repeats=repeats)


def test_the_figures_are_ready_for_json_and_hold_the_test(lexical, english):
    result = cross_validate(lexical(), *english.train, folds=3)
    figures = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    svm = figures["systems"][SVM]["accuracy"]
    assert svm["model_minus_it"]["difference"] == pytest.approx(
        figures["systems"][OWN]["accuracy"]["mean"] - svm["mean"]
    )
    assert 0 <= svm["model_minus_it"]["p"] <= 1
    assert "model_minus_it" not in figures["systems"][OWN]["accuracy"]


def test_a_stopped_run_goes_on_and_a_changed_one_begins_anew(lexical, english, trainings, monkeypatch, tmp_path):
    table = folds_module.OutOfFold.table
    written = []

    def stop_at_the_second(self, **more):
        if len(written) == 1:
            raise KeyboardInterrupt
        written.append(more)
        return table(self, **more)

    def run(**settings):
        repeats = settings.pop("repeats", 1)
        return cross_validate(lexical(**settings), *english.valid, folds=4, repeats=repeats, baselines=False)

    monkeypatch.setattr(folds_module.OutOfFold, "table", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        run()
    monkeypatch.setattr(folds_module.OutOfFold, "table", table)
    assert len(trainings) == 2

    result = run()
    assert len(trainings) == 5  # from the second on
    assert not list(tmp_path.rglob("*.run"))
    assert run().scores == result.scores
    assert len(trainings) == 5
    run(repeats=2)
    assert len(trainings) == 9  # the second repeat alone
    run(prior_correction=0.5)
    assert len(trainings) == 13
    run(n_jobs=2)
    assert len(trainings) == 13
    monkeypatch.setattr(provenance, "code_and_libraries", lambda: {"code": "another"})
    run()
    assert len(trainings) == 17


def test_folds_are_kept_for_encoders_and_functions_as_they_are(lexical, english, trainings, monkeypatch):
    texts, labels = (part[::3] for part in english.train)

    def run():
        cross_validate(lexical(), texts, labels, folds=2, baselines=False)
        return len(trainings)

    assert (run(), run()) == (2, 2)
    monkeypatch.setattr(provenance, "encoder_contents", lambda names: {"a/label-encoder": "changed on the hub"})
    assert run() == 4
    monkeypatch.setattr(provenance, "function_sources", lambda names: {"synonyms:swap": "edited"})
    assert run() == 6


def test_the_run_folder_does_not_change_the_answers(english, lexical):
    without = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1)
    kept = cross_validate(lexical(), *english.valid, folds=4, baselines=False)
    assert cross_validate(without, *english.valid, folds=4, baselines=False).scores == kept.scores


def test_repeats_deal_anew_and_are_averaged(lexical, english):
    result = cross_validate(lexical(), *english.train, folds=2, repeats=2, baselines=False)
    assert len(result.scores[OWN]["accuracy"]) == 4
    assert list(result.scores) == [OWN, NO_TREE]
    assert result.predictions.rows.tolist() == list(range(len(english.train[0])))
    assert result.scores[OWN]["accuracy"][:2] != result.scores[OWN]["accuracy"][2:]
    sums = np.asarray(result.predictions.probabilities.sum(axis=1)).reshape(-1)
    np.testing.assert_allclose(sums, 1, rtol=1e-4)  # 12 labels: none is cut off


def test_documents_of_one_source_are_never_on_two_sides(lexical, english, trainings):
    texts, labels = english.train
    sources = [f"s{place % 17 // 2}" if place % 17 < 16 else None for place in range(len(texts))]
    result = cross_validate(lexical(), texts, labels, folds=3, sources=sources, baselines=False)
    for number, (train, valid) in enumerate(trainings):
        tested = np.flatnonzero(result.predictions.folds == number)
        parts = [{sources[i] for i in rows} - {None} for rows in (train.rows, valid.rows, tested)]
        assert sum(map(len, parts)) == len(set.union(*parts))
        assert len(valid.rows)
    assert result.sources == 8 + 12


def test_rare_labels_are_told_and_the_only_document_of_a_label_counts_as_wrong(lexical, english, caplog):
    texts, labels = english.train
    texts, labels = [*texts, "zither strings", "zither bridge", "oboe reed"], [*labels, "zithers", "zithers", "oboes"]
    with caplog.at_level("WARNING"):
        result = cross_validate(lexical(None, min_group_size=2), texts, labels, folds=3, baselines=False)
    assert (result.rare, result.single, result.unlearned) == (2, 1, 1)
    assert "2 of 14 labels have fewer documents than folds" in caplog.text
    found = result.predictions
    alone = found.rows.tolist().index(len(texts) - 1)
    assert np.isnan(found.own[alone])
    assert len({int(found.folds[i]) for i in (alone - 2, alone - 1)}) == 2
    assert not np.isnan(found.own[alone - 1])
    assert len(found.trees) == 3  # built in each fold, without the label that is not there
    assert "oboes" not in found.trees[int(found.folds[alone])]


def test_groups_are_built_in_each_fold_from_its_training_side(lexical, english):
    labels_only = Taxonomy.from_data(sorted(set(english.train[1])))
    result = cross_validate(lexical(labels_only, min_group_size=2), *english.train, folds=2, baselines=False)
    assert len(result.predictions.trees) == 2
    assert all(set(tree) == set(english.train[1]) for tree in result.predictions.trees)


def test_vectors_are_computed_once_for_all_folds(tiny_classifier, tiny_encoder, english, tmp_path, monkeypatch):
    from stages.coarse.encoder import Encoder

    segmenter = Encoder.from_pretrained(tiny_encoder).segmenter(segment_tokens=32, overlap=8)
    encoded = []
    encode = Encoder.encode

    def spy(self, input_ids, *units, **options):
        encoded.append(len(input_ids))
        return encode(self, input_ids, *units, **options)

    monkeypatch.setattr(Encoder, "encode", spy)
    result = cross_validate(tiny_classifier(run_dir=str(tmp_path / "run")), *english.valid, folds=4)
    assert list(result.scores) == [OWN, NO_TREE, SVM, LOGISTIC]
    label_texts = [label.text for label in english.taxonomy.labels]  # these train, too
    assert encoded[0] == segmenter([*english.valid[0], *label_texts]).counts.sum()
    assert max(encoded[1:], default=0) <= len(english.taxonomy.labels)  # later only label texts are encoded


@pytest.mark.parametrize("settings", [{"trainable": "all"}, {"trainable": "all", "mode": "joint"}])
def test_an_encoder_that_is_trained_is_trained_in_each_fold(tiny_classifier, english, settings):
    classifier = tiny_classifier(**settings, training={"num_train_epochs": 1})
    result = cross_validate(classifier, *english.valid, folds=4, baselines=False)
    assert len(result.predictions) == len(english.valid[0])
    assert np.isfinite(result.predictions.own).all()


def test_bad_input_is_told_before_any_work(lexical, english):
    for arguments, told in (
        ({"sources": ["a"]}, "48 texts and 1 sources"),
        ({"sources": ["a"] * 48}, "1 sources cannot make 5 folds"),
    ):
        with pytest.raises(DataError, match=told):
            cross_validate(lexical(), *english.valid, **arguments)
    with pytest.raises(DataError, match="at least two labels"):
        cross_validate(lexical(None), ["a", "b", "c"], ["x"] * 3)
    with pytest.raises(ConfigError, match="beem"):
        cross_validate(lexical(routing="beem"), *english.valid)
    for wrong in ({"folds": 1}, {"folds": 2.5}, {"repeats": 0}, {"repeats": True}):
        ((name, value),) = wrong.items()
        with pytest.raises(ConfigError, match=f"{name} is {value}: give a whole number from"):
            cross_validate(lexical(), *english.valid, **wrong)
