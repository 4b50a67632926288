"""A browser for the pages: playwright (`pip install playwright`) and a Chromium, which the project does not need."""

import shutil

import pytest


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """Open an address; what its page complains of is a fault, and so is a request to elsewhere."""
    contexts, wrong = [], []

    def open_page(address, path="", *, width=1440, expected=(), **options):
        context = browser.new_context(
            viewport={"width": width, "height": 844}, accept_downloads=True, **{"locale": "en-GB", **options}
        )
        page = context.new_page()
        contexts.append((context, page, width))
        page.on("console", lambda said: said.type == "error" and is_wrong(said.text))
        page.on("pageerror", lambda error: is_wrong(str(error)))
        page.on("dialog", lambda dialog: is_wrong(dialog.message))
        page.on("request", lambda sent: sent.url.startswith((address, "blob:", "data:")) or is_wrong(sent.url))
        is_wrong = lambda text: any(part in text for part in expected) or wrong.append(text)  # noqa: E731
        page.goto(address + path)
        return page

    yield open_page
    for context, page, width in contexts:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        context.close()
    assert wrong == []
