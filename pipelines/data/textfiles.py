"""Documents from CSV, TSV and JSON files, line by line, with the file and line in every error."""

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from hierarchy.errors import DataError
from pipelines.data.columns import Columns, to_document

DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
DELIMITER_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab"}
QUOTE_REMEDY = 'must stand in double quotes, with each quote inside it written twice ("")'
MAX_FIELD = 2**31 - 1  # characters; the csv module's own limit of 131,072 is less than a long document
BYTE_ORDER_MARK = "\ufeff"


def text_suffix(path: Path) -> str | None:
    """Return ``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson`` or ``.json``, looking through ``.gz``; else None."""
    inner = Path(path.stem) if path.suffix.lower() == ".gz" else path
    suffix = inner.suffix.lower()
    return suffix if suffix in DELIMITERS or suffix in JSON_SUFFIXES else None


def read_text_file(path: str, columns: Columns, identity: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    """Yield the documents of a text file.

    Parameters
    ----------
    path
        A file that `text_suffix` knows.
    columns
        Which columns hold what.
    identity
        Not read here: it stands among the arguments because the `datasets` library makes its cache key
        from them, so that a changed file is read again.

    Yields
    ------
    dict
        As `pipelines.data.columns.to_document` makes them; ``row`` is the line on which the record starts,
        or the index of the item in a JSON list.

    Raises
    ------
    DataError
        For the first line that cannot be read.
    """
    file = Path(path)
    suffix = text_suffix(file)
    lines = _lines(file)
    delimiter = DELIMITERS.get(suffix or "")
    documents = _from_csv(lines, delimiter, columns) if delimiter else _from_json(lines, columns)
    found = False
    try:
        for document in documents:
            found = True
            yield document
    except DataError as error:
        raise DataError(error.problems, path, error.hint) from None
    if not found:
        raise DataError("the file holds no documents: name one that does, or check how it was written", path)


def _lines(path: Path) -> Iterator[str]:
    """Yield decoded lines with their line ends; a byte-order mark is taken off."""
    offset = number = 0
    with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as file:
        try:
            for number, raw in enumerate(file, start=1):
                try:
                    line = raw.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise DataError(_wrong_encoding(raw, number, offset + error.start, error.start)) from None
                offset += len(raw)
                yield line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"after line {number}: the gzip file is damaged or cut off ({error})") from None


def _wrong_encoding(raw: bytes, line: int, offset: int, start: int) -> str:
    if line == 1 and raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "the file is UTF-16; save it as UTF-8, for example with `iconv -f UTF-16 -t UTF-8`"
    return (
        f"line {line}: byte 0x{raw[start]:02x} at offset {offset} is not UTF-8; save the file as UTF-8, "
        "for example with `iconv -f GB18030 -t UTF-8` (or BIG5, CP1252, as it was written)"
    )


def _from_csv(lines: Iterator[str], delimiter: str, columns: Columns) -> Iterator[dict[str, Any]]:
    limit = csv.field_size_limit(MAX_FIELD)
    first = next(lines, "")
    lines = chain([first], lines) if first else lines
    if delimiter == "," and ";" in first and "," not in first:  # as spreadsheets write it in half of Europe
        delimiter = ";"
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    start = 1
    try:
        header = next(reader, [])
        if not reader.line_num:  # not one byte
            return
        if not header:
            raise DataError("the first line must name the columns, but it is empty")
        columns.check(header, "", if_none="the first line of the file must name the columns")
        twice = sorted({name for name in columns.wanted if header.count(name) > 1})
        if twice:
            raise DataError(f"line 1: the column {twice[0]!r} stands there twice; rename one of them")
        while True:
            start = reader.line_num + 1  # where the record begins: a quoted field may span lines
            cells = next(reader, None)
            if cells is None:
                return
            if not cells:  # a blank line
                continue
            if len(cells) != len(header):
                fields = f"{len(cells)} field{'s' * (len(cells) != 1)}"
                raise DataError(
                    f"line {start}: {fields}, but the header names {len(header)}; a field with "
                    f"{DELIMITER_NAMES[delimiter]}, a line break or a quote inside {QUOTE_REMEDY}"
                )
            yield to_document(dict(zip(header, cells, strict=True)), columns, start, f"line {start}")
    except csv.Error as error:
        what = str(error).replace("\t", "\\t")
        raise DataError(f"line {start}: {what}; a field that begins with a quote {QUOTE_REMEDY}") from None
    finally:
        csv.field_size_limit(limit)


def _from_json(lines: Iterator[str], columns: Columns) -> Iterator[dict[str, Any]]:
    """Yield documents from one object a line, or from one list of objects."""
    seen: dict[str, None] = {}
    for place, row, record in _json_records(lines):
        if not isinstance(record, dict):
            raise DataError(f"{place}: an object with named columns belongs here, not {str(record)[:80]!r}")
        seen.update(dict.fromkeys(record))
        yield to_document(record, columns, row, place)
    if seen:  # a column may be missing in some records, but not in all
        columns.check(seen, "")


def _json_records(lines: Iterator[str]) -> Iterator[tuple[str, int, Any]]:
    """Yield place, row and value of each record; a list is read whole, lines one by one."""
    number = 0
    for number, line in enumerate(lines, start=1):
        if line.lstrip().startswith("["):
            whole = "\n" * (number - 1) + line + "".join(lines)  # line numbers of errors stay right
            for index, item in enumerate(_loads(whole, "the list")):
                yield f"item {index}", index, item
            return
        if line.strip():
            yield f"line {number}", number, _loads(line, f"line {number}")
            break
    for later, line in enumerate(lines, start=number + 1):
        if line.strip():
            yield f"line {later}", later, _loads(line, f"line {later}")


def _loads(text: str, place: str) -> Any:
    """Parse JSON with numbers kept as they are written: ``1.0`` and ``1e5`` are labels, not quantities."""
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=lambda _: None)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in text.strip() else ""
        raise DataError(
            f"{place}: broken JSON at {line}column {error.colno}: {error.msg}; "
            "write one object a line, or one list of objects"
        ) from None
