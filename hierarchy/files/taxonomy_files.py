"""Taxonomy files: YAML, JSON, CSV and TSV, from and to disk."""

import errno
import os
import stat
from itertools import chain
from pathlib import Path

from hierarchy.disk.paths import local_path
from hierarchy.disk.whole_files import write_output
from hierarchy.errors import TaxonomyError
from hierarchy.files.mistaken import AS_DATA
from hierarchy.files.reading import read_tree
from hierarchy.files.syntax import compose_json, compose_yaml
from hierarchy.files.tables import read_rows, table_text
from hierarchy.files.writing import json_text, yaml_text
from hierarchy.nodes import Tree
from hierarchy.text.escaping import in_short

__all__ = [
    "json_text", "read_file", "read_json", "read_table", "read_yaml", "write_table", "write_text", "yaml_text",
]  # fmt: skip

SUFFIXES = (".yaml", ".yml", ".json", ".csv", ".tsv")
LARGEST = 2**28  # bytes of a taxonomy or config; one with a million labels has a quarter of it
DOCUMENT_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".arrow", ".gz")


def read_yaml(path: str | Path) -> Tree:
    """Read a YAML taxonomy; raises TaxonomyError with all problems and their lines."""
    return read_tree(compose_yaml(read_text(path), Path(path).name), Path(path).name)


def read_json(path: str | Path) -> Tree:
    """Read a JSON taxonomy; raises TaxonomyError with all problems and their lines."""
    return read_tree(compose_json(read_text(path), Path(path).name), Path(path).name)


def read_table(path: str | Path) -> Tree:
    """Read a CSV or TSV taxonomy; raises TaxonomyError with all problems and their lines."""
    return read_rows(read_text(path), Path(path).name, _delimiter(path))


def read_file(path: str | Path) -> Tree:
    """Read a taxonomy file of the kind that its suffix names."""
    suffix = Path(path).suffix.lower()
    if suffix in (".yaml", ".yml"):
        return read_yaml(path)
    if suffix == ".json":
        return read_json(path)
    if suffix in (".csv", ".tsv"):
        return read_table(path)
    hint = AS_DATA if suffix in DOCUMENT_SUFFIXES else ""  # .csv and .tsv were read above
    raise TaxonomyError(f"'{path}' ends in '{suffix}'; a taxonomy file ends in one of {', '.join(SUFFIXES)}", hint=hint)


def read_text(path: str | Path) -> str:
    """Read a UTF-8 file (a byte order mark is fine); raises TaxonomyError that names the first wrong byte."""
    where = Path(path).name
    data = _content(path)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise TaxonomyError("the file is saved as UTF-16; save it as UTF-8", where)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TaxonomyError(
            f"line {line}: byte {error.start} (0x{data[error.start]:02x}) is not UTF-8; save the file as UTF-8 "
            f"(for Chinese from an older program: iconv -f GB18030 -t UTF-8 {where})",
            where,
        ) from None


def _content(path: str | Path) -> bytes:
    """Read a whole file; pipes and devices, which may never end, are refused."""
    try:
        # Not to wait for somebody who writes into a pipe.
        handle = os.open(local_path(path), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            kind = os.fstat(handle).st_mode
            if stat.S_ISDIR(kind):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            data = file.read(LARGEST + 1) if stat.S_ISREG(kind) else None
            if data is None:  # some files of /proc are to be waited for as a pipe is
                raise TaxonomyError(f"'{path}' is no file of a disk but a pipe or a device; write it to a file")
    except OSError as error:
        raise TaxonomyError(f"'{path}' cannot be read ({error.strerror}); check the path") from None
    except MemoryError:
        raise TaxonomyError(f"'{path}' does not fit into memory; give more of it, or another file") from None
    if len(data) > LARGEST:
        raise TaxonomyError(f"'{path}' has more than {LARGEST >> 20} MB; name another file")
    return data


def write_text(text: str, path: str | Path | None) -> str:
    """Write text as UTF-8 where a path is given, whole or not at all, and return it; raises DataError."""
    if path is not None:
        write_output(local_path(path), text)
    return text


def write_table(tree: Tree, path: str | Path) -> None:
    """Write a CSV, or a TSV where the suffix says so; raises DataError, TaxonomyError where a table would change it."""
    labels = chain(*(group.labels for group in tree.groups), tree.unplaced)
    ids = chain((group.id for group in tree.groups), (label.id for label in labels))
    if changed := [one for one in ids if one != one.strip()]:
        raise TaxonomyError(
            f"the id {in_short(changed[0])} begins or ends with a blank, which a table does not keep: write .yaml or "
            ".json"
        )
    write_text(table_text(tree, _delimiter(path)), path)


def _delimiter(path: str | Path) -> str:
    return "\t" if Path(path).suffix.lower() == ".tsv" else ","
