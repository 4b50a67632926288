"""Answers of the router as paths: (group, fine label) with what both stages say of it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from pipelines.model.model import Model
from stages.router.router import Routed

Level: TypeAlias = Literal["fine", "group", "none"]
Reason: TypeAlias = Literal["unsure", "out_of_scope", "nothing_known"] | None
Reader: TypeAlias = Literal["ngrams", "encoder"]
ANSWERS: tuple[tuple[Level, Reason], ...] = (
    ("none", "nothing_known"), ("fine", None), ("group", None), ("none", "out_of_scope"), ("none", "unsure"),
)  # fmt: skip


@dataclass(frozen=True)
class Prediction:
    """One path for one document.

    Attributes
    ----------
    path
        Ids from the group down to the fine label, which is the last.
    probability
        Of the fine label.
    group_probability
        Sum over the labels of the group.
    coarse_probability
        Of the group, by the coarse stage alone.
    beam_mass
        What the coarse stage gives to the groups that were scored; 1 where all were.
    level
        How far down its best path the document is answered: ``fine`` label, ``group``, or ``none``. A model without
        calibration answers with the fine label and promises nothing.
    reason
        Why the level is ``none``: ``unsure``, ``out_of_scope``, or ``nothing_known`` where no expert knows anything of
        the document (no n-gram of it without an encoder; a blank text with one). The path is then that of any
        such document.
    read
        Who has read the document: ``ngrams`` alone, in a model without an encoder or where a cascade lets them answer;
        or the ``encoder`` too.
    """

    path: tuple[str, ...]
    probability: float
    group_probability: float
    coarse_probability: float
    beam_mass: float
    level: Level = "fine"
    reason: Reason = None
    read: Reader = "encoder"


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
    top = [_best(row, top_k) for row in routed.probabilities]
    of_group = model.space.group_mass(routed.probabilities)
    mass, groups = routed.beam_mass, model.space.group_of
    levels = levels_of(model, routed)
    return [
        [
            Prediction(
                path=(model.group_ids[group], model.label_ids[label]),
                probability=float(routed.probabilities[document, label]),
                group_probability=float(of_group[document, group]),
                coarse_probability=float(routed.coarse[document, group]),
                beam_mass=float(mass[document]),
                level=levels[document][0],
                reason=levels[document][1],
                read="ngrams" if routed.by_ngrams[document] else "encoder",
            )
            for label in labels
            for group in [groups[label]]
        ]
        for document, labels in enumerate(top)
    ]


def _best(probabilities: np.ndarray, top_k: int) -> np.ndarray:
    """Return the most probable labels of a document, (at most top_k,), the best first, of equals the first.

    Those with probability 0 are left out, and only those that may be among the best are sorted: after a beam most of
    many labels have none.
    """
    kept = np.flatnonzero(probabilities)
    if len(kept) > top_k:
        least = np.partition(probabilities[kept], -top_k)[-top_k]
        kept = kept[probabilities[kept] >= least]
    best: np.ndarray = kept[np.argsort(-probabilities[kept], kind="stable")[:top_k]]
    return best


def levels_of(model: Model, routed: Routed) -> list[tuple[Level, Reason]]:
    """Return level and reason of each document, as the model's promises demand; of the unknown, that it is unknown."""
    if model.promises is None:
        return [("fine", None) if known else ("none", "nothing_known") for known in routed.known]
    decided = model.promises.decide(routed, model.space)
    cases = [~routed.known, decided.fine, decided.group, decided.out_of_scope]  # the first that holds
    return [ANSWERS[case] for case in np.select(cases, range(len(cases)), default=len(cases))]
