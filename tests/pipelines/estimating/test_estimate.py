"""What a training would take, told before it: the steps are those of the training, and nothing is written."""

from dataclasses import replace

import pytest

from pipelines.data.documents import Documents
from pipelines.estimating.estimate import estimate_training
from pipelines.estimating.timing import Pace
from pipelines.training.fit import prepare_fit


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """A moment of work is enough here."""
    monkeypatch.setattr("pipelines.estimating.timing.ENOUGH", 0.01)


@pytest.fixture
def a_second_each(monkeypatch):
    """Each segment and each step takes a second, and a checkpoint none, however busy the machine is."""

    def pace_of(work, most, **_):
        work(1)
        return Pace(0.0, 1.0)

    monkeypatch.setattr("pipelines.estimating.encoding.pace_of", pace_of)
    monkeypatch.setattr("pipelines.estimating.encoding.seconds_of", lambda _: 0.0)


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
        {"taxonomy": None, "max_segments": 1},
        {"taxonomy": None, "trainable": "top_1"},
    ],
)
def test_steps_are_those_of_the_training(tiny_classifier, english, settings):
    classifier = tiny_classifier(**settings)

    steps = estimated(classifier, english)

    fitted = classifier.fit(*english.train, validation=english.valid)
    names = [step.name for step in steps]
    assert names == [*fitted.model_.record["seconds"], "evaluation"]
    assert all(step.seconds >= 0 and step.memory > 0 for step in steps)


def test_baselines_are_a_step_of_their_own(tiny_classifier, english):
    without, beside = (estimated(tiny_classifier(), english, baselines=flat) for flat in (False, True))
    assert [step.name for step in beside] == [*(step.name for step in without), "baselines"]


def test_labels_that_only_test_documents_have(tiny_classifier, english):
    label = english.train[1][0]
    known = [place for place, other in enumerate(english.train[1]) if other != label]
    train = tuple([part[place] for place in known] for part in english.train)
    steps = estimated(tiny_classifier(encoder="none"), replace(english, train=train), baselines=True)
    assert steps[-1].name == "baselines"


def test_documents_without_a_word_among_others(tiny_classifier, english):
    texts, labels = english.train
    odd = ["?!" if place % 2 else text for place, text in enumerate(texts)]
    assert estimated(tiny_classifier(encoder="none"), replace(english, train=(odd, labels)))


def test_a_schedule_that_asks_for_evaluations(tiny_classifier, english):
    training = {
        "num_train_epochs": 2,
        "lr_scheduler_type": "reduce_lr_on_plateau",
        "lr_scheduler_kwargs": {"patience": 1},
    }
    assert estimated(tiny_classifier(training=training), english)


def test_label_texts_count_where_something_reads_them(tiny_classifier, english, a_second_each):
    def coarse_model(**settings):
        steps = estimated(tiny_classifier(**settings), english)
        return next(step.seconds for step in steps if step.name == "coarse model")

    characters = sum(len(label.text) for label in english.taxonomy.labels)
    unread = coarse_model(row_start="random")
    assert coarse_model(row_start="random", label_attention=True) - unread == pytest.approx(characters)
    assert coarse_model(row_start="labels", label_attention=True) - unread == pytest.approx(2 * characters)


def test_calibration_documents_are_read(tiny_classifier, english):
    classifier = tiny_classifier(encoder="none")
    given = prepare_fit(classifier.get_params(deep=False), *english.train, english.valid, english.train)
    test = Documents(*english.test)
    steps = estimate_training(
        given.settings, english.taxonomy, given.train, given.valid, test, calibration=given.calibration, baselines=False
    )
    assert "calibration" in [step.name for step in steps]


def test_each_epoch_takes_as_long(tiny_classifier, english, a_second_each):
    one, two, many = (
        next(
            step.seconds
            for step in estimated(tiny_classifier(training={"num_train_epochs": number}), english)
            if step.name == "coarse model"
        )
        for number in (1, 2, 100)
    )
    assert two - one > 1
    assert many - one == pytest.approx(99 * (two - one))
