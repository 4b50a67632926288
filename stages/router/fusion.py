"""What is fitted on validation documents: the fusion, the few non-negative numbers that the experts are added up with.

All are fitted by minimising the negative log-likelihood, which is convex in them (temperature scaling, Guo et al. 2017,
for several experts at once), so that the probabilities mean what they say. The targets are smoothed by the rule of
succession, as Platt (1999) does: n documents without an error say that the next one is right with (n + 1) / (n + 2),
not for certain. Without that the weights of an expert that makes no error on few documents grow without bound.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.special import bdtr, log_softmax

from stages.router.router import Fusion, Inputs, Router, fuse, log_coarse, normalised

VARIANTS = ("full", "no_tree", "no_ngrams", "neither")
SIGNIFICANT = 0.05
SCORES = 50_000_000  # documents x labels at most on which the few weights are fitted: about 2 GB while that lasts


def fit_router(router: Router, valid: Inputs, targets: np.ndarray, *, coarse: bool = True) -> Router:
    """Fit the router's numbers on validation documents.

    Parameters
    ----------
    router
        With the rows of all experts.
    valid
        What the experts read of the validation documents.
    targets
        (documents,) their labels; -1 where there is none. Of very many labels an even part of the documents fits the
        weights.
    coarse
        Whether the fusion of the coarse stage is fitted too; else that of `router` stays.
    """
    space, of_groups = router.space, router.coarse_experts(valid)
    coarse_fusion = fit_fusion(of_groups, space.groups(targets)) if coarse else router.coarse_fusion
    kept = _fused(targets, documents_fused(len(space.label_ids)))
    experts = router.fine_experts(valid[kept])
    experts["coarse"] = log_coarse(of_groups, coarse_fusion)[kept][:, space.group_of]
    return replace(router, coarse_fusion=coarse_fusion, fusions=fit_variants(experts, targets[kept]))


def documents_fused(n_labels: int) -> int:
    """Return on how many validation documents the fusion of the labels is fitted at most: memory goes with both."""
    return max(1, SCORES // n_labels)


def _fused(targets: np.ndarray, most: int) -> np.ndarray | slice:
    """Choose so many documents whose label is known, evenly from the first to the last; all where they are no more."""
    if len(targets) <= most:
        return slice(None)
    known = np.flatnonzero(targets >= 0)
    return known[np.linspace(0, len(known) - 1, min(most, len(known))).astype(np.int64)]


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
    from scipy.optimize import minimize

    # 1. Documents whose class is known, and the target that each has: most of it on its class, `doubt` over all alike.
    known = targets >= 0
    scores = np.stack([s[known] for s in experts.values()]).astype(np.float64)  # (experts, documents, classes)
    gold = targets[known]
    if not len(gold):
        return Fusion(**dict.fromkeys(experts, 1.0))
    doubt = 1 / (len(gold) + 2)
    # 2. What each expert scores under that target: the loss falls along it and rises along what is expected instead.
    of_gold = (1 - doubt) * scores[:, np.arange(len(gold)), gold] + doubt * scores.mean(axis=2)  # (experts, documents)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        logits = np.tensordot(weights, scores, 1)  # (documents, classes)
        log_p = log_softmax(logits, axis=1)
        value = -np.mean((1 - doubt) * log_p[np.arange(len(gold)), gold] + doubt * log_p.mean(axis=1))
        expected = np.einsum("edc,dc->ed", scores, normalised(logits)[0])  # (experts, documents)
        return value, (expected - of_gold).mean(1)

    # 3. From equal weights down to the one minimum that there is.
    start = np.ones(len(scores))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(scores))
    return Fusion(**dict(zip(experts, map(float, found.x), strict=True)))


def fit_variants(experts: Mapping[str, np.ndarray], targets: np.ndarray) -> dict[str, Fusion]:
    """Fit the full fusion and those without the tree, without the n-grams, and without both.

    ``full`` gives up the tree or the n-grams where more validation documents are answered rightly without them than
    chance explains: an exact test on the documents that only one of both answers rightly (McNemar 1947). In doubt it
    keeps them: of four accuracies on documents that the weights were fitted to, the best is too good.

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
    fitted, right = {}, {}
    for name, left_out in without.items():
        some = {expert: scores for expert, scores in experts.items() if expert not in left_out}
        if set(some) - {"coarse"}:  # log P_c alone cannot tell the labels of a group apart
            fitted[name] = fit_fusion(some, targets)
            right[name] = fuse(some, fitted[name]).argmax(1) == targets
    better = [name for name in fitted if _is_better(right[name], right["full"])]
    best = max(better, key=lambda name: right[name].sum(), default="full")  # the first of equals, so the fullest
    return {**fitted, "full": fitted[best]}


def _is_better(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether one answers more documents rightly than the other, beyond chance; (documents,) bool which are right."""
    gained, lost = int(np.sum(one & ~other)), int(np.sum(other & ~one))
    return gained > lost and 2 * bdtr(lost, gained + lost, 0.5) < SIGNIFICANT
