"""The documentation says what the code says: reference page, links, commands, examples."""

import ast
import importlib
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import typer

from hierarchy import Taxonomy
from pipelines import HierarchicalClassifier
from pipelines.cli.app import app
from pipelines.config import load_config

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
HEREDOC = re.compile(r"(<<'(\w+)'\n).*?^\2$", re.MULTILINE | re.DOTALL)  # a file's text, no commands
LINK = re.compile(r"\]\((?!\w+:)([^)#]*)(?:#([^)]*))?\)")


def blocks(page: Path, *languages: str, within: str = "") -> list[str]:
    """Code blocks of a page in some languages; of one section where `within` is its heading."""
    text = page.read_text(encoding="utf-8")
    if within:
        text = re.split(r"^## ", text.split(f"\n## {within}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    return [code for language, code in FENCE.findall(text) if language in languages]


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every shell command of the documentation, with its page."""
    for page in PAGES:
        for block in blocks(page, "bash"):
            for line in HEREDOC.sub(r"\1", block).replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                while words and re.fullmatch(r"\w+=\S*", words[0]):  # a variable of the environment
                    words = words[1:]
                if words:
                    yield page.name, words


COMMANDS = list(commands())
OURS = [pytest.param(words, id=f"{page}: {' '.join(words)}") for page, words in COMMANDS if words[0] == "coarsefine"]


def anchors(page: Path) -> set[str]:
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def script(path: str) -> ModuleType:
    """Load a script that lies outside the packages."""
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


@pytest.mark.parametrize("words", OURS)
def test_commands_have_these_options(words):
    command, rest = typer.main.get_command(app), words[1:]
    while rest and rest[0] in getattr(command, "commands", {}):
        command, rest = command.commands[rest[0]], rest[1:]
    given = command.make_context("coarsefine", rest).params  # fails on what it does not know
    config = given.get("config")
    load_config(None if config is None else ROOT / config, given.get("settings") or [])


def test_scripts_and_make_targets_that_are_named_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for page, words in COMMANDS:
        if words[0] == "python" and words[1].endswith(".py"):
            assert (ROOT / words[1]).is_file(), f"{page}: {words}"
        if words[0] == "make":
            assert set(words[1:]) <= set(targets), f"{page}: {words}"


@pytest.mark.parametrize("code", blocks(README, "python"))
def test_python_examples_use_what_there_is(code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            assert all(hasattr(module, name.name) for name in node.names), ast.unparse(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "HierarchicalClassifier":
            HierarchicalClassifier(**{keyword.arg: None for keyword in node.keywords})
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("clf", "HierarchicalClassifier"):
            assert hasattr(HierarchicalClassifier, node.attr) or node.attr.endswith("_"), ast.unparse(node)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("taxonomy", "Taxonomy"):
            assert hasattr(Taxonomy, node.attr) or node.attr in Taxonomy.__dataclass_fields__, ast.unparse(node)


@pytest.mark.parametrize("suffix", ["yaml", "json", "csv", "tsv"])
def test_the_taxonomies_of_the_file_formats_load(suffix, tmp_path):
    found = blocks(ROOT / "docs" / "file-formats.md", suffix, within="Taxonomy")
    assert found
    for number, text in enumerate(found):
        file = tmp_path / f"{number}.{suffix}"
        file.write_text(text, encoding="utf-8")
        taxonomy = Taxonomy.from_file(file)
        assert len(taxonomy.labels) + len(taxonomy.unplaced)


@pytest.mark.parametrize("code", blocks(ROOT / "docs" / "file-formats.md", "yaml", within="Documents"))
def test_the_configs_of_the_file_formats_load(code, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(code, encoding="utf-8")
    load_config(file)
