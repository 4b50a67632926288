"""From documents of its own to a cascade: n-grams that answer alone where the whole model would hardly do better."""

import logging
from typing import Any

import numpy as np

from hierarchy.errors import ConfigError, DataError
from hierarchy.text.wording import count
from pipelines.data.documents import Documents
from pipelines.model.model import Model
from pipelines.promises.cascade import cascade_documents_needed, lowest_cascade_threshold
from stages.router.cascade import Cascade, confidence, ngram_router
from stages.router.router import Inputs, Router
from stages.shards import shard_bounds

FOR_WEIGHTS = 200  # documents that fit the three weights of the n-grams; the others choose the threshold
logger = logging.getLogger(f"coarsefine.{__name__}")


def check_cascade(model: Model) -> None:
    """Refuse a cascade in a model that lacks one of its parts; raises ConfigError."""
    if model.extractor.neural is None:
        raise ConfigError("the model has no encoder, so a cascade has nothing to spare: leave cascade out", "calibrate")
    if model.extractor.vectorizer is None:
        raise ConfigError(
            "the model has no n-grams (lexical: false), which must answer first in a cascade: leave cascade out, or "
            "train with lexical: true",
            "calibrate",
        )


def check_cascade_documents(documents: int, points: float, delta: float, *, halved: bool) -> None:
    """Refuse documents that are too few for a cascade, before any of them is read.

    Parameters
    ----------
    documents
        How many there are for the cascade.
    points, delta
        As for `lowest_cascade_threshold`.
    halved
        Whether they are half of the calibration documents.

    Raises
    ------
    DataError
        Says how many it takes.
    """
    needed = cascade_documents_needed(points, delta) + FOR_WEIGHTS
    if documents < needed:
        which = "the half of the calibration documents that is set aside for it" if halved else "these documents"
        raise DataError(
            f"a cascade that loses at most {points:g} points takes {needed} documents at least, and {which} "
            f"{'has' if halved else 'are'} {documents}: give more of them, or allow more points"
        )


def fit_cascade(
    model: Model, documents: Documents, *, points: float, delta: float, routing: str, beam: int
) -> Cascade | None:
    """Let n-grams answer alone where they are sure enough.

    Parameters
    ----------
    model
        Without a cascade.
    documents
        Seen by no training, and by no promise: `FOR_WEIGHTS` of them, drawn at random, fit the weights of the n-grams,
        the others choose the threshold.
    points, delta
        As for `lowest_cascade_threshold`.
    routing, beam
        How both answer.

    Returns
    -------
    Cascade | None
        None where n-grams may answer nothing alone.
    """
    order = np.random.default_rng(model.settings.random_state).permutation(len(documents.texts))
    fitting, choosing = (documents.select(np.sort(part)) for part in (order[:FOR_WEIGHTS], order[FOR_WEIGHTS:]))
    inputs = Inputs(ngrams=model.extractor.ngrams(fitting.texts))
    router = ngram_router(model.router, inputs, model.places(fitting.labels)[0])
    sure, lost, routed = _read(model, router, choosing, routing=routing, beam=beam)
    threshold = lowest_cascade_threshold(sure, lost, points=points, delta=delta)
    taken = 0 if threshold is None else int((sure > threshold).sum())
    if threshold is None or not taken:
        logger.warning(
            "n-grams may answer nothing alone at a loss of at most %g points on %s, so there is no cascade: allow more "
            "points, or bring more documents", points, count(len(sure), "document"),
        )  # fmt: skip
        return None
    logger.info(
        "n-grams answer alone above probability %.5f: %.1f %% of %s, %d of them lost",
        threshold, 100 * taken / len(sure), count(len(sure), "document"), int((lost & (sure > threshold)).sum()),
    )  # fmt: skip
    return Cascade(router, threshold, routed, points=points, delta=delta, documents=len(sure), answered=taken)


def _read(
    model: Model, router: Router, documents: Documents, *, routing: str, beam: int
) -> tuple[np.ndarray, np.ndarray, str]:
    """Return how sure n-grams are, which documents they lose, (documents,) each, and how these were routed.

    Only what the n-grams answer wrongly can be lost, so that is all that the encoder reads.
    """
    how: dict[str, Any] = {"routing": routing, "beam": beam}
    texts, gold = documents.texts, model.places(documents.labels)[0]
    sure, right = np.zeros(len(texts)), np.zeros(len(texts), dtype=bool)
    for start, end in shard_bounds(texts):
        routed = router.route(Inputs(ngrams=model.extractor.ngrams(texts[start:end])), **how)
        sure[start:end] = confidence(routed)
        right[start:end] = routed.probabilities.argmax(1) == gold[start:end]
    wrong, lost = np.flatnonzero(~right), np.zeros(len(texts), dtype=bool)
    for block, answers in model.route_texts(documents.select(wrong).texts, **how):
        lost[wrong[block]] = answers.probabilities.argmax(1) == gold[wrong[block]]
    return sure, lost, routed.routing
