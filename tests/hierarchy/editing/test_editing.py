"""Edits of a tree: what they change, what they refuse, what they say."""

import numpy as np
import pytest

from hierarchy import Group, Label, Taxonomy, TaxonomyBuilder, TaxonomyError
from hierarchy.editing import edits as editing


def labels(*names):
    return tuple(Label(name, name) for name in names)


TREE = Taxonomy(
    groups=(
        Group("Kitchen", "Kitchen", labels=(Label("espresso", "Espresso machines"), *labels("Kettles", "Toasters"))),
        Group("g", "Garden", labels=labels("Mowers", "Hoses"), max_size=3),
        Group("Office", "Office", labels=labels("Pens"), built=True),
    ),
    unplaced=labels("Saws"),
    must_link=(("Mowers", "Hoses"),),
    cannot_link=(("Pens", "Kettles"), ("Toasters", "Saws")),
    retired=("samovars",),
)


def home(taxonomy):
    return {label.id: group.id for group in taxonomy.groups for label in group.labels}


def refused(edit, *parts):
    with pytest.raises(TaxonomyError) as caught:
        edit()
    for part in parts:
        assert part in str(caught.value)


def test_add():
    edited = editing.add(TREE, [Label("", "Pans", "of iron"), Label("pots", "Pots")], "Kitchen")
    assert edited.new.groups[0].labels[-2:] == (Label("Pans", "Pans", "of iron"), Label("pots", "Pots"))
    assert edited.diff.heads == ("Kitchen",)
    assert edited.diff.coarse
    assert editing.add(TREE, labels("Rakes")).new.unplaced == labels("Saws", "Rakes")
    assert editing.add(TREE, [Label("", "Kettles")], "Garden").new.groups[1].labels[-1].id == "g/Kettles"
    new = editing.add(TREE, labels("Cats"), "Pets", new_group=True).new
    assert new.groups[-1] == Group("Pets", "Pets", labels=labels("Cats"))


def test_add_refuses_all_at_once():
    refused(
        lambda: editing.add(TREE, [Label("espresso", "New"), Label("", "samovars"), Label("", "Kettles")], "Kitchen"),
        "3 problems",
        "the label id 'espresso' is used already, in group 'Kitchen'",
        "the label id 'samovars' is retired and never used again",
        "group 'Kitchen' has a label named 'Kettles' already",
    )
    refused(lambda: editing.add(TREE, labels("Rakes"), "Gardn"), "there is no group 'Gardn'; did you mean 'Garden'?")
    refused(lambda: editing.add(TREE, labels("Rakes", "Forks"), "g"), "group 'Garden (g)' has max_size 3")
    refused(lambda: editing.add(TREE, labels("Rakes"), "kitchen", new_group=True), "there is a group 'Kitchen' already")


def test_move_keeps_ids():
    edited = editing.move(TREE, ["Espresso machines", "Saws"], "Office")
    assert home(edited.new)["espresso"] == home(edited.new)["Saws"] == "Office"
    assert edited.diff.heads == ("Kitchen", "Office")
    assert edited.diff.moved == (("espresso", "Kitchen", "Office"), ("Saws", None, "Office"))
    assert editing.move(TREE, ["Kettles"], "Kitchen").new == TREE
    other = Taxonomy(groups=(Group("a", "a", labels=(Label("a/Other", "Other"), *labels("x"))),
                             Group("b", "b", labels=(Label("b/Other", "Other"),))))  # fmt: skip
    assert home(editing.move(other, ["a/Other"], "b").new)["a/Other"] == "b"
    refused(lambda: editing.move(other, ["Other"], "b"), "several labels are named 'Other'", "a/Other, b/Other")


def test_an_emptied_group_goes_away():
    edited = editing.move(TREE, ["Pens"], "g")
    assert edited.diff.groups_removed == ("Office",)
    assert "group 'Office' is gone" in edited.lines()
    assert edited.diff.heads == ("g",)


def test_links_are_kept():
    refused(lambda: editing.move(TREE, ["Mowers"], "Kitchen"), "must_link joins 'Mowers' (group 'Kitchen') and 'Hoses'",
            "move them together")  # fmt: skip
    assert home(editing.move(TREE, ["Mowers", "Hoses"], "Kitchen").new)["Hoses"] == "Kitchen"
    refused(lambda: editing.move(TREE, ["Pens"], "Kitchen"), "cannot_link parts 'Pens' and 'Kettles'")
    refused(lambda: editing.merge_labels(TREE, ["Pens"], "Kettles"), "cannot_link parts the labels [Pens, Kettles]")
    refused(lambda: editing.move(TREE, ["Ketles", "samovars", "?"], "nowhere"), "4 problems", "nearest: 'Kettles'",
            "label 'samovars' is retired", "no label '?'; nothing is like it", "no group 'nowhere'")  # fmt: skip


def test_merge():
    edited = editing.merge_groups(TREE, ["Office"], "Garden")
    assert [label.id for label in edited.new.groups[1].labels] == ["Mowers", "Hoses", "Pens"]
    refused(lambda: editing.merge_groups(TREE, ["g"], "Garden"), "cannot be merged into itself")
    edited = editing.merge_labels(TREE, ["Kettles"], "Hoses")
    assert edited.new.merged_into == {"Kettles": "Hoses"}
    assert edited.new.retired == ("samovars",)
    assert edited.new.cannot_link[0] == ("Pens", "Hoses")
    assert edited.diff.merged == (("Kettles", "Hoses"),)
    assert edited.diff.heads == ("Kitchen", "g")  # whose documents grow
    assert "label 'Kettles' is merged into label 'Hoses' and gone from group 'Kitchen'" in edited.lines()
    edited = editing.merge_labels(edited.new, ["espresso", "Hoses"], "Mowers")
    assert edited.new.merged_into == {
        "Kettles": "Hoses", "espresso": "Mowers", "Espresso machines": "Mowers", "Hoses": "Mowers",
    }  # fmt: skip
    refused(lambda: editing.move(edited.new, ["Kettles"], "Office"), "'Kettles' was merged into 'Mowers'; name that")
    refused(lambda: editing.add(edited.new, labels("Kettles"), "Office"), "'Kettles' is merged into 'Hoses' and never")
    refused(lambda: editing.rename_label(edited.new, "Pens", "Espresso machines"), "yet label 'Pens' has this name")
    assert editing.rename_label(edited.new, "Mowers", "Espresso machines").new.labels[1].name == "Espresso machines"


def test_split():
    edited = editing.split_off(TREE, "Kitchen", ["Kettles", "Toasters"], "Hot")
    assert edited.new.group_ids == ("Kitchen", "Hot", "g", "Office")
    assert edited.new.groups[1].labels == labels("Kettles", "Toasters")
    assert not edited.new.groups[1].built
    refused(lambda: editing.split_off(TREE, "g", ["Mowers", "Hoses", "Pens"], "Green"),
            "label 'Pens' is not in group 'g'", "would be left without labels")  # fmt: skip
    edited = editing.split_label(TREE, "Toasters", [Label("", "Slim ones"), Label("wide", "Wide ones")])
    assert [label.id for label in edited.new.groups[0].labels] == ["espresso", "Kettles", "Slim ones", "wide"]
    assert edited.new.cannot_link[1:] == (("Slim ones", "Saws"), ("wide", "Saws"))
    assert edited.new.retired[-1] == "Toasters"
    assert "documents labelled 'Toasters' are left out from now on; to keep them, label them 'Slim ones' or" in "".join(
        edited.notes
    )
    refused(lambda: editing.split_label(TREE, "Kettles", labels("One")), "two or more")


def test_split_by_likeness(themed, embed):
    pumps = [x for x in themed if x.endswith(("pump", "lamp"))]
    tree = Taxonomy(groups=(Group("a", "a", labels=labels("x")), Group("Mixed", "Mixed", labels=labels(*pumps))))
    edited = editing.split_group(tree, "Mixed", 2, TaxonomyBuilder(embed=embed))
    assert [{x.id.split()[-1] for x in group.labels} for group in edited.new.groups[1:]] in (
        [{"pump"}, {"lamp"}], [{"lamp"}, {"pump"}],
    )  # fmt: skip
    assert sorted(group.name for group in edited.new.groups[1:]) == ["lamp", "pump"]
    assert edited.diff.groups_removed == ("Mixed",)
    rows = np.eye(2)[[i % 2 for i in range(len(pumps))]]
    # Two documents a label say how much they are worth; one of another group is left out.
    documents = (np.vstack([rows, rows, [[1, 0]]]), [*pumps, *pumps, "x"])
    by_documents = editing.split_group(
        tree, "Mixed", 2, TaxonomyBuilder(embed=embed, signals={"documents": 1}), documents
    )
    parts = [{pumps.index(x.id) % 2 for x in group.labels} for group in by_documents.new.groups[1:]]
    assert sorted(map(sorted, parts)) == [[0], [1]]
    refused(lambda: editing.split_group(tree, "a", 2, TaxonomyBuilder(embed=embed)), "it can be split into 2 to 1")


def test_the_builder_places_what_was_added_and_nothing_else(themed, embed):
    groups = {word: labels(*(x for x in themed if x.endswith(word))) for word in ("pump", "lamp", "chair")}
    tree = Taxonomy(
        groups=tuple(Group(word, word, labels=members, built=True) for word, members in groups.items()),
        unplaced=labels("waiting glove"),
        must_link=(("waiting glove", themed[0]),) if themed[0].endswith(("pump", "lamp", "chair")) else (),
    )
    edited = editing.place(editing.add(tree, labels("tiny lamp", "tiny chair")), TaxonomyBuilder(embed=embed))
    assert edited.diff.added == (("tiny lamp", "lamp"), ("tiny chair", "chair"))
    assert not edited.diff.moved
    assert edited.new.unplaced == tree.unplaced
    assert edited.new.must_link == tree.must_link


def test_retire():
    edited = editing.retire(TREE, ["Kettles"], ["g"])
    assert edited.new.retired == ("samovars", "Kettles", "Mowers", "Hoses")
    assert edited.new.must_link == ()
    assert edited.new.cannot_link == (("Toasters", "Saws"),)
    assert edited.diff.groups_removed == ("g",)
    assert sum("entry" in line for line in edited.notes) == 2
    assert "documents of retired labels are left out from now on" in edited.notes
    tree = editing.retire(TREE, ["espresso"]).new
    assert tree.retired == ("samovars", "espresso", "Espresso machines")
    for edit in (
        lambda: editing.rename_label(tree, "Kettles", "Espresso machines"),
        lambda: editing.add(tree, [Label("e2", "Espresso machines")], "g"),
    ):  # or documents that are left out would count again, for another label
        with pytest.raises(TaxonomyError, match="'Espresso machines' is what documents of a retired label say"):
            edit()
    merged = editing.merge_labels(TREE, ["Kettles"], "Toasters").new
    assert editing.retire(merged, ["Toasters"]).new.match("Kettles").retired  # it goes with its heir
    everything = [*TREE.label_ids, "Saws"]
    refused(lambda: editing.retire(TREE, everything), "there are no labels at all")


def test_rename():
    edited = editing.rename_label(TREE, "espresso", "Coffee machines")
    assert edited.new.labels[0] == Label("espresso", "Coffee machines")
    assert (edited.diff.heads, edited.diff.coarse) == ((), False)
    assert "'Espresso machines' is no longer understood" in edited.notes[0]
    refused(lambda: editing.rename_label(TREE, "espresso", "Kettles"), "another label of this group is named 'Kettles'")
    assert not editing.rename_group(TREE, "Garden", "Yard").new.groups[1].frozen_name
    assert editing.rename_group(TREE, "Office", "Desk").new.groups[2] == Group(
        "Office", "Desk", labels=labels("Pens"), built=True, frozen_name=True
    )
    refused(lambda: editing.rename_group(TREE, "Office", "garden"), "there is a group 'Garden (g)' already")
