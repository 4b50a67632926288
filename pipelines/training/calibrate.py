"""From calibration documents to a model with promises."""

import logging
from dataclasses import replace
from typing import Any

from pipelines.data.documents import Documents
from pipelines.model.model import Model
from pipelines.model.record import with_promises
from pipelines.model.seen_documents import warn_of_seen
from pipelines.promises.promises import Observed, Promises, make_promises, observe

logger = logging.getLogger(f"coarsefine.{__name__}")


def calibrate(
    model: Model,
    documents: Documents,
    *,
    routing: str,
    beam: int,
    **asked: Any,
) -> Model:
    """Give a model its promises.

    Parameters
    ----------
    model
        Trained.
    documents
        With label ids; neither training nor validation may have seen them.
    routing, beam
        How documents are routed, also from now on: what is promised holds for this routing.
    asked
        ``precision``, ``delta``, ``coverage``, ``by_group`` and ``false_alarms``, as for `make_promises`.

    Raises
    ------
    ConfigError, DataError
        As `make_promises` says.
    """
    warn_of_seen(model, documents, what="calibration documents")
    gold, gold_group = model.places(documents.labels)
    parts = []
    for block, routed in model.route_texts(documents.texts, routing=routing, beam=beam):
        parts.append(observe(routed, documents.texts[block], gold[block], gold_group[block], model.space))
    observed = Observed.joined(parts)
    promises = make_promises(observed, routing=routed.routing, groups=len(model.group_ids), **asked)
    _tell(promises)
    settings = model.settings.resolved(routing=routing, beam=beam)
    record = with_promises(model.record, settings, documents, promises)
    return replace(model, promises=promises, settings=settings, record=record)


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
