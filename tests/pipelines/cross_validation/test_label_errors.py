"""Confident learning: a case worked by hand, flipped labels, and the list to review."""

import numpy as np
import pytest
from handmade_predictions import made

from hierarchy.errors import DataError
from pipelines.cross_validation.label_errors import calibrated_joint, confident_labels, find_label_errors
from pipelines.cross_validation.label_review import EXCERPT, excerpt, read_review, write_review


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


def test_the_wrong_label_of_that_case_is_found(by_hand):
    errors = find_label_errors(by_hand)
    assert [(one.row, one.id, one.label, one.suggested, one.where) for one in errors.found] == [
        (2, "w", "a", "b", "sibling")
    ]
    assert (errors.expected, errors.documents, errors.left_out) == (1, 6, 0)
    assert errors.found[0].probability == pytest.approx(0.2)


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


def test_flipped_labels_are_found(flipped):
    predictions, wrong, right = flipped
    errors = find_label_errors(predictions)
    named = np.array([one.row for one in errors.found])
    assert wrong[named].mean() > 0.7
    assert wrong[named].sum() >= 18
    assert errors.expected == pytest.approx(30, abs=20)
    hits = [one for one in errors.found if wrong[one.row]]
    assert np.mean([one.suggested == f"l{right[one.row]}" for one in hits]) > 0.9
    assert all(one.where == "" for one in hits)  # no tree is known


def test_the_most_suspicious_of_all_are_named_and_stand_first(flipped):
    predictions = flipped[0]
    errors = find_label_errors(predictions)
    assert len(errors.found) == round(errors.expected)
    probabilities = [one.probability for one in errors.found]
    assert probabilities == sorted(probabilities)
    assert all(one.probability < one.suggested_probability for one in errors.found)
    named = np.isin(np.arange(len(predictions)), [one.row for one in errors.found])
    disputed = np.asarray(predictions.probabilities.argmax(axis=1)).reshape(-1) != predictions.targets
    assert probabilities[-1] <= predictions.own[disputed & ~named].min()


def test_the_list_is_read_as_it_was_written(by_hand, tmp_path):
    found = find_label_errors(by_hand).found
    file = tmp_path / "label-errors.csv"
    write_review(found, file, {found[0].key: 'a "quoted", text'})
    ((one, text),) = read_review(file)
    assert text == 'a "quoted", text'
    assert (one.row, one.key, one.label, one.suggested, one.where) == (2, found[0].key, "a", "b", "sibling")
    assert one.probability == pytest.approx(found[0].probability)


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
