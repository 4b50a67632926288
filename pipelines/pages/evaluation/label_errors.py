"""The section with the documents whose given label may be wrong."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hierarchy.nodes import Label, named
from pipelines.data.report import count
from pipelines.pages.shell import boxed_table, section
from pipelines.pages.words import name, share

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
    if not found:
        return ""
    across = sum(one.where == "other group" for one, _ in found)
    shown = f" Shown are the {SHOWN} most suspicious." if len(found) > SHOWN else ""
    text = (
        f'<p class="lead">{count(len(found), "document")} may carry a wrong label, {across:,} of them one of a wrong '
        "group.</p><p>Models that had not seen a document found another label clearly more probable. They can be wrong "
        f"as well: a person decides.{shown}</p>"
    )
    rows = [
        (
            name(one.id or f"row {one.row}") + (f"<br><small>{name(excerpt)}</small>" if excerpt else ""),
            f"{_named(one.label, one.label_name, names)}<br><small>{share(one.probability)}</small>",
            f"{_named(one.suggested, one.suggested_name, names)}<br><small>{share(one.suggested_probability)}</small>",
            one.where,
        )
        for one, excerpt in found[:SHOWN]
    ]
    columns = ("document", "its label, and how probable", "suggested, and how probable", "stands in")
    return section("Labels that may be wrong", text, boxed_table(columns, rows, figures=0))


def _named(label: str, earlier: str, names: Mapping[str, str]) -> str:
    return name(names.get(label, named(Label(label, earlier))))
