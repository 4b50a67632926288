"""The documentation says what the code says: reference page, tables of results, links."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from examples import FENCE, PAGES, ROOT

LINK = re.compile(r"\]\((?!\w+:)([^)#]*)(?:#([^)]*))?\)")


def anchors(page: Path) -> set[str]:
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def script(path: str) -> ModuleType:
    """Load a script that lies outside the packages, with its folder at hand as where it is run."""
    if str((ROOT / path).parent) not in sys.path:
        sys.path.append(str((ROOT / path).parent))
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_configuration_page_is_what_the_code_says():
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == script("docs/configuration.py").page(), (
        "run: python docs/configuration.py > docs/configuration.md"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_are_what_the_results_say(page):
    text = page.read_text(encoding="utf-8")
    assert text == script("benchmarks/tables.py").filled(text), "run: python benchmarks/tables.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page):
    for target, anchor in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        file = page.parent / target if target else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"
