"""Documents that a model has seen, found again among those that are to tell how good it is on new ones."""

import numpy as np

from hierarchy.text.characters import is_blank
from pipelines.data.documents import Documents, warn_of_seen_keys
from pipelines.data.splits import fingerprint
from pipelines.model.model import Model
from pipelines.model.record import CALIBRATED


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
    of_training = warn_of_trained(model, documents, what=what, train=train)
    return [*of_training, *warn_of_seen_keys(documents.keys(), model.valid_keys, what, "validation")]


def warn_of_trained(model: Model, documents: Documents, *, what: str, train: Documents | None = None) -> list[str]:
    """Warn of documents that a model was trained on, as `warn_of_seen` does, and return what was said."""
    keys = documents.keys()
    trained_on = _training_keys(model, documents, keys)
    if train is not None:
        trained_on = np.union1d(trained_on, train.keys())
    return warn_of_seen_keys(keys, trained_on, what, "training")


def warn_of_calibrated(model: Model, documents: Documents) -> list[str]:
    """Warn of test documents that are just those on which it was calibrated, and return what was said."""
    calibrated = [model.record["fingerprints"].get(role) for role in CALIBRATED]
    if model.promises is None or fingerprint(documents.texts, documents.labels) not in calibrated:
        return []
    keys = documents.keys()
    return warn_of_seen_keys(keys, keys, "test documents", "calibration")


def _training_keys(model: Model, documents: Documents, keys: np.ndarray) -> np.ndarray:
    """Return the keys of the training documents where they are just these, beside validation and empty documents."""
    runs = [model.record, *model.record.get("refits", ())]
    known = {run["fingerprints"]["train"]: run["documents"]["train"] for run in runs}
    words = np.fromiter((not is_blank(text) for text in documents.texts), dtype=bool, count=len(keys))
    for kept in (words, words & ~np.isin(keys, model.valid_keys)):
        places = np.flatnonzero(kept)
        if len(places) in known.values():  # only then is it worth reading all
            part = documents.select(places)
            if fingerprint(part.texts, part.labels) in known:
                return keys[places]
    return keys[:0]
