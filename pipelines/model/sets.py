"""Conformal sets as ids: labels side by side, or one node of the tree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hierarchy.errors import ConfigError
from pipelines.model.model import Model
from pipelines.promises.conformal import document_uniforms, group_order
from stages.router.router import Routed

WITHIN = ("labels", "tree")


@dataclass(frozen=True)
class PredictionSet:
    """What holds the right label with the frequency promised.

    Attributes
    ----------
    level
        What `ids` are.
    ids
        Labels or groups, most probable first.
    """

    level: Literal["label", "group"]
    ids: tuple[str, ...]


def check_sets(within: str, *, promises: bool) -> None:
    """Refuse sets that are not known, or of a model without promises; raises ConfigError."""
    if within not in WITHIN:
        raise ConfigError(f"within {within!r} is not known: choose one of {', '.join(WITHIN)}")
    if not promises:
        raise ConfigError("this model has no calibration, so no set promises anything: calibrate it first")


def sets_of(
    model: Model, routed: Routed, texts: Sequence[str], within: str, *, keep_best: bool = True
) -> list[PredictionSet]:
    """Return the set of each document.

    Parameters
    ----------
    model
        With promises.
    routed
        Answers of the router.
    texts
        The documents.
    within
        ``labels`` for sets of labels; ``tree`` for one node: the best label, its group, a few groups, all groups.
    keep_best
        Put the best label into a set that would be empty. The coverage is then at least what is promised; without it,
        it is exact.

    Raises
    ------
    ConfigError
        The model has no promises, or `within` is not known.
    """
    check_sets(within, promises=model.promises is not None)
    assert model.promises is not None  # noqa: S101 - tells the type checker
    model.promises.check_routing(routed)
    conformal, uniforms = model.promises.conformal, document_uniforms(texts)
    probabilities = routed.probabilities
    if within == "labels":
        marked = conformal.label_sets(probabilities, model.space, uniforms)
        if keep_best:
            marked[np.arange(len(marked)), probabilities.argmax(axis=1)] |= ~marked.any(axis=1)
        falling = np.argsort(-probabilities, axis=1, kind="stable")
        return [
            PredictionSet("label", tuple(model.label_ids[label] for label in order if inside[label]))
            for order, inside in zip(falling, marked, strict=True)
        ]
    nodes = conformal.tree_sets(probabilities, model.space, uniforms)
    if keep_best:
        nodes = np.maximum(nodes, 0)
    best = probabilities.argmax(axis=1)
    order = group_order(probabilities, model.space)
    return [
        PredictionSet("label", (model.label_ids[label],) if node == 0 else ())
        if node < 1
        else PredictionSet("group", tuple(model.group_ids[group] for group in groups[:node]))
        for label, node, groups in zip(best, nodes, order, strict=True)
    ]
