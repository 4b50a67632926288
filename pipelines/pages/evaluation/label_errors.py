"""The section with the documents whose given label may be wrong."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hierarchy.nodes import Label, named
from pipelines.pages.shell import fill

if TYPE_CHECKING:
    from pipelines.cross_validation.label_errors import LabelError

SHOWN = 50


def suspect_labels(found: "Sequence[tuple[LabelError, str]]", names: Mapping[str, str]) -> str:
    """Draw a table of the most suspicious documents.

    Parameters
    ----------
    found
        Each with its excerpt or an empty string, the most suspicious first.
    names
        Label id -> name, of the labels of the report; others have the name that the list gives them.
    """
    across = sum(one.where == "other group" for one, _ in found)
    return fill(
        "evaluation/label_errors.html",
        suspects=found,
        across=across,
        most=SHOWN,
        written=lambda label, earlier: names.get(label, named(Label(label, earlier))),
    )
