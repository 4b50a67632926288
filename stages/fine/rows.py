"""Linear rows, one label against its negatives, fitted label by label with liblinear; and which these negatives are.

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

from stages.label_space import LabelSpace
from stages.machine import in_parallel

Features: TypeAlias = Any  # numpy.ndarray or scipy.sparse.csr_matrix: scipy has no types to tell them apart by
ROWS_VERSION = 2  # of the code that fits and prunes rows: those of an older one are not read from a run folder
BALANCE = 0.25  # power of a rare label's weight: 0 counts documents alike, 1 a label's as much as its negatives
SOLVER = {"tol": 0.01, "max_iter": 1000, "dual": True, "random_state": 0}  # 0.01 is liblinear's own default for it
CHANCE_FLOOR = 0.015  # of the probability that a margin stands for: below, margins say nothing more
AUTO_LIMIT = 10_000_000  # labels x documents up to which every document is a negative
CONFUSED_GROUPS = 4  # taken whole as candidates
CONFUSED_SHARE = 0.005  # of a group's documents that the probe sends to another, for that one to count
SAMPLE = 4_000  # documents of all other groups
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


@dataclass(frozen=True)
class Problem:
    """The labels whose rows share one set of documents.

    Attributes
    ----------
    labels
        Targets that get a row.
    documents
        (documents,) indices of the documents to train on; None stands for all.
    weights
        (documents,) weight of each as a negative; None stands for 1.
    """

    labels: np.ndarray
    documents: np.ndarray | None = None
    weights: np.ndarray | None = None


def resolve_negatives(negatives: str, n_labels: int, n_documents: int) -> str:
    """Turn ``auto`` into ``all`` or ``candidates`` by the size of the work."""
    if negatives != "auto":
        return negatives
    return "all" if n_labels * n_documents <= AUTO_LIMIT else "candidates"


def plan_problems(
    negatives: str,
    targets: np.ndarray,
    space: LabelSpace,
    *,
    confusion: np.ndarray | None = None,
    random_state: int = 0,
) -> list[Problem]:
    """Plan the problems of all heads, one a group, in the order of the groups.

    Parameters
    ----------
    negatives
        ``all``: every document of another label. ``candidates``: the documents of the group, of the groups that
        the probe confuses with it, and a sample of the rest weighted by 1 / sampling rate. ``group``: the
        documents of the group only, the classic local classifier per parent node.
    targets
        (documents,) label of each document.
    space
        The labels and their groups.
    confusion
        (groups, groups) share of the documents of the row's group that a cross-fitted probe puts into the
        column's group; needed by ``candidates``.
    random_state
        Of the sample; each group draws its own, whatever the order of the work.
    """
    document_group, every_label = space.groups(targets), np.arange(len(space.label_ids))
    problems = []
    for group in range(len(space.group_ids)):
        labels = every_label[space.under(group)]
        if negatives == "all":
            problems.append(Problem(labels))
        elif negatives == "group":
            problems.append(Problem(labels, np.flatnonzero(document_group == group)))
        elif confusion is None:
            raise ValueError("negatives 'candidates' need the probe's group confusions")
        else:
            problems.append(_candidates(labels, document_group, group, confusion, random_state))
    return problems


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
    # Copied once to liblinear's own type; joblib hands it to the processes as a memory map.
    features = features.astype(np.float64)
    parallel = in_parallel(n_jobs)
    yield from parallel(delayed(_fit_problem)(features, targets, p, C, prune) for p in problems)


def _candidates(
    labels: np.ndarray, document_group: np.ndarray, group: int, confusion: np.ndarray, random_state: int
) -> Problem:
    # 1. The groups that it is confused with, in both directions: what it loses to another, and what that loses to it.
    mutual = np.maximum(confusion[group], confusion[:, group])
    order = [int(g) for g in np.argsort(-mutual, kind="stable") if g != group][:CONFUSED_GROUPS]
    near = np.isin(document_group, [group, *(g for g in order if mutual[g] >= CONFUSED_SHARE)])
    # 2. A sample of all other documents.
    rest = np.flatnonzero(~near)
    drawn = rest
    if len(rest) > SAMPLE:
        drawn = np.random.default_rng([random_state, group]).choice(rest, SAMPLE, replace=False)
    documents = np.sort(np.concatenate([np.flatnonzero(near), drawn]))
    # 3. Each of the sample stands for as many as were passed over for it.
    rate = len(drawn) / max(len(rest), 1)
    weights = np.where(near[documents], 1.0, 1.0 / max(rate, 1e-12))
    return Problem(labels, documents, weights)


def _fit_problem(features: Features, targets: np.ndarray, problem: Problem, C: float, prune: float) -> Rows:
    if parent_process() is not None:
        _keep_freed_memory()
    if problem.documents is not None:
        features, targets = features[problem.documents], targets[problem.documents]
    weights = np.ones(len(targets)) if problem.weights is None else problem.weights
    rows = [_fit_row(features, targets == label, weights, C) for label in problem.labels]
    biases = np.array([bias for _, bias in rows], dtype=np.float32)
    if prune or sparse.issparse(features):
        return Rows(sparse.vstack([_pruned(row, prune) for row, _ in rows], format="csr"), biases)
    return Rows(np.array([row for row, _ in rows], dtype=np.float32), biases)


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
