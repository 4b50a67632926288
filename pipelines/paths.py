"""Answers of the router as paths: (group, fine label) with what both stages say of it."""

from dataclasses import dataclass

import numpy as np

from pipelines.model import Model
from pipelines.router import Routed


@dataclass(frozen=True)
class Prediction:
    """One path for one document.

    Attributes
    ----------
    path
        Ids of (group, fine label).
    probability
        Of the fine label.
    group_probability
        Sum over the labels of the group.
    coarse_probability
        Of the group, by the coarse stage alone.
    beam_mass
        What the coarse stage gives to the groups that were scored; 1 where all were.
    """

    path: tuple[str, str]
    probability: float
    group_probability: float
    coarse_probability: float
    beam_mass: float


def paths_of(model: Model, routed: Routed, top_k: int) -> list[list[Prediction]]:
    """Most probable paths of routed documents, best first; labels with probability 0 are left out.

    Parameters
    ----------
    model
        Names of labels and groups.
    routed
        Answers of the router.
    top_k
        Paths a document at most.
    """
    top = np.argsort(-routed.probabilities, axis=1, kind="stable")[:, :top_k]
    members = np.zeros((len(model.label_ids), len(model.group_ids)), dtype=np.float32)
    members[np.arange(len(model.label_ids)), model.group_of] = 1.0
    of_group = routed.probabilities @ members  # (documents, groups)
    mass = routed.beam_mass
    return [
        [
            Prediction(
                path=(model.group_ids[group], model.label_ids[label]),
                probability=float(routed.probabilities[document, label]),
                group_probability=float(of_group[document, group]),
                coarse_probability=float(routed.coarse[document, group]),
                beam_mass=float(mass[document]),
            )
            for label in labels
            if routed.probabilities[document, label] > 0
            for group in [int(model.group_of[label])]
        ]
        for document, labels in enumerate(top)
    ]
