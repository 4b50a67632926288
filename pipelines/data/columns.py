"""One record of a source turned into one document; labels stay as the person wrote them."""

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hierarchy.errors import DataError

SEPARATORS = {"\t": "tabs", ";": "semicolons", "|": "bars"}
TAXONOMY_COLUMNS = {"label", "group", "name", "description"}
PART_SEPARATOR = "\n\n"  # between the columns that make one text


@dataclass(frozen=True)
class Columns:
    """Which columns of a source hold what.

    Parameters
    ----------
    text
        The columns that together make the text, in this order.
    label
        The column of the fine label; None where the documents have none.
    group
        The column of the group; None where the taxonomy alone knows it.
    """

    text: tuple[str, ...]
    label: str | None = None
    group: str | None = None

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that a source must have; a group column may be missing."""
        return self.text if self.label is None else (*self.text, self.label)

    @property
    def wanted(self) -> tuple[str, ...]:
        """The columns that are read where they exist."""
        return self.required if self.group is None else (*self.required, self.group)

    def check(self, available: Iterable[str], where: str, *, if_none: str = "") -> None:
        """Raise a DataError that names every required column that is not there.

        Parameters
        ----------
        available
            The names of the source's columns.
        where
            The source, for the message.
        if_none
            What to look at where not one of them is there.
        """
        names = list(available)
        shown = ", ".join(repr(name) for name in names[:50]) or "none"
        problems = [
            f"there is no column {column!r}{did_you_mean(column, names)}. The columns are {shown}; "
            f"name the right one with {'label' if column == self.label else 'text'}=..."
            for column in self.required
            if column not in names
        ]
        if problems:
            hint = _seems_to_be(names)
            none_there = len(problems) == len(self.required)
            raise DataError(problems, where, hint or (if_none if none_there else ""))


def to_document(record: Mapping[str, Any], columns: Columns, row: int, place: str) -> dict[str, Any]:
    """Turn a record into a document.

    Parameters
    ----------
    record
        Column names and values.
    columns
        Which columns hold what.
    row
        Line number or row index, kept with the document.
    place
        The same for a person: ``line 7``, ``row 7``.

    Returns
    -------
    dict
        ``text``, ``row`` and, where asked for, ``label`` with ``label_count`` (how many labels the cell
        holds; several stand in ``label`` as a JSON list) and ``group``.

    Raises
    ------
    DataError
        Where a cell holds something that is neither a text nor a single value.
    """
    parts = [_scalar(record.get(column), column, place) or "" for column in columns.text]
    text = parts[0] if len(parts) == 1 else PART_SEPARATOR.join(part for part in parts if part.strip())
    document: dict[str, Any] = {"text": text, "row": row}
    if columns.label is not None:
        document["label"], document["label_count"] = _labels(record.get(columns.label), columns.label, place)
    if columns.group is not None:
        document["group"], _ = _labels(record.get(columns.group), columns.group, place)
    return document


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the options nearest to `word`, or an empty text."""
    by_lower = {option.lower(): option for option in options}
    near = difflib.get_close_matches(word.lower(), list(by_lower), n=3, cutoff=0.5)
    return f" (did you mean {' or '.join(repr(by_lower[name]) for name in near)}?)" if near else ""


def _seems_to_be(names: list[str]) -> str:
    """Say what is wrong with a header as a whole; else an empty text."""
    for separator, name in SEPARATORS.items():
        if len(names) == 1 and separator in names[0]:
            remedy = "end the file's name in .tsv" if separator == "\t" else "save it with commas"
            return f"the columns seem to be parted by {name}: {remedy}"
    if set(names) <= TAXONOMY_COLUMNS or "groups" in names:
        return "the file seems to be a taxonomy, not documents"
    return ""


def _labels(cell: Any, column: str, place: str) -> tuple[str | None, int]:
    """Return the label of a cell and how many labels the cell holds."""
    cells = cell if isinstance(cell, list | tuple) else [cell]
    found = [value for item in cells if (value := _scalar(item, column, place)) and value.strip()]
    if len(found) > 1:
        return json.dumps(found, ensure_ascii=False), len(found)
    return (found[0], 1) if found else (None, 0)


def _scalar(value: Any, column: str, place: str) -> str | None:
    """Return a cell as text; None for a missing one (null, not-a-number)."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple | dict | set):
        kind = "an object" if isinstance(value, dict) else "a list"
        raise DataError(f"{place}: column {column!r} holds {kind} where one value belongs: {str(value)[:80]}")
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{place}: column {column!r} holds bytes that are not UTF-8 ({error})") from None
    return None if value != value else str(value)
