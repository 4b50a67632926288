"""The names that others import: a change here is a change for them."""

import re
import subprocess
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

import coarsefine
import hierarchy
import pipelines


def test_coarsefine():
    assert sorted(coarsefine.__all__) == [
        "ArtifactError",
        "BusyError",
        "CoarsefineError",
        "ConfigError",
        "DataError",
        "EncoderError",
        "EvaluationReport",
        "Explanation",
        "Group",
        "HierarchicalClassifier",
        "Label",
        "MissingLibraryError",
        "Prediction",
        "PredictionSet",
        "Taxonomy",
        "TaxonomyBuilder",
        "TaxonomyError",
        "cross_validate",
        "find_label_errors",
        "from_spreadsheet_cell",
        "pretrain",
        "read_documents",
        "training_engine",
        "tune",
        "write_report",
    ]
    assert all(hasattr(coarsefine, name) for name in coarsefine.__all__)
    assert set(hierarchy.__all__) <= set(coarsefine.__all__)
    assert dir(coarsefine) == sorted(coarsefine.__all__)


def test_the_version_is_that_of_the_distribution(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: {"coarsefine": "7.1"}[name])
    assert coarsefine.__version__ == "7.1"
    with pytest.raises(ImportError, match="cannot import name 'Classifier' from 'coarsefine'"):
        from coarsefine import Classifier  # noqa: F401


def test_the_package_loads_a_name_when_it_is_asked_for():
    code = "import sys, coarsefine; print({'hierarchy', 'pipelines', 'numpy', 'sklearn', 'torch'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


@pytest.mark.parametrize("taken", ["hierarchy", "stages", "pipelines"])
def test_another_package_of_the_name_is_told(taken, tmp_path, monkeypatch):
    other = ModuleType(taken)
    other.__spec__ = ModuleSpec(taken, None, origin=str(tmp_path / taken / "__init__.py"))
    monkeypatch.setitem(sys.modules, taken, other)
    monkeypatch.delitem(vars(coarsefine), "Taxonomy", raising=False)  # where the reference of the API put it there
    with pytest.raises(ImportError, match=f"{taken} stands in front of the package '{taken}' of coarsefine") as told:
        from coarsefine import Taxonomy  # noqa: F401
    assert (told.value.name, told.value.path) == (taken, str(tmp_path / taken))


def test_hierarchy():
    assert sorted(hierarchy.__all__) == [
        "ArtifactError",
        "BusyError",
        "CoarsefineError",
        "ConfigError",
        "DataError",
        "EncoderError",
        "Group",
        "Label",
        "MissingLibraryError",
        "Taxonomy",
        "TaxonomyBuilder",
        "TaxonomyError",
    ]
    assert all(hasattr(hierarchy, name) for name in hierarchy.__all__)


def test_pipelines():
    assert sorted(pipelines.__all__) == ["HierarchicalClassifier", "Prediction"]
    assert all(hasattr(pipelines, name) for name in pipelines.__all__)


def test_the_face_of_the_classifier():
    names = vars(pipelines.HierarchicalClassifier)
    face = {name for name in names if not re.match("_|set_.*_request$", name)}  # scikit-learn makes the requests
    assert face == {
        "calibrate",
        "evaluate",
        "explain",
        "export",
        "fit",
        "from_pretrained",
        "predict",
        "predict_paths",
        "predict_proba",
        "predict_sets",
        "push_to_hub",
        "refit_groups",
        "save_pretrained",
        "score",
    }


def test_the_classifier_has_every_setting_with_its_default():
    from pipelines.settings import Settings

    parameters = pipelines.HierarchicalClassifier().get_params()
    del parameters["taxonomy"]
    defaults = Settings().model_dump()
    assert parameters | {"training": {}} == defaults
