"""Texts of all kinds: answers are finite, sum to one, and do not depend on the texts beside them."""

from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from fuzz.cases import ACCEPTED, Target, Wrong
from fuzz.mutation import HALVES, mutated, text
from fuzz.subjects import KINDS, TEXTS, fitted, prepare
from hierarchy.errors import DataError

CLOSE = 1e-5


def _make(rng: Random) -> dict[str, Any]:
    texts = [_text(rng) for _ in range(rng.randint(1, 5))]
    return {"kind": rng.choice([KINDS[0], KINDS[0], KINDS[1]]), "texts": texts, "top_k": rng.choice([1, 2, 100])}


def _text(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.3:
        return mutated(rng, rng.choice(TEXTS).encode()).decode("utf-8", "replace")
    if kind < 0.33:
        return rng.choice(HALVES)
    return text(rng)


def _check(case: dict[str, Any], _: Path) -> str:
    model, texts = fitted(case["kind"]), case["texts"]
    together = model.predict_proba(texts)
    check_probabilities(together, (len(texts), len(model.classes_)))
    alone = np.concatenate([model.predict_proba([one]) for one in texts])
    if np.abs(alone - together).max() > CLOSE:
        raise Wrong("an answer depends on the texts beside it", np.abs(alone - together).max())
    paths = model.predict_paths(texts, top_k=case["top_k"])
    for found, row in zip(paths, together, strict=True):
        if not found or abs(found[0].probability - row.max()) > CLOSE:
            raise Wrong("the best path has not the best probability", (found, row))
    for within in ("labels", "tree"):
        if any(not one.ids for one in model.predict_sets(texts, within=within)):
            raise Wrong("a set is empty")
    _check_explanation(model, texts[0], together[0])
    return ACCEPTED


def check_probabilities(found: np.ndarray, shape: tuple[int, int]) -> None:
    """Refuse what is no table of probabilities."""
    if found.shape != shape:
        raise Wrong("probabilities have a wrong shape", (found.shape, shape))
    if not np.isfinite(found).all() or (found < -CLOSE).any():
        raise Wrong("probabilities are not finite or less than 0", found)
    if np.abs(found.sum(1) - 1).max() > 1e-4:
        raise Wrong("probabilities do not sum to one", found.sum(1))


def _check_explanation(model: Any, content: str, row: np.ndarray) -> None:
    try:
        found = model.explain(content)
    except DataError:
        if content.strip():
            raise
        return
    if abs(found.paths[0].probability - row.max()) > CLOSE:
        raise Wrong("the explanation is of another answer", found.paths[0])


TEXTS_ANSWERED = [Target("texts", _make, _check, share=2, in_suite=60, prepare=prepare)]
