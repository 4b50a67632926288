"""Documents whose given label is probably wrong: confident learning on out-of-fold probabilities.

The method is that of Northcutt, Jiang and Chuang (2021), "Confident learning: estimating uncertainty in dataset
labels", Journal of Artificial Intelligence Research 70. It needs probabilities from models that have not seen the
document with its label, and no other model.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import sparse

from hierarchy.errors import ConfigError
from pipelines.cross_validation.out_of_fold import OutOfFold

METHODS = ("count", "noise_rate", "class", "both")
RANKINGS = ("self_confidence", "margin")


@dataclass(frozen=True)
class LabelError:
    """A document whose label is probably wrong.

    Attributes
    ----------
    row, id
        Where it stands in its source, and its id where it carries one.
    key
        Hash of its text (`pipelines.documents.Documents.keys`).
    label, suggested
        The given label, and the one that the models find most probable.
    group, suggested_group
        Their groups in the tree of the document's fold; None where no tree is known.
    probability, suggested_probability
        Of the two labels.
    score
        What the list is sorted by: the lower, the more suspicious.
    """

    row: int
    id: str | None
    key: int
    label: str
    suggested: str
    group: str | None
    suggested_group: str | None
    probability: float
    suggested_probability: float
    score: float

    @property
    def where(self) -> str:
        """``sibling`` where both labels stand in one group, ``other group``, or nothing where no tree is known."""
        if self.group is None or self.suggested_group is None:
            return ""
        return "sibling" if self.group == self.suggested_group else "other group"


@dataclass(frozen=True)
class LabelErrors:
    """What was found, the most suspicious document first.

    Attributes
    ----------
    found
        The documents.
    documents
        How many were looked at.
    left_out
        How many were not, since the models of their folds knew no document of their label.
    expected
        Wrong labels in all, as the confident joint estimates them.
    method, ranking
        As asked for.
    """

    found: tuple[LabelError, ...]
    documents: int
    left_out: int
    expected: float
    method: str
    ranking: str

    def as_dict(self) -> dict[str, Any]:
        """Give everything, ready for JSON."""
        return asdict(self) | {
            "found": [
                asdict(one) | {"key": f"{one.key:016x}", "where": one.where} for one in self.found
            ]
        }  # fmt: skip


def find_label_errors(
    predictions: OutOfFold, *, method: str = "count", ranking: str = "self_confidence"
) -> LabelErrors:
    """Find documents whose label is probably wrong.

    Parameters
    ----------
    predictions
        Out-of-fold, as `cross_validate` makes them.
    method
        Which documents are named; see `flagged`.
    ranking
        How they are sorted; see `suspicion`.

    Raises
    ------
    ConfigError
        The method or the ranking is not known.
    """
    known = ~np.isnan(predictions.own)
    scores = suspicion(predictions, ranking)
    named = np.flatnonzero(flagged(predictions, method, ranking))
    suggested, probability = _best_other(predictions)
    found = []
    for document in named[np.argsort(scores[named], kind="stable")].tolist():
        label = predictions.label_ids[predictions.targets[document]]
        other = predictions.label_ids[suggested[document]]
        groups = predictions.groups_of(document, label, other)
        found.append(
            LabelError(
                row=int(predictions.rows[document]),
                id=None if predictions.ids is None else predictions.ids[document],
                key=int(predictions.keys[document]),
                label=label,
                suggested=other,
                group=groups[0],
                suggested_group=groups[1],
                probability=float(predictions.own[document]),
                suggested_probability=float(probability[document]),
                score=float(scores[document]),
            )
        )
    joint = calibrated_joint(predictions)
    expected = float(joint.sum() - joint.diagonal().sum())
    return LabelErrors(tuple(found), int(known.sum()), int((~known).sum()), expected, method, ranking)


def confident_labels(predictions: OutOfFold) -> np.ndarray:
    """Find the label that each document confidently belongs to.

    It belongs to a label where its probability reaches that label's threshold: the mean probability of the label among
    the documents that carry it. Where it reaches several, it belongs to the most probable of them.

    Returns
    -------
    numpy.ndarray
        (documents,) places in `label_ids`; -1 where it reaches none, or where its given label is unknown to its fold.
    """
    known = ~np.isnan(predictions.own)
    n = len(predictions.label_ids)
    counts = np.bincount(predictions.targets[known], minlength=n)
    sums = np.bincount(predictions.targets[known], weights=predictions.own[known], minlength=n)
    threshold = np.divide(sums, counts, out=np.full(n, np.inf), where=counts > 0)
    entries = _with_own(predictions)
    # A label whose documents are all alike must reach its own threshold, in spite of float32.
    entries.data[entries.data < threshold[entries.indices] * (1 - 1e-6)] = 0
    entries.eliminate_zeros()
    some = known & (np.diff(entries.indptr) > 0)
    return np.where(some, np.asarray(entries.argmax(axis=1)).reshape(-1), -1)


def calibrated_joint(predictions: OutOfFold) -> sparse.csr_matrix:
    """Estimate how many documents have each given and each right label.

    The confident joint, which counts documents by given and by confident label, with each row scaled to the documents
    that carry its label. Where none of them is confident of any label, all are taken as right.

    Returns
    -------
    scipy.sparse.csr_matrix
        (labels, labels) float64: given by right.
    """
    belongs, n = confident_labels(predictions), len(predictions.label_ids)
    some = belongs >= 0
    ones = np.ones(int(some.sum()))
    joint = sparse.csr_matrix((ones, (predictions.targets[some], belongs[some])), shape=(n, n))
    carried = np.bincount(predictions.targets[~np.isnan(predictions.own)], minlength=n)
    sums = np.asarray(joint.sum(axis=1)).reshape(-1)
    alone = sparse.diags(np.where(sums == 0, carried, 0).astype(np.float64))
    return sparse.csr_matrix(sparse.diags(carried / np.maximum(sums, 1)) @ joint + alone)


def flagged(predictions: OutOfFold, method: str, ranking: str = "self_confidence") -> np.ndarray:
    """Mark the documents that a method takes for wrongly labelled.

    Parameters
    ----------
    predictions
        Out-of-fold.
    method
        ``count``: as many as the calibrated joint says there are wrong labels in all, the most suspicious ones;
        ``noise_rate``: of each pair (given, right) of labels as many documents as the calibrated joint says, those with
        the largest margin between the two; ``class``: of each given label as many as its row says beside the diagonal,
        those with the lowest probability of it; ``both``: what these two name. None names a document whose given label
        is its most probable one.
    ranking
        What is suspicious, for ``count``; see `suspicion`.

    Returns
    -------
    numpy.ndarray
        (documents,) bool.

    Raises
    ------
    ConfigError
        The method is not known.
    """
    if method not in METHODS:
        raise ConfigError(f"method {method!r} is not known: choose one of {', '.join(METHODS)}")
    disputed = _best_other(predictions)[1] > np.nan_to_num(predictions.own, nan=np.inf)
    joint = calibrated_joint(predictions)
    marked = disputed
    if method == "count":
        places = np.flatnonzero(disputed)
        order = np.argsort(suspicion(predictions, ranking)[places], kind="stable")
        marked = np.zeros(len(predictions), dtype=bool)
        marked[places[order[: round(float(joint.sum() - joint.diagonal().sum()))]]] = True
    if method in ("noise_rate", "both"):
        marked = marked & _by_noise_rate(predictions, joint)
    if method in ("class", "both"):
        marked = marked & _by_class(predictions, joint)
    return marked


def suspicion(predictions: OutOfFold, ranking: str) -> np.ndarray:
    """Score documents, the lower the more suspicious: (documents,) float64, NaN where the given label is unknown.

    Parameters
    ----------
    predictions
        Out-of-fold.
    ranking
        ``self_confidence``: probability of the given label; ``margin``: that minus the probability of the best other
        one.

    Raises
    ------
    ConfigError
        The ranking is not known.
    """
    if ranking not in RANKINGS:
        raise ConfigError(f"ranking {ranking!r} is not known: choose one of {', '.join(RANKINGS)}")
    own = predictions.own.astype(np.float64)
    return own - _best_other(predictions)[1] if ranking == "margin" else own


def _by_noise_rate(predictions: OutOfFold, joint: sparse.csr_matrix) -> np.ndarray:
    marked = np.zeros(len(predictions), dtype=bool)
    pairs = joint.tocoo()
    members = _members(predictions)
    by_label = predictions.probabilities.tocsc()
    for given, right, expected in zip(pairs.row.tolist(), pairs.col.tolist(), pairs.data.tolist(), strict=True):
        wanted = round(expected)
        if given == right or not wanted:
            continue
        own = members[given]
        other = np.asarray(by_label[own, right].todense()).reshape(-1)
        margin = other - predictions.own[own]
        best = np.argsort(-margin, kind="stable")[:wanted]
        marked[own[best[other[best] > 0]]] = True
    return marked


def _by_class(predictions: OutOfFold, joint: sparse.csr_matrix) -> np.ndarray:
    marked = np.zeros(len(predictions), dtype=bool)
    wrong = np.asarray(joint.sum(axis=1)).reshape(-1) - joint.diagonal()
    for given, own in enumerate(_members(predictions)):
        marked[own[np.argsort(predictions.own[own], kind="stable")[: round(wrong[given])]]] = True
    return marked


def _members(predictions: OutOfFold) -> list[np.ndarray]:
    """Places of the documents that carry each label and whose fold knows it."""
    known = np.flatnonzero(~np.isnan(predictions.own))
    order = known[np.argsort(predictions.targets[known], kind="stable")]
    counts = np.bincount(predictions.targets[known], minlength=len(predictions.label_ids))
    return np.split(order, np.cumsum(counts)[:-1])


def _with_own(predictions: OutOfFold) -> sparse.csr_matrix:
    """Probabilities with that of each given label among them, however small it is."""
    known = np.flatnonzero(~np.isnan(predictions.own))
    own = sparse.csr_matrix(
        (predictions.own[known].astype(np.float64), (known, predictions.targets[known])),
        shape=predictions.probabilities.shape,
    )
    return sparse.csr_matrix(predictions.probabilities.astype(np.float64).maximum(own))


def _best_other(predictions: OutOfFold) -> tuple[np.ndarray, np.ndarray]:
    """Place and probability of the most probable label that is not the given one, (documents,) each."""
    others = predictions.probabilities.astype(np.float64).tocsr().copy()
    documents = np.repeat(np.arange(len(predictions)), np.diff(others.indptr))
    others.data[others.indices == predictions.targets[documents]] = 0
    return np.asarray(others.argmax(axis=1)).reshape(-1), np.asarray(others.max(axis=1).todense()).reshape(-1)
