"""Documents that a model has seen, found again among those that are to tell how good it is on new ones."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hierarchy.text.characters import is_blank
from pipelines.data.documents import Documents
from pipelines.data.splits import fingerprint
from pipelines.model.model import Model

logger = logging.getLogger(f"coarsefine.{__name__}")


def warn_of_repeats(texts: Sequence[str], seen: Documents, *, what: str, where: str = "training") -> list[str]:
    """Warn of documents that stand among other ones too, and return what was said.

    Parameters
    ----------
    texts
        Documents that are to tell how good the model is on new ones.
    seen
        Documents that the model has seen.
    what, where
        What the documents are, and in what part the model has seen the others, for the message.
    """
    return _warned(_told(Documents(texts, ()).keys(), seen.keys(), what, where))


def warn_of_seen(model: Model, documents: Documents, *, what: str, train: Documents | None = None) -> list[str]:
    """Warn of documents that a model was trained or validated on, and return what was said.

    Parameters
    ----------
    model
        Knows each of its validation documents, and its training documents as a whole: a file of just these is known
        again, some of them among others are not.
    documents
        With label ids.
    what
        What they are, for the message.
    train
        The training documents, where they are at hand: then each is known.
    """
    keys = documents.keys()
    trained_on = _training_keys(model, documents, keys)
    if train is not None:
        trained_on = np.union1d(trained_on, train.keys())
    return _warned(_told(keys, trained_on, what, "training") + _told(keys, model.valid_keys, what, "validation"))


def warn_of_calibrated(model: Model, documents: Documents) -> list[str]:
    """Warn of test documents that are just those on which the model's promises were made, and return what was said."""
    calibration = model.record.get("fingerprints", {}).get("calibration")
    if model.promises is None or calibration != fingerprint(documents.texts, documents.labels):
        return []
    keys = documents.keys()
    return _warned(_told(keys, keys, "test documents", "calibration"))


def _training_keys(model: Model, documents: Documents, keys: np.ndarray) -> np.ndarray:
    """Return the keys of the training documents where they are just these, beside validation and empty documents."""
    runs = [model.record, *model.record.get("refits", ())]
    known = {run["fingerprints"]["train"]: run["documents"]["train"] for run in runs if "train" in _parts(run)}
    words = np.fromiter((not is_blank(text) for text in documents.texts), dtype=bool, count=len(keys))
    for kept in (words, words & ~np.isin(keys, model.valid_keys)):
        places = np.flatnonzero(kept)
        if len(places) in known.values():  # only then is it worth reading all
            part = documents.select(places)
            if fingerprint(part.texts, part.labels) in known:
                return keys[places]
    return keys[:0]


def _parts(run: Mapping[str, Any]) -> set[str]:
    """Return the parts of which a run tells both fingerprint and number; older records have none."""
    return set(run.get("fingerprints", ())) & set(run.get("documents", ()))


def _told(keys: np.ndarray, seen: np.ndarray, what: str, where: str) -> list[str]:
    repeats = int(np.isin(keys, seen).sum())
    if not repeats:
        return []
    verb = "stands" if repeats == 1 else "stand"
    remedy = "give others" if repeats == len(keys) else "leave them out"
    return [
        f"{repeats} of the {len(keys)} {what} {verb} among the {where} documents: what rests on them is too good; "
        f"{remedy}"
    ]


def _warned(lines: list[str]) -> list[str]:
    for line in lines:
        logger.warning("%s", line)
    return lines
