"""Two to four labels and one group: all that works with many works with them."""

import json

import numpy as np
import pytest

from pipelines.classifier import HierarchicalClassifier
from pipelines.cross_validation.validate import cross_validate
from pipelines.pages.evaluation import write_report

NO_ENCODER = ("--set", "classifier.encoder=none", "--set", "classifier.n_jobs=1")


def few(part, count):
    """Return the documents of the first labels."""
    labels = list(dict.fromkeys(part[1]))[:count]
    kept = [i for i, label in enumerate(part[1]) if label in labels]
    return [part[0][i] for i in kept], [part[1][i] for i in kept]


def enough(part):
    """Return the documents often enough for a promise."""
    return [f"{text} {time}" for time in range(16) for text in part[0]], part[1] * 16


@pytest.mark.parametrize("count", [2, 3, 4])
def test_without_a_tree(english, tmp_path, count):
    train, valid, test = (few(part, count) for part in (english.train, english.valid, english.test))
    classifier = HierarchicalClassifier(encoder="none", n_jobs=1).fit(
        *train, validation=valid, calibration=enough(valid)
    )
    assert (len(classifier.classes_), len(classifier.taxonomy_.groups)) == (count, 1)
    assert classifier.score(*test) > 1 / count
    assert np.allclose(classifier.predict_proba(test[0]).sum(axis=1), 1)
    path = classifier.predict_paths(test[0][:1], top_k=9)[0][0]
    assert (path.group_probability, path.coarse_probability) == (pytest.approx(1), pytest.approx(1))
    classifier.predict_sets(test[0])
    classifier.explain(test[0][0])
    report = classifier.evaluate(*test, train=train)
    write_report(report, tmp_path / "page.html")
    json.dumps(report.as_dict(), allow_nan=False)
    classifier.save_pretrained(tmp_path / "model")
    again = HierarchicalClassifier.from_pretrained(tmp_path / "model")
    assert again.predict_proba(test[0]).tobytes() == classifier.predict_proba(test[0]).tobytes()
    assert again.calibrate(*enough(test)).model_.promises is not None
    again.refit_groups(again.taxonomy_.group_ids, *train, validation=valid)
    assert again.score(*test) > 1 / count


@pytest.mark.parametrize("settings", [{}, {"mode": "joint", "trainable": "all"}, {"routing": "beam", "beam": 1}])
def test_with_an_encoder(english, tiny_classifier, tmp_path, settings):
    train, valid, test = (few(part, 2) for part in (english.train, english.valid, english.test))
    classifier = tiny_classifier(None, **settings).fit(*train, validation=valid, calibration=enough(valid))
    assert classifier.score(*test) > 0.6
    classifier.explain(test[0][0])
    write_report(classifier.evaluate(*test, train=train), tmp_path / "page.html")
    classifier.save_pretrained(tmp_path / "model")
    again = HierarchicalClassifier.from_pretrained(tmp_path / "model")
    assert np.allclose(again.predict_proba(test[0]), classifier.predict_proba(test[0]))


def test_cross_validation(english):
    result = cross_validate(HierarchicalClassifier(encoder="none", n_jobs=1), *few(english.train, 2), folds=2)
    assert result.as_dict()["folds"]


def test_the_commands(cli, english, tmp_path):
    for name, part in (
        ("train", few(english.train, 2)), ("test", few(english.test, 2)), ("more", enough(few(english.test, 2))),
    ):  # fmt: skip
        rows = [json.dumps({"text": text, "label": label}) for text, label in zip(*part, strict=True)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows), encoding="utf-8")
    data = [*NO_ENCODER, "--set", f"data.train={tmp_path / 'train.jsonl'}"]
    for command in (
        ("taxonomy", "build", *data, "-o", tmp_path / "tree.yaml"),
        ("taxonomy", "check", tmp_path / "tree.yaml", *data),
        ("train", *data, "--set", f"data.test={tmp_path / 'test.jsonl'}", "--set", f"output={tmp_path / 'model'}"),
        ("train", "--no-baselines", *data, "--set", f"taxonomy={tmp_path / 'tree.yaml'}",
         "--set", f"output={tmp_path / 'again'}"),
        ("cross-validate", *data, "--folds", 2, "-o", tmp_path / "folds.parquet"),
        ("calibrate", tmp_path / "model", tmp_path / "more.jsonl", "-o", tmp_path / "calibrated"),
    ):  # fmt: skip
        result = cli(*command)
        assert result.exit_code == 0, result.stderr
