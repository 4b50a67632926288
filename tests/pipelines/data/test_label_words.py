"""A classifier answers in the words that fit was given, whatever the model calls its labels."""

import copy
import json
import logging
from enum import Enum

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.metrics import accuracy_score, get_scorer
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.utils import get_tags

from hierarchy.errors import ArtifactError, DataError
from hierarchy.taxonomy import Group, Label, Taxonomy
from pipelines.classifier import HierarchicalClassifier
from pipelines.cross_validation.validate import cross_validate
from pipelines.data.documents import Documents
from pipelines.data.label_words import check_words, joined_words, word_problem, words_given
from pipelines.model.artifact.loading import load_model
from pipelines.tuning.search import tune


@pytest.fixture(scope="module")
def codes(english):
    """Return the number of each label, in another order than the alphabet's."""
    return {label: 11 - place for place, label in enumerate(sorted(set(english.train[1])))}


@pytest.fixture(scope="module")
def named(english):
    """Return the tree with ids that are no names."""
    labels = iter(range(12))
    groups = (
        Group(f"G{g}", group.name, labels=tuple(Label(f"L{next(labels):02}", label.name) for label in group.labels))
        for g, group in enumerate(english.taxonomy.groups)
    )
    return Taxonomy(tuple(groups))


def lexical(taxonomy=None, **settings):
    return HierarchicalClassifier(taxonomy, **{"encoder": "none", "n_jobs": 1, "min_group_size": 1, **settings})


@pytest.fixture(scope="module")
def by_name(named, english):
    return lexical(named).fit(*english.train, validation=english.valid)


@pytest.fixture(scope="module")
def by_number(english, codes):
    return lexical(n_groups=3).fit(*numbered(english.train, codes), validation=numbered(english.valid, codes))


def numbered(documents, codes):
    return documents[0], [codes[label] for label in documents[1]]


# What it says


def test_names_come_back_as_names(by_name, fitted_lexical, named, english):
    texts, labels = english.test
    assert by_name.classes_.tolist() == sorted(set(labels))
    assert by_name.predict(texts).tolist() == fitted_lexical.predict(texts).tolist()
    assert np.abs(by_name.predict_proba(texts) - fitted_lexical.predict_proba(texts)).max() < 0.01
    paths = by_name.predict_paths(texts)
    assert {path[0].path[1] for path in paths} <= set(named.label_ids)
    assert [named.labels[named.label_index(path[0].path[1])].name for path in paths] == by_name.predict(texts).tolist()
    assert by_name.explain(texts[0]).label in named.label_ids


def test_whole_numbers_stay_whole_numbers(english):
    texts, names = few(english)
    for kind in (int, np.int32, np.uint8, lambda code: -code):
        labels = [kind(len(name)) for name in names]
        classifier = lexical().fit(texts, labels)
        assert classifier.classes_.dtype == int
        assert classifier.classes_.tolist() == sorted({int(label) for label in labels})
        assert classifier.predict(texts).dtype == int
        assert accuracy_score(labels, classifier.predict(texts)) > 0.9
        assert set(classifier.model_.label_ids) == {str(int(label)) for label in labels}


def test_numbers_sort_as_numbers(by_number, english, codes):
    assert by_number.classes_.tolist() == list(range(12))
    probabilities = by_number.predict_proba(english.test[0])
    assert (by_number.classes_[probabilities.argmax(1)] == by_number.predict(english.test[0])).all()
    assert {path[0].path[1] for path in by_number.predict_paths(english.test[0])} <= {str(n) for n in range(12)}


def test_numbers_of_a_tree_with_codes(english, codes):
    tree = Taxonomy.from_data([str(code) for code in codes.values()], ["A"] * 6 + ["B"] * 6)
    classifier = lexical(tree).fit(*numbered(english.train, codes))
    assert classifier.classes_.tolist() == list(range(12))
    with pytest.raises(DataError, match=r"label '99' .* is not in the taxonomy"):
        lexical(tree).fit(english.train[0], [99, *numbered(english.train, codes)[1][1:]])


def test_truth_values_stay_truth_values(english):
    texts, labels = english.train
    tree = Taxonomy.from_data(["True", "False"], ["yes", "no"])
    classifier = lexical(tree).fit(texts, [label in ("kettles", "toasters", "lamps") for label in labels])
    assert classifier.classes_.dtype == bool
    assert classifier.predict(texts).dtype == bool


def test_a_label_written_in_several_ways_is_said_in_the_commonest(named, english):
    ways = [str.upper, str.title, str.title, "{} ".format]
    texts, labels = english.train
    written = [ways[i % 4](label) for i, label in enumerate(labels)]
    for tree in (named, None):
        classifier = lexical(tree).fit(texts, written)
        assert classifier.classes_.tolist() == sorted({label.title() for label in labels})
        assert classifier.score(texts, written) == classifier.score(texts, labels) > 0.9


def test_blanks_are_said_only_where_every_label_carries_them():
    def words(*given, ids="a"):
        return words_given(given, Documents([""] * len(given), list(ids) * len(given)))

    assert words(" a", " a", "a ") == {"a": " a"}
    assert words(" a", " a", "a") == {"a": "a"}
    assert words("a ", " a", "A", "A", "a") == {"a": "a"}
    assert words("B", "A", "A ", "B") == {"a": "A"}  # of equally common ones the first in order
    assert words("x", "x", "a", "a") == {"a": "a"}  # or the id itself
    assert words("x", "x", "a") == {"a": "x"}
    assert words(7, 7, 8) == {"a": 7}


def test_labels_that_all_carry_blanks_come_back_with_them(english):
    texts, labels = few(english)
    classifier = lexical().fit(texts, [f" {label}" for label in labels])
    assert classifier.classes_.tolist() == sorted({f" {label}" for label in labels})
    assert set(classifier.model_.label_ids) == set(labels)


def test_labels_are_of_one_kind():
    class Colour(str, Enum):  # noqa: UP042 - str() of it is no plain text, unlike of a StrEnum
        RED = "red"

    assert check_words([Colour.RED, np.str_("blue")]) == ["red", "blue"]
    assert type(check_words([Colour.RED])[0]) is str
    for wrong, message in (
        ([1, 2.5], r"labels\[1\] is 2.5 \(float\): labels are text or whole numbers"),
        ([1.0, 2.0], r"labels\[0\] is 1.0 \(float\)"),
        (np.array([0.0, 1.0]), r"labels\[0\] is 0.0 \(float\)"),
        (["a", float("nan")], r"labels\[1\] is nan \(float\)"),
        (["a", None], r"labels\[1\] is None \(NoneType\)"),
        ([["a"], ["b"]], r"labels\[0\] is \['a'\] \(list\)"),
        ([b"a"], r"labels\[0\] is b'a' \(bytes\)"),
        ([1, "1"], r"labels\[0\] is 1 \(whole numbers\) and labels\[1\] is '1' \(text\): labels are of one kind"),
        ([True, 1], r"labels\[0\] is True \(truth values\) and labels\[1\] is 1 \(whole numbers\)"),
    ):
        with pytest.raises(DataError, match=message):
            check_words(wrong)


# What it takes


def spellings(english, named, codes):
    """Return the same labels, said in other ways."""
    ids = {label.name: label.id for label in named.labels}
    return {
        "names": lambda labels: labels,
        "ids": lambda labels: [ids[label] for label in labels],
        "other case": lambda labels: [label.upper() for label in labels],
        "blanks": lambda labels: [f"\u00a0{label} " for label in labels],
        "array": np.array,
        "mixed": lambda labels: [(label, ids[label], label.title())[i % 3] for i, label in enumerate(labels)],
    }


def test_score_is_right_whichever_way_labels_are_said(by_name, english, named, codes):
    texts, labels = english.test
    right = by_name.evaluate(texts, labels).evaluation.accuracy
    assert 0.6 < right < 1
    for say in spellings(english, named, codes).values():
        assert by_name.score(texts, say(labels)) == pytest.approx(right)
        assert by_name.evaluate(texts, say(labels)).evaluation.accuracy == pytest.approx(right)
    assert by_name.score(texts, labels) == accuracy_score(labels, by_name.predict(texts))
    weights = np.random.default_rng(0).random(len(texts))
    expected = accuracy_score(labels, by_name.predict(texts), sample_weight=weights)
    assert by_name.score(texts, labels, sample_weight=weights) == pytest.approx(expected)


def test_score_of_numbers(by_number, english, codes):
    texts, labels = numbered(english.test, codes)
    right = accuracy_score(labels, by_number.predict(texts))
    for same in (labels, np.array(labels), [str(code) for code in labels], [f" {code}" for code in labels]):
        assert by_number.score(texts, same) == right
        assert by_number.evaluate(texts, same).evaluation.accuracy == pytest.approx(right)


def test_labels_that_the_model_cannot_know_count_as_wrong(by_name, english, caplog):
    texts, labels = english.test
    with caplog.at_level(logging.WARNING):
        score = by_name.score(texts, ["nothing", *labels[1:]])
    assert caplog.messages == [
        "1 of 48 documents count as wrong, having labels that the model does not know: 'nothing'"
    ]
    right = by_name.predict(texts) == np.array(labels)
    assert score == pytest.approx((right.sum() - right[0]) / len(right))
    with pytest.raises(DataError, match="there are no documents to score"):
        by_name.score([], [])


def test_every_way_is_taken_everywhere(english, named, codes):
    say = spellings(english, named, codes)["mixed"]
    train, valid, test = ((texts, say(labels)) for texts, labels in (english.train, english.valid, english.test))
    twice = (test[0] * 2, test[1] * 2)
    classifier = lexical(named).fit(*english.train, validation=valid, calibration=twice)
    assert classifier.model_.promises.documents == 96
    assert classifier.evaluate(*english.test, train=train).baselines
    classifier.calibrate(*twice)
    classifier.refit_groups(["G1"], *train, validation=valid)
    assert classifier.classes_.tolist() == sorted(set(english.train[1]))


def test_numbers_are_taken_everywhere(english, codes):
    train, valid, test = (numbered(part, codes) for part in (english.train, english.valid, english.test))
    twice = (test[0] * 2, np.array(test[1] * 2))
    classifier = lexical(n_groups=3).fit(*train, validation=valid, calibration=twice)
    assert classifier.evaluate(*test, train=train).baselines
    classifier.calibrate(*twice).refit_groups(classifier.model_.group_ids[:1], *train, validation=valid)
    assert classifier.classes_.tolist() == list(range(12))
    runner_up = int(classifier.predict_paths(test[0][:1], top_k=2)[0][1].path[1])
    assert classifier.explain(test[0][0], against=runner_up).against == str(runner_up)
    with pytest.raises(DataError, match=r"against\[0\] is \['a'\] \(list\): labels are text or whole numbers"):
        classifier.explain(test[0][0], against=["a"])


def test_later_documents_are_matched_with_merged_labels(english):
    texts, labels = english.train
    ways = ["{}", "{} ", "{}", "\u00a0{}"]
    written = [ways[i % 4].format(label) for i, label in enumerate(labels)]
    valid = (english.valid[0], [label.upper() for label in english.valid[1]])
    test = ([*english.test[0]] * 2, [f"{label.title()}\t" for label in english.test[1]] * 2)
    classifier = lexical(n_groups=3).fit(texts, written, validation=valid, calibration=test)
    plain = lexical(n_groups=3).fit(*english.train, validation=english.valid)
    assert classifier.model_.label_ids == plain.model_.label_ids
    assert np.array_equal(classifier.predict_proba(texts), plain.predict_proba(texts))
    assert classifier.evaluate(*test).evaluation.accuracy == pytest.approx(classifier.score(*test))


def test_a_cross_validation_counts_merged_labels(english):
    texts, labels = few(english)
    written = [f"{label} " if i % 3 else label.upper() for i, label in enumerate(labels)]
    for classifier, expected in ((lexical(), 3), (lexical(merge_spellings=False), 6)):
        result = cross_validate(classifier, texts, written, folds=2, baselines=False)
        assert (result.labels, len(result.predictions.label_ids)) == (expected, expected)
    assert set(cross_validate(lexical(), texts, written, folds=2, baselines=False).predictions.label_ids) == set(labels)


def test_a_tune_matches_all_documents_with_merged_labels(english, tmp_path):
    texts, labels = few(english)
    classifier = lexical(run_dir=str(tmp_path))
    shout = (texts, [label.upper() for label in labels])
    found = tune(
        classifier, {"classifier.lexical_C": [0.5, 1.0]}, texts, labels, validation=shout, test=shout, trials=1
    )
    assert found.best.figures["accuracy"] > 0.9
    assert found.test.first["accuracy"] > 0.9


def test_a_switch_keeps_spellings_apart(english):
    texts, labels = english.train
    written = [label.upper() if i % 2 else label for i, label in enumerate(labels)]
    classifier = lexical(merge_spellings=False).fit(texts, written)
    assert classifier.classes_.tolist() == sorted(set(written))
    assert len(classifier.classes_) == 24


def test_calibration_documents_are_checked_before_the_training(english, named):
    class Unread(HierarchicalClassifier):
        def _run_folder(self):
            raise AssertionError("work has started")

    for tree in (named, None):
        with pytest.raises(DataError, match=r"'samovars' .* is not in the taxonomy"):
            Unread(tree, encoder="none").fit(*english.train, calibration=(["a"], ["samovars"]))
        with pytest.raises(DataError, match=r"58 calibration documents are too few .* takes 59"):
            Unread(tree, encoder="none").fit(*english.train, calibration=(["a"] * 58, english.train[1][:58]))


# scikit-learn


@pytest.mark.parametrize("scoring", ["accuracy", "f1_macro", "neg_log_loss"])
def test_scorers_of_scikit_learn(by_name, by_number, fitted_lexical, english, codes, scoring):
    score = get_scorer(scoring)
    texts, labels = english.test
    expected = score(fitted_lexical, texts, labels)
    assert score(by_name, texts, labels) == pytest.approx(expected, rel=0.01)
    numbers = numbered(english.test, codes)
    answers = by_number.predict(texts)
    if scoring == "accuracy":
        assert score(by_number, *numbers) == np.mean(answers == np.array(numbers[1]))
    else:
        assert score(by_number, *numbers) == pytest.approx(expected, rel=0.2)  # other groups


def test_cross_val_score_and_grid_search_by_name(named, english):
    texts, labels = english.train
    scores = cross_val_score(lexical(named), texts, labels, cv=2, error_score="raise")
    assert scores.min() > 0.3
    assert scores.tolist() == cross_val_score(lexical(named), texts, labels, cv=2, scoring="accuracy").tolist()
    search = GridSearchCV(lexical(named), {"lexical_C": [1e-4, 1.0]}, cv=2, error_score="raise").fit(texts, labels)
    assert search.cv_results_["mean_test_score"].min() > 0
    assert search.score(texts, labels) > 0.9
    assert search.classes_.tolist() == sorted(set(labels))


def test_cross_val_predict_hands_over_numbers(english):
    texts, labels = english.train
    found = cross_val_predict(lexical(), texts, labels, cv=2, method="predict_proba")
    assert found.shape == (len(texts), 12)
    assert accuracy_score(labels, np.array(sorted(set(labels)))[found.argmax(1)]) > 0.4


def few(english):
    """Return the training documents of three labels."""
    kept = [pair for pair in zip(*english.train, strict=True) if pair[1] in ("kettles", "lamps", "seeds")]
    return [text for text, _ in kept], [label for _, label in kept]


def test_ensembles_hand_over_numbers(english):
    texts, labels = few(english)
    two = [("a", lexical()), ("b", lexical(lexical_C=0.1))]
    assert VotingClassifier(two, voting="soft").fit(texts, labels).score(texts, labels) > 0.9
    assert StackingClassifier(two, cv=2).fit(texts, labels).score(texts, labels) > 0.5


def test_one_against_the_rest(english):
    texts, labels = few(english)
    binary = HierarchicalClassifier(encoder="none", n_jobs=1)
    assert OneVsRestClassifier(binary).fit(texts, labels).score(texts, labels) > 0.9


def test_tags_say_texts_and_not_numbers():
    tags = get_tags(lexical())
    assert is_classifier(lexical())
    assert tags.estimator_type == "classifier"
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array
    assert tags.target_tags.required


@pytest.mark.parametrize("ways", [
    lambda classifier, *data: cross_val_predict(classifier, *data, cv=2, method="predict_proba"),
    lambda classifier, *data: VotingClassifier([("a", classifier)], voting="soft").fit(*data),
    lambda classifier, *data: StackingClassifier([("a", classifier)], cv=2).fit(*data),
])  # fmt: skip
def test_numbers_that_stand_for_the_labels_of_a_tree_are_explained(named, english, ways):
    with pytest.raises(DataError, match=r"the whole numbers 0 to 11 and none is in the taxonomy: scikit-learn's"):
        ways(lexical(named), *english.train)


def test_a_clone_knows_no_words(by_name):
    again = clone(by_name)
    assert not hasattr(again, "classes_")
    assert again.get_params() == by_name.get_params()


# Saved, and fitted again


def test_words_are_saved_and_read(by_name, by_number, fitted_lexical, english, tmp_path):
    for name, classifier in (("names", by_name), ("numbers", by_number), ("ids", fitted_lexical)):
        classifier.save_pretrained(tmp_path / name)
        again = HierarchicalClassifier.from_pretrained(tmp_path / name)
        assert again.classes_.tolist() == classifier.classes_.tolist()
        assert again.classes_.dtype == classifier.classes_.dtype
        assert again.predict(english.test[0]).tolist() == classifier.predict(english.test[0]).tolist()
        config = json.loads((tmp_path / name / "config.json").read_text(encoding="utf-8"))
        assert ("words" in config) == (name != "ids")  # as models had it before there were words


def test_words_that_contradict_the_model_are_refused(by_name, tmp_path):
    for words, problem in (
        ({"L99": "a"}, "'L99' is no label of the model"),
        ({"L00": "a", "L01": "a"}, "one word stands for two labels"),
        ({"L00": 3}, "they are not all text, or all whole numbers"),
    ):
        folder = tmp_path / "model"
        by_name.save_pretrained(folder)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps(config | {"words": words}), encoding="utf-8")
        resealed(folder)
        with pytest.raises(ArtifactError, match=f"words of the labels contradict the model: {problem}"):
            load_model(folder)
    for words, problem in (({"L00": 0.5}, "words.L00"), (["a"], "words: input should be a valid dictionary")):
        (folder / "config.json").write_text(json.dumps(config | {"words": words}), encoding="utf-8")
        resealed(folder)
        with pytest.raises(ArtifactError, match=problem):
            load_model(folder)


def resealed(folder):
    """Write the checksum of the config as it is now."""
    import hashlib

    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["sha256"]["config.json"] = hashlib.sha256((folder / "config.json").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_a_refit_keeps_words_and_takes_new_ones(by_name, named, english):
    classifier = copy.copy(by_name)
    first = named.groups[0]
    lids = Label("L99", "pan lids")
    renamed = Label(first.labels[0].id, "electric kettles")
    group = Group(first.id, first.name, labels=(renamed, *first.labels[1:], lids))
    tree = Taxonomy((group, *named.groups[1:]))
    texts, labels = english.train
    lid_texts = [f"lid pan cover glass steam {i}" for i in range(12)]
    said = ["electric kettles" if label == first.labels[0].name else label for label in labels]
    valid = (english.valid[0], [named.resolve(label) for label in english.valid[1]])
    classifier.refit_groups(None, [*texts, *lid_texts], [*said, *["pan lids"] * 12], tree, validation=valid)
    assert set(classifier.classes_) == {*said, "pan lids"}  # of the kettles, the name that they were given last
    assert classifier.predict(["lid pan cover glass steam 7"]).tolist() == ["pan lids"]
    for word in ("electric kettles", "ELECTRIC KETTLES", "L00"):
        assert classifier.score(["kettle boil spout water"], [word]) == 1
    assert by_name.classes_.tolist() == sorted(set(labels))


def test_a_word_of_a_label_that_is_gone_is_named_as_it_was_given(by_name, named, english):
    first = named.groups[0]
    rest = Taxonomy((Group(first.id, first.name, labels=first.labels[1:]), *named.groups[1:]))
    with pytest.raises(DataError, match=f"label '{first.labels[0].name}' .* is not in the taxonomy"):
        copy.copy(by_name).refit_groups(None, *english.train, rest, validation=english.valid)


def test_a_rename_alone_changes_no_word(by_name, named, english):
    first = named.groups[0]
    renamed = Group(first.id, first.name, labels=(Label(first.labels[0].id, "electric kettles"), *first.labels[1:]))
    classifier = copy.copy(by_name)
    classifier.refit_groups(None, *english.train, Taxonomy((renamed, *named.groups[1:])), validation=english.valid)
    assert classifier.classes_.tolist() == by_name.classes_.tolist()
    for word in (first.labels[0].name, "electric kettles", "L00"):
        assert classifier.score(["kettle boil spout water"], [word]) == 1


def test_words_that_would_mean_two_things_give_way():
    tree = Taxonomy((Group("G", "G", labels=(Label("1", "b"), Label("2", "a"), Label("3", "c"))),))
    ids = ("1", "2", "3")
    assert joined_words({"1": "b", "2": "a"}, {"1": "1", "3": "c"}, ids, tree) == {"1": "b", "2": "a", "3": "c"}
    swapped = joined_words({"1": "a", "2": "b"}, {"1": "b", "2": "a", "3": "c"}, ids, tree)
    assert swapped == {"1": "b", "2": "a", "3": "c"}
    assert joined_words({"1": 1, "2": 2}, {"1": 1, "3": 3}, ids, tree) == {"1": 1, "2": 2, "3": 3}
    assert joined_words({"1": 1, "2": 2}, {"1": "1", "3": "3"}, ids, tree) == {}
    assert word_problem({"1": "2"}, ids) == "one word stands for two labels"
