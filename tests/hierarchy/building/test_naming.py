"""Names of groups: readable, unique, in the members' own words, and about all of the group."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hierarchy import Label
from hierarchy.building.naming import group_names, telling_words


def names(*groups, taken=(), words=None):
    labels = [[Label(x, x) for x in group] for group in groups]
    return group_names(labels, [np.ones(len(group)) for group in groups], taken=taken, words=words)


def test_shared_words_name_a_group():
    coffee, hoses = ["Coffee Grinders", "Coffee Filters", "Coffee Makers"], ["Garden Hoses", "Rubber Hoses", "Hoses"]
    assert names(coffee, hoses) == ["Coffee", "Hoses"]
    assert names(["Baby Strollers", "Stroller Bags", "Car Seats", "Booster Seats"]) == ["Seats & Strollers"]


def test_a_word_of_many_members_comes_before_a_run_of_words_of_few():
    deposits = [
        "Tenancy deposit not returned",
        "Deposit kept for damage",
        "Rental deposit scam",
        "Deposit paid to a money mule",
        "Money mule took the deposit",
    ]
    flights = [
        "Flight cancelled",
        "Long flight delay",
        "Assistance for a disabled passenger failed",
        "Search of a passenger failed",
        "Airline lost a suitcase",
        "Refund by the airline",
    ]
    assert names(deposits, flights) == ["Deposit", "Airline & flight"]


def test_words_that_always_stand_together_stay_together():
    attacks = ["Brute Force", "Brute Force: Password Cracking", "Brute Force: Password Spraying"]
    files = ["Command and Scripting Interpreter: Lua", "Command and Scripting Interpreter: Python", "Web Shell"]
    assert names(attacks, files) == ["Brute Force", "Command and Scripting Interpreter"]
    assert names(["top_up_failed", "top_up_limits", "verify_top_up"]) == ["Top up"]


def test_parts_of_a_name_cover_what_the_others_leave():
    group = ["Red lamp", "Oak lamp", "Tall lamp", "Red chair", "Oak chair", "Tall chair", "Steel lamp shade"]
    assert names(group, ["Steel pump", "Red pump"])[0] == "Lamp & chair"


@given(st.lists(st.integers(2, 9), min_size=2, max_size=3, unique=True), st.integers(0, 9))
@settings(deadline=None)
def test_the_first_word_covers_most(sizes, seed):
    things = ["kettle", "glove", "anchor"]
    made = [f"{chr(97 + i) * 5} {things[t]}" for t, size in enumerate(sizes) for i in range(size)]
    group = [made[i] for i in np.random.default_rng(seed).permutation(len(made))]
    (name,) = names(group)
    assert things[int(np.argmax(sizes))] in re.split(r"\W+", name.lower())


def test_things_come_before_what_happens_to_them():
    visas = ["Visa refused", "Spouse visa refused", "Visitor visa", "Permit refused", "Visa for a child"]
    assert names(visas, ["Claim refused", "Loan refused"])[0] == "Visa"
    late = ["Transfer delayed", "Delay of a parcel", "Operation delayed", "Long delay"]
    assert names(late, ["Parcel lost", "Operation failed"])[0] == "Delay"


def test_plurals_are_one_word_and_the_plural_is_shown():
    assert names(["Camera", "Film Cameras", "Trail Cameras"]) == ["Cameras"]
    assert names(["Batteries", "Car Battery", "Spare Battery"]) == ["Batteries"]


def test_words_like_supplies_complete_a_name():
    assert names(["Bird Supplies", "Cat Supplies", "Dog Supplies"]) == ["Bird & Cat Supplies"]
    assert names(["Radio Accessories", "Radio Masts", "Modem Accessories", "Radio"]) == ["Radio"]


def test_chinese():
    assert names(["宠物玩具", "宠物食品", "宠物围栏"], ["手套", "安全手套", "正装手套"]) == ["宠物", "手套"]
    balls, furniture = ["冰球用品", "台球用品", "足球用品"], ["沙发", "双人沙发", "书柜", "电视书柜"]
    assert names(balls, furniture) == ["球类用品", "书柜与沙发"]
    shoes = ["婚鞋", "牛津鞋", "懒汉鞋", "高跟鞋"]
    assert names(shoes) == ["鞋类"]
    assert names(["職業訓練", "技能訓練", "國民體育", "學校體育"]) == ["訓練與體育"]


def test_codes_and_snake_case_read_as_words():
    cards, flights = ["card_payment_fee_charged", "card_payment", "declined_card_payment"], ["book_flight", "my_flight"]
    assert names(cards, flights) == ["Card payment", "Flight"]
    shells = ["T1059.001 PowerShell", "T1059.003 Command Shell", "T1059.004 Unix Shell", "T1059.005 Web Shell"]
    assert names(shells) == ["Shell"]
    assert names(["T1113 Screens", "T1560 Archives"]) == ["Screens & Archives"]


def test_documents_name_what_labels_do_not():
    texts = [
        "my tire is flat",
        "a flat tire again",
        "the tire lost air",
        "send money to my bank",
        "the bank has my money",
    ]
    words = telling_words(texts, [0, 0, 0, 1, 1], 2)
    assert next(iter(words[0])) == "tire"
    assert words[0]["tire"] == 1.0 > words[0]["flat"] > 0
    assert list(words[1]) == ["bank", "money"]
    assert names(["L1", "L2", "L3"], ["L4", "L5"], words=words) == ["Tire & Flat", "Bank & Money"]


def test_words_of_documents_that_labels_use_go_before_others():
    words = [{"him": 1.0, "garage": 0.6, "came": 0.5}, {"bank": 1.0}]
    labels = ["Flat tire", "Broken mirror", "Engine noise"], ["Lost card", "Bank closed", "Garage loan refused"]
    assert names(*labels, words=words)[0] == "Garage"
    assert "Him" in names(labels[0], labels[1][:2], words=words)[0]  # no label says any of them
    # Words of names stay first where they cover the group.
    assert names(["Wheel one", "Wheel two"], ["Loan one", "Loan two"], words=words) == ["Wheel", "Loan"]


def test_telling_words_of_other_scripts_and_of_nothing():
    texts = ["我的手机坏了", "手机没有信号", "房东不退押金", "押金被房东扣了", "!!!"]
    words = telling_words(texts, [0, 0, 1, 1, -1], 3)
    assert "手机" in words[0]
    assert {"押金", "房东"} <= set(words[1])
    assert words[2] == {}
    assert telling_words(["!!!"], [0], 1) == [{}]
    assert telling_words([], [], 2) == [{}, {}]


def test_names_are_unique_whatever_the_labels():
    found = names(["Other"], ["Other"], ["other"], ["Other", "Other"], taken=["OTHER"])
    assert len({name.lower() for name in found}) == 4
    assert "other" not in {name.lower() for name in found}
    assert all(names(["!!!"], ["???"], ["123", "456"], ["of", "the"]))


@given(
    st.lists(st.lists(st.text("ab 的鞋&_,:(1", min_size=1, max_size=8), min_size=1, max_size=4), min_size=1, max_size=5)
)
@settings(deadline=None)
def test_any_labels_get_names_of_their_own(groups):
    taken = [text for group in groups for text in group][:2]
    found = names(*groups, taken=taken)
    assert len({name.lower() for name in found} - {text.lower() for text in taken}) == len(groups)
    assert found == names(*groups, taken=taken)


@pytest.mark.parametrize(
    "name", ["google_en/taxonomy_600.json", "google_zh/taxonomy_600.json", "iab_content/taxonomy.json"]
)
def test_names_of_real_groups_say_what_people_say(shared_taxonomy, name):
    groups: dict[str, list[str]] = {}
    for label, group in shared_taxonomy(name).items():
        groups.setdefault(group, []).append(label)
    found = names(*groups.values())
    assert len(set(found)) == len(groups)
    assert not any(re.search(r"(?i)cluster|\d$", x) for x in found)
    assert max(len(x) for x in found) < 60
    said = sum(any(word[:5] in x.lower() for word in _content(group)) for group, x in zip(groups, found, strict=True))
    assert said >= 0.2 * len(groups)


def _content(name):
    words = re.findall(r"[a-z]{3,}", name.lower())
    return [word for word in words if word != "and"] or [name[i : i + 2] for i in range(len(name) - 1)]
