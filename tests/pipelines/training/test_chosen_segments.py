"""Segments that n-grams choose: the telling part of a long document is read, and read again in the same way."""

from dataclasses import replace

import numpy as np
import pytest
from edited_trees import edited

from pipelines.classifier import HierarchicalClassifier
from pipelines.cross_validation.validate import cross_validate
from stages.features import vector_key

SHORT = {"num_train_epochs": 1, "learning_rate": 5e-3}
FILLER = " ".join(["the"] * 90)
MODES = {
    "chained": {"max_segments": 1, "training": SHORT},
    "joint": {"max_segments": 1, "training": SHORT, "mode": "joint", "trainable": "all"},
}


def buried(part):
    """The documents, each behind and before words that say nothing, no two alike."""
    texts, labels = part
    return [f"{FILLER * (i % 3)} {text} {FILLER * (2 - i % 3)}" for i, text in enumerate(texts)], labels


@pytest.fixture(scope="module")
def corpus(english):
    return replace(english, **{part: buried(getattr(english, part)) for part in ("train", "valid", "test")})


@pytest.fixture(scope="module", params=list(MODES))
def choosing(request, tiny_classifier, corpus):
    return tiny_classifier(**MODES[request.param]).fit(*corpus.train, validation=corpus.valid)


def segmenter_of(classifier):
    return classifier.model_.extractor.neural.segmenter


def test_the_segment_of_which_the_rows_of_the_groups_are_surest_is_read(choosing, corpus):
    model, segmenter = choosing.model_, segmenter_of(choosing)
    every = model.extractor.neural.encoder.segmenter(segment_tokens=segmenter.segment_tokens, overlap=segmenter.overlap)
    first = 0
    for text in corpus.test[0][:20]:
        parts = [text[start:end] for start, end in every.spans(text)]
        margins = model.router.group_rows.score(model.extractor.vectorizer.transform(parts)).max(axis=1)
        units = segmenter.spans(text)
        assert text[units[0][0] : units[-1][1]] == parts[margins.argmax()]
        first += margins.argmax() == 0
    assert len(parts) > 1
    assert first < 15  # else any choice would do


def test_answers_do_not_depend_on_neighbours_and_a_saved_model_chooses_alike(choosing, corpus, tmp_path):
    texts = corpus.test[0][:12]
    together = choosing.predict_proba(texts)
    alone = np.vstack([choosing.predict_proba([text]) for text in texts])
    assert np.allclose(together, alone, atol=1e-5)
    choosing.save_pretrained(tmp_path / "model")
    again = HierarchicalClassifier.from_pretrained(tmp_path / "model")
    assert segmenter_of(again).opinion.key == segmenter_of(choosing).opinion.key
    assert again.predict_proba(texts).tobytes() == together.tobytes()


def test_vectors_of_other_segments_are_not_taken(choosing):
    neural = choosing.model_.extractor.neural
    spread = neural.encoder.segmenter(
        segment_tokens=neural.segmenter.segment_tokens,
        overlap=neural.segmenter.overlap,
        max_segments=1,
        unit_tokens=neural.segmenter.unit_tokens,
    )
    opinion = neural.segmenter.opinion
    keys = {
        vector_key(neural.encoder, segmenter)
        for segmenter in (
            neural.segmenter,
            spread,
            spread.asking(replace(opinion, group_rows=opinion.group_rows[::-1])),
        )
    }
    assert len(keys) == 3
    assert vector_key(neural.encoder, spread.asking(opinion)) == vector_key(neural.encoder, neural.segmenter)


def test_trainings_with_other_n_grams_share_a_run_folder(tiny_classifier, corpus, tmp_path):
    def answers(**settings):
        classifier = tiny_classifier(**MODES["chained"], **settings).fit(*corpus.train, validation=corpus.valid)
        return classifier.predict_proba(corpus.test[0][:12]).tobytes()

    run, other = {"run_dir": str(tmp_path / "run")}, {"lexical_C": 0.01}
    first = answers(**run)
    assert answers(**run, **other) == answers(**other) != first
    assert answers(**run) == first


@pytest.mark.parametrize("settings", [{"max_segments": 1, "lexical": False}, {"max_segments": None}])
def test_without_n_grams_or_a_limit_nobody_is_asked(tiny_classifier, english, settings):
    classifier = tiny_classifier(training=SHORT, **settings).fit(*english.train, validation=english.valid)
    assert segmenter_of(classifier).opinion is None


def test_groups_that_are_built_choose_segments_as_well(tiny_classifier, corpus):
    sizes = {"n_groups": 3, "min_group_size": 2, "max_group_size": 4}
    classifier = tiny_classifier(None, **MODES["chained"], **sizes).fit(*corpus.train, validation=corpus.valid)
    assert segmenter_of(classifier).opinion.group_rows is classifier.model_.router.group_rows


def test_a_refit_reads_the_segments_that_the_new_groups_tell(tiny_classifier, corpus, tmp_path):
    classifier = tiny_classifier(**MODES["chained"]).fit(*corpus.train, validation=corpus.valid)
    before = segmenter_of(classifier).opinion.key
    first, second = corpus.taxonomy.groups[:2]
    tree = edited(corpus.taxonomy, move={first.labels[0].id: second.id})
    classifier.refit_groups(None, *corpus.train, tree, validation=corpus.valid)
    opinion = segmenter_of(classifier).opinion
    rows = classifier.model_.router.group_rows
    assert opinion.key != before
    assert opinion.group_rows.weight.toarray().tolist() == rows.weight.toarray().tolist()
    classifier.save_pretrained(tmp_path / "model")
    again = HierarchicalClassifier.from_pretrained(tmp_path / "model")
    assert again.predict_proba(corpus.test[0][:5]).tobytes() == classifier.predict_proba(corpus.test[0][:5]).tobytes()


def test_each_fold_of_a_cross_validation_chooses_by_its_own_documents(tiny_classifier, corpus, monkeypatch):
    from pipelines.cross_validation import fold

    asked = []

    def told(*arguments, **settings):
        model = fit_model(*arguments, **settings)
        asked.append(model.extractor.neural.segmenter.opinion.key)
        return model

    fit_model = fold.fit_model
    monkeypatch.setattr(fold, "fit_model", told)
    cross_validate(tiny_classifier(**MODES["chained"]), *corpus.train, folds=2, baselines=False)
    assert len(set(asked)) == len(asked) == 2
