"""What a model keeps of its training documents: vectors, rows of what it was given, labels, and no text."""

import logging

import numpy as np
import pytest

from hierarchy.errors import ConfigError
from pipelines.classifier import HierarchicalClassifier


def keeping(tiny_classifier, **settings):
    return tiny_classifier(keep_neighbours=True, **{"training": {"num_train_epochs": 1}, **settings})


@pytest.mark.parametrize("mode", ["chained", "joint"])
def test_neighbours_are_rows_of_what_fit_was_given(tiny_classifier, english, tmp_path, mode, caplog):
    texts, labels = ["", *english.train[0]], [english.train[1][0], *english.train[1]]  # the empty one is left out
    classifier = keeping(tiny_classifier, mode=mode).fit(texts, labels)  # validation is cut from them
    kept = classifier.model_.neighbours
    assert kept.vectors.dtype == np.float16
    assert len(kept.rows) == len(texts) - 1 - classifier.model_.record["documents"]["valid"]
    for row in kept.rows[::40].tolist():
        near = classifier.explain(texts[row]).neighbours
        assert len(near) == 5
        assert near[0].cosine == pytest.approx(1, abs=1e-3)
        assert texts[near[0].row] == texts[row]
        assert all(labels[n.row] == n.label for n in near)
        assert [n.cosine for n in near] == sorted((n.cosine for n in near), reverse=True)
    with caplog.at_level(logging.INFO):
        classifier.save_pretrained(tmp_path / "model")
    assert "MB of it vectors of training documents" in caplog.text
    again = HierarchicalClassifier.from_pretrained(tmp_path / "model")
    assert again.keep_neighbours
    for name, array in kept.tensors().items():
        assert array.tobytes() == again.model_.neighbours.tensors()[name].tobytes()
    one, other = classifier.explain(texts[5]), again.explain(texts[5])
    assert one.neighbours == other.neighbours
    assert not any(
        texts[5][:40].encode() in file.read_bytes() for file in (tmp_path / "model").iterdir() if file.is_file()
    )


def test_a_refit_names_the_documents_that_it_was_given(tiny_classifier, english):
    classifier = keeping(tiny_classifier).fit(*english.train, validation=english.valid)
    order = np.random.default_rng(0).permutation(len(english.train[0]))
    texts, labels = ([part[i] for i in order] for part in english.train)
    classifier.refit_groups(["kitchen"], texts, labels, validation=english.valid)
    near = classifier.explain(texts[7]).neighbours[0]
    assert (texts[near.row], near.label) == (texts[7], labels[7])


def test_nothing_is_kept_unless_asked(fitted, saved, english):
    assert fitted.model_.neighbours is None
    assert fitted.explain(english.test[0][0]).neighbours == ()
    assert not (saved / "neighbours.safetensors").exists()


def test_neighbours_without_an_encoder_are_refused(english):
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", keep_neighbours=True)
    with pytest.raises(ConfigError, match="keep_neighbours does nothing with encoder: none"):
        classifier.fit(*english.train)
