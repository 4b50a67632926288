"""The page's section about labels that may be wrong."""

from pipelines.cross_validation.label_errors import LabelError
from pipelines.pages.evaluation.page import SUSPECTS_SHOWN as SHOWN
from pipelines.pages.evaluation.page import suspect_words
from pipelines.pages.shell import fill


def suspect_labels(suspects, names):
    return fill("evaluation/label_errors.html", **suspect_words(suspects, names))


def suspect(row, **changes):
    fields = {
        "row": row, "id": None, "key": row, "label": "a", "suggested": "b", "group": "g", "suggested_group": "h",
        "probability": 0.01, "suggested_probability": 0.9,
    }  # fmt: skip
    return LabelError(**fields | changes)


def test_nothing_to_show_leaves_the_section_out():
    assert suspect_labels([], {}) == ""


def test_a_document_stands_with_both_labels_and_its_text():
    page = suspect_labels([(suspect(7), "<script>alert(1)</script>")], {"a": "Lamps & shades"})
    assert "1 document may carry a wrong label, 1 of them one of a wrong group" in page
    for told in ("row 7", "Lamps &amp; shades", "<bdi>b</bdi>", "1.0%", "90.0%", "other group", "&lt;script&gt;"):
        assert told in page
    assert "<script>" not in page


def test_a_long_list_is_cut():
    found = [(suspect(row, id=f"d{row}", suggested_group="g"), "") for row in range(SHOWN + 1)]
    page = suspect_labels(found, {})
    assert f"Shown are the {SHOWN} most suspicious" in page
    assert page.count("sibling") == SHOWN
    assert f"d{SHOWN}<" not in page
