"""The models of the commands: one that was trained, as the options ask for it, and one that is yet to be."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hierarchy.taxonomy import Taxonomy
    from pipelines.classifier import HierarchicalClassifier
    from pipelines.config import Config


def load_classifier(
    model: Path, *, device: str | None, routing: str | None = None, beam: int | None = None
) -> "HierarchicalClassifier":
    """Read a model, with the routing that the options ask for; None leaves it as the model has it."""
    from pipelines.classifier import HierarchicalClassifier
    from pipelines.model.artifact.hub import local_folder

    classifier = HierarchicalClassifier.from_pretrained(local_folder(model), device=device)
    asked = {"routing": routing, "beam": beam}
    return classifier.set_params(**{name: value for name, value in asked.items() if value is not None})


def new_classifier(config: "Config", taxonomy: "Taxonomy") -> "HierarchicalClassifier":
    """Return the classifier that a config describes."""
    from pipelines.classifier import HierarchicalClassifier

    return HierarchicalClassifier(taxonomy, **config.settings().model_dump())
