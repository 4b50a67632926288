"""Files of edits: what a line is, and how edits are made, all or none."""

import shlex
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hierarchy import Group, Label, Taxonomy, TaxonomyError
from hierarchy.editing import edits
from hierarchy.editing.edit_files import MARK, all_or_none, read_edits, tree_mark
from hierarchy.editing.patching import patched


def tree(**more):
    kitchen, garden = tuple(Label(x, x) for x in "abc"), tuple(Label(x, x) for x in "xyz")
    return Taxonomy((Group("Kitchen", "Kitchen", labels=kitchen), Group("Garden", "Garden", labels=garden)), **more)


TREE = tree()


@pytest.fixture
def lines(tmp_path):
    def read(text):
        place = tmp_path / "edits.txt"
        place.write_bytes(text.encode())
        return dict(read_edits(place).lines)

    return read


def test_lines_comments_and_blanks(lines, tmp_path):
    assert lines('\n# Owner\'s note: "\nmove a --to B\r\n \t\n  # no edit\nmove C# --to "#1"') == {
        3: "move a --to B\r",
        6: 'move C# --to "#1"',
    }
    (tmp_path / "edits.txt").write_text(f"\ufeff# a\n{MARK}5f1c09a2b7e4 \nretire a\n", encoding="utf-8")
    assert read_edits(tmp_path / "edits.txt").mark == "5f1c09a2b7e4"


def test_a_quoted_name_may_break_over_lines(lines):
    assert lines('move "a\n# b" --to "c\n\nd"\nretire e') == {1: 'move "a\n# b" --to "c\n\nd"', 5: "retire e"}
    assert lines("rename a Driver's\nretire e\nretire f") == {1: "rename a Driver's", 2: "retire e", 3: "retire f"}


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=4), min_size=1, max_size=4))
@example([["#", "a\nb", 'c"d', "e'f", "\\", "\u202e", ""]])
def test_whatever_is_quoted_is_read(tmp_path_factory, words):
    file = tmp_path_factory.getbasetemp() / "quoted.txt"
    file.write_bytes("".join(f"{shlex.join(['move', *line])}\n" for line in words).encode())
    assert [shlex.split(line) for line in read_edits(file).lines.values()] == [["move", *line] for line in words]


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment", f"{MARK}123"])
def test_no_edit(lines, text):
    with pytest.raises(TaxonomyError, match="there is no edit in it; write one a line"):
        lines(text)


def test_the_mark_tells_trees_apart():
    assert tree_mark(TREE) == tree_mark(tree())
    marks = [tree_mark(edits.move(TREE, ["a"], "Garden").new), tree_mark(edits.rename_group(TREE, "Garden", "G").new)]
    assert len({tree_mark(TREE), *marks}) == 3


def test_each_edit_is_made_in_the_tree_of_the_last():
    made = all_or_none(
        TREE,
        {
            1: partial(edits.move, labels=["a"], group="New", new_group=True),
            2: partial(edits.rename_group, group="New", name="Newer"),
            3: partial(edits.move, labels=["b"], group="Newer"),
            4: partial(edits.merge_labels, sources=["x"], target="y"),
        },
    )
    assert made.old == TREE
    assert made.new.homes == {"c": "Kitchen", "y": "Garden", "z": "Garden", "a": "New", "b": "New"}
    assert made.new.group_names["New"] == "Newer (New)"


def test_what_the_tree_does_not_take_yet_waits_for_the_others():
    full = Taxonomy(tuple(Group(g.id, g.name, labels=g.labels, min_size=3, max_size=4) for g in TREE.groups))
    with pytest.raises(TaxonomyError, match="min_size 3"):
        edits.move(full, ["a"], "Garden")
    grown = edits.add(full, [Label("", "d")], "Kitchen").new
    swapped = {
        5: partial(edits.move, labels=["x"], group="Kitchen"),
        6: partial(edits.move, labels=["a"], group="Garden"),
    }
    assert all_or_none(grown, swapped).new.homes["x"] == "Kitchen"
    apart = tree(cannot_link=(("a", "x"),))
    away = partial(edits.move, labels=["x"], group="Shed", new_group=True)
    assert all_or_none(apart, {1: swapped[6], 2: away}).new.homes["a"] == "Garden"


def test_all_that_is_wrong_comes_at_once_and_nothing_is_made():
    with pytest.raises(TaxonomyError) as raised:
        all_or_none(
            TREE,
            {
                3: partial(edits.move, labels=["nobody"], group="nowhere"),
                4: partial(edits.move, labels=["a"], group="Garden"),
                9: partial(edits.retire, labels=["q"]),
            },
        )
    assert [problem.split(";")[0] for problem in raised.value.problems] == [
        "line 3: there is no label 'nobody'",
        "line 3: there is no group 'nowhere'",
        "line 9: there is no label 'q'",
    ]


MOVES = st.tuples(st.just(edits.move), st.sampled_from("abcxyz"), st.sampled_from(("Kitchen", "Garden")))
RENAMES = st.tuples(st.just(edits.rename_label), st.sampled_from("abcxyz"), st.sampled_from(("new", 'other "#"')))


@given(st.lists(st.one_of(MOVES, RENAMES), min_size=1, max_size=8))
@example([(edits.move, "a", "Garden"), (edits.move, "a", "Kitchen")])
def test_what_is_made_can_be_brought_into_the_file(steps):
    calls = {i: lambda now, f=f, x=x, to=to: f(now, [x] if f is edits.move else x, to) for i, (f, x, to) in
             enumerate(steps)}  # fmt: skip
    text = "Kitchen: [a, b, c]  # one\nGarden: [x, y, z]\n"
    try:
        made = all_or_none(TREE, calls)
    except TaxonomyError:
        return
    changed = patched(text, made.new)
    assert "# one" in changed or "Kitchen" not in made.new.group_ids
    last = {x: to for f, x, to in steps if f is edits.move}
    assert {x: made.new.homes[x] for x in last} == last or set(made.new.group_ids) != set(TREE.group_ids)
