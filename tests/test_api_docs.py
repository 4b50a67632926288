"""The pages of the Python interface can be built, and say something about everything that a reader meets."""

import importlib.util
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from pdoc.doc import Doc

import coarsefine
from pipelines.settings import Settings

ROOT = Path(__file__).parents[1]
REFERENCE = re.compile(r"`((?:coarsefine|hierarchy|stages|pipelines)(?:\.\w+)+)`")


@pytest.fixture(scope="module")
def api() -> ModuleType:
    spec = importlib.util.spec_from_file_location("api", ROOT / "docs" / "api.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def modules(api):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module="pdoc")
        return api.documented()


def told(modules) -> Iterator[Doc]:
    """Everything that a page tells of: modules, and what stands in them and in their classes."""
    for module in modules.values():
        yield module
        for member in module.members.values():
            yield member
            yield from member.own_members if member.kind == "class" else ()


def test_everything_has_a_docstring(modules):
    assert [one.fullname for one in told(modules) if not one.docstring and one.name != "__init__"] == []


def test_what_docstrings_refer_to_is_there(modules):
    known = {one.fullname for one in told(modules)}
    known |= {f"{one.fullname}.{name}" for one in told(modules) if one.kind == "class" for name in one.members}
    lost = {(one.fullname, name) for one in told(modules) for name in REFERENCE.findall(one.docstring)}
    assert [pair for pair in sorted(lost) if pair[1] not in known and not pair[1].startswith("pipelines.cli")] == []


def test_the_public_face_is_on_one_page(api, modules):
    page = api.page(modules["coarsefine"], modules)
    for method in ("fit", "predict_paths", "calibrate", "save_pretrained", "from_pretrained", "push_to_hub"):
        assert f'id="HierarchicalClassifier.{method}"' in page
    assert set(re.findall(r"<strong>(\w+)</strong>", page)) >= {"taxonomy", *Settings.model_fields}
    assert "_request" not in page


def test_every_public_name_is_on_the_page_of_the_package(api, modules):
    page = api.page(modules["coarsefine"], modules)
    assert [name for name in coarsefine.__all__ if f'id="{name}"' not in page] == []


def test_pages_have_what_a_reader_looks_for(api, modules):
    page = api.page(modules["hierarchy"], modules)
    assert all(f'id="{name}"' in page for name in ("Taxonomy.from_yaml", "TaxonomyBuilder.build", "DataError"))
    page = api.page(modules["stages.coarse.document_model"], modules)
    assert 'id="Aggregator.forward"' in page
    assert "_pool" not in page
    page = api.page(api.index(modules), modules)
    assert all(f'href="{name.replace(".", "/")}.html"' in page for name in modules)
    assert not re.search(r'(src|href)="https?://(?!pdoc\.dev")', page)  # they open without a network
