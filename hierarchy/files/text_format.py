"""How the text files of documents are written: quotes, delimiter, encoding."""

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from hierarchy.errors import DataError

Quoting: TypeAlias = Literal["auto", "double", "none"]
QUOTINGS: tuple[str, ...] = get_args(Quoting)
KINDS = (  # how files of another kind begin, what they are, and which suffixes are right for them
    (b"PAR1\x15", "a Parquet file", (".parquet",)),
    (b"ARROW1\0", "an Arrow file", (".arrow",)),
    (b"\x1f\x8b", "compressed with gzip", (".gz",)),
    (b"PK\x03\x04", "an Excel file or another ZIP archive", ()),
    (b"\xd0\xcf\x11\xe0", "an Excel or Word file of an old kind", ()),
    (b"%PDF-", "a PDF", ()),
    (b"<!DOCTYPE", "a web page", ()),
    (b"<html", "a web page", ()),
    (b"<?xml", "XML", ()),
    (b'{"', "JSON", (".json", ".jsonl", ".ndjson", ".gz")),
    (b'[{"', "JSON", (".json", ".jsonl", ".ndjson", ".gz")),
)
TAB = "tab"
TAB_NAMES = (TAB, "\\t")  # as a command line has it


@dataclass(frozen=True)
class TextFormat:
    """How a CSV, TSV or JSON file is written.

    Parameters
    ----------
    quoting
        Of CSV and TSV. ``auto``: a cell may stand in double quotes, and one that seems to have swallowed whole rows is
        refused (TSV) or reported (CSV). ``double``: the same, and what stands in quotes is trusted. ``none``: quotes
        are characters like all others, and each line is a row.
    delimiter
        Of CSV and TSV, one character; None takes what the suffix says, and in a CSV the semicolon where the header has
        no comma.
    encoding
        A name that Python's codecs know.

    Raises
    ------
    DataError
        One of them is none of these.
    """

    quoting: str = "auto"
    delimiter: str | None = None
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        if self.quoting not in QUOTINGS:
            raise DataError(f"quoting={self.quoting!r}: use one of {', '.join(QUOTINGS)}")
        if self.delimiter is not None:
            object.__setattr__(self, "delimiter", checked_delimiter(self.delimiter))
        checked_encoding(self.encoding)


def refuse_other_kind(path: Path) -> None:
    """Raise a DataError where a file is plainly of another kind than its name says."""
    with path.open("rb") as file:
        beginning = file.read(20).removeprefix(codecs.BOM_UTF8).lower()
    for mark, kind, suffixes in KINDS:
        if beginning.startswith(mark.lower()) and path.suffix.lower() not in suffixes:
            remedy = f"let its name end in {suffixes[0]}" if suffixes else "save the documents as CSV or JSON lines"
            raise DataError(f"the file is {kind}, whatever its name says: {remedy}")


def checked_delimiter(written: str) -> str:
    r"""Return the one character that is meant (``\t`` and ``tab`` are a tab); raise a DataError for all else."""
    delimiter = "\t" if written in TAB_NAMES else written
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise DataError(f"the delimiter {written!r} must be one character, no quote and no line break; a tab is tab")
    return delimiter


def checked_encoding(name: str) -> str:
    """Return the name of an encoding of text; raise a DataError where it is none."""
    try:
        b" ".decode(name)
    except UnicodeError:  # half a character of UTF-16, which is one
        pass
    except (LookupError, ValueError):
        raise DataError(
            f"{name!r} is no encoding that Python knows: use utf-8, utf-16, gb18030, big5, cp1252 or another of its own"
        ) from None
    return name
