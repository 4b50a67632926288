"""Taxonomy files: YAML, JSON, text, CSV, TSV and Excel, from and to disk."""

import logging
import os
import stat
from pathlib import Path

from hierarchy.disk.paths import local_path
from hierarchy.disk.whole_files import output_file, write_output
from hierarchy.errors import TaxonomyError
from hierarchy.files.excel import excel_bytes, read_excel
from hierarchy.files.lines import read_lines
from hierarchy.files.mistaken import AS_DATA
from hierarchy.files.nested import read_entries
from hierarchy.files.shape import Shape
from hierarchy.files.sheet import read_delimited
from hierarchy.files.syntax import compose_json, compose_yaml
from hierarchy.files.tables import read_table, table_rows
from hierarchy.files.writing import json_text, yaml_text
from hierarchy.nodes import Tree
from hierarchy.text.escaping import csv_row, short_repr

logger = logging.getLogger(f"coarsefine.{__name__}")
YAML, TABLES = (".yaml", ".yml"), (".csv", ".tsv", ".xlsx")
SUFFIXES = (*YAML, ".json", *TABLES, ".txt")
WRITTEN = (*YAML, ".json", *TABLES)
LARGEST = 2**28  # bytes of a taxonomy or config; one with a million labels has a quarter of it
DOCUMENT_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".arrow", ".gz")


def read_tree_file(path: str | Path, suffix: str = "", shape: Shape | None = None) -> Tree:
    """Read a taxonomy file; raises TaxonomyError with all problems and their lines.

    Parameters
    ----------
    path
        The file.
    suffix
        Of `SUFFIXES`, the kind of file that it is; empty takes its own. A CSV that ends in .tsv is split at tabs.
    shape
        How the file holds the tree, where it does not say so itself.
    """
    where, suffix, shape = Path(path).name, suffix or Path(path).suffix.lower(), shape or Shape()
    if suffix not in SUFFIXES:
        hint = AS_DATA if suffix in DOCUMENT_SUFFIXES else ""
        raise TaxonomyError(
            f"'{path}' ends in '{suffix}'; a taxonomy file ends in one of {', '.join(SUFFIXES)}", hint=hint
        )
    if suffix == ".xlsx":
        return read_table(read_excel(_content(path), where, shape.sheet), where, shape)
    text = read_text(path)
    if suffix in TABLES:
        return read_table(read_delimited(text, where, _delimiter(path)), where, shape)
    if suffix == ".txt":
        return read_lines(text, where, shape)
    return read_entries(compose_json(text, where) if suffix == ".json" else compose_yaml(text, where), where, shape)


def write_tree_file(tree: Tree, path: str | Path) -> None:
    """Write a taxonomy file, whole or not at all, of the kind that its suffix says, of `WRITTEN`.

    Raises
    ------
    DataError
        It cannot be written.
    TaxonomyError
        The suffix is another, or a table would change the tree.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in WRITTEN:
        raise TaxonomyError(f"'{path}' ends in '{suffix}'; a taxonomy is written as one of {', '.join(WRITTEN)}")
    if suffix in TABLES:
        write_table(tree, path)
    else:
        write_text(json_text(tree) if suffix == ".json" else yaml_text(tree), path)


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
        with open(local_path(path), "rb", opener=_at_once) as file:
            data = file.read(LARGEST + 1) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
        if data is None:  # some files of /proc are to be waited for as a pipe is
            raise TaxonomyError(f"'{path}' is no file of a disk but a pipe or a device; write it to a file")
    except OSError as error:
        raise TaxonomyError(f"'{path}' cannot be read ({error.strerror}); check the path") from None
    except MemoryError:
        raise TaxonomyError(f"'{path}' does not fit into memory; give more of it, or another file") from None
    if len(data) > LARGEST:
        raise TaxonomyError(f"'{path}' has more than {LARGEST >> 20} MB; name another file")
    return data


def _at_once(path: str, flags: int) -> int:
    """Open a file, and do not wait for somebody who writes into a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def write_text(text: str, path: str | Path | None) -> str:
    """Write text as UTF-8 where a path is given, whole or not at all, and return it; raises DataError."""
    if path is not None:
        write_output(local_path(path), text)
    return text


def write_table(tree: Tree, path: str | Path) -> None:
    """Write a CSV, or a TSV or Excel file where the suffix says so.

    Raises DataError, MissingLibraryError, and TaxonomyError where a table would change the tree.
    """
    ids = (*(group.id for group in tree.groups), *tree.homes)
    if changed := [one for one in ids if one != one.strip()]:
        raise TaxonomyError(
            f"the id {short_repr(changed[0])} begins or ends with a blank, which a table does not keep: write .yaml or "
            ".json"
        )
    rows = table_rows(tree)
    if Path(path).suffix.lower() == ".xlsx":
        content = excel_bytes(rows)
        with output_file(local_path(path)) as part:
            part.write_bytes(content)
    else:
        write_text("".join(csv_row(row, _delimiter(path)) for row in rows), path)
    _tell_lost(tree, Path(path).name)


def _tell_lost(tree: Tree, where: str) -> None:
    """Log what people decided that a table has no column for, since it is gone from a tree that is read from there."""
    held = {
        "pins": any(label.pinned for label in tree.all_labels),
        "sizes of groups": any(group.min_size is not None or group.max_size is not None for group in tree.groups),
        "links": tree.must_link or tree.cannot_link,
        "merged labels": tree.merged_into,
        "retired labels": tree.retired,
    }
    lost = [what for what, there in held.items() if there]
    if lost:
        logger.info("%s: a table does not hold %s: keep the tree as YAML, too", where, ", ".join(lost))


def _delimiter(path: str | Path) -> str:
    return "\t" if Path(path).suffix.lower() == ".tsv" else ","
