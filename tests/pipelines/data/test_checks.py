"""The check: what stops comes at once with its remedy, what does not is counted in the report."""

from dataclasses import replace

import pytest

from hierarchy.errors import DataError
from hierarchy.taxonomy import Group, Label, Taxonomy
from pipelines.data import checks
from pipelines.data.checks import check_table
from pipelines.data.reading import read_documents

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(checks, "ROWS_IN_MEMORY", 3)


TAXONOMY = Taxonomy(
    groups=(
        Group("kitchen", "Kitchen", labels=(Label("kettle", "Kettles"), Label("kitchen/Other", "Other"))),
        Group("garden", "Garden", labels=(Label("hose", "Hoses"), Label("garden/Other", "Other"))),
    ),
    unplaced=(Label("灯", "灯具"),),
    retired=("samovar",),
)


def documents(*rows, group="group"):
    """Rows are (text, label) or (text, label, group)."""
    table = {
        "text": [row[0] for row in rows],
        "label": [row[1] for row in rows],
        "group": [row[2] if len(row) > 2 else None for row in rows],
    }
    return read_documents(datasets.Dataset.from_dict(table), group=group)


def test_labels_are_resolved_and_everything_odd_is_counted():
    checked = check_table(
        documents(
            ("boils water", "kettle"),  # row 0
            ("Boils  WATER", "Kettles"),  # the same text and label
            ("boils water", "hose"),  # the same text, another label
            ("", "hose"),  # empty
            ("long and green", "ＨＯＳＥ", "Garden"),  # found by folding
            ("for eggs", "Other", "kitchen"),
            ("for slugs", "Other", "garden"),
            ("bright", "灯", "garden"),  # unplaced: no group of its own yet
            ("boils quickly", "kettle", "garden"),  # the taxonomy says kitchen
            (" \n", "nonsense"),  # empty, so its label does not matter
        ),
        TAXONOMY,
    )
    assert checked.documents.labels == [
        "kettle", "kettle", "hose", "hose", "kitchen/Other", "garden/Other", "灯", "kettle",
    ]  # fmt: skip
    assert list(checked.documents.rows) == [0, 1, 2, 4, 5, 6, 7, 8]
    report = checked.report
    assert (report.documents, report.used, report.labels) == (10, 8, 5)
    assert (report.fewest, report.median, report.most) == (1, 1.0, 3)
    assert (report.empty, report.empty_rows) == (2, (3, 9))
    assert report.duplicates == 1
    assert report.conflicting == 3
    assert [(c.labels, c.rows, c.text) for c in report.conflicts] == [
        (("hose", "kettle"), (0, 1, 2), "boils water"),
    ]  # fmt: skip
    assert report.few == ("garden/Other", "hose", "kitchen/Other", "灯")
    assert report.without_documents == ()
    folded_as = "label 'Hoses (hose)' (2 documents) is also written 'ＨＯＳＥ' (1): taken for one"
    assert (report.folded, report.folded_as) == (1, (folded_as,))
    elsewhere = "'Kettles (kettle)' in 'garden', not 'Kitchen (kitchen)'"
    assert (report.group_mismatches, report.mismatched) == (1, (elsewhere,))
    assert report.conflicts[0].rows == (0, 1, 2)
    few = "4 labels with 1 or 2 documents: garden/Other, hose, kitchen/Other, 灯"
    told = report.lines(training=True)
    assert report.lines() == [line for line in told if line != few]  # of validation and test documents it says nothing
    assert told == [
        "8 documents in 5 labels (documents a label: 1 to 3, median 1)",
        "2 empty documents left out (rows 3, 9)",
        "1 document that repeats an earlier one and its label (kept)",
        "3 documents whose text also has another label (kept):",
        "  rows 0, 1, 2: hose, kettle: 'boils water'",
        few,
        folded_as,
        f"1 document in another group than in the taxonomy, which decides: {elsewhere}",
    ]
    named = report.lines(TAXONOMY, training=True)
    assert named[4] == "  rows 0, 1, 2: Hoses (hose), Kettles (kettle): 'boils water'"
    assert "Other (garden/Other), Hoses (hose)" in named[5]


def test_clean_data_has_one_line_and_keeps_its_table():
    table = documents(*((f"text {i}", "kettle") for i in range(1200)))
    checked = check_table(table, TAXONOMY)
    assert checked.documents.texts.source is table  # nothing is copied
    assert checked.report.without_documents == ("kitchen/Other", "hose", "garden/Other", "灯")
    assert checked.report.lines() == [
        "1,200 documents in 1 label (documents a label: 1,200 to 1,200, median 1,200)",
        "4 labels without documents: kitchen/Other, hose, garden/Other, 灯",
    ]


def test_without_a_taxonomy_labels_that_fold_alike_are_one():
    rows = documents(("a", "007"), ("b", "7"), ("c", " 7"), ("d", "\u00a0７"), ("e", "7"), ("f", "x"), group=None)
    checked = check_table(rows)
    assert checked.documents.labels == ["007", "7", "7", "7", "7", "x"]
    assert checked.report.without_documents == ()
    assert checked.report.folded == 2
    assert checked.report.folded_as == (
        "label '7' (4 documents) is also written ' 7' (1), '\\xa0７' (1): taken for one",
    )
    kept = check_table(rows, merge_spellings=False)
    assert kept.documents.labels == ["007", "7", " 7", "\u00a0７", "7", "x"]
    assert kept.report.folded_as == ()


def test_later_documents_take_the_spelling_that_is_known():
    checked = check_table(documents(("a", "HOSE "), ("b", "HOSE "), ("c", "new")), known={"hose", "kettle"})
    assert checked.documents.labels == ["hose", "hose", "new"]


def test_many_spellings_are_capped():
    rows = [("x", label) for i in range(13) for label in (f"l{i}", f"L{i}")]
    lines = check_table(documents(*rows, group=None)).report.lines()
    assert sum("taken for one" in line for line in lines) == 10
    assert lines[-1] == "and 3 more labels written in several ways"


def test_a_tree_that_holds_both_spellings_keeps_both():
    tree = Taxonomy(unplaced=(Label("us", "us"), Label("US", "US"), Label("L1", "Ａ b"), Label("L2", "a b")))
    checked = check_table(documents(("a", "us"), ("b", "US"), ("c", "Ａ b"), ("d", "a b")), tree)
    assert checked.documents.labels == ["us", "US", "L1", "L2"]
    assert checked.report.folded == 0
    with pytest.raises(DataError, match=r"label 'Us' \(1 document, .*fits several that differ in case.*: us, US"):
        check_table(documents(("a", "Us")), tree)


def test_everything_that_stops_comes_at_once():
    rows = [
        ("x", None),
        ("x", " "),
        ("x", "Other"),
        ("x", "Other", "cellar"),
        ("x", "Ketles"),
        ("x", "Ketles", "b"),
    ]
    rows += [("x", "zzzz"), ("x", "samovar"), ("x", "kettle")]
    table = documents(*rows).to_list()
    table[-1] |= {"label": '["kettle", "hose"]', "label_count": 2}
    with pytest.raises(DataError) as caught:
        check_table(datasets.Dataset.from_list(table), TAXONOMY, where="train.csv")
    assert caught.value.problems == [
        "2 documents without a label (rows 0, 1); give each one, or take it out",
        "1 document with several labels (rows 8: kettle + hose); one label a document is predicted: keep one of them",
        "label 'Other' (1 document, first in row 2) stands under several groups; "
        "name the group column with group=..., or write the id: kitchen/Other, garden/Other",
        "label 'Other' (1 document, first in row 3) stands under several groups, "
        "of which the data's group 'cellar' is none; "
        "name the group column with group=..., or write the id: kitchen/Other, garden/Other",
        "label 'Ketles' (2 documents, first in row 4) is not in the taxonomy; nearest: 'Kettles (kettle)'",
        "label 'zzzz' (1 document, first in row 6) is not in the taxonomy; nothing in it is alike: add it to the "
        "taxonomy, or take it out",
    ]
    assert str(caught.value).startswith("train.csv: 6 problems\n")


def test_documents_of_merged_and_retired_labels_are_counted():
    tree = replace(TAXONOMY, merged_into={"pot": "kettle", "Pots": "kettle", "kitchen/Rest": "hose"})
    rows = [
        ("a", "pot", "cellar"), ("b", "POTS"), ("c", "kettle"), ("d", "samovar"), ("", "samovar"), ("", "pot"),
        ("e", "Rest", "kitchen"), ("a", "kettle"),
    ]  # fmt: skip
    checked = check_table(documents(*rows), tree)
    assert list(checked.documents.labels) == ["kettle", "kettle", "kettle", "hose", "kettle"]
    assert checked.documents.rows.tolist() == [0, 1, 2, 6, 7]
    report = checked.report
    assert (report.merged, report.retired, report.duplicates, report.folded, report.group_mismatches) == (3, 1, 1, 0, 0)
    assert report.lines(tree)[1:4] == [
        "3 documents whose label was merged, counted for its heir: 'pot' for 'Kettles (kettle)' (1), 'POTS' for "
        "'Kettles (kettle)' (1), 'Rest' for 'Hoses (hose)' (1)",
        "1 document whose label was retired, left out: 'samovar' (1)",
        "2 empty documents left out (rows 4, 5)",
    ]
    kept = check_table(documents(*rows), tree, keep_empty=True)
    assert (len(kept.documents), kept.report.retired) == (6, 2)
    assert "2 empty documents kept (rows 4, 5)" in kept.report.lines()
    with pytest.raises(DataError, match="no document is left: all have labels that the taxonomy retired"):
        check_table(documents(("a", "samovar")), tree)


def test_many_unknown_labels_are_counted_the_commonest_shown():
    rows = [("x", f"unknown {i}") for i in range(25)] + [("x", "unknown 24")]
    with pytest.raises(DataError) as caught:
        check_table(documents(*rows), TAXONOMY)
    assert len(caught.value.problems) == 15
    assert caught.value.problems[0].startswith("label 'unknown 24' (2 documents, first in row 24)")
    assert caught.value.problems[-1] == "11 more (11 documents) that the taxonomy lacks"


def test_nothing_left_and_no_labels():
    with pytest.raises(DataError, match="no document is left: 2 documents read, all without text"):
        check_table(documents(("", "kettle"), (" ", "hose")), TAXONOMY)
    with pytest.raises(DataError, match="read without labels"):
        check_table(datasets.Dataset.from_dict({"text": ["a"]}), TAXONOMY)


def test_an_evaluation_keeps_empty_documents():
    checked = check_table(documents(("", "kettle"), ("", "hose"), ("a", "hose")), TAXONOMY, keep_empty=True)
    assert checked.documents.labels == ["kettle", "hose", "hose"]
    assert (checked.report.empty, checked.report.conflicting) == (2, 0)
    assert checked.report.lines()[1] == "2 empty documents kept (rows 0, 1)"


def test_labels_read_from_a_file_with_several_in_a_cell(tmp_path):
    (tmp_path / "d.jsonl").write_text(
        '{"text": "a", "label": ["kettle"]}\n{"text": "b", "label": ["kettle", "hose"]}\n', encoding="utf-8"
    )
    table = read_documents(tmp_path / "d.jsonl", cache_dir=tmp_path / "cache")
    with pytest.raises(DataError, match=r"1 document with several labels \(rows 2: kettle \+ hose\)"):
        check_table(table, TAXONOMY)
