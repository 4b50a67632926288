"""The page of the service in Chromium: answers, tables, corrections, tokens; hostile texts, and no mouse.

Needs playwright (`pip install playwright`) and a Chromium, which the project does not.
"""

import csv
import io
import shutil

import pytest
from service_stub import GROUPS, HOME, MARKUP, NAMES, TELLING, served

from hierarchy.text.escaping import from_spreadsheet_cell, spreadsheet_cell

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]

SECRET = "geheim"  # noqa: S105 - the stub's
HOSTILE = (
    f"{MARKUP}<script>alert(1)</script>", "=1+1", "-2", "a;=cmd", 'say "q", and\nmore\r\n', "\u202eturned",
    "名字，很长", "'@x", "tab\t+1", "x" * 5_000, "\U0001f9f3 a", "＝1",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def service():
    with served() as (address, stub):
        yield address, stub


@pytest.fixture
def visit(browser, service):
    """Open the page; what it complains of is a fault, and so is a request to elsewhere."""
    address, _ = service
    contexts, wrong = [], []

    def visit(width=1440, expected=(), **options):
        context = browser.new_context(
            viewport={"width": width, "height": 844}, accept_downloads=True, **{"locale": "en-GB", **options}
        )
        page = context.new_page()
        contexts.append((context, page, width))
        page.on("console", lambda said: said.type == "error" and is_wrong(said.text))
        page.on("pageerror", lambda error: is_wrong(str(error)))
        page.on("dialog", lambda dialog: is_wrong(dialog.message))
        page.on("request", lambda sent: sent.url.startswith((address, "blob:")) or is_wrong(sent.url))
        is_wrong = lambda text: any(part in text for part in expected) or wrong.append(text)  # noqa: E731
        page.goto(address)
        return page

    yield visit
    for context, page, width in contexts:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        context.close()
    assert wrong == []


def ready(page):
    page.wait_for_selector("body[data-ready]", state="attached")
    return page


def classify(page, text):
    page.fill("#text", text)
    page.click("#classify")
    page.wait_for_selector("#answer .verdict")


def table(texts, *, name="text"):
    lines = io.StringIO()
    csv.writer(lines).writerows([["id", name], *([str(row), text] for row, text in enumerate(texts))])
    return {"name": "letters.csv", "mimeType": "text/csv", "buffer": lines.getvalue().encode()}


def classify_all(page, file):
    page.set_input_files("#file", file)
    page.click("#classify-all")
    page.wait_for_selector("#stop", state="hidden")


def downloaded(page):
    with page.expect_download() as download:
        page.click("#download")
    content = download.value.path().read_bytes()
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_text_is_answered_in_words(visit, width, scheme):
    page = ready(visit(width, color_scheme=scheme))
    classify(page, f"\U0001f9f3 My {TELLING} is gone.")
    assert page.text_content(".verdict .words") == "Lost baggage claim94\u00a0%"
    assert page.locator(".paths li").count() == 5
    assert page.locator(".pill").all_text_contents() == ["Lost baggage claim", "Late flight"]
    page.wait_for_selector("#answer mark")
    assert page.text_content(".telling mark") == TELLING  # counted in characters, after one of two halves
    assert page.text_content('[data-label="lost"] small') == "94\u00a0%"


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


def test_it_speaks_the_language_of_the_browser_and_another(visit):
    page = ready(visit(locale="zh-CN"))
    classify(page, "UNSURE")
    assert page.text_content(".verdict .chip") == "交给人工"
    page.click("[data-language=en]")
    assert page.text_content(".verdict .chip") == "For a person"
    assert page.get_attribute("html", "lang") == "en"
    page.reload()
    assert ready(page).text_content("#classify span") == "Classify"


def test_a_model_without_calibration_promises_nothing(visit, service):
    service[1].calibrated = False
    page = ready(visit())
    classify(page, "a text")
    assert "promises nothing" in page.text_content("#answer")
    assert page.locator(".pill").count() == 0
    assert [body["sets"] for path, body in service[1].asked if "sets" in body] == [None]


def test_hostile_texts_and_labels_are_shown_as_text(visit):
    page = ready(visit())
    for label in NAMES:
        classify(page, f"[{label}] {MARKUP} {TELLING}")
        page.wait_for_selector("#answer mark")
        assert page.text_content(".verdict .words bdi") == NAMES[label]
        assert page.text_content(".telling") == f"[{label}] {MARKUP} {TELLING}"
    assert page.locator("img[src='x'], script:not([src])").count() == 0
    assert MARKUP in page.text_content("h1")


def test_a_table_of_200_rows(visit, service):
    stub = service[1]
    stub.most_documents = 20  # portions that are too large are halved
    stub.busy = 2
    page = ready(visit(expected=["413", "429"]))
    texts = [f"{i} {('GROUP', 'UNSURE', '')[i % 3]}" for i in range(200)]
    texts[7] = "  "
    classify_all(page, table(texts))
    assert page.text_content("#said") == "All 199 rows answered."
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
    page.click('[data-label="late"]')
    page.click("#chosen .main")
    page.wait_for_selector(".written:not(:empty)")
    page.click("[data-focus=after]")
    page.click("[data-focus=yes]")
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
        (b'text\n"open\n', "never closed"),
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
    ],
)
def test_tables_are_read_as_spreadsheets_write_them(visit, content, texts):
    page = ready(visit())
    page.set_input_files("#file", {"name": "x.csv", "mimeType": "text/csv", "buffer": content.encode()})
    page.wait_for_selector("#rows table")
    assert page.locator("#rows td.text").all_text_contents() == texts


def test_a_token_is_asked_for_and_kept_for_the_tab(visit, service):
    service[1].token = SECRET
    page = visit(expected=["401"])
    for token, said in (("wrong", "The service does not know this token."), (SECRET, "")):
        page.wait_for_selector("#token-dialog[open]")
        page.fill("#token", token)
        page.keyboard.press("Enter")
        if said:
            page.wait_for_selector("#token-wrong:not(:empty)")
            assert page.text_content("#token-wrong") == said
    page.wait_for_selector("body[data-ready]", state="attached")
    page.reload()
    assert ready(page).is_hidden("#token-dialog")
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    page.click("#forget")
    page.wait_for_selector("#token-dialog[open]")


def test_without_a_file_there_is_nothing_to_correct(visit, service):
    service[1].corrects = False
    page = ready(visit())
    classify(page, "a text")
    assert "without a file for corrections" in page.text_content("#answer")
    page.click('[data-label="late"]')
    assert page.locator("#chosen button").count() == 0


def test_all_of_it_goes_by_keyboard(visit, service):
    page = ready(visit())
    press = page.keyboard.press
    press("Tab")
    press("Enter")  # to the text
    page.keyboard.type("UNSURE text")
    press("Control+Enter")
    page.wait_for_selector("#answer .verdict")
    press("Tab")
    tab_to(page, "[data-focus=no]")
    press("Enter")
    page.keyboard.type("name")
    assert page.text_content("#found") == "Nothing found"
    press("Escape")
    page.keyboard.type("名字")
    press("ArrowDown")
    press("Enter")
    press("Tab")
    press("Enter")
    page.wait_for_selector(".written:not(:empty)")
    assert service[1].corrections == [{"text": "UNSURE text", "label": "名"}]


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


def tab_to(page, selector):
    for _ in range(30):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached by Tab")
