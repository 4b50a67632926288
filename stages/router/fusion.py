"""Fusion: a few non-negative numbers that bring the experts to one scale and make calibrated probabilities.

    log P_c(g | x) = log softmax(a_g · neural + c_g · n-gram)      floored at 0.001 / groups
    score(f)       = a · z_f + c · s_f + b · log P_c(g(f) | x)

z_f and s_f are what the rows say on a log scale: `stages.fine.rows.log_chance` of a margin, or a logit after joint
training.

All are fitted on validation data by minimising the negative log-likelihood, which is convex in them (temperature
scaling, Guo et al. 2017, for several experts at once). The targets are smoothed by the rule of succession, as Platt
(1999) does: n documents without an error say that the next one is right with (n + 1) / (n + 2), not for certain.
Without that the weights of an expert that makes no error on few documents grow without bound.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

FLOOR = 0.001  # of P_c, divided by the number of groups: a confident wrong turn stays repairable
VARIANTS = ("full", "no_tree", "no_ngrams", "neither")


@dataclass(frozen=True)
class Fusion:
    """Weights of the experts.

    Attributes
    ----------
    neural
        a: of the neural scores; 0 where there is no encoder.
    lexical
        c: of the n-gram scores; 0 where they are off or do not help.
    coarse
        b: of log P_c; 0 for the coarse stage itself and for a flat model.
    """

    neural: float = 0.0
    lexical: float = 0.0
    coarse: float = 0.0

    def as_dict(self) -> dict[str, float]:
        """JSON-ready."""
        return asdict(self)


def fit_fusion(experts: Mapping[str, np.ndarray], targets: np.ndarray) -> Fusion:
    """Fit the weight of each expert by the likelihood of the targets.

    Parameters
    ----------
    experts
        Name of a `Fusion` field -> its scores (documents, classes).
    targets
        (documents,) the right class of each document; -1 where there is none, which is left out.

    Returns
    -------
    Fusion
        Weights that minimise the negative log-likelihood of the smoothed targets, all >= 0.
    """
    known = targets >= 0
    scores = np.stack([s[known] for s in experts.values()]).astype(np.float64)  # (experts, documents, classes)
    gold = targets[known]
    if not len(gold):
        return Fusion(**dict.fromkeys(experts, 1.0))
    doubt = 1 / (len(gold) + 2)
    of_gold = (1 - doubt) * scores[:, np.arange(len(gold)), gold] + doubt * scores.mean(axis=2)  # (experts, documents)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        logits = np.tensordot(weights, scores, 1)  # (documents, classes)
        probabilities = softmax(logits, axis=1)
        log_p = log_softmax(logits, axis=1)
        value = -np.mean((1 - doubt) * log_p[np.arange(len(gold)), gold] + doubt * log_p.mean(axis=1))
        expected = np.einsum("edc,dc->ed", scores, probabilities)
        return value, (expected - of_gold).mean(1)

    start = np.ones(len(scores))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(scores))
    return Fusion(**dict(zip(experts, map(float, found.x), strict=True)))


def fit_variants(experts: Mapping[str, np.ndarray], targets: np.ndarray) -> dict[str, Fusion]:
    """Fit the full fusion and those without the tree, without the n-grams, and without both.

    ``full`` gives up the tree or the n-grams where validation accuracy is higher without them; in doubt it keeps
    them.

    Parameters
    ----------
    experts
        Scores (documents, labels) by the name of a `Fusion` field; ``coarse`` is log P_c of each label's group.
    targets
        (documents,) the right label of each document, or -1.

    Returns
    -------
    dict[str, Fusion]
        By the names of `VARIANTS`; those that would leave no expert are missing.
    """
    without = {"full": (), "no_tree": ("coarse",), "no_ngrams": ("lexical",), "neither": ("coarse", "lexical")}
    fitted, accuracy = {}, {}
    for name, left_out in without.items():
        some = {expert: scores for expert, scores in experts.items() if expert not in left_out}
        if set(some) - {"coarse"}:  # log P_c alone cannot tell the labels of a group apart
            fitted[name] = fit_fusion(some, targets)
            accuracy[name] = np.mean(fuse(some, fitted[name]).argmax(1) == targets)
    best = max(fitted, key=lambda name: accuracy[name])  # the first of equals, so the fullest
    return {**fitted, "full": fitted[best]}


def fuse(experts: Mapping[str, np.ndarray], fusion: Fusion) -> np.ndarray:
    """Weighted sum of the experts' scores, (documents, classes)."""
    weights = fusion.as_dict()
    return sum(np.float32(weights[name]) * scores for name, scores in experts.items())  # type: ignore[return-value]


def log_coarse(experts: Mapping[str, np.ndarray], fusion: Fusion) -> np.ndarray:
    """Log-probability P_c of each group, (documents, groups) float32, floored and summing to 1 again."""
    probabilities = softmax(fuse(experts, fusion), axis=1)
    floored = np.maximum(probabilities, FLOOR / probabilities.shape[1])
    return np.log(floored / floored.sum(1, keepdims=True)).astype(np.float32)
