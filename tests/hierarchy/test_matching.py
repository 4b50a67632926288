"""What a data file's label string means."""

from hypothesis import given
from hypothesis import strategies as st

from hierarchy import Group, Label, Taxonomy
from hierarchy.matching import match_key

TREE = Taxonomy(
    groups=(
        Group(
            "k",
            "Kitchen",
            labels=(Label("espresso", "Espresso machines"), Label("k/other", "Other"), Label("dup1", "Same")),
        ),
        Group("Garden", "Garden", labels=(Label("Other", "Other"), Label("dup2", "same"), Label("咖啡", "咖啡机"))),
    ),
    unplaced=(Label("saw", "Saws"),),
)


def test_order_of_rules():
    assert TREE.resolve("espresso") == "espresso"
    assert TREE.resolve("Espresso machines") == "espresso"
    assert TREE.resolve("  ESPRESSO   Machines ") == "espresso"
    assert TREE.resolve("Ｅspresso") == "espresso"
    assert TREE.resolve("saws") == "saw"
    assert TREE.resolve("咖啡机") == "咖啡"
    assert TREE.resolve("toaster") is None
    assert TREE.resolve("") is None


def test_an_exact_id_comes_before_an_ambiguous_name():
    assert TREE.resolve("Other") == "Other"
    assert TREE.resolve("Same") == "dup1"  # the exact name is unique, the folded one is not
    assert TREE.resolve("SAME") is None


def test_a_path_from_the_group_down_is_found_last():
    tree = Taxonomy((
        Group("Pets > Supplies", "Supplies", labels=(Label("Birds > Cages", "Cages"), Label("Fish", "Fish"))),
        Group("Pets > Desks", "Desks", labels=(Label("Desks", "Desks"),)),
        Group("Gifts", "Gifts", labels=(Label("A > B", "A > B"), Label("Fish > Food", "Food"))),
    ))  # fmt: skip
    assert tree.resolve("Pets > Supplies > Birds > Cages") == "Birds > Cages"
    assert tree.resolve("pets > supplies > fish") == tree.resolve("Supplies / Fish") == "Fish"
    assert tree.resolve("Gifts>A > B") == tree.resolve("A > B") == "A > B"
    assert tree.resolve("Pets > Supplies > Dogs > Cages") is None
    assert tree.resolve("Pets > Desks") == tree.resolve("pets > desks") == "Desks"
    assert tree.resolve("Pets > Supplies") is None
    assert tree.resolve(" > Fish") is None


def test_the_pair_decides():
    assert TREE.resolve("Other", "Kitchen") == "k/other"
    assert TREE.resolve("other", "k") == "k/other"
    assert TREE.resolve("SAME", "garden") == "dup2"
    assert TREE.resolve("espresso", "Garden") == "espresso"  # the taxonomy knows better
    assert TREE.resolve("espresso", "no such group") == "espresso"


def test_nearest():
    assert TREE.nearest("espreso")[0] == "espresso"
    assert TREE.nearest("expresso machine")[0] == "espresso"
    assert TREE.nearest("咖啡")[0] == "咖啡"
    assert TREE.nearest("zzzzqqq") == []
    assert len(TREE.nearest("same", n=1)) == 1


@given(st.text())
def test_folding_twice_changes_nothing(text):
    assert match_key(match_key(text)) == match_key(text)
