"""Documents whose given label is probably wrong: confident learning on out-of-fold probabilities.

The method is that of Northcutt, Jiang and Chuang (2021), "Confident learning: estimating uncertainty in dataset
labels", Journal of Artificial Intelligence Research 70. It needs probabilities from models that have not seen the
document with its label, and no other model.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import sparse

from pipelines.cross_validation.out_of_fold import OutOfFold


@dataclass(frozen=True)
class LabelError:
    """A document whose label is probably wrong.

    Attributes
    ----------
    row, id
        Where it stands in its source, and its id where it carries one.
    key
        Hash of its text (`pipelines.data.documents.Documents.keys`).
    label, suggested
        The given label, and the one that the models find most probable.
    group, suggested_group
        Their groups in the tree of the document's fold; None where no tree is known.
    probability, suggested_probability
        Of the two labels; the lower the first, the more suspicious the document.
    label_name, suggested_name, group_name, suggested_group_name
        For readers; empty where they are not known.
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
    label_name: str = ""
    suggested_name: str = ""
    group_name: str = ""
    suggested_group_name: str = ""

    @property
    def where(self) -> str:
        """``sibling`` where both labels stand in one group, ``other group``, or nothing where no tree is known."""
        if self.group is None or self.suggested_group is None:
            return ""
        return "sibling" if self.group == self.suggested_group else "other group"

    def as_dict(self) -> dict[str, Any]:
        """Give everything, ready for JSON."""
        return asdict(self) | {"key": f"{self.key:016x}", "where": self.where}


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
    """

    found: tuple[LabelError, ...]
    documents: int
    left_out: int
    expected: float

    def as_dict(self) -> dict[str, Any]:
        """Give everything, ready for JSON."""
        return asdict(self) | {"found": [one.as_dict() for one in self.found]}


def find_label_errors(predictions: OutOfFold) -> LabelErrors:
    """Find documents whose label is probably wrong.

    As many are named as the calibrated joint says there are wrong labels in all, those with the lowest probability of
    their label; none whose given label is its most probable one. (The published variants that count by label or by pair
    of labels round numbers near or below one where labels have few documents, and found fewer.)

    Parameters
    ----------
    predictions
        Out-of-fold, as `cross_validate` makes them.
    """
    joint = calibrated_joint(predictions)
    expected = float(joint.sum() - joint.diagonal().sum())
    suggested, probability = _best_other(predictions)
    disputed = np.flatnonzero(probability > np.nan_to_num(predictions.own, nan=np.inf))
    order = np.argsort(predictions.own[disputed], kind="stable")
    found = []
    labels, homes = predictions.label_names, predictions.group_names
    for document in disputed[order[: round(expected)]].tolist():
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
                label_name=labels.get(label, label),
                suggested_name=labels.get(other, other),
                group_name=homes.get(groups[0] or "", groups[0] or ""),
                suggested_group_name=homes.get(groups[1] or "", groups[1] or ""),
            )
        )
    known = int(np.count_nonzero(~np.isnan(predictions.own)))
    return LabelErrors(tuple(found), known, len(predictions) - known, expected)


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
