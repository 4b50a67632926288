"""Labels, groups and the taxonomy that holds them; the builder that makes groups. Knows labels, not models."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hierarchy.errors import (
    ArtifactError,
    BusyError,
    CoarsefineError,
    ConfigError,
    DataError,
    EncoderError,
    MissingLibraryError,
    TaxonomyError,
)
from hierarchy.nodes import Group, Label

if TYPE_CHECKING:
    from hierarchy.building.builder import TaxonomyBuilder
    from hierarchy.taxonomy import Taxonomy

__all__ = [
    "ArtifactError", "BusyError", "CoarsefineError", "ConfigError", "DataError", "EncoderError", "Group", "Label",
    "MissingLibraryError", "Taxonomy", "TaxonomyBuilder", "TaxonomyError",
]  # fmt: skip

# The taxonomy needs numpy and the builder scikit-learn: the command line answers --help without either.
_LAZY = {"Taxonomy": "hierarchy.taxonomy", "TaxonomyBuilder": "hierarchy.building.builder"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
