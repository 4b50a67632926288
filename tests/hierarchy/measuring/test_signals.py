"""Signals: texts, documents and confusions, blended; what stands in for a signal that is missing."""

import numpy as np
import pytest

from hierarchy import EncoderError, Label
from hierarchy.measuring.signals import confusion_profiles, label_signals

LABELS = [Label(x, x) for x in ("red lamp", "blue lamp", "red chair", "no documents lamp")]
X = np.array([[1.0, 0], [1, 0.1], [0, 1], [1, 0]])
TARGETS = ["red lamp", "red lamp", "blue lamp", "red chair"]


def test_cosines_are_blended(embed):
    found = label_signals(LABELS, (X, TARGETS), embed=embed)
    assert set(found.vectors) == {"text", "documents", "confusion"}
    both = found.blend({"text": 3, "documents": 1})
    assert np.linalg.norm(both, axis=1) == pytest.approx(1)
    text, documents = found.vectors["text"], found.vectors["documents"]
    assert (both @ both.T) == pytest.approx(0.75 * text @ text.T + 0.25 * documents @ documents.T)
    assert documents[0] @ documents[2] > 0.9 > documents[0] @ documents[1]
    for name in ("documents", "confusion"):  # from the labels whose texts are nearest
        assert np.linalg.norm(found.vectors[name][3]) == pytest.approx(1)


def test_texts_stand_in_for_what_is_missing(embed):
    found = label_signals(LABELS, embed=embed)
    assert found.probe is None
    assert np.array_equal(found.blend({"documents": 1, "confusion": 1}), found.vectors["text"])
    alone = label_signals(LABELS, (X[:2], TARGETS[:2]), embed=embed)  # one label has documents: nothing to confuse
    assert set(alone.vectors) == {"text", "documents"}


def test_what_gets_confused_is_alike():
    confusion = np.eye(6) * 0.6
    for a, b in ((0, 1), (2, 3), (4, 5)):
        confusion[a, b] = confusion[b, a] = 0.4
    profiles = confusion_profiles(confusion)
    likeness = profiles @ profiles.T
    assert likeness[0, 1] > 0.9
    assert likeness[0, 2:] == pytest.approx(0, abs=1e-6)


def test_bare_documents_are_embedded(embed):
    labels = [Label("a", "a"), Label("b", "b")]
    found = label_signals(labels, (["sun moon", "sun", "tree"], ["a", "a", "b"]), embed=embed)
    assert found.vectors["documents"].shape == (2, 48)


def test_wrong_functions():
    labels = [Label("a", "a")]
    with pytest.raises(EncoderError, match=r"embed gave an array of shape \(3,\) for 1 texts"):
        label_signals(labels, embed=lambda _texts: np.zeros(3))
