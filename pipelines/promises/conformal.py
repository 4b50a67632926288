"""Conformal sets: labels, or a node of the tree, that hold the right label with a promised frequency.

Split conformal prediction with the adaptive, randomised score (Romano et al. 2020): the probability of everything that
is more probable than the right label, and a random part of its own. The random part makes the coverage exact; it is
drawn from a hash of the document, so that a document always gets the same set.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Annotated

import numpy as np
from pydantic import PlainSerializer, WrapValidator

from hierarchy.errors import DataError
from pipelines.promises.backoff import Share, Threshold
from stages.label_space import LabelSpace

Limit = Annotated[  # infinite where no score is above it: null in JSON
    Threshold,
    WrapValidator(lambda value, check: inf if value is None else check(value)),
    PlainSerializer(lambda value: value if isfinite(value) else None),
]
ROUNDING = 1e-9  # (n + 1) · coverage is often a whole number but for its last bits


@dataclass(frozen=True)
class Conformal:
    """Limits on the score, from calibration documents.

    Attributes
    ----------
    coverage
        Share of the sets that hold the right label.
    labels
        Limit for sets of labels.
    tree
        Limit for nodes of the tree.
    groups
        Limit of each group, so that the coverage holds for the documents of every group apart; None where one limit
        serves all. Infinite where a group has too few documents: its labels are then in every set.
    """

    coverage: Share
    labels: Limit
    tree: Limit
    groups: tuple[Limit, ...] | None

    def label_sets(self, probabilities: np.ndarray, space: LabelSpace, uniforms: np.ndarray) -> np.ndarray:
        """Mark the labels in each document's set.

        Parameters
        ----------
        probabilities
            (documents, labels); rows sum to 1.
        space
            The labels and their groups.
        uniforms
            (documents,) random numbers, as `document_uniforms` gives them.

        Returns
        -------
        numpy.ndarray
            (documents, labels) bool; a set may be empty, as exact coverage demands where the coverage promised is
            lower than the model's accuracy.
        """
        limits: float | np.ndarray = self.labels if self.groups is None else np.array(self.groups)[space.group_of]
        return np.asarray(label_scores(probabilities, uniforms) <= limits)

    def tree_sets(self, probabilities: np.ndarray, space: LabelSpace, uniforms: np.ndarray) -> np.ndarray:
        """Tell how far up each document's node stands.

        Parameters
        ----------
        probabilities, space, uniforms
            As for `label_sets`.

        Returns
        -------
        numpy.ndarray
            (documents,) 0: the best label; k: the k most probable groups, the best label's first; all groups where k
            is their number; -1: the empty set.
        """
        within = tree_scores(probabilities, space, uniforms)[0] <= self.tree
        return within.sum(axis=1) - 1  # scores rise with the node


def fit_conformal(
    of_label: np.ndarray, of_node: np.ndarray, gold_group: np.ndarray, *, groups: int, coverage: float, by_group: bool
) -> Conformal:
    """Set the limits on calibration documents.

    Parameters
    ----------
    of_label, of_node
        (documents,) score of the right label, and of the first node that holds it, as `right_scores` gives them.
    gold_group
        (documents,) group of the right label; -1 where it is none of the model's.
    groups
        How many there are.
    coverage
        What is promised.
    by_group
        Set a limit for each group of right labels.

    Raises
    ------
    DataError
        There are too few documents for any limit.
    """
    needed = int(np.ceil(coverage / (1 - coverage) - ROUNDING))
    if len(of_label) < needed:
        raise DataError(
            f"{len(of_label)} calibration documents are too few for sets that hold the right label {coverage:.0%} of "
            f"the time: it takes {needed} at least"
        )
    limits = tuple(limit(of_label[gold_group == g], coverage) for g in range(groups)) if by_group else None
    return Conformal(coverage, limit(of_label, coverage), limit(of_node, coverage), limits)


def right_scores(
    probabilities: np.ndarray, gold: np.ndarray, gold_group: np.ndarray, space: LabelSpace, uniforms: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Score what is right for each document.

    Parameters
    ----------
    probabilities, space, uniforms
        As for `Conformal.label_sets`.
    gold, gold_group
        (documents,) column of the right label and its group; -1 where there is none, which no set can hold.

    Returns
    -------
    tuple[numpy.ndarray, numpy.ndarray]
        (documents,) score of the right label, and of the first node of the tree that holds it.
    """
    documents = np.arange(len(gold))
    # 1. The score of the right label; no set can hold one that is none of the model's.
    of_label = np.where(gold >= 0, label_scores(probabilities, uniforms)[documents, gold], np.inf)
    # 2. The first node that holds it: the best label where that is right, else the first with its group.
    scores, first = tree_scores(probabilities, space, uniforms)
    node = np.where(gold == probabilities.argmax(axis=1), 0, first[documents, gold_group])
    return of_label, np.where((gold >= 0) & (gold_group >= 0), scores[documents, node], np.inf)


def limit(scores: np.ndarray, coverage: float) -> float:
    """Return the score that the next document's stays at or below with probability `coverage`, or a little more.

    The k-th smallest of n scores, k = ceil((n + 1) · coverage); infinite where k is above n.
    """
    k = int(np.ceil((len(scores) + 1) * coverage - ROUNDING))
    return float(np.sort(scores)[k - 1]) if k <= len(scores) else float("inf")


def label_scores(probabilities: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
    """Score every label of every document, (documents, labels) float64 in [0, 1]; the best labels score lowest."""
    # 1. Sort the labels of each document by falling probability, and let each row sum to 1 in float64.
    order = np.argsort(-probabilities, axis=1, kind="stable")  # (documents, labels)
    falling = np.take_along_axis(probabilities, order, axis=1).astype(np.float64)
    falling /= falling.sum(axis=1, keepdims=True)
    # 2. Sum what is more probable than each label, and add a random part of its own probability.
    before = np.cumsum(falling, axis=1) - falling
    ranked = np.minimum(before + uniforms[:, None] * falling, 1.0)
    # 3. A label that the router did not score gets the worst score there is.
    ranked = np.where(falling > 0, ranked, 1.0)
    # 4. Bring the scores back into the order of the labels.
    scores = np.empty_like(falling)
    np.put_along_axis(scores, order, ranked, axis=1)
    return scores


def tree_scores(probabilities: np.ndarray, space: LabelSpace, uniforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Score the nested nodes of each document: its best label, that label's group, the next groups, up to all.

    Parameters
    ----------
    probabilities, space, uniforms
        As for `Conformal.label_sets`.

    Returns
    -------
    tuple[numpy.ndarray, numpy.ndarray]
        (documents, 1 + groups) score of each node, rising, and (documents, groups) the first node that holds each
        group.
    """
    # 1. The probability that each node holds: of the best label, then of 1, 2, ... groups, (documents, 1 + groups).
    top = probabilities.max(axis=1).astype(np.float64)
    mass, order = space.group_mass(probabilities), group_order(probabilities, space)
    reached = np.cumsum(np.take_along_axis(mass, order, axis=1), axis=1)
    reached = np.column_stack([top, np.maximum(reached, top[:, None])])  # rounding must not let a node fall
    reached = np.minimum(reached / reached[:, -1:], 1.0)
    # 2. The score of a node: what the node inside it holds, and a random part of what it adds.
    before = np.column_stack([np.zeros(len(top)), reached[:, :-1]])
    scores = before + uniforms[:, None] * (reached - before)
    # 3. The first node that holds a group is its place in the order; node 0 is the best label alone.
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(1, order.shape[1] + 1)[None], axis=1)
    return scores, place


def group_order(probabilities: np.ndarray, space: LabelSpace) -> np.ndarray:
    """Order the groups of each document, (documents, groups): that of its best label, then the most probable ones."""
    mass = space.group_mass(probabilities)
    mass[np.arange(len(mass)), space.groups(probabilities.argmax(axis=1))] = np.inf  # so that the nodes are nested
    return np.argsort(-mass, axis=1, kind="stable")


def document_uniforms(texts: Sequence[str]) -> np.ndarray:
    """Draw a number in [0, 1) for each document from a hash of its text: (documents,) float64."""
    digests = [hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest() for text in texts]
    return np.array([int.from_bytes(digest) for digest in digests], dtype=np.float64) / 2.0**64
