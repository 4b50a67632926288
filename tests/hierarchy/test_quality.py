"""Figures of `taxonomy check`."""

import json

import numpy as np
import pytest

from hierarchy import DataError, Group, Label, Taxonomy, TaxonomyError
from hierarchy.quality import taxonomy_quality


def tree(**groups):
    return Taxonomy(
        groups=tuple(Group(g, g, labels=tuple(Label(x, x) for x in labels)) for g, labels in groups.items())
    )


MIXED = tree(
    lamps=["red lamp", "blue lamp", "steel lamp", "oak lamp"],
    chairs=["red chair", "blue chair", "steel chair", "oak chairs", "glass lamp"],
    pumps=["red pump", "blue pump"],
)


def test_figures_without_documents(embed):
    found = taxonomy_quality(MIXED, embed=embed)
    assert (found.n_labels, found.n_groups, found.smallest, found.largest, found.imbalance) == (11, 3, 2, 5, 2.5)
    assert found.sizes == {"lamps": 4, "chairs": 5, "pumps": 2}
    assert found.misfits[0].label == "glass lamp"
    assert found.misfits[0].better == "lamps"
    assert found.routing_recall is None
    assert found.near_duplicates == ()
    json.dumps(found.as_dict())


def test_near_duplicates(embed):
    found = taxonomy_quality(tree(a=["Kettles", "kettles ", "Saw"], b=["Garden hoses", "Pans"]), embed=embed)
    assert found.near_duplicates[0][:2] == ("Kettles", "kettles ")


def test_documents(embed):
    rng = np.random.default_rng(0)
    ids = MIXED.label_ids
    owner = np.arange(220) % 10  # the last label has no document
    X = np.eye(11)[owner] + rng.normal(size=(220, 11)) * 0.2
    found = taxonomy_quality(MIXED, (X, [ids[i] for i in owner]), embed=embed)
    assert found.n_documents == 220
    assert found.few_documents == {ids[10]: 0}
    assert found.routing_recall is not None
    assert found.routing_recall[1] <= found.routing_recall[2] <= found.routing_recall[3] == 1.0
    assert found.routing_recall[1] > 0.9
    json.dumps(found.as_dict())
    with pytest.raises(DataError, match="only 0 documents have a label that stands in a group"):
        taxonomy_quality(MIXED, (X[:1], ["zz"]), embed=embed)


def test_bare_texts(embed):
    texts = [f"{label} text {i}" for i in range(4) for label in MIXED.label_ids]
    found = taxonomy_quality(MIXED, (texts, list(MIXED.label_ids) * 4), embed=embed)
    assert found.routing_recall is not None
    assert found.few_documents == {}


def test_single_groups_and_none(embed):
    assert taxonomy_quality(tree(a=["x", "y"]), embed=embed).n_groups == 1
    assert taxonomy_quality(tree(a=["x"], b=["y"]), embed=embed).misfits == ()
    with pytest.raises(TaxonomyError, match="no label stands in a group yet"):
        taxonomy_quality(Taxonomy(unplaced=(Label("a", "a"),)), embed=embed)
