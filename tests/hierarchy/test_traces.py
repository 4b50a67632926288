"""Labels that were merged or retired: what their documents count for, and what a file may say of them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hierarchy import Group, Label, Taxonomy, TaxonomyError
from hierarchy.building.builder import TaxonomyBuilder
from hierarchy.diff import diff
from hierarchy.editing import edits as editing
from hierarchy.matching import Match

TREE = Taxonomy(
    groups=(
        Group("k", "Kitchen", labels=(Label("pot", "Pots"), Label("k/other", "Other"))),
        Group("Garden", "Garden", labels=(Label("Hoses", "Hoses"), Label("Garden/Other", "Other"))),
    ),
    merged_into={"kettle": "tea", "Kettles": "tea", "tea": "pot", "Lamps": "samovar", "k/Rest": "Hoses"},
    retired=("samovar", "Garden/Rest"),
)


@pytest.mark.parametrize(
    ("label", "group", "means"),
    [
        ("pot", None, Match("pot")),
        ("tea", None, Match("pot", merged=True)),
        ("kettle", None, Match("pot", merged=True)),  # through a label that was merged itself
        ("  KETTLES", None, Match("pot", merged=True)),
        ("samovar", None, Match(retired=True)),
        ("Lamps", None, Match(retired=True)),  # its heir was retired
        ("Rest", "Kitchen", Match("Hoses", merged=True)),  # of the two that stood under groups
        ("rest", "Garden", Match(retired=True)),
        ("Rest", None, Match()),
        ("Other", "Kitchen", Match("k/other")),
        ("Other", None, Match()),
        ("?", None, Match()),
    ],
)
def test_what_a_document_counts_for(label, group, means):
    assert TREE.match(label, group) == means
    assert TREE.resolve(label, group) == means.id


def test_a_label_of_today_comes_before_what_is_gone():
    tree = Taxonomy(unplaced=(Label("x2", "X"), Label("b", "B")), retired=("X",), merged_into={"x2 ": "b"})
    assert tree.match("X") == Match("x2")  # an older file: retired, and made anew under the same name
    assert tree.match("x2") == Match("x2")
    assert tree.match("x2 ") == Match("b", merged=True)


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_files_keep_the_traces(tmp_path, suffix):
    path = tmp_path / f"tree{suffix}"
    long = Taxonomy(unplaced=TREE.all_labels, merged_into={"x" * 2000: "pot", "a: b, #": "Hoses", "<<": "pot"})
    for tree in (TREE, long):
        (tree.to_yaml if suffix == ".yaml" else tree.to_json)(path)
        assert Taxonomy.from_file(path) == tree


def test_what_contradicts_itself_is_told_with_its_line(tmp_path):
    path = tmp_path / "tree.yaml"
    path.write_text(
        "labels: [a, b, {id: c, name: C}]\nmerged_into:\n  a: b\n  x: bb\n  u: v\n  v: u\n  w: u\n  y: b\n  C: b\n"
        "  z: [b]\n  '': b\nretired: [y]\n",
        encoding="utf-8",
    )
    with pytest.raises(TaxonomyError) as caught:
        Taxonomy.from_yaml(path)
    assert caught.value.problems == [
        "line 3: merged_into holds 'a', yet a label uses this id; give the label a new id or take the entry out",
        "line 4: 'x' is merged into 'bb', which is no label id; did you mean 'b'?",
        "line 5: 'u' is merged into 'v', which leads back to it; let one of them count for a label",
        "line 6: 'v' is merged into 'u', which leads back to it; let one of them count for a label",
        "line 7: 'w' is merged into 'u', which leads back to it; let one of them count for a label",
        "line 8: 'y' stands in merged_into and in retired; take it out of one of them",
        "line 9: merged_into holds 'C', yet label 'c' has this name; rename the label or take the entry out",
        "line 10: merged_into holds 'z': a list; write one id behind another",
        "line 11: merged_into holds '': 'b'; write one id behind another",
    ]
    path.write_text("labels: [a]\nmerged_into: [b]\n", encoding="utf-8")
    with pytest.raises(TaxonomyError, match="merged_into holds a list; write 'old id: id of the label"):
        Taxonomy.from_yaml(path)


def test_a_difference_tells_what_was_merged():
    old = Taxonomy(groups=(Group("g", "G", labels=(Label("a", "A"), Label("b", "B"), Label("c", "C"))),))
    new = editing.retire(editing.merge_labels(old, ["a"], "b").new, ["c"]).new
    found = diff(old, new)
    assert (found.merged, found.heads) == ((("a", "b"),), ("g",))
    assert found.lines() == [
        "label 'A (a)' is merged into label 'B (b)' and gone from group 'G (g)'",
        "label 'C (c)' is gone from group 'G (g)'",
        "now retired: C (c)",
    ]
    assert diff(new, old).lines()[2:] == [
        "merged_into: 'a' counted for 'b', now for no label",
        "merged_into: 'A' counted for 'b', now for no label",
        "no longer retired: c, C",
    ]


def test_what_counts_for_another_label_by_hand_is_refitted():
    tree = Taxonomy(TREE.groups, merged_into={"tea": "pot", "cups": "tea"}, retired=("k/mugs",))
    for traces, heads, words in (
        ({"merged_into": {"tea": "Hoses", "cups": "tea"}}, ("k", "Garden"), ("tea", "cups")),
        ({"merged_into": {"tea": "k/other", "cups": "tea"}}, ("k",), ("tea", "cups")),
        ({"merged_into": {"tea": "pot"}}, ("k",), ("cups",)),
        ({"merged_into": {"tea": "pot", "cups": "tea", "k/mugs": "Hoses"}, "retired": ()}, ("Garden",), ("k/mugs",)),
        ({"merged_into": {"tea": "pot"}, "retired": ("k/mugs", "cups")}, ("k",), ("cups",)),
        ({"merged_into": {"tea": "pot", "cups": "pot"}}, (), ()),  # by another way for the same
    ):
        found = diff(tree, replace(tree, **traces))
        assert (found.heads, found.coarse, found.recounted) == (heads, bool(heads), words)
    shed = Group("s", "Shed", labels=(Label("tea", "tea"),))
    back = replace(tree, groups=(TREE.groups[0], shed), merged_into={})
    assert diff(tree, back).heads == ("k", "s")  # what took it in has fewer documents


def test_new_labels_that_are_gone_are_left_out(caplog):
    sheet = Taxonomy(unplaced=tuple(Label(x, x) for x in ("pot", "tea", "samovar", "new")))
    assert [label.id for label in TREE.with_labels(sheet).unplaced] == ["new"]
    assert "labels that were merged or retired are left out (2): tea, samovar" in caplog.text


def test_a_build_follows_the_traces_of_its_documents(embed, caplog):
    tree = Taxonomy(unplaced=(Label("a", "a"), Label("b", "b")), merged_into={"c": "b"}, retired=("d",))
    texts = ["one", "two", "three", "four", "five"]
    built = TaxonomyBuilder(embed=embed).build(tree, (texts, ["a", "b", "c", "d", "e"]))
    assert (built.merged_into, built.retired) == (tree.merged_into, tree.retired)
    assert "1 labels of the documents are not in the taxonomy, their documents are not used: e" in caplog.text
    part = editing.place(editing.add(built, [Label("", "new")]), TaxonomyBuilder(embed=embed), (texts[:3], list("abc")))
    assert part.new.merged_into == tree.merged_into


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_documents_of_merged_labels_stay_with_their_heirs(data):
    """Whatever is merged and retired one after the other: what counted for one label goes on together."""
    tree = Taxonomy(groups=(Group("g", "G", labels=tuple(Label(f"l{i}", f"L {i}") for i in range(6))),))
    together = {label.id: {label.id} for label in tree.labels}
    for _ in range(data.draw(st.integers(1, 4))):
        source, target = data.draw(st.permutations(tree.label_ids))[:2]
        if data.draw(st.booleans()):
            tree = editing.merge_labels(tree, [source], target).new
            together[target] |= together.pop(source)
        else:
            tree = editing.retire(tree, [source]).new
            del together[source]
    counted = {x: heir for heir, all_ in together.items() for x in all_}
    for i in range(6):
        match = tree.match(f"l{i}")
        assert match == tree.match(f"L {i}")
        assert (match.id, match.retired) == (counted.get(f"l{i}"), f"l{i}" not in counted)
