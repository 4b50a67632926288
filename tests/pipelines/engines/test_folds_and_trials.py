"""Folds and trials in several processes, and on Ray: the same figures as in one."""

import dataclasses

import numpy as np
import pytest
from tiny import TINY

from pipelines.classifier import HierarchicalClassifier
from pipelines.cross_validation.validate import cross_validate
from pipelines.tuning.search import tune

pytestmark = pytest.mark.slow
SPACE = {"classifier.lexical_C": {"type": "float", "low": 0.1, "high": 10, "log": True}}


@pytest.fixture(params=["local", "ray"])
def two(request, monkeypatch):
    """Keywords for two workers."""
    if request.param == "ray":
        monkeypatch.setenv("HOME", request.getfixturevalue("home_of_ray"))
    return {"engine": request.param, "processes": 2}


def test_folds(english, tiny_encoder, tmp_path, two):
    def validated(name, **how):
        settings = {**TINY, "encoder": tiny_encoder, "n_jobs": 1, "run_dir": str(tmp_path / name)}
        classifier = HierarchicalClassifier(english.taxonomy, **settings)
        return cross_validate(classifier, *english.train, folds=5, baselines=False, **how)

    alone, together = validated("alone"), validated("together", **two)
    assert together.scores == alone.scores
    assert np.array_equal(together.predictions.own, alone.predictions.own)
    assert np.array_equal(together.predictions.rows, alone.predictions.rows)


@pytest.mark.parametrize("sampler", ["random", "grid"])
def test_trials(english, tmp_path, two, sampler):
    space = (
        {"classifier.lexical_C": [0.1, 1.0, 10.0], "classifier.min_df": [1, 2, 3, 4]} if sampler == "grid" else SPACE
    )

    def tuned(name, trials=12, **how):
        classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1, run_dir=str(tmp_path / name))
        found = tune(classifier, space, *english.train, validation=english.valid, trials=trials, sampler=sampler, **how)
        return [dataclasses.replace(trial, seconds=0.0) for trial in found.trials]

    alone = tuned("alone")
    tuned("together", 5)
    assert tuned("together", **two) == alone
    assert len(alone) == 12


def test_trials_that_share_a_training_do_it_once(english, tiny_encoder, tmp_path, two):
    """Both learning rates stand in three trials each; those of one at a time must not train into one folder."""
    space = {"classifier.training.learning_rate": [5e-3, 1e-3], "classifier.neural_C": [0.5, 1.0, 2.0]}
    settings = {**TINY, "encoder": tiny_encoder, "n_jobs": 1, "run_dir": str(tmp_path / "run")}
    classifier = HierarchicalClassifier(english.taxonomy, **settings)
    options = {"validation": english.valid, "trials": 7, "sampler": "grid", "prune": False}
    found = tune(classifier, space, *english.train, **options, **two)
    assert {trial.state for trial in found.trials} == {"complete"}
    assert len({*(tmp_path / "run").glob("chained-*")}) == 2
    curves = {trial.params["training.learning_rate"]: trial.curve for trial in found.trials[1:]}
    assert all(trial.curve == curves[trial.params["training.learning_rate"]] for trial in found.trials[1:])
