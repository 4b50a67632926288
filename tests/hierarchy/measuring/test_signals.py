"""Signals: texts, documents and confusions, blended by what they rest on; texts stand in for what is missing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hierarchy import EncoderError, Label
from hierarchy.embedding.label_vectors import unit
from hierarchy.measuring.signals import (
    DOCUMENTS_FOR_HALF,
    confusion_profiles,
    documents_for_half,
    label_signals,
    rotated,
)

LABELS = [Label(x, x) for x in ("red lamp", "blue lamp", "red chair", "no documents lamp")]
X = np.array([[1.0, 0], [1, 0.1], [0, 1], [1, 0]])
TARGETS = ["red lamp", "red lamp", "blue lamp", "red chair"]


def cosines(vectors):
    return vectors @ vectors.T


def test_each_label_counts_its_documents_by_their_number(embed):
    found = label_signals(LABELS, (X, TARGETS), embed=embed)
    text, documents = found.vectors["text"], found.vectors["documents"]
    assert documents[0] @ documents[2] > 0.9 > documents[0] @ documents[1]
    assert not documents[3].any()
    half = documents_for_half(X, np.array([[1, 0.05], [0, 1], [1, 0]]), np.array([2, 1, 1]))
    assert found.reliability["documents"] == pytest.approx(np.array([2, 1, 1, 0]) / (np.array([2, 1, 1, 0]) + half))
    both = found.blend({"text": 3, "documents": 1})
    assert np.linalg.norm(both, axis=1) == pytest.approx(1)
    assert both[3] == pytest.approx(text[3])  # a label without documents is its text
    weight = found.reliability["documents"][0] / 4
    assert both[0] == pytest.approx(unit((1 - weight) * text[:1] + weight * documents[:1])[0])
    assert found.shares({"text": 3, "documents": 1})["documents"] == pytest.approx(
        found.reliability["documents"].mean() / 4
    )
    assert sum(found.shares({"text": 1, "documents": 2, "confusion": 1}).values()) == pytest.approx(1)


def test_rotation_keeps_cosines_and_finds_the_way_back():
    rng = np.random.default_rng(0)
    target = unit(rng.normal(size=(30, 8)))
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    assert rotated(target @ turn, target, np.ones(30)) == pytest.approx(target)
    other = unit(rng.normal(size=(30, 8)))
    assert cosines(rotated(other, target, rng.random(30))) == pytest.approx(cosines(other))


def test_documents_of_any_space_are_turned_to_the_texts():
    rng = np.random.default_rng(0)
    labels = [Label(str(i), str(i)) for i in range(12)]
    texts = rng.normal(size=(12, 5))
    turned = (texts - texts.mean(axis=0)) @ np.linalg.qr(rng.normal(size=(9, 9)))[0][:5]  # (labels, 9)
    owners = [str(i) for i in range(11)]
    found = label_signals(labels, (turned[:11], owners), embed=lambda _: texts)
    both = found.blend({"documents": 1})
    assert cosines(both)[11, :11] == pytest.approx(cosines(found.vectors["text"])[11, :11], abs=0.15)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.2, 2), st.integers(2, 20))
def test_the_estimate_finds_the_variances_that_made_the_documents(seed, noise, most):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, most + 1, size=200)
    means = rng.normal(size=(200, 40))
    owner = np.repeat(np.arange(200), counts)
    documents = means[owner] + noise * rng.normal(size=(len(owner), 40))
    centroids = np.array([documents[owner == i].mean(axis=0) for i in range(200)])
    assert documents_for_half(documents, centroids, counts) == pytest.approx(noise**2, rel=0.25)


def test_where_the_reliability_cannot_be_told():
    two, once = np.eye(2), np.ones(2, dtype=int)
    assert documents_for_half(two, two, once) == DOCUMENTS_FOR_HALF  # no label has two documents
    assert documents_for_half(two, two.mean(axis=0)[None], np.array([2])) == DOCUMENTS_FOR_HALF  # one label
    same = np.repeat(two, 2, axis=0)
    assert documents_for_half(same, two, once + once) == 0
    crossed = np.concatenate([two, two])  # both labels have the same documents: they tell nothing
    assert documents_for_half(crossed, np.full((2, 2), 0.5), once + once) == float("inf")


def test_few_labels_of_many_dimensions_are_cheap():
    rng = np.random.default_rng(0)
    texts = unit(np.abs(rng.normal(size=(12, 3000))))  # as character n-grams
    owners = [str(i) for i in range(12) for _ in range(3)]
    found = label_signals(
        [Label(str(i), str(i)) for i in range(12)], (rng.normal(size=(36, 20)), owners), lambda _: texts
    )
    assert found.vectors["text"].shape[1] <= 20
    assert cosines(found.vectors["text"]) == pytest.approx(cosines(unit(texts - texts.mean(axis=0))), abs=1e-6)


def test_documents_that_tell_nothing_count_nothing(embed):
    found = label_signals(LABELS[:2], (np.eye(2)[[0, 1, 0, 1]], [x.id for x in LABELS[:2] for _ in range(2)]), embed)
    assert found.blend({"documents": 1}) == pytest.approx(found.vectors["text"])
    assert found.shares({"documents": 1}) == {"text": 1.0, "documents": 0.0}


def test_texts_stand_in_for_what_is_missing(embed):
    found = label_signals(LABELS, embed=embed)
    assert found.probe is None
    assert found.blend({"documents": 1, "confusion": 1}) == pytest.approx(found.vectors["text"])
    assert found.shares({"documents": 1}) == {"text": 1.0}
    alone = label_signals(LABELS, (X[:2], TARGETS[:2]), embed=embed)  # one label has documents: nothing to confuse
    assert set(alone.vectors) == {"text", "documents"}


def test_what_gets_confused_is_alike():
    confusion = np.eye(6) * 0.6
    for a, b in ((0, 1), (2, 3), (4, 5)):
        confusion[a, b] = confusion[b, a] = 0.4
    likeness = cosines(confusion_profiles(confusion))
    assert likeness[0, 1] > 0.9
    assert likeness[0, 2:] == pytest.approx(0, abs=1e-6)


def test_bare_documents_are_embedded(embed):
    labels = [Label("a", "a"), Label("b", "b")]
    found = label_signals(labels, (["sun moon", "sun", "tree"], ["a", "a", "b"]), embed=embed)
    assert found.vectors["documents"].any(axis=1).all()


def test_wrong_functions():
    labels = [Label("a", "a")]
    with pytest.raises(EncoderError, match=r"embed gave an array of shape \(3,\) for 1 texts"):
        label_signals(labels, embed=lambda _texts: np.zeros(3))
