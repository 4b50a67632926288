"""The house stays one: few files in the roots, short ones, no name twice, no file that imports itself by a detour."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from examples import ROOT

PACKAGES = ("coarsefine", "hierarchy", "stages", "pipelines")
LONGEST = 400
EXTRAS = {
    "bokeh", "fastapi", "hatchling", "hiclass", "libmultilabel", "openpyxl", "optuna", "prometheus_client", "ray",
    "starlette", "uvicorn",
}  # fmt: skip


@cache
def files(package: str) -> list[Path]:
    return sorted(path.relative_to(ROOT) for path in (ROOT / package).rglob("*") if path.is_file())


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (file for file in files(package) if file.suffix == ".py")


def test_the_root_of_pipelines_is_a_handful_of_files():
    assert len(list((ROOT / "pipelines").glob("*.py"))) <= 6


def test_no_file_is_long():
    texts = [file for package in PACKAGES for file in files(package) if file.suffix in {".py", ".js", ".css", ".html"}]
    lines = {str(file): len((ROOT / file).read_text(encoding="utf-8").splitlines()) for file in texts}
    assert {file: count for file, count in lines.items() if count > LONGEST} == {}


def test_no_public_name_stands_in_two_modules():
    """Commands of the command line aside: they are called as what they call."""
    places = defaultdict(list)
    for file in modules():
        if file.parts[:2] != ("pipelines", "cli"):
            for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(str(file))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_circle_goes_through_a_file():
    """What import-linter says of folders, for files: packages' own files count, imports within functions too."""
    known = {_name(file): file for file in modules()}
    imported = {name: set(_imports(name, file, known)) - {name} for name, file in known.items()}
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(reversed(error.args[1]))) from None


def test_extras_are_imported_where_they_are_used():
    """So that all else works without them, and says which one is missing where it is wanted."""
    at_once = set()
    for file in modules():
        for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            at_once |= {(str(file), name) for name in names if name.partition(".")[0] in EXTRAS}
    assert at_once == set()


def _name(file: Path) -> str:
    return ".".join(file.with_suffix("").parts).removesuffix(".__init__")


def _imports(name: str, file: Path, known: dict[str, Path]) -> Iterator[str]:
    """Yield the modules of ours that a file imports, but what it imports for types alone."""
    waiting: list[ast.AST] = [ast.parse((ROOT / file).read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting.extend(node.orelse)
            continue
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports by dots"
            inner = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from {each if each in known else node.module for each in inner} & known.keys()
        elif isinstance(node, ast.Import):
            yield from {alias.name for alias in node.names} & known.keys()
        waiting.extend(ast.iter_child_nodes(node))
