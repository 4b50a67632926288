"""Taxonomy files: YAML, JSON, CSV and TSV, from and to disk."""

import os
import stat
from pathlib import Path

from hierarchy.disk.paths import local_path
from hierarchy.disk.whole_files import write_output
from hierarchy.errors import TaxonomyError
from hierarchy.files.mistaken import AS_DATA
from hierarchy.files.reading import read_tree
from hierarchy.files.syntax import compose_json, compose_yaml
from hierarchy.files.tables import read_table, table_text
from hierarchy.nodes import Tree
from hierarchy.text.escaping import short_repr

SUFFIXES = (".yaml", ".yml", ".json", ".csv", ".tsv")
LARGEST = 2**28  # bytes of a taxonomy or config; one with a million labels has a quarter of it
DOCUMENT_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".arrow", ".gz")


def read_tree_file(path: str | Path, suffix: str = "") -> Tree:
    """Read a taxonomy file; raises TaxonomyError with all problems and their lines.

    Parameters
    ----------
    path
        The file.
    suffix
        Of `SUFFIXES`, the kind of file that it is; empty takes its own. A CSV that ends in .tsv is split at tabs.
    """
    where, suffix = Path(path).name, suffix or Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        hint = AS_DATA if suffix in DOCUMENT_SUFFIXES else ""
        raise TaxonomyError(
            f"'{path}' ends in '{suffix}'; a taxonomy file ends in one of {', '.join(SUFFIXES)}", hint=hint
        )
    text = read_text(path)
    if suffix in (".csv", ".tsv"):
        return read_table(text, where, _delimiter(path))
    return read_tree(compose_json(text, where) if suffix == ".json" else compose_yaml(text, where), where)


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
    """Write a CSV, or a TSV where the suffix says so; raises DataError, TaxonomyError where a table would change it."""
    ids = (*(group.id for group in tree.groups), *tree.homes)
    if changed := [one for one in ids if one != one.strip()]:
        raise TaxonomyError(
            f"the id {short_repr(changed[0])} begins or ends with a blank, which a table does not keep: write .yaml or "
            ".json"
        )
    write_text(table_text(tree, _delimiter(path)), path)


def _delimiter(path: str | Path) -> str:
    return "\t" if Path(path).suffix.lower() == ".tsv" else ","
