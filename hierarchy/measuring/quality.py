"""How good a taxonomy is: the figures of `taxonomy check`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hierarchy.embedding.label_vectors import ngram_vectors
from hierarchy.measuring.measures import Measures
from hierarchy.measuring.probe import Probe
from hierarchy.nodes import Label
from hierarchy.taxonomy import Taxonomy

FEW = 3  # documents of a label: those with fewer are listed
LISTED = 20  # misfits, near-duplicates, strays, pairs and confusions at most
NEAR_DUPLICATE = 0.9  # cosine of the names' character n-grams
MIXED_UP = 0.2  # share of either label's documents that the probe takes for the other
SEVERAL = 2  # documents: a single one that goes astray tells nothing about its label, and two not much


@dataclass(frozen=True)
class Misfit:
    """A label that means something nearer to another group than to the rest of its own.

    `margin` is the cosine to its own group less that to `better`; the lower, the worse it fits.
    """

    label: str
    group: str
    better: str
    margin: float


@dataclass(frozen=True)
class Stray:
    """A label whose documents the probe sends into one other group more than to its siblings.

    `share` of its `documents` go to `better`, `siblings` of them to other labels of its own group.
    """

    label: str
    group: str
    better: str
    share: float
    siblings: float
    documents: int


@dataclass(frozen=True)
class MixedPair:
    """Two labels that the probe takes for each other, in both directions.

    `share` of the documents of `label` are taken for `other`, and `share_back` of those of `other` for `label`.
    """

    label: str
    other: str
    share: float
    share_back: float


@dataclass(frozen=True)
class TaxonomyQuality:
    """Figures about a taxonomy; those that need documents are None without them.

    Parameters
    ----------
    n_labels, n_groups, n_unplaced
        Placed labels, groups, and labels in no group.
    sizes
        Labels of each group, by group id.
    smallest, largest, imbalance
        Sizes, and the largest by the smallest.
    cohesion
        Mean over labels of the cosine to the rest of their own group less the best other group's.
    group_cohesion
        The same by group id.
    unsorted
        Ids of groups that hold together badly: fewer than half of their labels are nearest to their own group.
    misfits
        The labels that fit their group least by their meaning, the worst first.
    near_duplicates
        (label id, label id, cosine of the names' character n-grams), the likest first.
    n_documents
        Documents whose label is known and placed.
    few_documents
        Labels with fewer than three documents, and how many they have.
    routing_recall
        {k: share of documents whose group is among the k best}, as the cross-fitted probe estimates it.
    strays
        The labels that fit their group least by what the probe takes their documents for, the worst first.
    mixed_up
        Pairs of labels that the probe cannot tell apart, the most mixed first.
    confusions
        (group id, group id it is taken for, share of its documents), the largest first.
    """

    n_labels: int
    n_groups: int
    n_unplaced: int
    sizes: dict[str, int]
    smallest: int
    largest: int
    imbalance: float
    cohesion: float
    group_cohesion: dict[str, float]
    unsorted: tuple[str, ...]
    misfits: tuple[Misfit, ...]
    near_duplicates: tuple[tuple[str, str, float], ...]
    n_documents: int | None = None
    few_documents: dict[str, int] | None = None
    routing_recall: dict[int, float] | None = None
    strays: tuple[Stray, ...] | None = None
    mixed_up: tuple[MixedPair, ...] | None = None
    confusions: tuple[tuple[str, str, float], ...] | None = None


def taxonomy_quality(measures: Measures) -> TaxonomyQuality:
    """Sum up what was measured of each label.

    Parameters
    ----------
    measures
        Of a taxonomy.

    Returns
    -------
    TaxonomyQuality
        All figures.
    """
    taxonomy, margins = measures.taxonomy, measures.margins
    sizes, group_ids = np.diff(taxonomy.offsets), taxonomy.group_ids
    by_group = np.bincount(taxonomy.group_of, weights=margins) / sizes
    return TaxonomyQuality(
        n_labels=len(taxonomy.labels),
        n_groups=len(taxonomy.groups),
        n_unplaced=len(taxonomy.unplaced),
        sizes=dict(zip(group_ids, sizes.tolist(), strict=True)),
        smallest=int(sizes.min()),
        largest=int(sizes.max()),
        imbalance=float(sizes.max() / sizes.min()),
        cohesion=float(margins.mean()),
        group_cohesion=dict(zip(group_ids, by_group.tolist(), strict=True)),
        unsorted=measures.unsorted,
        misfits=_misfits(measures),
        near_duplicates=_near_duplicates(taxonomy.all_labels),
        **({} if measures.probe is None else _document_figures(measures, measures.probe)),
    )


def _misfits(measures: Measures) -> tuple[Misfit, ...]:
    ids, group_ids, group_of = measures.taxonomy.label_ids, measures.taxonomy.group_ids, measures.taxonomy.group_of
    margins = measures.margins
    worst = [i for i in np.argsort(margins, kind="stable")[:LISTED] if margins[i] < 0]
    return tuple(
        Misfit(ids[i], group_ids[group_of[i]], group_ids[measures.nearest[i]], float(margins[i])) for i in worst
    )


def _near_duplicates(labels: Sequence[Label]) -> tuple[tuple[str, str, float], ...]:
    vectors = ngram_vectors([label.name for label in labels])
    found = []
    for start in range(0, len(labels), 1024):
        cosines = vectors[start : start + 1024] @ vectors.T
        for i, j in np.argwhere(cosines >= NEAR_DUPLICATE):
            if start + i < j:
                found.append((labels[start + i].id, labels[j].id, round(float(cosines[i, j]), 4)))
    return tuple(sorted(found, key=lambda pair: -pair[2])[:LISTED])


def _document_figures(measures: Measures, probe: Probe) -> dict[str, Any]:
    taxonomy, counts = measures.taxonomy, measures.counts
    few = np.flatnonzero(counts < FEW)
    return {
        "n_documents": len(probe.targets),
        "few_documents": {taxonomy.label_ids[i]: int(counts[i]) for i in few},
        "routing_recall": {k: probe.routing_recall(taxonomy.group_of, k) for k in (1, 2, 3)},
        "strays": _strays(measures),
        "mixed_up": _mixed_up(measures),
        "confusions": _confusions(taxonomy, probe),
    }


def _strays(measures: Measures) -> tuple[Stray, ...]:
    taxonomy, counts = measures.taxonomy, measures.counts
    if len(taxonomy.groups) == 1:
        return ()
    everyone = np.arange(len(counts))
    elsewhere = measures.sent_to.copy()  # (labels, groups)
    elsewhere[everyone, taxonomy.group_of] = -1
    better, away = elsewhere.argmax(axis=1), elsewhere.max(axis=1)
    pairs, pair_counts = measures.mixed
    right = np.zeros(len(counts), dtype=np.int64)  # documents that the probe gives their own label
    same = pairs[:, 0] == pairs[:, 1]
    right[pairs[same, 0]] = pair_counts[same]
    siblings = measures.sent_to[everyone, taxonomy.group_of] - right
    found = np.flatnonzero((away >= SEVERAL) & (away > siblings))
    gap = (away - siblings)[found] / (counts[found] + SEVERAL)  # two of two tell less than nine of ten
    return tuple(
        Stray(
            taxonomy.label_ids[i], taxonomy.group_ids[taxonomy.group_of[i]], taxonomy.group_ids[better[i]],
            float(away[i] / counts[i]), float(siblings[i] / counts[i]), int(counts[i]),
        )
        for i in found[np.argsort(-gap, kind="stable")[:LISTED]]
    )  # fmt: skip


def _mixed_up(measures: Measures) -> tuple[MixedPair, ...]:
    ids, counts = measures.taxonomy.label_ids, measures.counts
    pairs, pair_counts = measures.mixed
    taken = dict(zip(map(tuple, pairs.tolist()), pair_counts.tolist(), strict=True))
    found = []
    for (a, b), there in taken.items():
        back = taken.get((b, a), 0)
        if a < b and min(there, back) >= SEVERAL:
            pair = MixedPair(ids[a], ids[b], float(there / counts[a]), float(back / counts[b]))
            if min(pair.share, pair.share_back) >= MIXED_UP:
                found.append(pair)
    return tuple(sorted(found, key=lambda pair: -min(pair.share, pair.share_back))[:LISTED])


def _confusions(taxonomy: Taxonomy, probe: Probe) -> tuple[tuple[str, str, float], ...]:
    confusion = probe.group_confusion(taxonomy.group_of)
    np.fill_diagonal(confusion, 0.0)
    order = np.argsort(-confusion, axis=None, kind="stable")[:LISTED]
    pairs = [np.unravel_index(i, confusion.shape) for i in order]
    ids = taxonomy.group_ids
    return tuple((ids[a], ids[b], float(confusion[a, b])) for a, b in pairs if confusion[a, b] > 0)
