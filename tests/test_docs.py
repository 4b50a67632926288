"""The documentation says what the code says: reference page, tables of results, links."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from examples import FENCE, PAGES, ROOT

PACKAGES = ("coarsefine", "pipelines", "stages", "hierarchy")
FOLDERS = (*PACKAGES[1:], "configs", "tests", "benchmarks", "docs")
NAMED = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[^`\s]*)`")
MODULE = re.compile(rf"`((?:{'|'.join(PACKAGES)})(?:\.\w+)+)`")
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


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "benchmarks" / "README.md"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_files_and_modules_that_are_named_are_there(page):
    text = page.read_text(encoding="utf-8")
    assert [name for name in NAMED.findall(text) if not list(ROOT.glob(name.rstrip("/")))] == []
    modules = [name.replace(".", "/") for name in MODULE.findall(text)]
    places = [
        (ROOT / name, ROOT / f"{name}.py", (ROOT / name).parent, (ROOT / name).parent.with_suffix(".py"))
        for name in modules
    ]
    assert [name for name, each in zip(modules, places, strict=True) if not any(place.exists() for place in each)] == []


def test_the_layout_names_every_room_of_the_packages():
    text = (ROOT / "README.md").read_text(encoding="utf-8").split("## Layout", 1)[1]
    found, package = set(), ""
    for indent, name in re.findall(r"^( *)([a-z_]+)/  ", FENCE.search(text)[2], re.MULTILINE):
        package = package if indent else name
        found.add(f"{package}/{name}" if indent else name)
    rooms = {str(file.parent.relative_to(ROOT)) for name in PACKAGES for file in (ROOT / name).glob("*/__init__.py")}
    assert found == rooms | {*PACKAGES, "configs", "tests"}
