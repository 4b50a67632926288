"""Labels and groups that fold alike are one, and the log says so."""

import logging

import pytest

from hierarchy.matching import one_spelling, spelling_lines
from hierarchy.taxonomy import Taxonomy

ALIKE = {
    "trailing blank": "refund ",
    "case": "REFUND",
    "no-break space": "\u00a0refund",
    "tab": "refund\t",
    "full width": "ｒｅｆｕｎｄ",
    "ideographic space": "\u3000refund",
    "newline": "refund\n",
    "blank without width": "refund\u200b",
    "mark of byte order": "\ufeffrefund",
    "soft hyphen": "re\u00adfund",
    "mark of direction": "refund\u200e",
}


@pytest.mark.parametrize("other", ALIKE.values(), ids=list(ALIKE))
def test_the_commonest_spelling_without_blanks_around_it_is_chosen(other):
    assert one_spelling({"refund": 3, other: 2}) == {"refund": "refund", other: "refund"}
    assert one_spelling({other: 9, "refund": 1}) == dict.fromkeys((other, "refund"), other.strip())
    assert one_spelling({other: 1}) == {other: other.strip()}


def test_other_ways_of_being_alike():
    assert one_spelling({"cafe\u0301": 2, "caf\u00e9": 1, "cafe": 1}) == {
        "cafe\u0301": "cafe\u0301", "caf\u00e9": "cafe\u0301", "cafe": "cafe",
    }  # fmt: skip
    assert one_spelling({"Ａ類": 1, "a類": 2, "A 類": 1}) == {"Ａ類": "a類", "a類": "a類", "A 類": "A 類"}
    assert one_spelling({"Straße": 1, "STRASSE": 2}) == dict.fromkeys(("Straße", "STRASSE"), "STRASSE")
    assert one_spelling({"credit  card": 1, "credit card": 1}) == dict.fromkeys(
        ("credit  card", "credit card"), "credit  card"
    )


def test_joiners_that_make_another_sign_divide():
    family, crew = "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f468\U0001f469\U0001f467"
    assert len(set(one_spelling({family: 1, crew: 1}).values())) == 2
    assert len(set(one_spelling({"\u2764\ufe0f": 1, "\u2764": 1}).values())) == 1  # one heart, drawn in two ways


def test_blanks_do_not_divide_what_is_common():
    counts = {"Refund": 3, "refund": 2, "refund ": 2, " refund": 2}
    assert set(one_spelling(counts).values()) == {"refund"}


def test_of_equally_common_ones_the_first_in_order():
    assert set(one_spelling({"b": 2, "B": 2}).values()) == {"B"}
    assert one_spelling({"B": 2, "b": 2}) == one_spelling({"b": 2, "B": 2})


def test_a_known_spelling_is_taken_over():
    assert one_spelling({"HOSE": 5, "hose ": 1, "new": 1}, {"hose"}) == {"HOSE": "hose", "hose ": "hose", "new": "new"}


def test_lines_have_counts_and_name_few():
    written = [("refund", "refund", 6), ("refund", "refund ", 4), ("refund", "REFUND", 8), ("size", "size", 90)]
    assert spelling_lines("label", written) == [
        "label 'refund' (18 documents) is also written 'REFUND' (8), 'refund ' (4): taken for one"
    ]
    assert spelling_lines("label", [("refund", " refund", 3)]) == [
        "label 'refund' (3 documents) is written ' refund' (3): taken for one"
    ]
    (line,) = spelling_lines("group", [("a", "a" + " " * i, 1) for i in range(14)])
    assert line.endswith("and in 3 more ways: taken for one")


def test_a_tree_from_data_merges_labels_and_groups_and_tells(caplog):
    labels = ["refund", "refund ", "Size", "size", "size"]
    groups = ["Money", "MONEY", "Goods", "Ｇoods", "Goods"]
    with caplog.at_level(logging.WARNING):
        made = Taxonomy.from_data(labels, groups)
    assert made == Taxonomy.from_data(["refund", "size"], ["MONEY", "Goods"])
    assert caplog.messages == [
        "label 'size' (3 documents) is also written 'Size' (1): taken for one",
        "label 'refund' (2 documents) is also written 'refund ' (1): taken for one",
        "group 'Goods' (3 documents) is also written 'Ｇoods' (1): taken for one",
        "group 'MONEY' (2 documents) is also written 'Money' (1): taken for one",
    ]


def test_many_are_capped(caplog):
    labels = [way.format(i) for i in range(12) for way in ("label {}", "LABEL {}", "label {}")]
    with caplog.at_level(logging.WARNING):
        assert len(Taxonomy.from_data(labels).unplaced) == 12
    assert len(caplog.messages) == 11
    assert caplog.messages[-1] == "and 2 more labels written in several ways"


def test_a_switch_keeps_them_apart(caplog):
    labels, groups = ["refund", "refund ", "REFUND"], ["Money", "money", "Money"]
    with caplog.at_level(logging.WARNING):
        made = Taxonomy.from_data(labels, groups, merge_spellings=False)
    assert sorted(made.label_ids) == sorted(labels)
    assert made.group_ids == ("Money", "money")
    assert caplog.messages == []


def test_ids_of_group_and_name_hold_with_merged_groups():
    made = Taxonomy.from_data(["Other", "other", "Other", "other "], ["Money", "money ", "Goods", "GOODS"])
    assert made.label_ids == ("GOODS/Other", "Money/Other")
    assert made.resolve("OTHER", " MONEY") == "Money/Other"
    assert made.resolve("other", "goods") == "GOODS/Other"
