"""How good a taxonomy is: the figures of `taxonomy check`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hierarchy.embedding import Documents, Embed, embed_texts, label_vectors, ngram_vectors, unit
from hierarchy.errors import DataError, TaxonomyError
from hierarchy.nodes import Label
from hierarchy.probe import cross_fitted_scores, group_confusion, routing_recall
from hierarchy.taxonomy import Taxonomy

NEAR_DUPLICATE = 0.9  # cosine of the names' character n-grams


@dataclass(frozen=True)
class Misfit:
    """A label that is nearer to another group than to the rest of its own.

    `margin` is the cosine to its own group less that to `better`; the lower, the worse it fits.
    """

    label: str
    group: str
    better: str
    margin: float


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
    misfits
        The labels that fit their group least, the worst first.
    near_duplicates
        (label id, label id, cosine of the names' character n-grams), the likest first.
    n_documents
        Documents whose label is known and placed.
    few_documents
        Labels with fewer documents than asked for, and how many they have.
    routing_recall
        {k: share of documents whose group is among the k best}, as the cross-fitted probe estimates it.
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
    misfits: tuple[Misfit, ...]
    near_duplicates: tuple[tuple[str, str, float], ...]
    n_documents: int | None = None
    few_documents: dict[str, int] | None = None
    routing_recall: dict[int, float] | None = None
    confusions: tuple[tuple[str, str, float], ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain dictionaries, lists and numbers."""
        return asdict(self)


def taxonomy_quality(
    taxonomy: Taxonomy,
    documents: Documents | None = None,
    embed: Embed | None = None,
    encoder: str = "embedded",
    text_weight: float = 0.5,
    min_documents: int = 3,
    n_listed: int = 20,
    seed: int = 0,
) -> TaxonomyQuality:
    """Measure a taxonomy.

    Parameters
    ----------
    taxonomy
        With at least one group.
    documents
        (texts or vectors of shape (documents, dimensions), label of each document), or None.
    embed, encoder, text_weight, seed
        As for `TaxonomyBuilder`.
    min_documents
        Labels with fewer are listed.
    n_listed
        How many misfits, near-duplicates and confusions are listed at most.

    Returns
    -------
    TaxonomyQuality
        All figures.

    Raises
    ------
    TaxonomyError
        Where no label stands in a group.
    """
    if not taxonomy.groups:
        raise TaxonomyError("no label stands in a group yet; place the labels with TaxonomyBuilder first")
    labels, group_of = taxonomy.labels, taxonomy.group_of
    known = _placed(documents, taxonomy, embed, encoder, seed) if documents is not None else None
    by_id = (known[0], [taxonomy.label_ids[target] for target in known[1]]) if known else None
    margins, better = _margins(label_vectors(labels, by_id, embed, encoder, text_weight, seed), group_of)
    sizes = np.diff(taxonomy.offsets)
    worst = [i for i in np.argsort(margins, kind="stable")[:n_listed] if margins[i] < 0]
    group_ids = taxonomy.group_ids
    return TaxonomyQuality(
        n_labels=len(labels),
        n_groups=len(taxonomy.groups),
        n_unplaced=len(taxonomy.unplaced),
        sizes={group_id: int(size) for group_id, size in zip(group_ids, sizes, strict=True)},
        smallest=int(sizes.min()),
        largest=int(sizes.max()),
        imbalance=float(sizes.max() / sizes.min()),
        cohesion=float(margins.mean()),
        group_cohesion={group_id: float(margins[group_of == g].mean()) for g, group_id in enumerate(group_ids)},
        misfits=tuple(
            Misfit(labels[i].id, group_ids[group_of[i]], group_ids[better[i]], float(margins[i])) for i in worst
        ),
        near_duplicates=_near_duplicates([*labels, *taxonomy.unplaced], n_listed),
        **(_document_figures(taxonomy, *known, min_documents, n_listed, seed) if known else {}),
    )


def _placed(
    documents: Documents, taxonomy: Taxonomy, embed: Embed | None, encoder: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Keep the documents whose label is placed: their vectors and label positions."""
    contents, targets = documents
    position = {label_id: i for i, label_id in enumerate(taxonomy.label_ids)}
    ids = {target: taxonomy.resolve(target) for target in dict.fromkeys(str(target) for target in targets)}
    found = np.array([position.get(ids[str(target)] or "", -1) for target in targets], dtype=np.int64)
    if len(contents) != len(found):
        raise DataError(f"{len(contents)} documents but {len(found)} targets; there must be one a document")
    kept = np.flatnonzero(found >= 0)
    if len(kept) < 2:
        raise DataError(f"only {len(kept)} documents have a label that stands in a group; two or more are needed")
    if isinstance(contents, np.ndarray) and contents.ndim == 2:
        return contents[kept], found[kept]
    return embed_texts([str(contents[int(i)]) for i in kept], embed, encoder, seed), found[kept]


def _margins(vectors: np.ndarray, group_of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosine to the rest of the own group less the best other group's, and which group that is: (labels,) each."""
    n, groups = len(vectors), int(group_of.max()) + 1
    sums = np.zeros((groups, vectors.shape[1]))
    np.add.at(sums, group_of, vectors)
    cosines = vectors @ unit(sums).T  # (labels, groups)
    # A label must not count as a reason for its own place.
    own = np.einsum("ij,ij->i", vectors, unit(sums[group_of] - vectors))
    alone = np.bincount(group_of)[group_of] == 1
    own[alone] = 1.0
    if groups == 1:
        return own, np.zeros(n, dtype=np.int64)
    cosines[np.arange(n), group_of] = -np.inf
    return own - cosines.max(axis=1), cosines.argmax(axis=1)


def _near_duplicates(labels: Sequence[Label], n: int) -> tuple[tuple[str, str, float], ...]:
    vectors = ngram_vectors([label.name for label in labels])
    found = []
    for start in range(0, len(labels), 1024):
        cosines = vectors[start : start + 1024] @ vectors.T
        for i, j in np.argwhere(cosines >= NEAR_DUPLICATE):
            if start + i < j:
                found.append((labels[start + i].id, labels[j].id, round(float(cosines[i, j]), 4)))
    return tuple(sorted(found, key=lambda pair: -pair[2])[:n])


def _document_figures(
    taxonomy: Taxonomy, X: np.ndarray, targets: np.ndarray, min_documents: int, n: int, seed: int
) -> dict[str, Any]:
    scores = cross_fitted_scores(X, targets, seed=seed, n_labels=len(taxonomy.labels))
    confusion = group_confusion(scores, targets, taxonomy.group_of)
    np.fill_diagonal(confusion, 0.0)
    order = np.argsort(-confusion, axis=None, kind="stable")[:n]
    pairs = [np.unravel_index(i, confusion.shape) for i in order]
    counts = Counter(targets.tolist())
    return {
        "n_documents": len(targets),
        "few_documents": {
            label_id: counts[i] for i, label_id in enumerate(taxonomy.label_ids) if counts[i] < min_documents
        },
        "routing_recall": {k: routing_recall(scores, targets, taxonomy.group_of, k) for k in (1, 2, 3)},
        "confusions": tuple(
            (taxonomy.group_ids[a], taxonomy.group_ids[b], float(confusion[a, b]))
            for a, b in pairs
            if confusion[a, b] > 0
        ),
    }
