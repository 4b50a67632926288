"""Two-stage text classification: what `hierarchy` and `pipelines` offer, under the name that is installed."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from coarsefine.house import check_house

if TYPE_CHECKING:
    from hierarchy import (
        ArtifactError,
        BusyError,
        CoarsefineError,
        ConfigError,
        DataError,
        EncoderError,
        Group,
        Label,
        MissingLibraryError,
        Taxonomy,
        TaxonomyBuilder,
        TaxonomyError,
    )
    from hierarchy.text.escaping import from_spreadsheet_cell
    from pipelines.classifier import HierarchicalClassifier
    from pipelines.cross_validation.label_errors import find_label_errors
    from pipelines.cross_validation.validate import cross_validate
    from pipelines.data.reading import read_documents
    from pipelines.evaluation.comparison import EvaluationReport
    from pipelines.explaining.explanation import Explanation
    from pipelines.model.prediction import Prediction
    from pipelines.model.sets import PredictionSet
    from pipelines.pages.evaluation.page import write_report
    from pipelines.pretraining.pretrain import pretrain
    from pipelines.training.with_engine import training_engine
    from pipelines.tuning.search import tune

__all__ = [
    "ArtifactError", "BusyError", "CoarsefineError", "ConfigError", "DataError", "EncoderError", "EvaluationReport",
    "Explanation", "Group", "HierarchicalClassifier", "Label", "MissingLibraryError", "Prediction", "PredictionSet",
    "Taxonomy", "TaxonomyBuilder", "TaxonomyError", "cross_validate", "find_label_errors", "from_spreadsheet_cell",
    "pretrain", "read_documents", "training_engine", "tune", "write_report",
]  # fmt: skip

__version__: str  # of the installed distribution, read when it is asked for

# Where a name stands; all else is of `hierarchy`. Each is loaded when it is asked for: some need torch.
_MODULES = {
    "EvaluationReport": "pipelines.evaluation.comparison",
    "Explanation": "pipelines.explaining.explanation",
    "HierarchicalClassifier": "pipelines.classifier",
    "Prediction": "pipelines.model.prediction",
    "PredictionSet": "pipelines.model.sets",
    "cross_validate": "pipelines.cross_validation.validate",
    "find_label_errors": "pipelines.cross_validation.label_errors",
    "from_spreadsheet_cell": "hierarchy.text.escaping",
    "pretrain": "pipelines.pretraining.pretrain",
    "read_documents": "pipelines.data.reading",
    "training_engine": "pipelines.training.with_engine",
    "tune": "pipelines.tuning.search",
    "write_report": "pipelines.pages.evaluation.page",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("coarsefine")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    check_house()
    return getattr(import_module(_MODULES.get(name, "hierarchy")), name)


def __dir__() -> list[str]:
    return __all__
