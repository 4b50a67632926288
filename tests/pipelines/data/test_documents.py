"""Documents that lie on disk stay there, and those that were checked are not checked again."""

import datasets
import numpy as np

from pipelines.data.checks import check_table
from pipelines.data.documents import Documents, Selected
from pipelines.data.given import check_labels, check_pair

TEXTS = [f"text {number}" for number in range(1000)]


def test_a_selection_reads_from_what_it_was_made_of():
    table = datasets.Dataset.from_dict({"text": TEXTS})
    places = np.arange(1, 1000, 3)
    wanted = TEXTS[1::3]
    chosen = Documents(table["text"], TEXTS).select(places)
    assert isinstance(chosen.texts, Selected)
    assert chosen.texts.texts.source is table
    for texts in (chosen.texts, Selected(tuple(TEXTS), places)):  # a tuple takes no list of places
        assert list(texts) == wanted
        assert (len(texts), texts[0], texts[-1], texts[5:9]) == (333, wanted[0], wanted[-1], wanted[5:9])
    again = chosen.select(np.array([0, 2, 4]))
    assert list(again) == again.labels == wanted[:6:2]


def test_checked_documents_come_back_as_they_are():
    table = datasets.Dataset.from_dict({"text": ["a", " ", "b"], "label": ["x", "x", "y"]})
    documents = check_table(table).documents
    assert (list(documents), documents.labels, documents.rows.tolist()) == (["a", "b"], ["x", "y"], [0, 2])
    assert check_labels(documents, documents.labels, None, where="here") is documents
    assert check_pair((documents, documents.labels), "train", None, where="here") is documents
