"""What a user would pick instead: TF-IDF with a linear SVM, and logistic regression on the pooled vectors.

Both are flat (they know no groups) and use scikit-learn's documented settings; none is tuned down.
"""

import logging
import re
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hierarchy.errors import DataError
from hierarchy.text.wording import count
from stages.fine.ngrams import UNSPACED
from stages.machine import in_parallel
from stages.progress import progress

logger = logging.getLogger(f"coarsefine.{__name__}")

SVM_MIN_DF = 1
LOGISTIC_C = 0.1
LOGISTIC_MAX_ITER = 100

_UNSPACED = re.compile(f"[{UNSPACED}]")
_LETTER = re.compile(r"[^\W\d_]")
_SCRIPT_PREFIX = 2000  # characters of a document that are enough to tell its script


def svm_predictions(
    train_texts: Sequence[str],
    train_targets: np.ndarray,
    test_texts: Sequence[str],
    *,
    min_df: int = SVM_MIN_DF,
    n_jobs: int = 1,
) -> np.ndarray:
    """Predict with ``TfidfVectorizer`` and ``LinearSVC``, one binary problem per label.

    This is what ``LinearSVC`` does by itself (one-vs-rest), except that a row of weights is dropped as soon
    as it has scored the test documents: 553 labels and a million n-grams would hold 4.4 GB otherwise.

    Parameters
    ----------
    train_texts, test_texts
        Documents; nothing is truncated.
    train_targets
        ``(documents,)`` integer labels.
    min_df
        Training documents that an n-gram must be in to count.
    n_jobs
        Processes; the predictions do not depend on it.

    Returns
    -------
    np.ndarray
        ``(test documents,)`` predicted labels, of the same kind as `train_targets`; all the commonest one where
        scikit-learn finds no n-gram (it reads no lone letter, digit or symbol).

    Raises
    ------
    DataError
        If there is nothing to train on.
    """
    targets = _checked_targets(train_targets, len(train_texts))
    classes = np.unique(targets)
    if len(test_texts) == 0 or len(classes) == 1:
        return np.full(len(test_texts), classes[0], dtype=targets.dtype)
    vectorizer = tfidf_vectorizer(train_texts, min_df)
    try:
        train = vectorizer.fit_transform(train_texts)
    except ValueError as error:  # "empty vocabulary": its words have two letters at least
        logger.warning(
            "linear svm: no n-gram in %s (%s): it says one label", count(len(targets), "training document"), error
        )
        return np.full(len(test_texts), classes[np.bincount(np.searchsorted(classes, targets)).argmax()])
    test = vectorizer.transform(test_texts)
    del vectorizer  # its vocabulary of strings can be larger than both matrices
    scores = _one_vs_rest_scores(train, targets, classes, test, n_jobs)
    return classes[scores.argmax(axis=1)]


def logistic_predictions(train_vectors: np.ndarray, train_targets: np.ndarray, test_vectors: np.ndarray) -> np.ndarray:
    """Predict with multinomial ``LogisticRegression`` on standardised pooled vectors.

    Parameters
    ----------
    train_vectors, test_vectors
        ``(documents, features)``; computed in float32.
    train_targets
        ``(documents,)`` integer labels.

    Returns
    -------
    np.ndarray
        ``(test documents,)`` predicted labels, of the same kind as `train_targets`.

    Raises
    ------
    DataError
        If there is nothing to train on.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    targets = _checked_targets(train_targets, len(train_vectors))
    classes = np.unique(targets)
    if len(test_vectors) == 0 or len(classes) == 1:
        return np.full(len(test_vectors), classes[0], dtype=targets.dtype)
    scaler = StandardScaler()
    train = scaler.fit_transform(np.asarray(train_vectors, dtype=np.float32))
    model = LogisticRegression(C=LOGISTIC_C, max_iter=LOGISTIC_MAX_ITER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(train, targets)
    if int(np.max(model.n_iter_)) >= LOGISTIC_MAX_ITER:
        logger.info("logistic regression on vectors: stopped at %d iterations, before convergence", LOGISTIC_MAX_ITER)
    return np.asarray(model.predict(scaler.transform(np.asarray(test_vectors, dtype=np.float32))))


def tfidf_vectorizer(texts: Iterable[str], min_df: int = SVM_MIN_DF) -> Any:
    """Give the unfitted ``TfidfVectorizer`` that suits the script of `texts`.

    Word 1-2-grams, or character 1-2-grams where more than half of the letters belong to scripts that put no
    spaces between words.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    analyzer = "char" if mostly_unspaced(texts) else "word"
    return TfidfVectorizer(analyzer=analyzer, ngram_range=(1, 2), sublinear_tf=True, min_df=min_df)


def mostly_unspaced(texts: Iterable[str]) -> bool:
    """Tell whether more than half of the letters belong to scripts without spaces (Chinese, Thai, ...)."""
    letters = unspaced = 0
    for text in texts:
        head = text[:_SCRIPT_PREFIX]
        letters += len(_LETTER.findall(head))
        unspaced += len(_UNSPACED.findall(head))
    return 2 * unspaced > letters


def _checked_targets(targets: np.ndarray, documents: int) -> np.ndarray:
    targets = np.asarray(targets)
    if len(targets) != documents:
        raise DataError(f"{documents} training documents have {len(targets)} labels: give each document one")
    if documents == 0:
        raise DataError("a baseline needs training documents, and there are none: give a file with --train")
    return targets


def _one_vs_rest_scores(train: Any, targets: np.ndarray, classes: np.ndarray, test: Any, n_jobs: int) -> np.ndarray:
    """Score the test documents label by label: ``(test documents, labels)`` float32."""
    from joblib import delayed

    scores = np.empty((test.shape[0], len(classes)), dtype=np.float32)
    # joblib maps the two matrices into memory once, for all processes.
    jobs = (delayed(_score_label)(train, targets == label, test) for label in classes)
    results = in_parallel(n_jobs)(jobs)
    unconverged = 0
    shown = progress(results, total=len(classes), what="baseline tf-idf + linear svm", unit="labels")
    for column, (label_scores, converged) in enumerate(shown):
        scores[:, column] = label_scores
        unconverged += not converged
    if unconverged:
        logger.info("linear svm: %d of %d labels stopped before convergence", unconverged, len(classes))
    return scores


def _score_label(train: Any, is_label: np.ndarray, test: Any) -> tuple[np.ndarray, bool]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    model = LinearSVC(dual="auto", random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(train, is_label)
    return model.decision_function(test).astype(np.float32), bool(np.max(model.n_iter_) < model.max_iter)
