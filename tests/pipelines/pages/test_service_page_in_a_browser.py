"""The page of the service in Chromium, on a service by rule: what a real one does only when it has to."""

import functools

import pytest
from page_user import classify, classify_all, correct, downloaded, ready, table
from service_stub import GROUPS, HOME, MARKUP, NAMES, served

from hierarchy.text.escaping import from_spreadsheet_cell, spreadsheet_cell

pytestmark = pytest.mark.slow

HOSTILE = (
    f"{MARKUP}<script>alert(1)</script>", "=1+1", "-2", "a;=cmd", 'say "q", and\nmore\r\n', "\u202eturned",
    "名字，很长", "'@x", "tab\t+1", "x" * 5_000, "\U0001f9f3 a", "＝1",
)  # fmt: skip


@pytest.fixture
def service():
    with served() as (address, stub):
        yield address, stub


@pytest.fixture
def visit(open_page, service):
    return functools.partial(open_page, service[0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "GROUP",
            ["Only sure of the group", "Travel97\u00a0%", "likeliest is \u2068Lost baggage claim\u2069, 94\u00a0%"],
        ),
        ("UNSURE", ["For a person", "Neither label nor group is sure", "Likeliest is \u2068Lost baggage claim\u2069"]),
        ("OUTSIDE", ["For a person", "The text seems to belong to no label"]),
        ("UNKNOWN", ["For a person", "Nothing in the text is known to the model"]),
    ],
)
def test_an_answer_says_how_far_it_goes(visit, text, words):
    page = ready(visit())
    classify(page, text)
    said = page.text_content("#answer")
    assert [word for word in words if word not in said] == []
    assert "null" not in said


def test_a_model_without_calibration_promises_nothing(visit, service):
    service[1].calibrated = False
    page = ready(visit())
    classify(page, "a text")
    assert "promises nothing" in page.text_content("#answer")
    assert page.locator(".pill").count() == 0
    assert [body["sets"] for path, body in service[1].asked if "sets" in body] == [None]


def test_a_model_without_calibration_takes_the_place_of_one_that_had_it(visit, service):
    page = ready(visit(expected=["422"]))
    service[1].calibrated = False
    page.fill("#text", "a text")
    page.click("#classify")
    page.wait_for_selector("#trouble:not([hidden])")
    page.wait_for_selector("#about :text('it was not calibrated')")
    classify(page, "a text")
    assert "promises nothing" in page.text_content("#answer")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, '{"error": {"code": "internal", "message": "no", "request_id": "7"}}', "no (internal, request 7)"),
        (503, '{"error": {"code": "unavailable", "message": "no", "request_id": "7"}}', "too busy"),
        (413, "<html>", "too large"),
        (502, "<html>", "cannot be reached"),
        (200, "<html>", "cannot be reached"),
    ],
)
def test_a_failure_is_told_and_leaves_no_answer_of_another_text(visit, status, body, said):
    page = ready(visit(expected=[str(status)]))
    classify(page, "a text")
    page.route("**/predict", lambda route: route.fulfill(status=status, body=body))
    page.fill("#text", "another text")
    page.click("#classify")
    page.wait_for_selector("#trouble:not([hidden])")
    assert said in page.text_content("#trouble")
    assert page.is_hidden("#answer")
    page.unroute("**/predict")
    classify(page, "another text")
    assert page.is_hidden("#trouble")


def test_a_service_that_was_down_is_asked_again(visit):
    page = visit(expected=["Failed to load"])  # the icon of the browser's tab counts too
    ready(page)
    page.route("**/info", lambda route: route.abort())
    page.reload()
    page.wait_for_selector("#trouble:not([hidden])")
    assert "cannot be reached" in page.text_content("#trouble")
    page.unroute("**/info")
    classify(page, "a text")
    assert page.text_content(".verdict .words bdi") == "Lost baggage claim"


@pytest.mark.parametrize("refusal", [413, 503])
def test_a_table_is_asked_for_in_portions_that_the_service_takes(visit, service, refusal):
    stub = service[1]
    stub.most_documents, stub.refusal = 20, refusal  # portions that are too large are halved
    stub.busy = 2
    page = ready(visit(expected=[str(refusal), "429"]))
    texts = [f"{i} {('GROUP', 'UNSURE', '')[i % 3]}" for i in range(200)]
    texts[7] = "  "
    classify_all(page, table(texts))
    assert page.text_content("#said") == "All 199 rows classified."
    assert page.locator("#rows tbody tr").count() == 200
    assert page.locator(".count b").all_text_contents() == ["200", "66", "67", "66"]
    page.click(".count.group")
    page.fill("#filter", "99 group")
    assert page.locator("#rows .text").all_text_contents()[1:] == ["99 GROUP"]
    assert [row["id"] for row in downloaded(page)] == ["99"]
    page.fill("#filter", "")
    page.click("th.row button")
    assert page.get_attribute("th.row", "aria-sort") == "descending"
    assert page.text_content("#rows tbody .row") == "199"


def test_a_row_that_is_too_much_says_so_in_its_place(visit):
    page = ready(visit(expected=["413"]))
    classify_all(page, table(["one", "HUGE", "three"]))
    assert page.text_content("#said") == "2 of 3 classified. The others say why in the table."
    assert "too large" in page.locator("#rows td.label").nth(1).text_content()


def test_a_table_is_stopped_and_goes_on(visit, service):
    stub = service[1]
    page = ready(visit(expected=["429"]))
    stub.busy = 1_000
    page.set_input_files("#file", table(["one", "two", "three"]))
    page.click("#classify-all")
    page.wait_for_selector("#said:text('busy')")
    page.click("#stop")
    page.wait_for_selector("#said:text('Stopped: 0 of 3 classified')")
    stub.busy = 0
    page.click("#classify-all")
    page.wait_for_selector("#said:text('All 3 rows classified.')")


def test_a_long_table_is_drawn_in_parts_and_downloaded_whole(visit):
    page = ready(visit())
    classify_all(page, table([str(i) for i in range(1_100)]))
    page.click(".more")
    assert page.text_content(".more") == "Show 100 rows more"
    assert page.locator("#rows tbody tr").count() == 1_000
    assert len(downloaded(page)) == 1_100


def test_a_row_is_opened_corrected_and_walked_from(visit, service):
    page = ready(visit())
    classify_all(page, table(["one", "two", "three"]))
    page.click("#rows tbody tr >> nth=1")
    assert page.text_content("#answer-title") == "The answer · Row 2"
    correct(page, "late")
    page.click("[data-focus=after]")
    page.dblclick("[data-focus=yes]")  # twice the same is one correction
    page.wait_for_selector(".written:not(:empty)")
    assert service[1].corrections == [{"text": "two", "label": "late"}, {"text": "three", "label": "lost"}]
    assert [row["corrected_label"] for row in downloaded(page)] == ["", "late", "lost"]
    assert page.locator(".fixed").all_text_contents() == ["corrected: \u2068Late flight\u2069", "confirmed"]


def test_what_is_downloaded_is_safe_for_spreadsheets(visit):
    page = ready(visit())
    texts = [f"[{label}] {text}" for label, text in zip([*NAMES, *NAMES], HOSTILE, strict=False)] + list(HOSTILE)
    classify_all(page, table(texts, name="=text"))
    page.select_option("#column", "1")
    page.click("#classify-all")
    page.wait_for_selector("#stop", state="hidden")
    rows = downloaded(page)
    assert [from_spreadsheet_cell(row["'=text"]) for row in rows] == texts
    for row in rows:
        for cell in (*row, *row.values()):
            assert spreadsheet_cell(from_spreadsheet_cell(cell)) == cell
    assert {row["predicted_label_name"] for row in rows} == {spreadsheet_cell(name) for name in NAMES.values()}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"id,text\n", "has no rows"),
        ("text\n名字\n".encode("gb18030"), "is not in UTF-8"),
        (b'text\n"open\n', "row 1 is never closed"),
        (b"id,text\n1,one\n2,hello, world\n", "row 2 has more cells"),
        (b"text\n" + b"x\n" * 5_001, "this page takes 5,000"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(visit, content, said):
    page = ready(visit())
    page.set_input_files("#file", {"name": "x.csv", "mimeType": "text/csv", "buffer": content})
    page.wait_for_selector("#trouble:not([hidden])")
    assert said in page.text_content("#trouble")
    assert page.is_hidden("#sheet")


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('\ufeffid;text\r\n1;a, b\r\n\r\n2;"c;""d"""\r\n', ["a, b", 'c;"d"']),
        ("text\none, two\nthree", ["one, two", "three"]),
        ('id\tBody\n1\t"a\nb"\n2\n', ["a\nb", ""]),
        ("id,text\n1,one,,\n", ["one"]),
    ],
)
def test_tables_are_read_as_spreadsheets_write_them(visit, content, texts):
    page = ready(visit())
    page.set_input_files("#file", {"name": "x.csv", "mimeType": "text/csv", "buffer": content.encode()})
    page.wait_for_selector("#rows table")
    assert page.locator("#rows td.text").all_text_contents() == texts


def test_without_a_file_there_is_nothing_to_correct(visit, service):
    service[1].corrects = False
    page = ready(visit())
    classify(page, "a text")
    assert "without a file for corrections" in page.text_content("#answer")
    page.click('[data-label="late"]')
    assert page.locator("#chosen button").count() == 0
    assert "without a file for corrections" in page.text_content("#chosen")


def test_the_tree_goes_by_arrows(visit):
    page = ready(visit())
    page.focus("#nodes [tabindex='0']")
    for key, at in (
        ("ArrowRight", "group travel"), ("ArrowRight", "lost"), ("End", "group <b>"), ("ArrowRight", "group <b>"),
        ("End", "a]b\\"), ("ArrowLeft", "group <b>"), ("ArrowLeft", "group <b>"),
        ("Home", "group travel"), ("m", "group money"), ("ArrowUp", "b"),
    ):  # fmt: skip
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.dataset.key") == at
    assert page.locator("#nodes [tabindex='0']").count() == 1
    assert page.locator("#nodes > li").count() == len(GROUPS)
    assert page.locator("#nodes [data-label]").count() == list(HOME.values()).count("travel")
