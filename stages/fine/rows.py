"""Linear rows, one label against its negatives, fitted label by label with liblinear.

A row never depends on which process or which group trained it: the weights of the documents are computed here from
counts, each problem has its own fixed seed, and every label is a binary problem of its own.
"""

import contextlib
import ctypes
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import parent_process
from typing import Any, TypeAlias

import numpy as np
from joblib import delayed
from scipy import sparse

from stages.fine.negatives import Problem
from stages.machine import in_parallel

Features: TypeAlias = Any  # numpy.ndarray or scipy.sparse.csr_matrix: scipy has no types to tell them apart by
ROWS_VERSION = 2  # of the code that fits and prunes rows: those of an older one are not read from a run folder
BALANCE = 0.25  # power of a rare label's weight: 0 counts documents alike, 1 a label's as much as its negatives
SOLVER = {"tol": 0.01, "max_iter": 1000, "dual": True, "random_state": 0}  # 0.01 is liblinear's own default for it
CHANCE_FLOOR = 0.015  # of the probability that a margin stands for: below, margins say nothing more
M_TRIM_THRESHOLD, M_TOP_PAD = -1, -2  # of glibc's malloc.h


@dataclass(frozen=True)
class Rows:
    """Weights of labels.

    Attributes
    ----------
    weight
        (labels, features) float32, dense or CSR.
    bias
        (labels,) float32.
    """

    weight: Features
    bias: np.ndarray

    def score(self, features: Features) -> np.ndarray:
        """Scores (documents, labels) float32 of features (documents, features)."""
        product = features @ (self._by_feature if sparse.issparse(self.weight) else self.weight.T)
        dense = product.toarray() if sparse.issparse(product) else product
        return np.asarray(dense, dtype=np.float32) + self.bias

    @cached_property
    def _by_feature(self) -> Features:
        # (features, labels) CSR: for one document scipy then touches only the n-grams that it has.
        return self.weight.T.tocsr()

    def head(self, labels: slice) -> "Rows | NgramHead":
        """Return neighbouring rows for scoring; a head of n-gram rows is made once and kept."""
        if not sparse.issparse(self.weight):
            return self[labels]
        place = (labels.start, labels.stop)
        if place not in self._heads:
            self._heads[place] = NgramHead.of(self[labels])
        return self._heads[place]

    @cached_property
    def _heads(self) -> "dict[tuple[int, int], NgramHead]":
        return {}

    def __getitem__(self, labels: slice | np.ndarray) -> "Rows":
        return Rows(self.weight[labels], self.bias[labels])

    def with_chances_times(self, factors: np.ndarray) -> "Rows":
        """Return rows that stand for `factors` (labels,) times the chance, (1 + margin) / 2, that these stand for."""
        factors = factors.astype(np.float32)
        # Sparse rows stay sparse, and dense ones dense.
        return Rows(sparse.diags(factors, format="csr") @ self.weight, factors * (1 + self.bias) - 1)

    def tensors(self, prefix: str) -> dict[str, np.ndarray]:
        """Arrays by name, as they are saved."""
        if not sparse.issparse(self.weight):
            return {f"{prefix}.weight": np.ascontiguousarray(self.weight), f"{prefix}.bias": self.bias}
        return {
            f"{prefix}.data": self.weight.data,
            f"{prefix}.indices": self.weight.indices.astype(np.int32),
            f"{prefix}.indptr": self.weight.indptr.astype(np.int64),
            f"{prefix}.shape": np.array(self.weight.shape, dtype=np.int64),
            f"{prefix}.bias": self.bias,
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray], prefix: str) -> "Rows":
        """Read what `tensors` wrote."""
        bias = tensors[f"{prefix}.bias"]
        if f"{prefix}.weight" in tensors:
            return cls(tensors[f"{prefix}.weight"], bias)
        parts = tuple(tensors[f"{prefix}.{name}"] for name in ("data", "indices", "indptr"))
        return cls(sparse.csr_matrix(parts, shape=tuple(tensors[f"{prefix}.shape"])), bias)

    @classmethod
    def stack(cls, parts: Sequence["Rows"]) -> "Rows":
        """Join rows one below the other."""
        weights = [part.weight for part in parts]
        join = sparse.vstack(weights, format="csr") if sparse.issparse(weights[0]) else np.vstack(weights)
        return cls(join, np.concatenate([part.bias for part in parts]))


@dataclass(frozen=True)
class NgramHead:
    """The n-gram rows of a group with its own n-grams alone: a score does not touch the others of a large vocabulary.

    Attributes
    ----------
    ngrams
        (own n-grams,) their columns among all features, rising.
    by_ngram
        (own n-grams, labels) CSR, the weights.
    bias
        (labels,) float32.
    """

    ngrams: np.ndarray
    by_ngram: Features
    bias: np.ndarray

    @classmethod
    def of(cls, rows: Rows) -> "NgramHead":
        """Make it of the rows of a group."""
        ngrams, places = np.unique(rows.weight.indices, return_inverse=True)
        parts = (rows.weight.data, places, rows.weight.indptr)
        own = sparse.csr_matrix(parts, shape=(len(rows.bias), len(ngrams)))
        return cls(ngrams, own.T.tocsr(), rows.bias)

    def score(self, features: Features) -> np.ndarray:
        """Scores (documents, labels) float32 of features (documents, n-grams) CSR."""
        places = np.searchsorted(self.ngrams, features.indices)
        known = np.append(self.ngrams, -1)[places] == features.indices
        before = np.concatenate([[0], np.cumsum(known)])  # known ones up to each place
        parts = (features.data[known], places[known], before[features.indptr])
        own = sparse.csr_matrix(parts, shape=(features.shape[0], len(self.ngrams)))
        return np.asarray((own @ self.by_ngram).toarray(), dtype=np.float32) + self.bias


def log_chance(margins: np.ndarray) -> np.ndarray:
    """Log of the probability that a margin of a row stands for: log max((1 + margin) / 2, CHANCE_FLOOR).

    The squared hinge loss that rows are fitted with is least where the margin is 2p - 1 (Zhang 2004), so half of one
    plus the margin estimates p. On this scale experts are fused as a logarithmic opinion pool: rows of the many labels
    that have nothing to do with a document share the floor, instead of drawing probability by their number.

    Parameters
    ----------
    margins
        Any shape, float32.
    """
    return np.asarray(np.log(np.maximum((1 + margins) / 2, CHANCE_FLOOR)))


def fit_rows(
    features: Features,
    targets: np.ndarray,
    problems: Sequence[Problem],
    *,
    C: float = 1.0,
    prune: float = 0.0,
    n_jobs: int = 1,
) -> Iterator[Rows]:
    """Fit the rows of each problem, in parallel processes; yield them in the order of `problems`.

    A rare label's documents weigh more: each (negatives / positives) to the power of `BALANCE`.

    Parameters
    ----------
    features
        (documents, features) dense or CSR.
    targets
        (documents,) label of each document.
    problems
        What to fit, usually one a group.
    C
        Inverse strength of the regularisation (liblinear's C) for a document of weight 1.
    prune
        Weights below this share of their row's norm are set to 0, and rows are kept sparse.
    n_jobs
        Processes; -1 for one a core.
    """
    # joblib hands the features to the processes as a memory map. Where all documents are needed they are copied once to
    # liblinear's own type; else each problem copies its own documents.
    if any(problem.documents is None for problem in problems):
        features = features.astype(np.float64)
    parallel = in_parallel(n_jobs)
    yield from parallel(delayed(_fit_problem)(features, targets, p, C, prune) for p in problems)


def _fit_problem(features: Features, targets: np.ndarray, problem: Problem, C: float, prune: float) -> Rows:
    if parent_process() is not None:
        _keep_freed_memory()
    if problem.documents is not None:
        features, targets = features[problem.documents].astype(np.float64, copy=False), targets[problem.documents]
    weights = np.ones(len(targets)) if problem.weights is None else problem.weights
    rows = [_fit_row(*_of_label(features, targets == label, weights), C) for label in problem.labels]
    biases = np.array([bias for _, bias in rows], dtype=np.float32)
    if prune or sparse.issparse(features):
        return Rows(sparse.vstack([_pruned(row, prune) for row, _ in rows], format="csr"), biases)
    return Rows(np.array([row for row, _ in rows], dtype=np.float32), biases)


def _of_label(features: Features, positive: np.ndarray, weights: np.ndarray) -> tuple[Features, np.ndarray, np.ndarray]:
    # A document that is no negative takes part in its own label's row alone.
    used = positive | (weights > 0)
    return (features, positive, weights) if used.all() else (features[used], positive[used], weights[used])


def _keep_freed_memory() -> None:
    # liblinear asks for some hundred megabytes for each row and frees them after it. Where glibc hands them back to
    # the system each time, a third of a worker's time goes into page faults.
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_TRIM_THRESHOLD, 1 << 30)
        mallopt(M_TOP_PAD, 1 << 28)


def _fit_row(features: Features, positive: np.ndarray, weights: np.ndarray, C: float) -> tuple[np.ndarray, float]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    if positive.all() or not positive.any():  # a lone label has nothing to be told from
        return np.zeros(features.shape[1]), 1.0 if positive.all() else -1.0
    negative_weight = weights[~positive].sum()
    document_weights = np.where(positive, max(1.0, negative_weight / positive.sum()) ** BALANCE, weights)
    svm = LinearSVC(C=C, **SOLVER)
    with warnings.catch_warnings():
        # A row that stops at the limit is as good in practice; thousands of warnings help nobody.
        warnings.simplefilter("ignore", ConvergenceWarning)
        svm.fit(features, positive, sample_weight=document_weights)
    return svm.coef_[0], float(svm.intercept_[0])


def _pruned(row: np.ndarray, share: float) -> sparse.csr_matrix:
    kept = np.flatnonzero(np.abs(row) > share * np.linalg.norm(row))
    return sparse.csr_matrix((row[kept].astype(np.float32), kept, np.array([0, len(kept)])), shape=(1, len(row)))
