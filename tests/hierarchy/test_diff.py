"""The difference of two trees, and what it demands of a model."""

import json
from dataclasses import replace

from handwritten import written
from hypothesis import given, settings

from hierarchy import Group, Label, Taxonomy
from hierarchy.diff import TaxonomyDiff, diff

A, B, C, D = (Label(x, x.upper()) for x in "abcd")
OLD = Taxonomy(groups=(Group("g", "G", labels=(A, B)), Group("h", "H", labels=(C,))), unplaced=(D,))


@given(written(), written())
@settings(max_examples=60, deadline=None)
def test_it_is_empty_only_for_equal_trees(one, other):
    assert diff(one.taxonomy, one.taxonomy).empty
    assert diff(one.taxonomy, one.taxonomy).lines() == []
    found = diff(one.taxonomy, other.taxonomy)
    assert found.empty == (one.taxonomy == other.taxonomy)
    assert bool(found.lines()) != found.empty
    back = diff(other.taxonomy, one.taxonomy)
    assert (set(found.added), set(found.removed)) == (set(back.removed), set(back.added))
    assert set(found.heads) <= set(other.taxonomy.group_ids)


def test_labels_that_come_go_and_move():
    new = Taxonomy(groups=(Group("g", "G", labels=(A, Label("e", "E"))), Group("n", "N", labels=(B, D))))
    found = diff(OLD, new)
    assert found == TaxonomyDiff(
        added=(("e", "g"),), removed=(("c", "h"),), moved=(("b", "g", "n"), ("d", None, "n")),
        groups_added=("n",), groups_removed=("h",), heads=("g", "n"),
    )  # fmt: skip
    assert found.coarse
    assert found.lines() == [
        "group 'N (n)' is new",
        "group 'H (h)' is gone",
        "label 'E (e)' is new in group 'G (g)'",
        "label 'C (c)' is gone from group 'H (h)'",
        "label 'B (b)' moved from group 'G (g)' to group 'N (n)'",
        "label 'D (d)' moved from no group to group 'N (n)'",
    ]
    assert json.loads(json.dumps(found.as_dict()))["heads"] == ["g", "n"]


def test_names_and_descriptions_demand_no_refit():
    new = replace(
        OLD,
        groups=(
            Group("g", "Gee", "text", labels=(replace(A, name="Ay"), replace(B, description="bee"))),
            OLD.groups[1],
        ),
    )
    found = diff(OLD, new)
    assert (found.renamed_groups, found.renamed_labels) == ((("g", "G", "Gee"),), (("a", "A", "Ay"),))
    assert (found.described, found.described_groups) == (("b",), ("g",))
    assert not found.coarse
    assert found.heads == ()
    assert not found.empty


def test_everything_else_is_told_too():
    h = replace(OLD.groups[1], max_size=3, built=True, frozen_name=True)
    new = replace(
        OLD, groups=(h, replace(OLD.groups[0], labels=(B, A))), name="shop", must_link=(("a", "b"),), retired=("x",)
    )
    assert diff(OLD, new).lines() == [
        "group 'H (h)': a rebuild may move its labels from now on",
        "group 'H (h)': a rebuild keeps the group and its name from now on",
        "group 'H (h)': max_size was not set, now 3",
        "the taxonomy was named not set, now shop",
        "must_link: [A (a), B (b)] is new",
        "now retired: x",
        "the groups stand in another order",
        "labels stand in another order",
    ]
