"""What a training would take, told before it: the steps are those of the training, and nothing is written."""

import pytest

from pipelines.data.documents import Documents
from pipelines.estimating.estimate import estimate_training
from pipelines.training.fit import prepare_fit


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """A moment of work is enough here."""
    monkeypatch.setattr("pipelines.estimating.timing.ENOUGH", 0.01)


def estimated(classifier, corpus, *, baselines=False):
    given = prepare_fit(classifier.get_params(deep=False), *corpus.train, corpus.valid, None)
    test = Documents(*corpus.test)
    return estimate_training(given.settings, classifier.taxonomy, given.train, given.valid, test, baselines=baselines)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"encoder": "none"},
        {"lexical": False},
        {"mode": "joint"},
        {"mode": "joint", "trainable": "all", "keep_neighbours": True},
        {"trainable": "top_1"},
        {"taxonomy": None},
    ],
)
def test_steps_are_those_of_the_training(tiny_classifier, english, settings):
    classifier = tiny_classifier(**settings)

    steps = estimated(classifier, english)

    fitted = classifier.fit(*english.train, validation=english.valid)
    names = [step.name for step in steps]
    assert names == [*fitted.model_.record["seconds"], "evaluation"]
    assert all(step.seconds >= 0 and step.memory > 0 for step in steps)
