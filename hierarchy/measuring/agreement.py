"""How far two taxonomies of the same labels agree."""

from dataclasses import dataclass

import numpy as np

from hierarchy.errors import TaxonomyError
from hierarchy.taxonomy import Taxonomy


@dataclass(frozen=True)
class Agreement:
    """Figures about the groups of one taxonomy against those of a reference.

    Parameters
    ----------
    n_labels
        Labels that both place; the figures are over these.
    n_groups, n_reference_groups
        Groups that these labels stand in.
    ami, ari
        Adjusted mutual information (Vinh, Epps and Bailey, 2010) and adjusted Rand index (Hubert and Arabie, 1985):
        1 for the same groups, about 0 for chance.
    homogeneity, completeness
        1 where no group mixes groups of the reference, and where none of the reference's groups is scattered
        (Rosenberg and Hirschberg, 2007).
    """

    n_labels: int
    n_groups: int
    n_reference_groups: int
    ami: float
    ari: float
    homogeneity: float
    completeness: float


def agreement(taxonomy: Taxonomy, reference: Taxonomy) -> Agreement:
    """Compare the groups of a taxonomy with those of a reference.

    Parameters
    ----------
    taxonomy
        What is judged.
    reference
        What it is held against. Its labels are found by id, else by name.

    Returns
    -------
    Agreement
        Over the labels that both place.

    Raises
    ------
    TaxonomyError
        Where fewer than two labels stand in a group of both.
    """
    from sklearn import metrics

    position = reference.label_positions
    found = [
        position.get(reference.resolve(label.id) or reference.resolve(label.name) or "", -1)
        for label in taxonomy.labels
    ]
    both = np.array([i for i, place in enumerate(found) if place >= 0], dtype=np.int64)
    if len(both) < 2:
        raise TaxonomyError(
            f"{len(both)} of {len(taxonomy.labels)} labels stand in a group of the reference too, two or more are "
            "needed; labels are matched by id, then by name"
        )
    ours = taxonomy.group_of[both]
    theirs = reference.group_of[np.array(found)[both]]
    return Agreement(
        n_labels=len(both),
        n_groups=len(np.unique(ours)),
        n_reference_groups=len(np.unique(theirs)),
        ami=float(metrics.adjusted_mutual_info_score(theirs, ours)),
        ari=float(metrics.adjusted_rand_score(theirs, ours)),
        homogeneity=float(metrics.homogeneity_score(theirs, ours)),
        completeness=float(metrics.completeness_score(theirs, ours)),
    )
