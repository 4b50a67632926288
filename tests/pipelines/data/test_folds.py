"""Folds: every document once, labels spread, sources never torn apart."""

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from hierarchy.errors import DataError
from pipelines.data.folds import cut_fold_validation, deal_folds, number_sources

LABELS = st.lists(st.sampled_from("abcdef"), min_size=6, max_size=60)


@given(labels=LABELS, folds=st.integers(2, 6), seed=st.integers(0, 3))
def test_labels_are_spread_as_evenly_as_can_be(labels, folds, seed):
    fold = deal_folds(labels, folds, random_state=seed)
    assert np.ptp(np.bincount(fold, minlength=folds)) <= 1
    for label in set(labels):
        of_label = np.bincount(fold[np.array(labels) == label], minlength=folds)
        assert np.ptp(of_label) <= 1  # so that a label with fewer documents than folds is never twice in one
    assert (fold == deal_folds(labels, folds, random_state=seed)).all()


@settings(deadline=None)
@given(data=st.data(), folds=st.integers(2, 4), seed=st.integers(0, 3))
def test_a_source_is_on_one_side_of_every_split(data, folds, seed):
    labels = [*"aabb" * folds, *data.draw(LABELS)]
    sources = data.draw(st.lists(st.sampled_from([*"uvwxyz", None, ""]), min_size=len(labels), max_size=len(labels)))
    try:
        fold = deal_folds(labels, folds, random_state=seed, sources=sources)
    except DataError:  # too few sources, or a large one: told below
        reject()
    assert set(fold.tolist()) == set(range(folds))
    for source in set(sources) - {None, ""}:
        assert len(set(fold[np.array(sources) == source].tolist())) == 1


@settings(deadline=None)
@given(data=st.data(), seed=st.integers(0, 3))
def test_validation_takes_whole_sources_and_leaves_every_label_in_training(data, seed):
    labels = data.draw(LABELS)
    sources = data.draw(st.lists(st.sampled_from("tuvwxyz"), min_size=len(labels), max_size=len(labels)))
    try:
        kept, cut = cut_fold_validation(labels, random_state=seed, sources=sources)
    except DataError:  # no source can be spared: told below
        reject()
    assert sorted([*kept, *cut]) == list(range(len(labels)))
    assert not {sources[i] for i in kept} & {sources[i] for i in cut}
    assert {labels[i] for i in kept} == set(labels)
    assert len(cut)


def test_validation_without_sources_is_a_stratified_tenth():
    kept, cut = cut_fold_validation(["a"] * 50 + ["b"] * 50)
    assert len(cut) == 10
    assert len(kept) == 90


def test_the_only_document_of_a_label_is_tested_once():
    labels = [*"aaaabbbbcccc", "alone"]
    fold = deal_folds(labels, 4)
    trained_on = {labels[i] for i in np.flatnonzero(fold != fold[12])}
    assert "alone" not in trained_on


def test_a_source_that_nobody_else_can_stand_for_stays_in_training():
    with pytest.raises(DataError, match="no source can be spared"):
        cut_fold_validation([*"aaabbb"], sources=[*"uuuvvv"])
    kept, cut = cut_fold_validation([*"aaabbbab"], sources=[*"uuuvvvww"])
    assert (kept.tolist(), cut.tolist()) in (
        ([*range(6)], [6, 7]),
        ([3, 4, 5, 6, 7], [0, 1, 2]),
        ([0, 1, 2, 6, 7], [3, 4, 5]),
    )


def test_documents_without_a_source_stand_alone():
    assert number_sources(["x", None, "x", "", None]).tolist() == [0, 1, 0, 2, 3]


@pytest.mark.parametrize(
    ("labels", "folds", "sources", "told"),
    [
        ("aabb", 1, None, "two or more"),
        ("aabb", 5, None, "4 documents cannot make 5 folds"),
        ("aabb", 3, "xxyy", "2 sources cannot make 3 folds: use at most 2"),
        ("aabbcc", 3, "uvwxyz", "use 2 folds"),
        ("aabb", 2, "xy", "4 documents and 2 sources"),
        ("abcd", 2, "wxyz", "every label has one document"),
    ],
)
def test_what_cannot_be_dealt_is_told(labels, folds, sources, told):
    with pytest.raises(DataError, match=told):
        deal_folds([*labels], folds, sources=sources)
