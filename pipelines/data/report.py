"""What a check of documents found that does not stop the work, as data and as plain lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hierarchy.spellings import capped

if TYPE_CHECKING:
    from hierarchy.taxonomy import Taxonomy

TEXT_SHOWN = 80  # characters of a text in a line
SHOWN = 10  # names and rows in a line


@dataclass(frozen=True)
class Conflict:
    """One text that stands in the data under several labels.

    Parameters
    ----------
    text
        Its beginning.
    labels
        The ids of its labels.
    rows
        Where it stands.
    """

    text: str
    labels: tuple[str, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True)
class DataReport:
    """What was found in documents and labels.

    Parameters
    ----------
    documents, used
        How many were read, and how many are left for the work.
    labels
        How many labels have documents.
    fewest, median, most
        Documents of a label, over the labels that have any.
    empty, empty_rows
        How many documents have no text, and the first rows with one.
    duplicates
        Documents that repeat an earlier one: same text, but for case, width and white space, and same label.
    conflicting, conflicts
        Documents whose text also stands under another label, and examples.
    without_documents, few
        Ids of the taxonomy's labels without a document; ids of labels with one or two.
    folded, folded_as
        Documents whose label was found only without regard to case, width and white space, and for each such label a
        line that says how it is written.
    group_mismatches, mismatched
        Documents whose group is not the one in which the taxonomy has the label, and the cases.
    """

    documents: int
    used: int
    labels: int
    fewest: int
    median: float
    most: int
    empty: int = 0
    empty_rows: tuple[int, ...] = ()
    duplicates: int = 0
    conflicting: int = 0
    conflicts: tuple[Conflict, ...] = ()
    without_documents: tuple[str, ...] = ()
    few: tuple[str, ...] = ()
    folded: int = 0
    folded_as: tuple[str, ...] = ()
    group_mismatches: int = 0
    mismatched: tuple[str, ...] = ()

    def lines(self, taxonomy: "Taxonomy | None" = None) -> list[str]:
        """Return the report as plain lines, the figures first and then each finding; `taxonomy` names the labels."""

        def named(ids: Sequence[str]) -> Sequence[str]:
            return ids if taxonomy is None else [taxonomy.label_named(label_id) for label_id in ids]

        found = [
            f"{count(self.used, 'document')} in {count(self.labels, 'label')} "
            f"(documents a label: {self.fewest:,} to {self.most:,}, median {self.median:,g})"
        ]
        if self.empty:
            what = "left out" if self.used < self.documents else "kept"
            rows = some(self.empty_rows, self.empty)
            found.append(f"{count(self.empty, 'empty document')} {what} (rows {rows})")
        if self.duplicates:
            what = "document that repeats" if self.duplicates == 1 else "documents that repeat"
            found.append(f"{self.duplicates:,} {what} an earlier one and its label (kept)")
        if self.conflicting:
            found.append(f"{count(self.conflicting, 'document')} whose text also has another label (kept):")
            found += [f"  rows {some(c.rows)}: {some(named(c.labels))}: {c.text!r}" for c in self.conflicts]
        if self.without_documents:
            what = count(len(self.without_documents), "label")
            found.append(f"{what} without documents: {some(named(self.without_documents))}")
        if self.few:
            found.append(f"{count(len(self.few), 'label')} with 1 or 2 documents: {some(named(self.few))}")
        found += capped(self.folded_as, "label")
        if self.group_mismatches:
            what = count(self.group_mismatches, "document")
            found.append(f"{what} in another group than in the taxonomy, which decides: {some(self.mismatched)}")
        return found


def count(number: int, noun: str) -> str:
    """Return ``1 label`` or ``1,200 labels``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shortened(text: str) -> str:
    """Return a text that fits in a line: what should be a label may be a whole document."""
    return text if len(text) <= TEXT_SHOWN else f"{text[:TEXT_SHOWN]}…"


def some(items: Sequence[object], total: int | None = None) -> str:
    """Return the first items with commas, and how many more there are, of `total` or of the items."""
    shown = ", ".join(shortened(str(item)) for item in items[:SHOWN])
    more = (len(items) if total is None else total) - min(len(items), SHOWN)
    return f"{shown} and {more:,} more" if more > 0 else shown
