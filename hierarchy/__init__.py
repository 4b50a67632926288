"""Labels, groups and the taxonomy that holds them; the builder that makes groups. Knows labels, not models."""

from typing import TYPE_CHECKING, Any

from hierarchy.errors import (
    ArtifactError,
    CoarsefineError,
    ConfigError,
    DataError,
    EncoderError,
    TaxonomyError,
)
from hierarchy.taxonomy import Group, Label, Taxonomy

if TYPE_CHECKING:
    from hierarchy.builder import TaxonomyBuilder

__all__ = [
    "ArtifactError", "CoarsefineError", "ConfigError", "DataError", "EncoderError", "Group", "Label", "Taxonomy",
    "TaxonomyBuilder", "TaxonomyError",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    # The builder needs scikit-learn and scipy; a program that only reads a taxonomy does not.
    if name == "TaxonomyBuilder":
        from hierarchy.builder import TaxonomyBuilder

        return TaxonomyBuilder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
