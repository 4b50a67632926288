"""Two-stage text classification, put together: `HierarchicalClassifier` is the public face."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.classifier import HierarchicalClassifier as HierarchicalClassifier
    from pipelines.model.prediction import Prediction as Prediction

__all__ = ["HierarchicalClassifier", "Prediction"]


def __getattr__(name: str) -> Any:
    # Lazy, so that the command line answers --help without loading scikit-learn.
    if name in __all__:
        from pipelines import classifier  # it imports Prediction too

        return getattr(classifier, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
