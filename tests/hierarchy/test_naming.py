"""Names of groups: readable, unique, in the members' own words."""

import re

import numpy as np

from hierarchy import Label
from hierarchy.naming import group_names


def names(*groups, taken=()):
    labels = [[Label(x, x) for x in group] for group in groups]
    return group_names(labels, [np.ones(len(group)) for group in groups], taken=taken)


def test_shared_words_name_a_group():
    coffee, hoses = ["Coffee Grinders", "Coffee Filters", "Coffee Makers"], ["Garden Hoses", "Rubber Hoses", "Hoses"]
    assert names(coffee, hoses) == [
        "Coffee",
        "Hoses",
    ]
    assert names(["Baby Strollers", "Stroller Bags", "Car Seats", "Booster Seats"]) == ["Seats & Strollers"]


def test_plurals_are_one_word_and_the_plural_is_shown():
    assert names(["Camera", "Film Cameras", "Trail Cameras"]) == ["Cameras"]
    assert names(["Batteries", "Car Battery", "Spare Battery"]) == ["Batteries"]


def test_words_like_supplies_complete_a_name_but_make_none():
    assert names(["Bird Supplies", "Cat Supplies", "Dog Supplies"]) == ["Bird & Cat Supplies"]
    assert "Accessories" not in names(["Radio Accessories", "Modem Accessories", "Antenna"])


def test_chinese():
    assert names(["宠物玩具", "宠物食品", "宠物围栏"], ["手套", "安全手套", "正装手套"]) == ["宠物", "手套"]
    assert names(["冰球用品", "台球用品", "足球用品"], ["沙发", "双人沙发", "书柜", "电视书柜"]) == [
        "球用品",
        "书柜与沙发",
    ]


def test_intents_in_snake_case_read_as_words():
    name = names(["credit_limit", "credit_score", "credit_card"], ["book_flight", "flight_status"])
    assert name == ["Credit", "Flight"]


def test_names_are_unique_whatever_the_labels():
    found = names(["Other"], ["Other"], ["other"], ["Other", "Other"], taken=["OTHER"])
    assert len({name.lower() for name in found}) == 4
    assert "other" not in {name.lower() for name in found}
    assert names(["!!!"], ["???"], ["123", "456"], ["of", "the"])


def test_no_name_is_a_number_of_a_cluster(shared_taxonomy):
    for name in ("google_en/taxonomy_600.json", "google_zh/taxonomy_600.json"):
        tree = shared_taxonomy(name)
        groups: dict[str, list[str]] = {}
        for label, group in tree.items():
            groups.setdefault(group, []).append(label)
        found = names(*groups.values())
        assert len(set(found)) == len(groups)
        assert not any(re.search(r"(?i)cluster|group|\d$", x) for x in found)
        assert max(len(x) for x in found) < 60


def test_the_same_names_again():
    groups = (["red lamp", "blue lamp"], ["steel chair", "oak chair"], ["red pump", "oak pump"])
    assert names(*groups) == names(*groups)
