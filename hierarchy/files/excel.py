"""Excel files by openpyxl, the extra `excel`: cells as they are shown, and the way back."""

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from hierarchy.checks import Problem, in_words
from hierarchy.errors import MissingLibraryError, Remedy, TaxonomyError, first_line
from hierarchy.files.sheet import EMPTY, Sheet
from hierarchy.text.likeness import nearest_hint

if TYPE_CHECKING:
    from openpyxl.cell import Cell
    from openpyxl.worksheet.worksheet import Worksheet

LARGEST = 2**28  # bytes of what is packed in a file
_DECIMALS = re.compile(r"(?P<whole>0+)(?:\.(?P<part>0+))?(?P<percent>%?)")  # formats that say how a number is shown


def read_excel(data: bytes, where: str, name: str | None) -> Sheet:
    """Read a sheet as it is shown: of formulas the value that was computed last, of merged cells each that it fills.

    Parameters
    ----------
    data
        What the file holds.
    where
        The file's name, for messages.
    name
        Of the sheet; None takes the first that is not hidden.

    Raises
    ------
    MissingLibraryError
        openpyxl is not installed.
    TaxonomyError
        This is no Excel file, it lacks the sheet or has nothing in it, or cells hold errors.
    """
    formulas, values = (_sheet(data, where, name, data_only) for data_only in (False, True))
    problems: list[Problem] = []
    _unmerge(values)
    lines: list[tuple[int, list[str]]] = []
    for row in values.iter_rows():
        cells = []
        for cell in row:
            uncounted = cell.value is None and formulas[cell.coordinate].data_type == "f"
            if uncounted or cell.data_type == "e":
                what = "a formula without a value" if uncounted else f"the error {cell.value}"
                remedy = "open and save it in a spreadsheet" if uncounted else "mend it"
                problems.append((cell.row, f"the cell {cell.coordinate} holds {what}; {remedy}"))
            cells.append(_shown(cell))
        if any(cells):
            lines.append((row[0].row, cells))
    if problems:
        raise TaxonomyError(in_words(problems), where)
    if not lines:
        rest = ", ".join(repr(sheet.title) for sheet in values.parent.worksheets if sheet.title != values.title)
        other = Remedy(f"sheet {values.title!r} is empty; there are {rest}: name one with ", "sheet")
        raise TaxonomyError(other if rest else EMPTY, where)
    (_, columns), *rows = lines
    return Sheet(columns, rows)


def excel_bytes(rows: Iterable[Sequence[str]]) -> bytes:
    """Write rows of texts as an Excel file with one sheet; raises MissingLibraryError.

    Parameters
    ----------
    rows
        Cells, none of which is a formula; controls, which Excel cannot hold, are refused with a TaxonomyError.
    """
    openpyxl = _openpyxl()
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("taxonomy")
    for row in rows:
        try:
            sheet.append([openpyxl.cell.WriteOnlyCell(sheet, cell) for cell in row])
        except openpyxl.utils.exceptions.IllegalCharacterError:
            raise TaxonomyError(
                f"{list(row)!a} holds a character that Excel cannot: write .csv, .yaml or .json"
            ) from None
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _openpyxl() -> Any:
    try:
        import openpyxl.cell
        import openpyxl.utils.exceptions
    except ImportError:
        raise MissingLibraryError(
            "Excel files are read by openpyxl, which is not installed; install it with: pip install openpyxl"
        ) from None
    return openpyxl


def _sheet(data: bytes, where: str, name: str | None, data_only: bool) -> "Worksheet":
    openpyxl = _openpyxl()
    try:
        size = sum(part.file_size for part in zipfile.ZipFile(io.BytesIO(data)).infolist())
        book = openpyxl.load_workbook(io.BytesIO(data), data_only=data_only) if size <= LARGEST else None
    except MemoryError:
        raise
    except Exception as error:  # a damaged file fails anywhere in the library, with errors of every kind
        what = f"this is no Excel file that can be read ({first_line(error)})"
        raise TaxonomyError(f"{what}; save it as .xlsx or .csv", where) from None
    if book is None:
        raise TaxonomyError(f"the file holds more than {LARGEST >> 20} MB; save the sheet alone as .csv", where)
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if not sheets:
        raise TaxonomyError("the file has charts and no sheet with cells; save one", where)
    if name is not None and name not in sheets:
        known = nearest_hint(name, list(sheets)) or f"; there are {', '.join(map(repr, sheets))}"
        raise TaxonomyError(Remedy(f"there is no sheet {name!r}{known}: name another with ", "sheet"), where)
    shown = [title for title, sheet in sheets.items() if sheet.sheet_state == "visible"]
    return sheets[name or next(iter(shown or sheets))]


def _unmerge(sheet: "Worksheet") -> None:
    """Write the value of merged cells into each line that they fill."""
    for merged in list(sheet.merged_cells.ranges):
        sheet.unmerge_cells(merged.coord)
        first = sheet.cell(merged.min_row, merged.min_col)
        for line in range(merged.min_row + 1, merged.max_row + 1):
            below = sheet.cell(line, merged.min_col, first.value)
            below.number_format = first.number_format


def _shown(cell: "Cell") -> str:
    """Return the text that a spreadsheet shows; of dates and of formats of one's own the plain value."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime):
        return str(value.date() if value.time() == time() else value)
    if isinstance(value, date | time):
        return str(value)
    if isinstance(value, int | float):
        return _number(value, cell.number_format)
    return str(value).strip()


def _number(value: float, number_format: str) -> str:
    if format_ := _DECIMALS.fullmatch(number_format):
        places, percent = len(format_["part"] or ""), format_["percent"]
        width = len(format_["whole"]) + (places + 1 if places else 0)
        return f"{value * 100 if percent else value:0{width}.{places}f}{percent}"
    return str(int(value)) if value == int(value) else repr(value)
