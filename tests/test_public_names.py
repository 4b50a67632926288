"""The names that others import: a change here is a change for them."""

import re

import hierarchy
import pipelines


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
