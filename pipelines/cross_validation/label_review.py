"""The CSV that a person reviews: one line a document whose label is probably wrong."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hierarchy.disk.paths import local_path
from hierarchy.disk.whole_files import write_output
from hierarchy.errors import DataError, TaxonomyError
from hierarchy.files.taxonomy_files import read_text
from hierarchy.text.escaping import csv_row, from_spreadsheet_cell, spreadsheet_cell
from pipelines.cross_validation.label_errors import LabelError

COLUMNS = (
    "row", "id", "label", "suggested", "group", "suggested_group", "where", "probability", "suggested_probability",
    "key", "text",
)  # fmt: skip
NAMES = ("label_name", "suggested_name", "group_name", "suggested_group_name")  # for readers; the others have ids
# How a column is read; all others are texts.
READ: Mapping[str, Callable[[str], Any]] = {
    "row": int, "key": partial(int, base=16), "probability": float, "suggested_probability": float,
    **dict.fromkeys(("id", "group", "suggested_group"), lambda cell: cell or None),
}  # fmt: skip
EXCERPT = 200  # characters


def write_review(found: Sequence[LabelError], path: str | Path, excerpts: Mapping[int, str] | None = None) -> None:
    """Write the CSV, whole or not at all; a spreadsheet takes no cell of it for a formula.

    Parameters
    ----------
    found
        In the order of the file.
    path
        The file.
    excerpts
        Beginning of the text with each key, see `excerpt`; None leaves the column empty.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    lines = [csv_row(COLUMNS + NAMES)]
    for one in found:
        values = one.as_dict() | {"text": (excerpts or {}).get(one.key, "")}
        lines.append(csv_row(spreadsheet_cell(_written(values[name])) for name in COLUMNS + NAMES))
    write_output(local_path(path), "".join(lines))


def read_review(path: str | Path) -> list[tuple[LabelError, str]]:
    """Read the CSV, also as a spreadsheet saves it, with semicolons: each document with its excerpt.

    Raises
    ------
    DataError
        There is no such file, it is not UTF-8, or a line of it is not what `write_review` writes.
    """
    path = local_path(path)
    if not path.is_file():
        raise DataError(f"there is no file {str(path)!r}: name the one that label-errors wrote")
    try:
        text = read_text(path)
    except TaxonomyError as error:
        raise DataError(error.problems, str(path)) from None
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if text.startswith("row;") else ",")
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise DataError(
            f"this is no list of label errors: the columns {', '.join(missing)} are missing; name the file that "
            "label-errors wrote",
            str(path),
        )
    try:
        return [_read_line(cells) for cells in reader]
    except (TypeError, ValueError, csv.Error) as error:
        raise DataError(
            f"line {reader.line_num}: {error}: restore the line as label-errors wrote it, or delete it", str(path)
        ) from None


def _read_line(cells: Mapping[str, str | None]) -> tuple[LabelError, str]:
    line = {name: from_spreadsheet_cell(cells.get(name) or "") for name in COLUMNS + NAMES}
    text = line.pop("text")
    del line["where"]  # which the groups tell
    return LabelError(**{name: READ.get(name, str)(cell) for name, cell in line.items()}), text


def _written(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def excerpt(text: str) -> str:
    """Return the beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else f"{line[:EXCERPT].rstrip()}…"
