"""What a user would pick instead of this project, without a training of the encoder.

Each is used as its own documentation says; C, and min_df of the SVM, are chosen by validation accuracy.

svm                TF-IDF of word 1-2-grams and LinearSVC (scikit-learn)
embeddings         sentence-transformers' embeddings and LogisticRegression
hiclass_lcpn_...   HiClass, a local classifier per node, on either; it asks for probabilities: LogisticRegression
hiclass_lcppn_...  HiClass, a local classifier per parent node: LinearSVC on TF-IDF, LogisticRegression on embeddings
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jobs import Fitted, Job

SVM_C = (0.3, 1.0, 3.0)
LOGISTIC_C = (1.0, 10.0, 100.0)
MIN_DF = (1, 2)
MAX_ITERATIONS = 1000  # of LogisticRegression, whose default of 100 does not converge with hundreds of labels


@dataclass(frozen=True)
class Features:
    """Texts as vectors.

    Attributes
    ----------
    of
        What makes them.
    train, valid
        Those of the job's documents, (documents, features).
    settings
        How they were made.
    """

    of: Callable[[Sequence[str]], Any]
    train: Any
    valid: Any
    settings: dict[str, Any]


def fit_svm(job: Job) -> Fitted:
    """Train a flat linear SVM on TF-IDF."""
    found = (best_of_grid(job, tfidf(job, min_df=min_df), partial(_svm, job), SVM_C) for min_df in MIN_DF)
    return max(found, key=lambda pair: pair[0])[1]


def fit_embeddings(job: Job) -> Fitted:
    """Train a flat logistic regression on sentence embeddings."""
    return best_of_grid(job, embeddings(job), _logistic, LOGISTIC_C)[1]


def fit_hiclass(job: Job, *, strategy: str, features: Callable[[Job], Features]) -> Fitted:
    """Train HiClass.

    Parameters
    ----------
    job
        Its data set must have groups.
    strategy
        ``LocalClassifierPerNode`` or ``LocalClassifierPerParentNode``.
    features
        `tfidf` or `embeddings`.
    """
    import hiclass

    if job.taxonomy is None:
        sys.exit("HiClass learns a tree of labels, and this data set has no groups")
    by_margin = strategy == "LocalClassifierPerParentNode" and features is tfidf
    local, grid = (partial(_svm, job), SVM_C) if by_margin else (_logistic, LOGISTIC_C)
    taxonomy = job.taxonomy
    group_of = {label.id: group.id for group in taxonomy.groups for label in group.labels}

    def make(C: float) -> Any:
        return _OnPaths(getattr(hiclass, strategy)(local_classifier=local(C)), group_of)

    return best_of_grid(job, features(job), make, grid)[1]


def best_of_grid(
    job: Job, features: Features, make: Callable[[float], Any], grid: Sequence[float]
) -> tuple[float, Fitted]:
    """Train with each C; return the best validation accuracy and what reached it.

    Parameters
    ----------
    job
        The labels.
    features
        The vectors.
    make
        C to an untrained classifier.
    grid
        Values of C; the first of equals wins.
    """
    best, accuracy, chosen = None, -1.0, grid[0]
    for C in grid:
        model = make(C).fit(features.train, job.train.labels)
        found = float(np.mean(model.predict(features.valid) == np.array(job.valid.labels)))
        if found > accuracy:
            best, accuracy, chosen = model, found, C
    return accuracy, Fitted(lambda texts: best.predict(features.of(texts)), {**features.settings, "C": chosen})


def tfidf(job: Job, *, min_df: int = 2) -> Features:
    """Make sublinear TF-IDF of word 1-2-grams."""
    from pipelines.evaluation.baselines import tfidf_vectorizer

    vectorizer = tfidf_vectorizer(job.train.texts, min_df)
    train = vectorizer.fit_transform(job.train.texts)
    return Features(vectorizer.transform, train, vectorizer.transform(job.valid.texts), {"min_df": min_df})


def embeddings(job: Job) -> Features:
    """Embed with sentence-transformers, as long as the encoder's own settings say."""
    from sentence_transformers import SentenceTransformer

    if job.encoder == "none":
        sys.exit("embeddings need an encoder")
    model = SentenceTransformer(job.encoder)

    def embed(texts: Sequence[str]) -> np.ndarray:
        return np.asarray(model.encode(list(texts), show_progress_bar=False))

    return Features(embed, embed(job.train.texts), embed(job.valid.texts), {"max_tokens": model.max_seq_length})


class _OnPaths:
    """A HiClass classifier that is fitted on (group, label) and answers with the label."""

    def __init__(self, classifier: Any, group_of: Mapping[str, str]) -> None:
        self.classifier = classifier
        self.group_of = group_of

    def fit(self, X: Any, labels: Sequence[str]) -> "_OnPaths":
        self.classifier.fit(X, [[self.group_of[label], label] for label in labels])
        return self

    def predict(self, X: Any) -> np.ndarray:
        return self.classifier.predict(X)[:, 1]


def _svm(job: Job, C: float) -> Any:
    from sklearn.svm import LinearSVC

    return LinearSVC(C=C, random_state=job.seed)


def _logistic(C: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=C, max_iter=MAX_ITERATIONS)


PEERS: dict[str, Callable[[Job], Fitted]] = {
    "svm": fit_svm,
    "embeddings": fit_embeddings,
    **{
        f"hiclass_{short}_{features.__name__}": partial(fit_hiclass, strategy=strategy, features=features)
        for short, strategy in (("lcpn", "LocalClassifierPerNode"), ("lcppn", "LocalClassifierPerParentNode"))
        for features in (tfidf, embeddings)
    },
}
