"""Names of groups: readable, unique, in the members' own words, and about all of the group."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hierarchy import Label
from hierarchy.building.naming import group_names
from hierarchy.building.words import ideograph_words, phrases, readable
from hierarchy.embedding.label_vectors import ngram_vectors


def names(*groups, taken=(), background=()):
    """Names of groups of label names, or of (name, description)."""
    labels = [[Label(x, x) if isinstance(x, str) else Label(x[0], *x) for x in group] for group in groups]
    vectors = ngram_vectors([label.name for group in labels for label in group])
    parts = np.split(vectors, np.cumsum([len(group) for group in labels])[:-1])
    return group_names(labels, parts, [[Label(x, x) for x in group] for group in background], taken)


def test_a_phrase_that_finds_the_group_names_it():
    coffee, hoses = ["Coffee Grinders", "Coffee Filters", "Coffee Makers"], ["Garden Hoses", "Rubber Hoses", "Hoses"]
    assert names(coffee, hoses) == ["Coffee", "Hoses"]
    attacks = ["Brute Force", "Brute Force: Password Cracking", "Brute Force: Password Spraying"]
    files = ["Command and Scripting Interpreter: Lua", "Command and Scripting Interpreter: Python", "Web Shell"]
    assert names(attacks, files) == ["Brute Force", "Command and Scripting Interpreter"]


def test_a_phrase_that_other_groups_use_as_well_names_none():
    cars, bikes = ["Car repair", "Car tyres", "Car wash"], ["Bike repair", "Bike tyres", "Bike repair kit"]
    assert names(["Repair of a door", "Repair of a roof", "Window repair"], cars, bikes)[1:] == ["Car", "Bike"]
    lamps = ["Red lamp", "Oak lamp", "Tall lamp"]
    assert names(lamps) == ["Lamp"]
    assert " · " in names(lamps, background=[["Lamp shade", "Floor lamp", "Desk lamp"]])[0]


def test_descriptions_tell_who_a_phrase_is_about():
    ward = [("Bed not clean", "a patient complains"), ("Patient sent home", ""), ("Long wait", "for a patient")]
    assert names(ward, ["Bus late", "Train late"])[0] == "Patient"
    # A word that no name has stays in the descriptions.
    assert "Clinic" not in names([("Bed dirty", "a clinic"), ("Food cold", "a clinic")], ["Bus late", "Train late"])[0]


def test_two_phrases_that_together_find_the_group_name_it():
    rented = ["Landlord sells", "Letter to a landlord", "Noisy tenant", "Tenant evicted", "Flat is damp"]
    fees = ["Parking fee", "Late fee", "Bank fee"]
    assert names(rented, fees) == ["Landlord · Tenant", "Fee"]
    # A word that only stands before nouns is none, and one that others use as often says little.
    wrong = ["Wrong date", "Wrong number", "Noisy tenant", "Tenant evicted", "Flat is damp"]
    assert "Wrong" not in names(wrong, fees)[0].split(" · ")
    letters = ["Letter by a landlord", "Fee of a landlord", "My landlord", "Gift from a landlord"]
    assert "Landlord" not in names(rented, letters)[0].split(" · ")


def test_two_label_names_where_no_phrase_finds_the_group():
    late = ["Flight cancelled at short notice", "Suitcase lost for good", "Cabin bag fee at the gate", "Miles removed"]
    (name, _) = names(late, ["Meter reading wrong", "Bill far too high"])
    first, second = name.split(" · ")
    assert {first, second} < set(late)
    # Nothing is cut off, and shorter names go first where there are two.
    long = "A label whose name goes on and on, as those that lawyers write are known to do"
    assert set(names([long, "Will", "Estate"], ["Tax", "Duty"])[0].split(" · ")) == {"Will", "Estate"}
    assert set(names([long, "Will"], ["Tax", "Duty"])[0].split(" · ")) == {"Will", long}


@pytest.mark.parametrize(
    "group",
    [
        ["Visa refused", "Loan refused", "Claim refused"],
        ["Always late", "Always never", "Always wrong"],
        ["Made badly", "Built badly", "Fitted badly"],
    ],
)
def test_no_participle_adverb_or_word_of_grammar_is_a_name(group):
    (name, _) = names(group, ["Bus", "Train"])
    assert set(name.split(" · ")) < set(group)


def test_the_plural_is_shown_where_people_write_it():
    assert names(["Film Camera", "Trail Cameras", "Camera"], ["Hats"])[0] == "Cameras"
    assert names(["Batteries", "Car Battery", "Spare Battery"], ["Hats"])[0] == "Batteries"
    assert names(["Women's Hats", "Women's Coats", "Women's Shoes"], ["Toys"])[0] == "Women's"


def test_the_case_of_labels():
    assert names(["red lamp", "oak lamp", "tall lamp"], ["pump"])[0] == "lamp"
    assert names(["Lamp, red", "Oak lamp", "Tall lamp"], ["Pump"])[0] == "Lamp"
    assert names(["iPhone", "iPad"], ["Pump", "Axe", "Saw"])[0] == "iPhone · iPad"
    assert names(["RED LAMP", "OAK LAMP", "TALL LAMP"], ["PUMP"])[0] == "LAMP"


def test_codes_identifiers_and_paths_read_as_words():
    shells = ["T1059.001 PowerShell", "T1059.003 Command Shell", "T1059.004 Unix Shell", "T1059.005 Web Shell"]
    assert names(shells, ["T1113 Screens"])[0] == "Shell"
    assert names(["T1113 Screens", "T1560 Archives"], shells)[0] == "Screens · Archives"
    assert names(["card_payment", "card_lost", "my_card"], ["flight"])[0] == "card"
    assert names(["book_flight", "gift_card"], ["rain"])[0] == "book flight · gift card"
    assert names(["CardPayment", "LostCard", "CardFee"], ["FlightBooking"])[0] == "Card"
    assert names(["PowerShell", "Unix Shell Script"], ["Web"])[0] == "PowerShell · Unix Shell Script"
    assert names(["Home > Garden > Hose", "Home > Garden > Rake"], ["Home > Kitchen > Pan"])[0] == "Garden"
    assert names(["A > Hose", "B > Rake"], ["C > Pan"])[0] == "Hose · Rake"
    assert names(["Bars/Pubs", "Food & Drink"], ["Cars"])[0] == "Bars/Pubs · Food & Drink"
    assert names(["A00.1", "B12.3"], ["C44"])[0] == "A00.1 · B12.3"
    assert readable("007") == "007"


def test_chinese():
    assert names(["宠物玩具", "宠物食品", "宠物围栏"], ["手套", "安全手套", "正装手套"]) == ["宠物", "手套"]
    # 球用品 is a fragment, 用品 is what the other group is full of.
    balls, others = ["冰球用品", "台球用品", "足球用品", "羽毛球用品"], ["办公用品", "宠物用品", "清洁用品", "婴儿用品"]
    assert names(balls, others)[0].split("、") == [x for x in names(balls, others)[0].split("、") if x in balls]
    assert names(["押金不退", "房东提前收房"], ["快递破损"])[0] == "押金不退、房东提前收房"


def test_words_of_ideographs_stand_whole():
    boxes = ["工具箱", "文具箱", "玩具箱", "工具", "文具", "玩具", "工具包", "玩具车"]
    assert "具箱" not in ideograph_words(boxes)
    assert "手套" in ideograph_words(["红手套", "蓝手套", "白手套", "红沙发", "蓝沙发", "白沙发"])


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (["Возврат денег", "Возврат товара", "Возврат заказа"], "Возврат"),
        (["환불 요청", "환불 지연", "환불 거절"], "환불"),
        (["キッチン用品", "キッチン家電", "キッチン収納"], "キッチン"),
        (["คืนเงิน", "คืนสินค้า"], "คืนเงิน · คืนสินค้า"),
        (["वापसी अनुरोध", "वापसी में देरी", "वापसी शुल्क"], "वापसी"),
        (["إرجاع المنتج", "إرجاع المال", "إرجاع الطلب"], "إرجاع"),
    ],
)
def test_other_scripts(group, expected):
    assert names(group, ["Bus", "Train"])[0] == expected


def test_names_are_unique_whatever_the_labels():
    found = names(["Other"], ["Other"], ["other"], ["Other", "Other"], taken=["OTHER"])
    assert len({name.lower() for name in found}) == 4
    assert "other" not in {name.lower() for name in found}
    assert names(["Red lamp", "Oak lamp"], ["Pump"], taken=["Lamps"])[0] != "Lamp"
    assert all(names(["!!!"], ["???"], ["123", "456"], ["of", "the"]))
    assert group_names([], []) == []


@given(
    st.lists(
        st.lists(st.text("ab 的鞋袜&_,:(1>B", min_size=1, max_size=8).filter(str.strip), min_size=1, max_size=4),
        min_size=1,
        max_size=5,
    )
)
def test_any_labels_get_names_of_their_own(groups):
    taken = [text for group in groups for text in group][:2]
    found = names(*groups, taken=taken)
    assert len({name.lower() for name in found} - {text.lower() for text in taken}) == len(groups)
    assert found == names(*groups, taken=taken)
    assert all(name.strip() for name in found)


@given(st.text(max_size=30))
def test_phrases_of_any_text_stand_in_it(text):
    flat = text.replace("_", " ").split()
    for key, written, _ in phrases(text):
        assert key.strip()
        assert written.split(" ")[0] in "".join(flat)


@pytest.mark.parametrize(
    "name", ["google_en/taxonomy_600.json", "google_zh/taxonomy_600.json", "iab_content/taxonomy.json"]
)
def test_names_of_real_groups_are_what_labels_say(shared_taxonomy, name):
    groups: dict[str, list[str]] = {}
    for label, group in shared_taxonomy(name).items():
        groups.setdefault(group, []).append(label)
    found = names(*groups.values())
    assert len(set(found)) == len(groups)

    def keys(text):
        return {key for key, _, _ in phrases(text)}

    for text, group in zip(found, groups.values(), strict=True):
        parts = re.split(" · |、", text)
        assert all(part in group or sum(keys(part) <= keys(label) for label in group) > 1 for part in parts)
