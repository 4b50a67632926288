"""What a person did with a tree stays in every build, whatever is done in between; what may be by hand is asked for."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_fixtures import word_vectors

from hierarchy import Group, Label, Taxonomy, TaxonomyBuilder, TaxonomyError
from hierarchy.building.undone import undone
from hierarchy.editing import edits as editing
from hierarchy.editing.patching import patched
from hierarchy.files.reading import read_tree
from hierarchy.files.syntax import compose_yaml

KINDS, THINGS = ("red", "blue", "old", "new", "big", "wet"), ("lamp", "pump", "chair", "glove")
NAMES = [f"{kind} {thing}" for thing in THINGS for kind in KINDS]
OTHER_NAMES = ("Mine", "My own", "Ours")


def embed(texts):
    """Labels are alike that are about the same thing, whose name comes last."""
    return word_vectors([text.split()[-1] for text in texts]) + 0.2 * word_vectors(texts)


@pytest.fixture(scope="module")
def built():
    return TaxonomyBuilder(n_groups=4, min_group_size=3, embed=embed).build(NAMES)


def read(text):
    return Taxonomy(**vars(read_tree(compose_yaml(text, "t"), "t")))


def home(taxonomy):
    return {label.id: group.id for group in taxonomy.groups for label in group.labels}


def called(group):
    return group.id, group.name, group.description


def other_groups(taxonomy):
    """Documents that speak for other groups than the texts do."""
    return np.random.default_rng(0).normal(size=(len(taxonomy.label_ids), 8)), list(taxonomy.label_ids)


def test_what_the_builder_made_bears_its_mark(built):
    assert [group.name for group in built.groups] == ["lamp", "pump", "chair", "glove"]
    assert all(group.built == group.mark and not group.edited and not group.stays for group in built.groups)
    again = read(built.to_yaml())
    assert again == built
    group = built.groups[0]
    assert re.fullmatch("[a-p]{8}", group.mark)
    assert replace(group, labels=group.labels[::-1]).mark == group.mark  # the order tells nothing
    described = replace(group, labels=(replace(group.labels[0], description="x", name="y"), *group.labels[1:]))
    assert not described.edited  # nor do names and descriptions of labels
    for edit in ({"name": "L"}, {"description": "d"}, {"id": "l"}, {"labels": group.labels[1:]}):
        assert replace(group, **edit).edited
    assert not replace(group, name="L", built=True).edited  # an older file: nothing is known
    assert TaxonomyBuilder(n_groups=4, min_group_size=3, embed=embed).build(built) == built


def test_a_moved_label_is_pinned_and_the_rest_moves_freely(built):
    tree = editing.move(built, ["red lamp"], "pump").new
    lamp, pump = tree.groups[:2]
    assert [label.id for label in pump.pinned] == ["red lamp"]
    assert not any(group.edited for group in tree.groups)
    tree = replace(tree, groups=(lamp, *swapped(pump, tree.groups[2], "big pump", "big chair"), tree.groups[3]))
    builder = TaxonomyBuilder(n_groups=4, min_group_size=3, embed=embed)
    again = builder.build(tree)
    assert home(again) == home(built) | {"red lamp": "pump"}
    assert set(builder.report_.moved) == {("big pump", "chair", "pump"), ("big chair", "pump", "chair")}
    assert undone(tree, again) == []
    free = editing.unpin(again, ["red lamp"]).new
    assert home(builder.build(free)) == home(built)


def swapped(one, other, label, for_other):
    """The builder's groups as if it had put two labels in each other's place."""
    return [
        replace(
            g, labels=tuple(replace(x, id=to[x.id], name=to[x.id]) if x.id in to else x for x in g.labels)
        ).as_built()
        for g, to in ((one, {label: for_other}), (other, {for_other: label}))
    ]


def test_a_group_that_a_person_decided_on_is_kept(built):
    builder = TaxonomyBuilder(n_groups="auto", min_group_size=3, embed=embed)
    parts = editing.split_off(built, "lamp", ["red lamp", "new lamp"], "Special").new
    assert not parts.groups[1].built
    assert parts.groups[0].frozen_name
    merged = editing.merge_groups(built, ["pump"], "chair").new
    assert [label.id for label in merged.groups[1].pinned] == [f"{kind} pump" for kind in KINDS]
    split = editing.split_group(built, "lamp", 2, TaxonomyBuilder(embed=embed)).new
    assert all(group.frozen_name and group.built == group.mark for group in split.groups[:2])
    by_hand = read(built.to_yaml().replace("name: lamp", "name: Lights"))
    assert by_hand.groups[0].edited
    renamed = editing.rename_group(built, "lamp", "Lights").new
    for tree in (parts, merged, split, by_hand, renamed):
        for known in (None, other_groups(tree)):
            again = builder.build(tree, known)
            assert undone(tree, again) == []
            kept = {called(group) for group in tree.groups if group.stays}
            assert kept
            assert kept <= {called(group) for group in again.groups}
    assert ("lamp", "Lights", "") in kept
    assert not builder.build(by_hand).groups[0].built  # the owner's from now on


def test_groups_are_pinned_and_let_go(built):
    tree = editing.pin(built, ["red lamp"], ["pump"]).new
    assert tree.groups[0].labels[0].pinned
    assert not tree.groups[1].built
    assert undone(tree, TaxonomyBuilder(n_groups=4, min_group_size=3, embed=embed).build(tree)) == []
    assert editing.unpin(tree, ["red lamp"], ["pump"]).new == built
    edited = read(built.to_yaml().replace("name: lamp", "name: Lights"))
    with pytest.raises(
        TaxonomyError, match=r"label 'red lamp' stands in group 'Lights', which is yours: unpin the group"
    ):
        editing.unpin(edited, ["red lamp"])
    assert editing.unpin(edited, (), ["Lights"]).new.groups[0].built == edited.groups[0].mark
    with pytest.raises(TaxonomyError, match="label 'loose' stands in no group yet"):
        editing.pin(replace(built, unplaced=(Label("loose", "loose"),)), ["loose"])
    lines = editing.pin(built, ["red lamp"], ["pump"]).lines()
    assert lines == [
        "group 'pump': a rebuild leaves its labels where they are from now on",
        "label 'red lamp' is pinned where it stands",
    ]


def test_pins_in_the_text_come_and_go(built):
    text = built.to_yaml().replace("- red lamp", "- red lamp  # the first")
    pinned = patched(text, editing.pin(built, ["red lamp"], ["pump"]).new)
    assert "      - name: red lamp\n        pinned: true  # the first\n" in pinned
    assert f"built: {built.groups[1].mark}" not in pinned
    back = editing.unpin(read(pinned), ["red lamp"], ["pump"]).new
    assert patched(pinned, back) == text
    brackets = f"groups:\n- {{name: A, built: {Group('A', 'A', labels=(Label('a', 'a'),)).mark}, labels: [a]}}\n"
    tree = read(brackets)
    there = patched(brackets, editing.pin(tree, ["a"]).new)
    assert "labels: [{name: a, pinned: true}]" in there
    assert patched(there, tree) == brackets


def test_an_older_file_is_asked_about(built):
    old = replace(built, groups=tuple(replace(group, built=True) for group in built.groups))
    assert read(old.to_yaml()) == old
    builder = TaxonomyBuilder(n_groups=4, min_group_size=3, embed=embed)
    assert builder.build(old) == old  # nothing moves, and nothing more is known than before
    tree = editing.unpin(editing.move(old, ["red lamp"], "pump").new, ["red lamp"]).new  # as if by hand
    with pytest.raises(TaxonomyError) as caught:
        builder.build(tree)
    assert str(caught.value) == (
        "what the build would undo: label 'red lamp', in group 'pump', maybe by hand, would stand in group 'lamp'; "
        "allow it with force=True"
    )
    again = builder.build(tree, force=True)
    assert builder.report_.moved == (("red lamp", "pump", "lamp"),)
    assert [group.built for group in again.groups] == [group.built for group in built.groups]
    with pytest.raises(TypeError, match=r"build\(\) has no argument 'move_labels': move_labels is force now"):
        builder.build(tree, move_labels=True)


def test_what_another_tree_does_not_keep_is_listed(built):
    before = replace(
        editing.retire(editing.merge_labels(built, ["red lamp"], "old lamp").new, ["wet lamp"]).new,
        name="shop", must_link=(("red pump", "old pump"),), cannot_link=(("red chair", "old chair", "new chair"),),
    )  # fmt: skip
    before = editing.rename_group(editing.pin(before, ["big pump"]).new, "glove", "Gloves").new
    before = editing.move(before, ["big chair"], "Own", new_group=True).new
    assert undone(before, before) == []
    assert undone(before, built) == [
        "label 'big pump', pinned in group 'pump', would be pinned no longer",
        "the name of group 'Gloves (glove)' would be 'glove', no longer 'Gloves'",
        "group 'Gloves (glove)' would be kept no longer",
        "group 'Own' would be gone",
        "label 'big chair', pinned in group 'Own', would stand in group 'chair'",
        "must_link [red pump, old pump] would be gone",
        "cannot_link [red chair, old chair, new chair] would be gone",
        "the name of the taxonomy would be '', no longer 'shop'",
        "'red lamp' would count for 'old lamp' no longer",
        "'wet lamp' would be retired no longer",
    ]
    described = replace(built, groups=(replace(built.groups[0], labels=(Label("red lamp", "Red!", "red"),)),))
    bare = replace(built, groups=built.groups[1:], unplaced=(Label("red lamp", "red lamp"),))
    assert undone(described, bare) == [
        "group 'lamp' would be gone",
        "label 'Red! (red lamp)', pinned in group 'lamp', would stand in no group",
        "the name of label 'Red! (red lamp)' would be 'red lamp'",
        "the description of label 'Red! (red lamp)' would be ''",
    ]
    assert undone(Taxonomy(unplaced=(Label("a", "a"), Label("b", "b"))), Taxonomy(unplaced=(Label("a", "a"),))) == [
        "label 'b' would be gone"
    ]


# Random edits, by commands and by hand, with builds in between


def by_command(draw, tree):
    """Draw an edit by command; the tree itself where it is refused."""
    labels, groups = draw(st.permutations(tree.label_ids))[:4], draw(st.permutations(tree.group_ids))
    name = draw(st.sampled_from(OTHER_NAMES))
    edit = draw(st.sampled_from([
        lambda: editing.move(tree, labels[:2], groups[0]),
        lambda: editing.move(tree, labels[:3], name, new_group=True),
        lambda: editing.merge_groups(tree, groups[1:2], groups[0]),
        lambda: editing.split_off(tree, home(tree)[labels[0]], labels[:1], name),
        lambda: editing.rename_group(tree, groups[0], name),
        lambda: editing.rename_label(tree, labels[0], f"{labels[0]}!"),
        lambda: editing.merge_labels(tree, labels[:1], labels[1]),
        lambda: editing.retire(tree, labels[:1]),
        lambda: editing.add(tree, [Label("", f"added {len(tree.label_ids)}")], groups[0]),
        lambda: editing.pin(tree, labels[:2], groups[:1]),
    ]))  # fmt: skip
    try:
        return edit().new
    except TaxonomyError:
        return tree


def in_an_editor(draw, tree):
    """Draw an edit of the text: entries cut and put elsewhere, names, descriptions and settings typed in."""
    groups = list(tree.groups)
    i, j = draw(st.permutations(range(len(groups))))[:2] if len(groups) > 1 else (0, 0)
    group, other = groups[i], groups[j]
    kind = draw(
        st.sampled_from(["cut and put", "name", "describe", "limit", "freeze", "unmark", "add", "link", "order"])
    )
    if kind == "cut and put" and i != j and len(group.labels) > 1:
        groups[i], groups[j] = (
            replace(group, labels=group.labels[1:]),
            replace(other, labels=(*other.labels, group.labels[0])),
        )
    elif kind == "name":
        groups[i] = replace(group, name=f"{group.name} by hand")
    elif kind == "describe":
        groups[i] = replace(
            group, description="by hand", labels=(replace(group.labels[0], description="x"), *group.labels[1:])
        )
    elif kind == "limit":
        groups[i] = replace(group, max_size=30)
    elif kind == "freeze":
        groups[i] = replace(group, frozen_name=True)
    elif kind == "unmark":
        groups[i] = replace(group, built=False)
    elif kind == "add":
        groups[i] = replace(group, labels=(*group.labels, Label(f"typed {len(tree.label_ids)}", "typed")))
    elif kind == "order":
        groups[i] = replace(group, labels=group.labels[::-1])
    links = (tuple(label.id for label in other.labels[:2]),) if kind == "link" and len(other.labels) > 1 else ()
    try:
        return read(replace(tree, groups=tuple(groups), must_link=(*tree.must_link, *links)).to_yaml())
    except TaxonomyError:
        return tree


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_no_build_undoes_what_a_person_did(data, built):
    tree, decided = built, {}
    for _ in range(data.draw(st.integers(1, 3))):
        for edit in data.draw(st.lists(st.sampled_from([by_command, in_an_editor]), min_size=1, max_size=3)):
            before, tree = tree, edit(data.draw, tree)
            decided |= {x: g for x, g in home(tree).items() if home(before).get(x, g) != g}
            decided = {x: g for x, g in decided.items() if home(tree).get(x) == g}
        known = data.draw(st.sampled_from([None, other_groups(tree)]))
        waiting = Taxonomy(unplaced=(Label("wait", "wait"),))
        builder = TaxonomyBuilder(min_group_size=2, embed=embed, random_state=data.draw(st.integers(0, 3)))
        again = builder.build(tree.with_labels(waiting) if data.draw(st.booleans()) else tree, known)
        assert undone(tree, again) == []
        # And without a word about pins: where a person put a label, it stands, and what a person named is so named.
        assert decided.items() <= home(again).items()
        assert {called(g) for g in tree.groups if is_by_hand(g)} <= {called(g) for g in again.groups}
        tree = read(again.to_yaml())
        assert tree == again


def is_by_hand(group):
    return group.name in OTHER_NAMES or "by hand" in group.name + group.description
