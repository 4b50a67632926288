"""From calibration documents to a model with promises."""

import logging
from dataclasses import replace
from typing import Any

import numpy as np

from hierarchy.errors import ConfigError, DataError
from pipelines.data.documents import Documents, warn_of_repeats
from pipelines.model.model import Model
from pipelines.model.record import with_cascade, with_promises
from pipelines.model.seen_documents import warn_of_seen
from pipelines.promises.promises import Observed, Promises, check_wishes, make_promises, observe
from pipelines.training.cascade import check_cascade, check_cascade_documents, fit_cascade

logger = logging.getLogger(f"coarsefine.{__name__}")


def calibrate(
    model: Model,
    documents: Documents,
    *,
    routing: str,
    beam: int,
    cascade: float | None = None,
    cascade_documents: Documents | None = None,
    **asked: Any,
) -> Model:
    """Give a model its promises, and a cascade where one is asked for; what it had of both goes.

    Parameters
    ----------
    model
        Trained.
    documents
        With label ids; neither training nor validation may have seen them.
    routing, beam
        How documents are routed, also from now on: what is promised holds for this routing.
    cascade
        Percentage points of accuracy that may be lost where n-grams answer alone; None lets the encoder read all.
    cascade_documents
        Choose the cascade; None sets half of `documents` aside for it. The others carry the promises, which are made
        with the cascade in place.
    asked
        ``precision``, ``delta``, ``coverage``, ``by_group`` and ``false_alarms``, as for `make_promises`.

    Raises
    ------
    ConfigError
        A number is out of its range; documents are given for a cascade that is not asked for, or the model lacks one of
        its parts.
    DataError
        The documents are too few, or those of the cascade are those of the promises.
    """
    check_wishes(**{name: wish for name, wish in asked.items() if name != "by_group"}, cascade=cascade)
    warn_of_seen(model, documents, what="calibration documents")
    settings = model.settings.resolved(routing=routing, beam=beam)
    model, spared = replace(model, promises=None, cascade=None), None
    if cascade is not None:
        documents, spared = _parted(model, documents, cascade_documents, points=cascade, delta=asked["delta"])
        found = fit_cascade(model, spared, points=cascade, delta=asked["delta"], routing=routing, beam=beam)
        model = replace(model, cascade=found)
    elif cascade_documents is not None:
        raise ConfigError("documents for a cascade are given, and none is asked for: give cascade too", "calibrate")
    gold, gold_group = model.places(documents.labels)
    parts = []
    for block, routed in model.route_texts(documents.texts, routing=routing, beam=beam):
        parts.append(observe(routed, documents.texts[block], gold[block], gold_group[block], model.space))
    observed = Observed.joined(parts)
    promises = make_promises(observed, routing=routed.routing, groups=len(model.group_ids), **asked)
    _tell(promises)
    record = with_promises(model.record, settings, documents, promises)
    if cascade is not None and spared is not None:
        record = with_cascade(record, settings, spared, cascade, set_aside=cascade_documents is None)
    return replace(model, promises=promises, settings=settings, record=record)


def _parted(
    model: Model, documents: Documents, own: Documents | None, *, points: float, delta: float
) -> tuple[Documents, Documents]:
    """Return the documents of the promises and, apart from them, those of the cascade."""
    check_cascade(model)
    if own is None:
        order = np.random.default_rng(model.settings.random_state).permutation(len(documents.texts))
        half = len(order) // 2
        check_cascade_documents(half, points, delta, halved=True)
        return documents.select(np.sort(order[half:])), documents.select(np.sort(order[:half]))
    check_cascade_documents(len(own.texts), points, delta, halved=False)
    warn_of_seen(model, own, what="cascade documents")
    if np.isin(own.keys(), documents.keys()).all():
        raise DataError(
            "all documents of the cascade are calibration documents too, and what chooses it must carry no promise: "
            "give others, or none, which sets half of the calibration documents aside",
            "calibrate",
        )
    warn_of_repeats(own.texts, documents, what="cascade documents", where="calibration")
    return documents, own


def _tell(promises: Promises) -> None:
    back_off = promises.back_off
    for what, threshold in (("fine", back_off.fine), ("group", back_off.group)):
        if what == "group" and back_off.fine == 0:
            logger.info("every document gets a fine answer, so none stops at its group")
        elif threshold is None:
            logger.warning(
                "no %s answer keeps precision %g on the %d calibration documents, so none is given: promise a lower "
                "precision, or bring more documents",
                what,
                back_off.precision,
                promises.documents,
            )
        else:
            logger.info("%s answers above probability %.3f keep precision %g", what, threshold, back_off.precision)
