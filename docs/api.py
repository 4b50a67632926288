"""Builds the pages of the Python interface from the docstrings: HTML that opens from disk, without a network.

Example: python docs/api.py build/api
"""

import re
import sys
import types
import warnings
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

from pdoc import render
from pdoc.doc import Class, Doc, Module

DOCS = Path(__file__).resolve().parent
for place in (DOCS, DOCS.parent):  # so that a checkout which is not installed can be documented too
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

PACKAGES = ("coarsefine", "hierarchy", "stages", "pipelines")
COMMANDS = ("pipelines.cli", "coarsefine.__main__")  # a command tells of itself with --help
HEADING = "Parameters\n----------\n"
ATTRIBUTES = "Attributes\n----------\n"
INDEX = """Two-stage text classification for hundreds of labels and long documents, from Python.

`coarsefine.HierarchicalClassifier` trains, predicts, explains and saves; `coarsefine.Taxonomy` holds the labels and
their groups, and `coarsefine.TaxonomyBuilder` makes groups. All else serves these three.

| module | what it is |
| --- | --- |
"""


def main() -> None:
    """Write all pages to the folder that the command names."""
    warnings.filterwarnings("error", module="pdoc")  # an annotation or a name that leads nowhere
    out, modules = Path(sys.argv[1]), documented()
    written = {f"{name.replace('.', '/')}.html": page(module, modules) for name, module in modules.items()}
    written["index.html"] = page(index(modules), modules)
    written["search.js"] = render.search_index(modules)
    for name, text in written.items():
        file = out / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def documented() -> dict[str, Module]:
    """Import all modules but the commands', and return what is told of each: public names with a docstring."""
    modules = {}
    for package in PACKAGES:
        inside = walk_packages(import_module(package).__path__, f"{package}.")
        for name in (package, *sorted(found.name for found in inside)):
            if name.startswith(COMMANDS):
                continue
            module = import_module(name)
            # Some names are imported when they are first asked for; pdoc looks where they are then.
            vars(module).update({public: getattr(module, public) for public in getattr(module, "__all__", ())})
            modules[name] = Module.from_name(name)
    for name, module in modules.items():
        module.submodules = [inner for inner in modules.values() if inner.fullname.rpartition(".")[0] == name]
        module.members = {key: member for key, member in module.members.items() if _told(member)}
        for member in module.members.values():
            if isinstance(member, Class):
                _complete(member)
    return modules


def page(module: Module, modules: Mapping[str, Module]) -> str:
    """Return the page of a module as HTML, with links to the pages of all modules."""
    render.configure(docformat="numpy", show_source=False)
    return render.html_module(module, modules)


def index(modules: Mapping[str, Module]) -> Module:
    """Return what the first page tells: every module with the first line of its docstring."""
    rows = (f"| `{name}` | {module.docstring.partition(chr(10))[0]} |\n" for name, module in modules.items())
    first = Module(types.ModuleType("index", INDEX + "".join(rows)))
    first.submodules = [modules[package] for package in PACKAGES]
    return first


def _complete(found: Class) -> None:
    """Show with a class what it has from others of ours, and with a constructor what its parameters are for."""
    from pipelines.classifier import HierarchicalClassifier

    ours = [member for member in found.members.values() if member.taken_from[0].partition(".")[0] in PACKAGES]
    found.own_members, found.inherited_members = [member for member in ours if _told(member)], {}
    start = found.members.get("__init__")
    if start is not None:
        start.docstring = start.obj.__doc__ or ""  # without what torch says of every constructor
    if start is not None and issubclass(found.obj, HierarchicalClassifier):
        before, heading, told = found.docstring.partition(HEADING)
        parameters, attributes, more = told.partition(ATTRIBUTES)
        start.docstring, found.docstring = f"{heading}{parameters}", f"{before}{attributes}{more}"


def _told(member: Doc) -> bool:
    """Tell whether a reader should see a member; constants and attributes only where they have a docstring."""
    if member.name == "__init__":
        return True
    if re.match("_|set_.*_request$", member.name):  # scikit-learn makes the requests
        return False
    return member.kind != "variable" or bool(member.docstring)


if __name__ == "__main__":
    main()
