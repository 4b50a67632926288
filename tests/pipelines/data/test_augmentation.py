"""Augmentation: copies of training documents, noise on segments, and what neither may touch."""

import re
from collections import Counter

import numpy as np
import pytest
from tiny import TINY

from hierarchy.errors import ConfigError, DataError
from hierarchy.nodes import Label
from hierarchy.taxonomy import Taxonomy
from hierarchy.wrong_values import validated
from pipelines.classifier import HierarchicalClassifier
from pipelines.data.augmentation import drop_words, load_function, with_copies, with_label_documents
from pipelines.data.documents import Documents, Extended
from pipelines.settings import Settings
from pipelines.training.neural import NeuralStage

DOCUMENTS = Documents(["one two three four", "five", "六七 eight", ""], ["a", "b", "c", "a"], np.array([4, 5, 7, 9]))
HERE = __name__


def shouting(text, random):
    return f"{text.upper()} {random.integers(10**9)}"


def failing(text, random):
    raise ValueError("no dictionary")


def silent(text, random):
    return " "


number = 3


def test_no_copies_where_none_are_asked_for():
    assert with_copies(DOCUMENTS, Settings(augmented_copies=1)) is DOCUMENTS


def test_copies_stand_behind_their_documents_and_depend_on_seed_number_and_place_alone():
    settings = Settings(word_dropout=0.5, augmented_copies=2, augment=f"{HERE}:shouting")
    made = with_copies(DOCUMENTS, settings)
    assert made.texts[:4] == DOCUMENTS.texts
    assert made.labels == DOCUMENTS.labels * 3
    assert made.rows.tolist() == DOCUMENTS.rows.tolist() * 3
    assert (made.given, made.made) == (4, 8)
    assert len(set(made.texts[4:])) == 8  # each copy is drawn anew
    first = Documents(DOCUMENTS.texts[:2], DOCUMENTS.labels[:2])
    assert with_copies(first, settings).texts[2:4] == made.texts[4:6]
    assert list(with_copies(DOCUMENTS, settings).texts) == list(made.texts)
    assert with_copies(DOCUMENTS, settings.model_copy(update={"random_state": 1})).texts[4:] != made.texts[4:]


@pytest.mark.parametrize("text", ["one two three", "  a\nb\tc ", "六七八九", "六 seven八", "x", "", " \n"])
def test_dropped_words_leave_a_subsequence_with_one_word_at_least(text):
    words = re.findall(r"[a-z]+|[\u4e00-\u9fff]", text)
    for seed in range(50):
        left = re.findall(r"[a-z]+|[\u4e00-\u9fff]", drop_words(text, 0.7, np.random.default_rng(seed)))
        assert len(left) >= min(1, len(words))
        rest = iter(words)
        assert all(word in rest for word in left)


def test_words_are_dropped_at_the_rate():
    text = " ".join(map(str, range(20_000)))
    left = drop_words(text, 0.3, np.random.default_rng(0)).split()
    assert len(left) == pytest.approx(14_000, abs=300)
    assert drop_words(text, 0.0, np.random.default_rng(0)) == text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:name", "no_such_module"),
        (f"{HERE}:missing", "missing"),
        (f"{HERE}:number", "is a int and no function"),
    ],
)
def test_functions_that_cannot_be_had_are_refused(name, message):
    with pytest.raises(ConfigError, match=message):
        load_function(name)


def test_a_name_without_module_is_refused():
    with pytest.raises(ConfigError, match=r"augment = 'shouting': write module:function"):
        validated(Settings, {"augment": "shouting"}, "config.yaml")


@pytest.mark.parametrize(
    ("name", "message"),
    [("failing", r"begins 'one two three four' \(ValueError: no dictionary\)"), ("silent", "made ' ' of")],
)
def test_functions_that_fail_are_told_with_the_document(name, message):
    with pytest.raises(DataError, match=message):
        with_copies(DOCUMENTS, Settings(augment=f"{HERE}:{name}"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"augmented_copies": 2}, "plain repetitions"),
    ],
)
def test_augmentation_that_does_nothing_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Settings(**settings)


def test_label_texts_stand_behind_the_documents_of_labels_that_have_any():
    tree = Taxonomy(unplaced=(Label("a", "All of a"), Label("c", "Sea"), Label("d", "No document of it")))
    made = with_label_documents(Settings(), tree, DOCUMENTS)
    assert list(made.texts) == [*DOCUMENTS.texts, "All of a", "Sea"]
    assert made.labels == [*DOCUMENTS.labels, "a", "c"]
    assert made.rows.tolist() == [4, 5, 7, 9, -1, -1]
    assert (made.given, made.made) == (4, 2)


def test_extended_texts_are_read_as_a_list_is():
    both = Extended(("a", "b", "c"), ["d", "e"])
    as_list = ["a", "b", "c", "d", "e"]
    assert list(both) == as_list
    assert [both[i] for i in range(-5, 5)] == as_list * 2
    for part in (slice(None), slice(1, 4), slice(None, 3), slice(3, None), slice(4, 0, -2), slice(7, 9), slice(3, 1)):
        assert both[part] == as_list[part]
    with pytest.raises(IndexError):
        both[5]


def test_copies_train_and_nothing_else_sees_them(english, tiny_encoder, monkeypatch):
    read = {}
    init = NeuralStage.__init__

    def watched(self, *args, **given):
        read.update(train=list(given["train_texts"]), valid=list(given["valid_texts"]))
        init(self, *args, **given)

    monkeypatch.setattr(NeuralStage, "__init__", watched)
    classifier = HierarchicalClassifier(
        english.taxonomy, encoder=tiny_encoder, **TINY, word_dropout=0.3, keep_neighbours=True
    )
    classifier.fit(*english.train, validation=english.valid)
    texts, labels = english.train
    assert read["train"][: len(texts)] == texts
    label_texts = {label.text for label in english.taxonomy.labels}
    assert set(read["train"][len(texts) :][: len(label_texts)]) == label_texts
    assert len(read["train"]) == 2 * (len(texts) + len(label_texts))
    assert read["valid"] == english.valid[0]
    counts = Counter(labels)
    assert classifier.model_.train_counts.tolist() == [counts[label] for label in classifier.model_.label_ids]
    assert len(classifier.model_.neighbours.rows) == len(texts)
    assert classifier.score(*english.test) > 0.5


def test_the_n_grams_of_copies_count_for_none(english):
    plain, augmented = (
        HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1, **more).fit(
            *english.train, validation=english.valid
        )
        for more in ({}, {"augment": f"{HERE}:shouting"})
    )
    assert augmented.model_.extractor.vectorizer.vocabulary == plain.model_.extractor.vectorizer.vocabulary


def unchanged(text, random):
    return text


def test_plain_copies_change_no_row(english):
    """Rows of repeated documents are those of the documents: neither idf nor the strength of C moves."""
    plain, repeated = (
        HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1, prune=0.0, **more)
        .fit(*english.train, validation=english.valid)
        .model_.router.lexical
        for more in ({}, {"augment": f"{HERE}:unchanged", "augmented_copies": 2})
    )
    difference = abs(plain.weight - repeated.weight).max()
    assert difference < 0.05 * abs(plain.weight).max()  # liblinear stops a little before the optimum


def test_a_loaded_model_names_no_code(english, tmp_path):
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1, augment=f"{HERE}:shouting")
    classifier.fit(*english.train, validation=english.valid).save_pretrained(tmp_path / "model")
    loaded = HierarchicalClassifier.from_pretrained(tmp_path / "model")
    assert loaded.augment is None
    assert np.allclose(loaded.predict_proba(english.test[0]), classifier.predict_proba(english.test[0]))
