"""One record of a source turned into one document; labels stay as the person wrote them."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hierarchy.arguments import refuse_half
from hierarchy.errors import DataError, Remedy
from hierarchy.matching import match_key
from hierarchy.text.likeness import most_like

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
        """The columns that are read where they exist, each once."""
        names = self.required if self.group is None else (*self.required, self.group)
        return tuple(dict.fromkeys(names))

    def find(self, available: Iterable[str]) -> dict[str, str]:
        """Return the name that each wanted column has in a source: its own, else one that differs in case or width.

        Parameters
        ----------
        available
            The names of the source's columns.

        Returns
        -------
        dict
            Wanted name -> name in the source; what the source lacks is left out.

        Raises
        ------
        DataError
            Where several columns differ from a wanted one, that is not there, in nothing else.
        """
        names = list(dict.fromkeys(available))
        found: dict[str, str] = {}
        for column in self.wanted:
            near = [column] if column in names else [name for name in names if match_key(name) == match_key(column)]
            if len(near) > 1:
                raise DataError(_ambiguous(near, self.argument(column)))
            if near:
                found[column] = near[0]
        return found

    def check(self, available: Iterable[str], *, if_none: str = "") -> dict[str, str]:
        """Return what `find` returns, after a check that every required column is there.

        Parameters
        ----------
        available
            The names of the source's columns.
        if_none
            What to look at where not one of them is there.

        Raises
        ------
        DataError
            That names every required column that is not there, and every one that stands there twice.
        """
        names = list(available)
        found = self.find(names)
        listed = ", ".join(repr(name) for name in names[:50]) or "none"
        problems: list[str] = [
            Remedy(
                f"there is no column {column!r}{did_you_mean(column, names)}. The columns are {listed}; name the right "
                "one with ",
                self.argument(column),
            )
            for column in self.required
            if column not in found
        ]
        twice = sorted({name for name in found.values() if names.count(name) > 1})
        problems += [f"the column {name!r} stands there twice; rename one of them" for name in twice]
        if problems:
            none_there = not any(column in found for column in self.required)
            raise DataError(problems, hint=_seems_to_be(names) or (if_none if none_there else ""))
        return found

    def refuse_two(self, taken: Iterable[tuple[str, str]], available: Collection[str]) -> None:
        """Raise a DataError where some records have a column by its name, and others by one like it.

        Parameters
        ----------
        taken
            (wanted name, name in the source) where the two differ.
        available
            The names of all columns of the source.
        """
        for column, name in sorted(taken):
            if column in available:
                raise DataError(_ambiguous([column, name], self.argument(column)))

    def argument(self, column: str) -> str:
        """Return which argument names a column."""
        return "text" if column in self.text else "label" if column == self.label else "group"


def other_names(found: Mapping[str, str]) -> list[str]:
    """Say in one note, if at all, which columns were taken that are not called as wanted.

    Parameters
    ----------
    found
        As `Columns.find` returns it.
    """
    pairs = ", ".join(f"{name!r} for {column!r}" for column, name in found.items() if name != column)
    return [f"columns whose names differ in case, width or blanks are read: {pairs}"] if pairs else []


def _ambiguous(names: list[str], argument: str) -> str:
    listed = " and ".join(map(repr, names))
    return Remedy(
        f"the columns {listed} differ in case, width or blanks only; name the one that is meant with ", argument
    )


def to_document(record: Mapping[str, Any], columns: Columns, row: int, place: str) -> dict[str, Any]:
    """Turn a record into a document.

    Parameters
    ----------
    record
        Column names, as `columns` has them, and values.
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
        Where a cell holds something that is neither a text nor a single value, or half a character in a label or group.
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
    near = most_like(word.lower(), list(by_lower), n=3, least=0.5)
    return f" (did you mean {' or '.join(repr(by_lower[name]) for name in near)}?)" if near else ""


def _seems_to_be(names: list[str]) -> str:
    """Say what is wrong with a header as a whole; else an empty text."""
    for separator, name in SEPARATORS.items():
        if len(names) == 1 and separator in names[0]:
            return Remedy(f"the columns seem to be parted by {name}: name the character with ", "delimiter")
    if set(names) <= TAXONOMY_COLUMNS or "groups" in names:
        return "the file seems to be a taxonomy, not documents"
    return ""


def _labels(cell: Any, column: str, place: str) -> tuple[str | None, int]:
    """Return the label of a cell and how many labels the cell holds."""
    cells = cell if isinstance(cell, list | tuple) else [cell]
    found = [value for item in cells if (value := _scalar(item, column, place)) and value.strip()]
    for value in found:
        refuse_half(value, f"{place}: column {column!r}")
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
