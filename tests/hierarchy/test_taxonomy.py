"""Taxonomy: index arrays, equality, data columns, the public names of the package."""

import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

import hierarchy
from hierarchy import Group, Label, Taxonomy, TaxonomyError

TREE = Taxonomy(
    groups=(
        Group(
            "k",
            "Kitchen",
            labels=(Label("espresso", "Espresso machines", "pump and capsule"), Label("kettle", "Kettles")),
        ),
        Group("g", "Garden", labels=(Label("hose", "Hoses"),)),
    ),
    unplaced=(Label("saw", "Saws"),),
)


def test_public_names():
    assert set(hierarchy.__all__) == {
        "ArtifactError", "BusyError", "CoarsefineError", "ConfigError", "DataError", "EncoderError", "Group", "Label",
        "MissingLibraryError", "Taxonomy", "TaxonomyBuilder", "TaxonomyError",
    }  # fmt: skip
    assert all(getattr(hierarchy, name) for name in hierarchy.__all__)
    with pytest.raises(AttributeError, match="no attribute 'TaxonomyBilder'"):
        _ = hierarchy.TaxonomyBilder


def test_import_is_light():
    code = (
        "import sys, hierarchy; "
        "print([m for m in ('torch', 'sklearn', 'scipy', 'transformers', 'sentence_transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_index_arrays():
    assert TREE.label_ids == ("espresso", "kettle", "hose")
    assert TREE.group_ids == ("k", "g")
    assert TREE.group_of.tolist() == [0, 0, 1]
    assert TREE.group_of.dtype == np.int64
    assert TREE.offsets.tolist() == [0, 2, 3]
    assert TREE.label_index("hose") == 2
    assert TREE.group_index("g") == 1
    assert TREE.labels[0].text == "Espresso machines: pump and capsule"
    assert TREE.labels[1].text == "Kettles"


def test_unplaced_only_has_empty_arrays():
    bare = Taxonomy(unplaced=(Label("a", "a"),))
    assert bare.labels == ()
    assert bare.group_of.shape == (0,)
    assert bare.offsets.tolist() == [0]


def test_frozen_and_equal():
    with pytest.raises(FrozenInstanceError):
        TREE.name = "other"  # type: ignore[misc]
    assert TREE.labels  # derived values do not take part in equality
    assert replace(TREE) == TREE
    assert hash(replace(TREE)) == hash(TREE)


def test_index_errors_name_the_nearest():
    with pytest.raises(TaxonomyError, match=r"no label 'kettel'; nearest: 'Kettles \(kettle\)'"):
        TREE.label_index("kettel")
    with pytest.raises(TaxonomyError, match=r"'Saws \(saw\)' stands in no group yet"):
        TREE.label_index("saw")
    with pytest.raises(TaxonomyError, match=r"no group 'Gardens'; nearest: 'Garden \(g\)'"):
        TREE.group_index("Gardens")


def test_from_data_ignores_the_order_of_documents():
    targets = ["b", "a", "c", "a", "Other", "Other", "late"]
    groups = ["Two", "One", "Two", "One", "One", "Two", None]
    made = Taxonomy.from_data(targets, groups)
    assert made.group_ids == ("One", "Two")
    assert made.label_ids == ("One/Other", "a", "Two/Other", "b", "c")
    assert [label.id for label in made.unplaced] == ["late"]
    order = [6, 3, 1, 0, 5, 4, 2]
    assert Taxonomy.from_data([targets[i] for i in order], [groups[i] for i in order]) == made


def test_from_data_takes_a_group_from_any_document():
    made = Taxonomy.from_data(["a", "a", "b"], [float("nan"), "G", ""])
    assert made.label_ids == ("a",)
    assert [label.id for label in made.unplaced] == ["b"]
    assert len(Taxonomy.from_data(["x", "y", "x"]).unplaced) == 2


def test_from_data_refuses_what_is_no_text():
    with pytest.raises(TaxonomyError, match=r"2 targets are no text \(first in row 1: 7, int\)"):
        Taxonomy.from_data(["a", 7, 8])  # type: ignore[list-item]
    with pytest.raises(TaxonomyError, match=r"1 targets are empty \(first in row 1\); give each document a label"):
        Taxonomy.from_data(["a", " "])
    with pytest.raises(TaxonomyError, match="2 targets but 1 groups"):
        Taxonomy.from_data(["a", "b"], ["g"])


def test_from_data_takes_whole_numbers():
    expected = Taxonomy.from_data(["7", "8", "9"], ["0", "0", None])
    assert Taxonomy.from_data([7, 8, 9], [0, 0, None]) == expected
    assert Taxonomy.from_data(np.array([7, 8, 9]), ["0", "0", ""]) == expected


def test_from_data_explains_a_made_id_that_meets_a_label():
    met = "label id 'A/x' is used twice: label 'x' of group 'A' gets it, since .* in several places; rename one of them"
    for groups in (["A", "B", "B"], ["A", "B", None], ["A", "B", "A"]):
        with pytest.raises(TaxonomyError, match=met):
            Taxonomy.from_data(["x", "x", "A/x"], groups)
    with pytest.raises(TaxonomyError, match="label id 'A/B/x' is used twice: label 'x' of group 'A/B' gets it"):
        Taxonomy.from_data(["B/x", "x", "B/x", "x"], ["A", "A/B", "C", "C"])


def test_trees_made_in_python_are_checked_too():
    with pytest.raises(TaxonomyError) as caught:
        Taxonomy(
            groups=(
                Group("g", "G", labels=(Label("a", "A"), Label("a", "B"))),
                Group("g", "H"),
                Group("n", "N", labels=(Label("s", "\ud800"),)),
            ),
            must_link=(("a", "zz"),),
            retired=("a",),
        )
    text = str(caught.value)
    for part in ("label id 'a' is used twice", "group id 'g' is used twice", "group 'H (g)' is empty", "names 'zz'",
                 "'a' is retired", "half a character"):  # fmt: skip
        assert part in text
    assert len(caught.value.problems) >= 6
    with pytest.raises(TaxonomyError, match="is a int; write it as text"):
        Taxonomy(unplaced=(Label("x", 3),))  # type: ignore[arg-type]


def test_labels_of_another_tree_join_unplaced():
    other = Taxonomy(groups=(Group("x", "X", labels=(Label("hose", "Other hoses"), Label("rake", "Rakes"))),))
    assert TREE.with_labels(other) == replace(TREE, unplaced=(Label("saw", "Saws"), Label("rake", "Rakes")))
    assert TREE.with_labels(TREE) == TREE
