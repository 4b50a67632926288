"""What a person does on the page of the service, for its tests in a browser."""

import csv
import io


def ready(page):
    page.wait_for_selector("body[data-ready]", state="attached")
    return page


def classify(page, text):
    page.fill("#text", text)
    page.click("#classify")
    page.wait_for_selector("#answer:not([aria-busy]) .verdict")


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


def correct(page, label):
    page.click(f'[data-label="{label}"]')
    page.click("#chosen .main")
    page.wait_for_selector(".written:not(:empty)")


def tab_to(page, selector):
    for _ in range(30):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached by Tab")
