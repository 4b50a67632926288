"""Figures of `taxonomy check`."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from hierarchy import DataError, Group, Label, Taxonomy, TaxonomyError
from hierarchy.measuring.agreement import agreement
from hierarchy.measuring.measures import measure
from hierarchy.measuring.quality import taxonomy_quality


def tree(**groups):
    return Taxonomy(
        groups=tuple(Group(g, g, labels=tuple(Label(x, x) for x in labels)) for g, labels in groups.items())
    )


def quality_of(taxonomy, documents=None, embed=None):
    return taxonomy_quality(measure(taxonomy, documents, embed=embed))


MIXED = tree(
    lamps=["red lamp", "blue lamp", "steel lamp", "oak lamp"],
    chairs=["red chair", "blue chair", "steel chair", "oak chairs", "glass lamp"],
    pumps=["red pump", "blue pump"],
)


def test_figures_without_documents(embed):
    found = quality_of(MIXED, embed=embed)
    assert (found.n_labels, found.n_groups, found.smallest, found.largest, found.imbalance) == (11, 3, 2, 5, 2.5)
    assert found.sizes == {"lamps": 4, "chairs": 5, "pumps": 2}
    assert found.misfits[0].label == "glass lamp"
    assert found.misfits[0].better == "lamps"
    assert found.routing_recall is None
    assert found.near_duplicates == ()
    json.dumps(asdict(found))


def test_near_duplicates(embed):
    found = quality_of(tree(a=["Kettles", "kettles ", "Saw"], b=["Garden hoses", "Pans"]), embed=embed)
    assert found.near_duplicates[0][:2] == ("Kettles", "kettles ")


def test_documents(embed):
    rng = np.random.default_rng(0)
    ids = MIXED.label_ids
    owner = np.arange(220) % 10  # the last label has no document
    X = np.eye(11)[owner] + rng.normal(size=(220, 11)) * 0.2
    found = quality_of(MIXED, (X, [ids[i] for i in owner]), embed=embed)
    assert found.n_documents == 220
    assert found.few_documents == {ids[10]: 0}
    assert found.routing_recall is not None
    assert found.routing_recall[1] <= found.routing_recall[2] <= found.routing_recall[3] == 1.0
    assert found.routing_recall[1] > 0.9
    json.dumps(asdict(found))
    with pytest.raises(DataError, match="only 0 documents have a label that stands in a group"):
        quality_of(MIXED, (X[:1], ["zz"]), embed=embed)


def test_bare_texts(embed):
    texts = [f"{label} text {i}" for i in range(4) for label in MIXED.label_ids]
    found = quality_of(MIXED, (texts, list(MIXED.label_ids) * 4), embed=embed)
    assert found.routing_recall is not None
    assert found.few_documents == {}


def test_single_groups_and_none(embed):
    assert quality_of(tree(a=["x", "y"]), embed=embed).n_groups == 1
    assert quality_of(tree(a=["x"], b=["y"]), embed=embed).misfits == ()
    with pytest.raises(TaxonomyError, match="no label stands in a group yet"):
        quality_of(Taxonomy(unplaced=(Label("a", "a"),)), embed=embed)


def confused_documents(taxonomy, taken_for, each=40):
    """Documents whose vectors say their own label, or for some labels half of the time another one."""
    rng = np.random.default_rng(1)
    n = len(taxonomy.labels)
    owner = np.repeat(np.arange(n), each)
    seems = owner.copy()
    for label, other in taken_for.items():
        mine = np.flatnonzero(owner == taxonomy.label_index(label))
        seems[mine[: each // 2]] = taxonomy.label_index(other)
    X = np.eye(n)[seems] + rng.normal(size=(n * each, n)) * 0.02
    return X, [taxonomy.label_ids[i] for i in owner]


def test_a_label_whose_documents_go_elsewhere(embed):
    documents = confused_documents(MIXED, {"blue pump": "oak lamp", "oak lamp": "blue pump", "red chair": "blue chair"})
    found = quality_of(MIXED, documents, embed=embed)
    by_label = {stray.label: stray for stray in found.strays}
    assert set(by_label) == {"blue pump", "oak lamp"}  # not the red chair: it is taken for a sibling
    assert (by_label["blue pump"].group, by_label["blue pump"].better) == ("pumps", "lamps")
    assert by_label["blue pump"].share > 0.3
    assert by_label["blue pump"].siblings == 0.0
    json.dumps(asdict(found))


def test_labels_that_are_taken_for_each_other(embed):
    both = confused_documents(MIXED, {"blue pump": "oak lamp", "oak lamp": "blue pump"})
    [pair] = quality_of(MIXED, both, embed=embed).mixed_up
    assert {pair.label, pair.other} == {"blue pump", "oak lamp"}
    assert min(pair.share, pair.share_back) > 0.3
    clear = confused_documents(MIXED, {})
    found = quality_of(MIXED, clear, embed=embed)
    assert (found.mixed_up, found.strays, found.confusions) == ((), (), ())
    assert found.routing_recall == {1: 1.0, 2: 1.0, 3: 1.0}


def test_measures_of_each_label(embed):
    documents = confused_documents(MIXED, {"blue pump": "oak lamp", "oak lamp": "blue pump"})
    measures = measure(MIXED, documents, embed=embed)
    assert measures.counts.tolist() == [40] * 11
    assert measures.sent_to.sum(axis=1).tolist() == [40] * 11
    elsewhere = dict(zip(MIXED.label_ids, measures.sent_elsewhere, strict=True))
    assert elsewhere.pop("blue pump") > 0.3
    assert elsewhere.pop("oak lamp") > 0.3
    assert set(elsewhere.values()) == {0.0}
    bare = measure(MIXED, embed=embed)
    assert np.isnan(bare.sent_elsewhere).all()
    assert taxonomy_quality(bare).strays is None


def test_agreement_with_itself_and_with_another_tree():
    same = agreement(MIXED, MIXED)
    assert (same.n_labels, same.n_groups, same.n_reference_groups) == (11, 3, 3)
    assert same.ami == pytest.approx(1.0)
    assert (same.ari, same.homogeneity, same.completeness) == pytest.approx((1.0, 1.0, 1.0))
    one = tree(all=list(MIXED.label_ids))
    assert agreement(one, MIXED).completeness == pytest.approx(1.0)
    assert agreement(one, MIXED).homogeneity == pytest.approx(0.0)
    assert agreement(one, MIXED).ari == pytest.approx(0.0)


def test_agreement_is_over_labels_that_both_place():
    lamps = Group("a", "a", labels=(Label("1", "red lamp"), Label("2", "Blue Lamp")))
    others = Group("b", "b", labels=(Label("3", "red chair"), Label("4", "else")))
    reference = Taxonomy(groups=(lamps, others), unplaced=(Label("5", "red pump"),))
    found = agreement(MIXED, reference)  # by name, since the ids differ
    assert (found.n_labels, found.n_groups, found.n_reference_groups, found.ami) == (3, 2, 2, pytest.approx(1.0))
    with pytest.raises(TaxonomyError, match="0 of 11 labels stand in a group of the reference too"):
        agreement(MIXED, tree(x=["y", "z"]))


def test_groups_that_hold_together_badly(embed):
    rest = tree(
        lamps=["red lamp", "blue lamp", "oak lamp"], rest=["grey lamp", "steel pump", "glass"], pumps=["oil pump"]
    )
    assert quality_of(rest, embed=embed).unsorted == ("rest",)
    assert quality_of(tree(a=["x", "y"]), embed=embed).unsorted == ()
