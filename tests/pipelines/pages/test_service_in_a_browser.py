"""`coarsefine serve` and its page in Chromium: texts, tables, corrections, tokens, hostile names, and no mouse."""

import copy
import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from examples import ROOT
from page_user import classify, classify_all, correct, downloaded, ready, tab_to, table

from hierarchy import Group, Label, Taxonomy
from pipelines.classifier import HierarchicalClassifier
from pipelines.data.reading import read_documents

pytestmark = pytest.mark.slow

TOKEN = "0123456789abcdef0123"  # noqa: S105 - of this test
HOSTILE = (
    "<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "=HYPERLINK(\"http://x\")", "\u202eturned",
    "{label} $& $1", "a]b\\ \"q\" 's'", "名" * 120, "W" * 150, "&lt;b&gt;", "\U0001f9f3 a", "javascript:alert(1)", "-2",
)  # fmt: skip


class Served(NamedTuple):
    """A service that runs."""

    address: str
    classifier: HierarchicalClassifier
    corrections: object  # its file


@contextmanager
def serving(classifier, folder, *, token=None):
    """Run a service in a process of its own."""
    classifier.save_pretrained(folder / "shop")
    corrections, log = folder / "corrections.jsonl", folder / "log.txt"
    options = ["--port", "0", "--corrections", str(corrections)]
    if token is not None:
        (folder / "token").write_text(f"{token}\n")
        options += ["--token-file", str(folder / "token")]
    environment = {name: value for name, value in os.environ.items() if name != "COARSEFINE_TOKEN"}
    with log.open("w") as stream:
        command = [sys.executable, "-m", "coarsefine", "serve", str(folder / "shop"), *options]
        process = subprocess.Popen(command, cwd=ROOT, stderr=stream, env=environment)
    try:
        end = time.monotonic() + 120
        while not (found := re.search(r"ready at (http://\S+)", log.read_text(encoding="utf-8"))):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < end
            time.sleep(0.05)
        yield Served(found[1].rstrip("/") + "/", classifier, corrections)
    finally:
        process.terminate()
        assert process.wait(60) == 0


@pytest.fixture(scope="module")
def named(english):
    """The English corpus, whose labels have hostile names."""
    names = iter(HOSTILE)
    groups = (
        Group(
            group.id, f"<b>{group.id}</b>",
            labels=tuple(Label(label.id, next(names), f"about <i>{label.id}</i>") for label in group.labels),
        )
        for group in english.taxonomy.groups
    )  # fmt: skip
    return Taxonomy(tuple(groups), name="<u>shop</u>")


@pytest.fixture(scope="module")
def shop(english, named, tmp_path_factory):
    classifier = HierarchicalClassifier(named, encoder="none", n_jobs=1).fit(*english.train, validation=english.valid)
    classifier.calibrate(*english.test, precision=0.5)
    with serving(classifier, tmp_path_factory.mktemp("shop"), token=TOKEN) as served:
        yield served


@pytest.fixture(scope="module")
def reading(fitted, tmp_path_factory):
    with serving(copy.copy(fitted), tmp_path_factory.mktemp("reading")) as served:
        yield served


@pytest.fixture(scope="module")
def in_chinese(chinese, tmp_path_factory):
    classifier = HierarchicalClassifier(chinese.taxonomy, encoder="none", n_jobs=1)
    classifier.fit(*chinese.train, validation=chinese.valid)
    with serving(classifier, tmp_path_factory.mktemp("chinese")) as served:
        yield served


@pytest.fixture
def visit(open_page, shop):
    """Open the page of the shop, and give it the token."""

    def visit(**options):
        page = open_page(shop.address, expected=["401"], **options)
        page.wait_for_selector("#token-dialog[open]")
        page.fill("#token", TOKEN)
        page.keyboard.press("Enter")
        return ready(page)

    return visit


def called(taxonomy, label):
    return {one.id: one.name for one in taxonomy.labels}[label]


def kept(served):
    """Rows of the corrections."""
    return [json.loads(line) for line in served.corrections.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_text_is_answered_whatever_it_and_its_label_hold(visit, shop, named, width, scheme):
    page = visit(width=width, color_scheme=scheme)
    text = f"\U0001f9f3 {HOSTILE[0]} the kettle of boiling water"  # characters of two halves come first
    classify(page, text)
    [label] = shop.classifier.predict([text])
    assert page.text_content(".verdict .words bdi") == called(named, label)
    page.wait_for_selector("#answer mark")
    assert page.text_content(".telling") == text
    assert "kettle" in " ".join(page.locator(".telling mark.for").all_text_contents())
    assert "<b>kitchen</b>" in page.locator("#nodes [data-group]").all_text_contents()[0]
    page.fill("#find", "W" * 20)
    assert page.locator("#nodes [data-label]").all_text_contents() == [HOSTILE[7]]
    assert page.locator("img[src=x], script:not([src]), #nodes b, #answer i:not(.bar i)").count() == 0


def test_a_table_of_200_rows_is_corrected_and_trained_on(visit, shop, english, named):
    texts = [*english.train[0][:180], *(f"{name} kettle" for name in HOSTILE), "\ud7ff kettle", *[" "] * 7]
    page = visit()
    classify_all(page, table(texts))
    assert page.text_content("#said") == "All 193 rows classified."
    rows, said = downloaded(page), shop.classifier.predict(texts[:193]).tolist()
    assert [row["predicted_label"] for row in rows[:193]] == said
    assert [row["id"] for row in rows] == [str(row) for row in range(200)]
    assert page.locator("#rows tbody tr .text").all_text_contents()[180:182] == [f"{n} kettle" for n in HOSTILE[:2]]

    before = shop.corrections.read_text(encoding="utf-8")
    page.click("#rows tbody tr >> nth=180")
    page.click("[data-focus=no]")
    page.keyboard.type("名名名")
    correct(page, "seeds")
    page.click("[data-focus=after]")
    page.click("[data-focus=yes]")
    page.wait_for_selector(".written:not(:empty)")
    assert page.text_content(".fixed >> nth=0") == f"corrected: \u2068{called(named, 'seeds')}\u2069"
    written = kept(shop)[before.count("\n") :]
    assert [(row["text"], row["label"]) for row in written] == [(texts[180], "seeds"), (texts[181], said[181])]
    assert all(row["model"] in page.text_content("#about") for row in written)
    more = read_documents(shop.corrections)
    anew = HierarchicalClassifier(named, encoder="none", n_jobs=1)
    anew.fit([*english.train[0], *more["text"]], [*english.train[1], *more["label"]], validation=english.valid)


def test_a_token_is_asked_for_and_kept_for_the_tab(open_page, shop):
    page = open_page(shop.address, expected=["401"])
    for token in ("ein Schlüssel, der keiner ist", "0123456789abcdef", f" {TOKEN} "):
        page.wait_for_selector("#token-dialog[open]")
        page.fill("#token", token)
        page.keyboard.press("Enter")
        if token.isalnum():
            page.wait_for_selector("#token-wrong:not(:empty)")
            assert page.text_content("#token-wrong") == "The service does not know this token."
    ready(page).reload()
    assert ready(page).is_hidden("#token-dialog")
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    page.click("#forget")
    page.wait_for_selector("#token-dialog[open]")


def test_all_of_it_goes_by_keyboard(open_page, shop):
    page = open_page(shop.address, expected=["401"])
    press = page.keyboard.press
    page.wait_for_selector("#token-dialog[open]")
    page.keyboard.type(TOKEN)
    press("Enter")
    ready(page)
    press("Tab")
    press("Enter")  # to the text
    page.keyboard.type("zzz kettle")
    press("Control+Enter")
    page.wait_for_selector("#answer .verdict")
    press("Tab")
    tab_to(page, "[data-focus=no]")
    press("Enter")
    page.keyboard.type("no such name")
    assert page.text_content("#found") == "Nothing found"
    press("Escape")
    page.keyboard.type("名名")
    press("ArrowDown")
    press("Enter")
    press("Tab")
    press("Enter")
    page.wait_for_selector(".written:not(:empty)")
    assert (kept(shop)[-1]["text"], kept(shop)[-1]["label"]) == ("zzz kettle", "seeds")


def test_of_an_encoder_the_strongest_passage_is_underlined(open_page, reading, english):
    text = " ".join([*english.train[0][:12], *english.train[0][100:112]])
    found = reading.classifier.explain(text)
    best = max(found.units, key=lambda unit: unit.share)
    page = ready(open_page(reading.address, color_scheme="dark"))
    classify(page, text)
    page.wait_for_selector("#answer mark.passage")
    assert "".join(page.locator(".telling mark.passage").all_text_contents()) == text[best.start : best.end]
    assert page.text_content(".telling") == text
    assert "the passage that counts most" in page.text_content(".legend")
    box, passage = (page.locator(one).first.bounding_box() for one in (".telling", ".telling mark.passage"))
    assert box["y"] <= passage["y"] <= box["y"] + box["height"]
    telling = page.locator(".telling mark.for.s3, .telling mark.against.s3").all_text_contents()
    words = {ngram.ngram for ngram in found.ngrams}
    assert telling
    assert all(any(word in mark or mark in word for word in words) for mark in map(str.lower, telling))


def test_chinese_from_the_file_to_the_correction(open_page, in_chinese, chinese):
    page = ready(open_page(in_chinese.address, width=390, locale="zh-CN"))
    texts = chinese.test[0][:20]
    classify_all(page, table(texts, name="正文"))
    assert page.text_content("#said") == "20 行已全部分类。"
    said = in_chinese.classifier.predict(texts).tolist()
    assert page.locator("#rows td.label > bdi").all_text_contents() == said  # whose names are their ids
    page.click("#rows tbody tr >> nth=3")
    page.wait_for_selector("#answer mark")
    assert page.text_content("#answer-title") == "回答 · 第 4 行"
    assert page.text_content(".telling") == texts[3]
    page.fill("#find", "地铁")
    correct(page, "地铁")
    assert page.text_content(".written") == "已记录：“\u2068地铁\u2069”。目前有 1 条更正。"
    assert [(row["text"], row["label"]) for row in kept(in_chinese)] == [(texts[3], "地铁")]
    page.click("[data-language=en]")
    assert page.text_content(".written") == "Written: \u2068地铁\u2069. 1 correction so far."
    page.reload()
    assert ready(page).get_attribute("html", "lang") == "en"


@pytest.mark.parametrize("service", ["shop", "in_chinese"])
def test_the_documentation_works_offline(open_page, request, service):
    served = request.getfixturevalue(service)
    page = open_page(served.address, "docs", width=1440)
    page.wait_for_selector(".opblock")
    if service == "shop":
        page.click(".auth-wrapper .authorize")
        page.fill(".auth-container input", TOKEN)
        page.click(".auth-btn-wrapper .authorize")
        page.click(".btn-done")
    operations = page.locator(".opblock-summary-control")
    for operation in operations.all():
        operation.click()
    assert page.locator(".opblock.is-open .opblock-body").count() == operations.count() > 10
    info = page.locator(".opblock", has=page.locator("[data-path='/info']"))
    info.locator(".try-out__btn").click()
    info.locator(".execute").click()
    said = info.locator(".live-responses-table")
    assert said.locator("tbody .response-col_status").first.text_content().strip() == "200"
    assert '"labels"' in said.text_content()
