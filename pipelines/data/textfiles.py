"""Documents from CSV, TSV and JSON files, line by line, with the file and line in every error."""

import codecs
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, cast

from hierarchy.errors import DataError, Remedy
from hierarchy.files.text_format import TextFormat
from pipelines.data.columns import Columns, other_names, to_document
from pipelines.data.delimited import read_rows

DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
BYTE_ORDER_MARK = "\ufeff"
CHUNK = 2**16  # bytes
BROKEN_OFF = (EOFError, zlib.error, gzip.BadGzipFile)
LONGEST_LINE = 2**28  # characters: a gzip file of a megabyte can hold a line of a gigabyte
LONGEST_LIST = 2**30
NO_HEADER = "the first line of the file must name the columns"
ONE_COLUMN = Remedy(
    "line 1 names one column only: where another character parts the columns, name it with ", "delimiter"
)


def text_suffix(path: Path) -> str | None:
    """Return ``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson`` or ``.json``, looking through ``.gz``; else None."""
    inner = Path(path.stem) if path.suffix.lower() == ".gz" else path
    suffix = inner.suffix.lower()
    return suffix if suffix in DELIMITERS or suffix in JSON_SUFFIXES else None


def read_text_file(path: Path, columns: Columns, text_format: TextFormat, notes: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the documents of a text file.

    Parameters
    ----------
    path
        A file that `text_suffix` knows.
    columns
        Which columns hold what.
    text_format
        How it is written.
    notes
        Is told what is odd about the file.

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
    delimiter = DELIMITERS.get(text_suffix(path) or "")
    lines = _lines(path, text_format.encoding)
    if delimiter is None:
        yield from _from_json(lines, columns, notes)
    else:
        yield from _from_table(read_rows(lines, delimiter, text_format, notes), columns, notes)


def _lines(path: Path, encoding: str) -> Iterator[str]:
    """Yield decoded lines with their line ends; a byte-order mark is taken off, wherever files were joined."""
    number = 0
    with closing(_opened(path)) as file:
        try:
            # Only a line feed ends a line: other characters that Python takes for line ends may stand in texts.
            text = io.TextIOWrapper(file, encoding=encoding, newline="\n")
            for number, line in enumerate(iter(partial(text.readline, LONGEST_LINE), ""), start=1):
                if len(line) == LONGEST_LINE:
                    raise DataError(f"line {number} has more than {LONGEST_LINE:,} characters: part what stands in it")
                if number == 1 and "\0" in line:
                    encoding = "utf-16-be" if line.startswith("\0") else "utf-16-le"
                    raise DataError(_other_encoding("the file seems to be UTF-16", encoding))
                yield line.removeprefix(BYTE_ORDER_MARK)
        except UnicodeError:
            try:
                raise DataError(_wrong_byte(path, encoding)) from None
            except BROKEN_OFF as error:  # which is why the bytes are wrong
                raise _broken_off(number, error) from None
        except BROKEN_OFF as error:
            raise _broken_off(number, error) from None


def _broken_off(number: int, error: Exception) -> DataError:
    return DataError(f"after line {number}: the gzip file is damaged or cut off ({error})")


def _opened(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix.lower() == ".gz" else path.open("rb")


def _wrong_byte(path: Path, encoding: str) -> str:
    """Find the first byte that is not of the encoding, and say where it stands and what to do."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line, offset = 1, 0
    with closing(_opened(path)) as file:
        start = file.read(4)
        if start in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
            return _other_encoding("the file is UTF-32", "utf-32")
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return _other_encoding("the file is UTF-16", "utf-16")
        chunk = start + file.read(CHUNK)
        while True:
            try:
                line += decoder.decode(chunk, final=not chunk).count("\n")
            except UnicodeDecodeError as error:
                before = error.object[: error.start]
                line += before.decode(encoding, "replace").count("\n")
                place = offset + len(chunk) - len(error.object) + error.start
                wrong = f"byte 0x{error.object[error.start]:02x} at offset {place}"
                remedy = "save the file as UTF-8, or read it as it was written, with "
                written = f"line {line}: {wrong} is not {encoding.upper()}; {remedy}"
                return Remedy(written, "encoding", " (or big5, cp1252)", value="'gb18030'")
            except UnicodeError as error:  # some codecs do not say where
                return f"after line {line}: this is not {encoding.upper()} ({error}); save the file as UTF-8"
            offset += len(chunk)
            chunk = file.read(CHUNK)


def _other_encoding(problem: str, encoding: str) -> Remedy:
    return Remedy(f"{problem}; save it as UTF-8, or read it with ", "encoding", value=repr(encoding))


def _from_table(rows: Iterator[tuple[int, list[str]]], columns: Columns, notes: list[str]) -> Iterator[dict[str, Any]]:
    header = next(rows, (0, []))[1]
    if not header:
        return
    found = columns.check(header, if_none=NO_HEADER if len(header) > 1 else ONE_COLUMN)
    notes += other_names(found)
    place_of = {column: header.index(name) for column, name in found.items()}
    for line, cells in rows:
        record = {column: cells[place] for column, place in place_of.items()}
        yield to_document(record, columns, line, f"line {line}")


def _from_json(lines: Iterator[str], columns: Columns, notes: list[str]) -> Iterator[dict[str, Any]]:
    """Yield documents from one object a line, or from one list of objects."""
    seen: dict[str, None] = {}
    taken: set[tuple[str, str]] = set()  # (wanted, name) where a record has another name
    find = lru_cache(maxsize=1000)(columns.find)
    for place, row, record in _json_records(lines):
        if not isinstance(record, dict):
            raise DataError(f"{place}: an object with named columns belongs here, not {str(record)[:80]!r}")
        seen.update(dict.fromkeys(record))
        if any(column not in record for column in columns.wanted):
            found = find(tuple(record))
            taken.update((column, name) for column, name in found.items() if column != name)
            record = {column: record[name] for column, name in found.items()}
        yield to_document(record, columns, row, place)
    if seen:  # a column may be missing in some records, but not in all
        columns.refuse_two(taken, seen)
        notes += other_names(columns.check(seen))


def _json_records(lines: Iterator[str]) -> Iterator[tuple[str, int, Any]]:
    """Yield place, row and value of each record; a list is read whole, lines one by one."""
    is_first = True
    for number, line in enumerate(lines, start=1):
        if is_first and line.lstrip().startswith("["):
            whole = "\n" * (number - 1) + "".join(_up_to(LONGEST_LIST, chain([line], lines)))  # line numbers stay right
            for index, item in enumerate(_loads(whole, "the list")):
                yield f"item {index}", index, item
            return
        if line.strip():
            yield f"line {number}", number, _loads(line, f"line {number}")
            is_first = False


def _up_to(most: int, lines: Iterable[str]) -> Iterator[str]:
    length = 0
    for line in lines:
        length += len(line)
        if length > most:
            raise DataError(f"the list has more than {most:,} characters: write one object a line, in a .jsonl file")
        yield line


def _loads(text: str, place: str) -> Any:
    """Parse JSON with numbers kept as they are written: ``1.0`` and ``1e5`` are labels, not quantities."""
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=lambda _: None)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in text.strip() else ""
        raise DataError(
            f"{place}: broken JSON at {line}column {error.colno}: {error.msg.removesuffix(' at')}; "
            "write one object a line, or one list of objects"
        ) from None
    except RecursionError:
        raise DataError(f"{place}: lists or objects are nested too deep: write one object with named columns") from None
