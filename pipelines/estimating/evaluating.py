"""The evaluation's part: the report's figures, and the flat models that stand beside a model in it."""

from collections.abc import Sequence

import numpy as np

from hierarchy.taxonomy import Taxonomy
from pipelines.estimating.rows import processes, repeated
from pipelines.estimating.sample import Sample
from pipelines.estimating.timing import Pace, pace_of
from pipelines.evaluation.baselines import logistic_predictions, svm_predictions
from pipelines.evaluation.comparison import BASELINES, compare
from pipelines.evaluation.figures import evaluate_predictions
from pipelines.settings import Settings
from stages.label_space import LabelSpace

LOGISTIC_DOCUMENTS = 500  # on which the logistic regression is timed
BLOCK = 100  # documents by which a report grows while it is timed
RIGHT = 0.7  # of the answers of a report that is timed


def report_pace(test_labels: Sequence[str], taxonomy: Taxonomy, space: LabelSpace, systems: int) -> Pace:
    """Time a report, document by document, on random answers.

    Parameters
    ----------
    test_labels
        (documents,) label of each test document.
    taxonomy
        Where labels without training documents stand.
    space
        Labels and groups with training documents.
    systems
        That the report compares with the model.
    """
    random = np.random.default_rng(0)
    labels, groups = len(space.label_ids), len(space.group_ids)
    every = space.with_untrained(test_labels, taxonomy)
    targets = every.targets(test_labels)

    def report(n: int) -> None:
        gold = targets[: n * BLOCK]
        coarse = random.random((len(gold), groups), dtype=np.float32)
        answers = [np.where(random.random(len(gold)) < RIGHT, gold, random.integers(labels, size=len(gold)))] * systems
        probabilities = random.random((len(gold), labels), dtype=np.float32)
        evaluation = evaluate_predictions(
            gold,
            probabilities / probabilities.sum(1, keepdims=True),
            space=every,
            train_counts=np.ones(labels, dtype=np.int64),
            coarse_probability=coarse / coarse.sum(1, keepdims=True),
            in_beam=np.ones(coarse.shape, dtype=bool),
            lengths=np.arange(len(gold)),
            label_names={label: label for label in every.label_ids},
            group_names={group: group for group in every.group_ids},
        )
        compare(evaluation, "a sample", answers=dict(zip(BASELINES, answers, strict=False)))

    pace = pace_of(report, max(1, len(targets) // BLOCK), weight=0.5)
    return Pace(pace.fixed, pace.each / BLOCK)


def svm_seconds(sample: Sample, labels: Sequence[str], n_labels: int, settings: Settings) -> float:
    """Return what one TF-IDF with a linear SVM takes: a sample is read and some of its labels told from all others.

    Parameters
    ----------
    sample, labels
        Of the training documents, with their labels.
    n_labels
        Labels in all.
    settings
        Of the classifier.
    """
    at_once = processes(settings)
    names, places = np.unique(np.asarray(labels), return_inverse=True)
    if len(names) < 2:
        return 0.0

    def fit(n: int) -> None:
        # A sample of labels, each told from all others; the last class stands for the rest.
        svm_predictions(sample.texts, np.minimum(places, n * at_once), sample.texts[:1], n_jobs=settings.n_jobs)

    pace = pace_of(fit, max(1, (len(names) - 1) // at_once))
    return sample.share * pace.seconds(n_labels / at_once)


def logistic_seconds(vectors: np.ndarray, documents: int, n_labels: int) -> float:
    """Return what a logistic regression on pooled vectors takes, from one on few documents.

    Parameters
    ----------
    vectors
        (sample, features).
    documents, n_labels
        Of the training.
    """
    some = min(documents, LOGISTIC_DOCUMENTS)
    features = repeated(vectors, some)
    targets = np.arange(some) % n_labels
    pace = pace_of(lambda _: logistic_predictions(features, targets, features[:1]), 1)
    return pace.each * (documents / some) * (n_labels / len(np.unique(targets)))
