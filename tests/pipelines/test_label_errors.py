"""Confident learning: a case worked by hand, flipped labels, and the list to review."""

import numpy as np
import pytest
from handmade_predictions import made

from hierarchy.errors import ConfigError, DataError
from pipelines.label_errors import METHODS, calibrated_joint, confident_labels, find_label_errors, flagged
from pipelines.label_review import EXCERPT, excerpt, read_review, write_review


@pytest.fixture
def by_hand():
    # thresholds: a (0.9 + 0.8 + 0.2) / 3 = 0.633, b (0.9 + 0.7 + 0.5) / 3 = 0.7
    return made(
        [*"aaabbb"],
        [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7], [0.5, 0.5]],
        trees=({"a": "g", "b": "g"},),
        ids=tuple("uvwxyz"),
    )


def test_the_confident_joint_of_a_case_worked_by_hand(by_hand):
    assert confident_labels(by_hand).tolist() == [0, 0, 1, 1, 1, -1]
    # counts [[2, 1], [0, 2]]; three documents carry b and two are confident of it
    np.testing.assert_allclose(calibrated_joint(by_hand).toarray(), [[2, 1], [0, 3]])


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_wrong_label_of_that_case(by_hand, method):
    errors = find_label_errors(by_hand, method=method)
    assert [(one.row, one.id, one.label, one.suggested, one.where) for one in errors.found] == [
        (2, "w", "a", "b", "sibling")
    ]
    assert (errors.expected, errors.documents, errors.left_out) == (1, 6, 0)
    assert errors.found[0].score == pytest.approx(0.2)


def test_a_label_that_the_fold_did_not_know_is_left_out():
    predictions = made([*"aaab"], [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [1.0, 0.0]], own=[0.9, 0.8, 0.7, np.nan])
    errors = find_label_errors(predictions)
    assert (errors.found, errors.documents, errors.left_out) == ((), 3, 1)


@pytest.fixture(scope="module")
def flipped():
    """Probabilities as a good model gives them, and which of 600 labels are wrong."""
    rng = np.random.default_rng(0)
    right = np.repeat(np.arange(6), 100)
    scores = rng.normal(size=(600, 6)) + 4 * np.eye(6)[right]
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    wrong = rng.permutation(600) < 30
    given = np.where(wrong, (right + rng.integers(1, 6, 600)) % 6, right)
    return made([f"l{label}" for label in given], probabilities), wrong, right


@pytest.mark.parametrize("method", METHODS)
def test_flipped_labels_are_found(flipped, method):
    predictions, wrong, right = flipped
    errors = find_label_errors(predictions, method=method)
    named = np.array([one.row for one in errors.found])
    assert wrong[named].mean() > 0.7
    assert wrong[named].sum() >= 18
    assert errors.expected == pytest.approx(30, abs=20)
    hits = [one for one in errors.found if wrong[one.row]]
    assert np.mean([one.suggested == f"l{right[one.row]}" for one in hits]) > 0.9
    assert all(one.where == "" for one in hits)  # no tree is known


def test_both_is_what_the_two_have_in_common(flipped):
    predictions = flipped[0]
    each = flagged(predictions, "noise_rate") & flagged(predictions, "class")
    np.testing.assert_array_equal(flagged(predictions, "both"), each)


def test_count_names_the_most_suspicious_of_all(flipped):
    predictions, wrong, _ = flipped
    errors = find_label_errors(predictions, method="count")
    assert len(errors.found) == round(errors.expected)
    named = flagged(predictions, "count")
    disputed = np.asarray(predictions.probabilities.argmax(axis=1)).reshape(-1) != predictions.targets
    assert (named & ~disputed).sum() == 0
    assert predictions.own[named].max() <= predictions.own[disputed & ~named].min()
    assert wrong[named].sum() >= max(wrong[flagged(predictions, m)].sum() for m in ("noise_rate", "class", "both"))


def test_rankings_sort_the_same_documents_in_their_own_way(flipped):
    rankings = ("margin", "self_confidence")
    margin, own = (find_label_errors(flipped[0], method="both", ranking=ranking) for ranking in rankings)
    assert {one.row for one in margin.found} == {one.row for one in own.found}
    probabilities = [one.probability for one in own.found]
    assert probabilities == sorted(probabilities)
    scores = [one.probability - one.suggested_probability for one in margin.found]
    assert scores == pytest.approx(sorted(scores))


def test_unknown_words_are_refused(by_hand):
    with pytest.raises(ConfigError, match="choose one of count, noise_rate"):
        find_label_errors(by_hand, method="guess")
    with pytest.raises(ConfigError, match="choose one of self_confidence"):
        find_label_errors(by_hand, ranking="guess")


def test_the_list_is_read_as_it_was_written(by_hand, tmp_path):
    found = find_label_errors(by_hand).found
    file = tmp_path / "label-errors.csv"
    write_review(found, file, {found[0].key: 'a "quoted", text'})
    ((one, text),) = read_review(file)
    assert text == 'a "quoted", text'
    assert (one.row, one.key, one.label, one.suggested, one.where) == (2, found[0].key, "a", "b", "sibling")
    assert one.score == pytest.approx(found[0].score)


def test_a_damaged_list_is_refused_with_its_line(by_hand, tmp_path):
    file = tmp_path / "label-errors.csv"
    with pytest.raises(DataError, match="there is no file"):
        read_review(file)
    write_review(find_label_errors(by_hand).found, file)
    file.write_text(file.read_text().replace("\n2,", "\ntwo,"))
    with pytest.raises(DataError, match=r"line 2: .*'two'"):
        read_review(file)
    file.write_text("row,label\n1,a\n")
    with pytest.raises(DataError, match="the columns id, suggested"):
        read_review(file)


def test_an_excerpt_is_one_short_line():
    assert excerpt(" a\n\nb ") == "a b"
    assert len(excerpt("word " * 100)) <= EXCERPT + 1
