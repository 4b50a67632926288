"""Reads documents from files, folders and the hub, for training into one memory-mapped table.

Whatever the source, the documents have the columns ``text`` (never null), ``row`` (where the document stands in
its source) and, where asked for, ``label`` with ``label_count``, and ``group``. Labels are text as the person
wrote them: ``007``, ``NA``, ``1.0`` and ``2024-01-01`` stay what they are.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hierarchy.disk.paths import local_path
from hierarchy.embedding.hub_names import hub_refusal, is_dataset_cached
from hierarchy.errors import DataError, Remedy, first_line, need
from hierarchy.files.text_format import TextFormat, refuse_other_kind
from pipelines.data.arrowfiles import (
    ARROW_SUFFIXES,
    INFO,
    ROWS_AT_ONCE,
    class_names,
    read_arrow_files,
    splits_of,
    to_documents,
)
from pipelines.data.columns import Columns, did_you_mean, other_names
from pipelines.data.tables import Documents, Source, readable_errors, stored_table, table_in_memory
from pipelines.data.textfiles import read_text_file, text_suffix

if TYPE_CHECKING:
    from datasets import Dataset

READABLE = ".csv, .tsv, .jsonl, .json (each also with .gz), .parquet, .arrow"
HUB = "hub"  # folder in that of the tables, for what the `datasets` library keeps of a source on the hub
HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?(:[\w.-]+)?")  # name, owner/name, owner/name:config
logger = logging.getLogger(f"coarsefine.{__name__}")


def read_documents(
    source: "str | Path | Dataset | Mapping[str, Dataset]",
    *,
    text: str | Sequence[str] = "text",
    label: str | None = "label",
    group: str | None = None,
    split: str | None = None,
    quoting: str = "auto",
    delimiter: str | None = None,
    encoding: str = "utf-8",
    cache_dir: str | Path | None = None,
) -> "Dataset":
    """Read documents, whatever they stand in.

    Parameters
    ----------
    source
        A file (.csv, .tsv, .jsonl, .json, each also with .gz, .parquet, .arrow), a folder that the `datasets`
        library saved, a name on the hub (``owner/name`` or ``owner/name:config``), or a dataset in memory.
    text
        The column of the text, or several columns: they are joined by a blank line, empty parts left out.
    label
        The column of the label; None for documents without one.
    group
        The column of the group. Where the source lacks it, all groups are null and a warning says so.
    split
        Which split, where the source has several.
    quoting, delimiter
        Of CSV and TSV files, as for `hierarchy.files.text_format.TextFormat`.
    encoding
        Of CSV, TSV and JSON files.
    cache_dir
        Where the table is written; None takes a folder that goes when this process ends.

    Returns
    -------
    datasets.Dataset
        Memory-mapped (in memory where the source is), with the string columns ``text``, ``label`` and ``group``, the
        integer column ``row`` (the line in a CSV, TSV or JSON-lines file, counted from 1; else the index, counted from
        0) and the integer column ``label_count`` (several labels in one cell stand in ``label`` as a JSON list).

    Raises
    ------
    DataError
        Where the source is missing, empty, damaged, of an unknown kind, or lacks a column.
    """
    cache_dir = None if cache_dir is None else local_path(cache_dir)
    found = find_documents(
        source, text=text, label=label, group=group, split=split, quoting=quoting, delimiter=delimiter,
        encoding=encoding, cache_dir=cache_dir,
    )  # fmt: skip
    documents = table_in_memory(found) if found.files is None else stored_table(found, cache_dir)
    if group is not None and documents.data.column("group").null_count == len(documents):
        logger.warning("%s: no document has a group in the column %r; the taxonomy decides", found.where, group)
    return documents


def find_documents(
    source: "str | Path | Dataset | Mapping[str, Dataset]",
    *,
    text: str | Sequence[str],
    label: str | None,
    group: str | None = None,
    split: str | None,
    quoting: str,
    delimiter: str | None,
    encoding: str,
    cache_dir: Path | None,
) -> Source:
    """Find what documents stand in, and how they are read; parameters and errors are those of `read_documents`."""
    columns = Columns((text,) if isinstance(text, str) else tuple(text), label, group)
    text_format = TextFormat(quoting, delimiter, encoding)
    if not columns.text:
        raise DataError("text names no column")
    if not isinstance(source, str | Path):
        where = "the given dataset"
        return _from_dataset(_one_split(source, split, where), columns, where)
    path = local_path(source)
    with readable_errors(str(path)):
        is_file, is_folder = path.is_file(), path.is_dir()
    if is_file:
        return _from_file(path, columns, split, text_format)
    if is_folder:
        return _from_folder(path, columns, split)
    if isinstance(source, str) and _is_hub_name(source):
        return _from_dataset(_from_hub(source, split, cache_dir), columns, str(path))
    raise DataError(_file_missing(path))


def _from_file(path: Path, columns: Columns, split: str | None, text_format: TextFormat) -> Source:
    where = str(path)
    if split is not None:
        raise DataError(f"split={split!r} was asked for, but a file has no splits; leave it out", where)
    if not path.stat().st_size:
        raise DataError("the file is empty: name one with documents, or check how it was written", where)
    with readable_errors(where):
        refuse_other_kind(path)
    suffix = text_suffix(path)
    if suffix is not None:
        read = partial(read_text_file, path, columns, text_format)
        return Source(where, columns, read, [path], (suffix, path.suffix.lower() == ".gz", text_format))
    if path.suffix.lower() not in ARROW_SUFFIXES:
        raise DataError(f"the suffix {path.suffix!r} is not known; use one of {READABLE}", where)
    need("pyarrow", what=f"{where} is read with pyarrow")
    return Source(where, columns, partial(read_arrow_files, [path], columns), [path])


def _from_folder(path: Path, columns: Columns, split: str | None) -> Source:
    where = str(path)
    with readable_errors(where):
        splits = splits_of(path)
        if splits is None:
            near = sorted(p.name for p in path.iterdir() if text_suffix(p) or p.suffix.lower() in ARROW_SUFFIXES)
            named = f"name one of its files: {', '.join(near[:20])}" if near else f"name a file ({READABLE})"
            raise DataError(f"the folder was not saved by the datasets library; {named}", where)
        files = splits[_choose_split(list(splits), split, where)]
        info = files[0].with_name(INFO) if files and files[0].with_name(INFO).is_file() else None
    need("pyarrow", what=f"{where} is read with pyarrow")
    read = partial(read_arrow_files, files, columns, info=info)
    return Source(where, columns, read, [*files, *([] if info is None else [info])])


def _from_dataset(loaded: "Dataset", columns: Columns, where: str) -> Source:
    """Bring a dataset of the library to our columns; one in memory stays there."""
    plain = loaded.with_format(None)
    classes = class_names(loaded.features.to_dict())

    def read(notes: list[str]) -> Documents:
        found = columns.check(plain.column_names)
        notes += other_names(found)
        chosen = plain.select_columns(list(dict.fromkeys(found.values())))
        for place, batch in enumerate(chosen.iter(ROWS_AT_ONCE)):
            yield from to_documents(batch, found, columns, place * ROWS_AT_ONCE, classes)

    files = [Path(entry["filename"]) for entry in loaded.cache_files]
    return Source(where, columns, read, files or None, (loaded._fingerprint, classes))


def _from_hub(name: str, split: str | None, cache_dir: Path | None) -> "Dataset":
    need("datasets", what="there is no such file, and a name on the hub is read with datasets")
    from datasets import get_dataset_split_names

    repository, _, config = name.partition(":")
    kept = None if cache_dir is None else cache_dir / HUB
    refusal = None if is_dataset_cached(repository, kept) else hub_refusal(repository, kind="dataset", file="README.md")
    if refusal is not None:
        raise DataError(f"{refusal}. Check the name (owner/name, or owner/name:config) and the network", name)
    try:
        splits = get_dataset_split_names(repository, config or None)
        chosen = _choose_split(splits, split, name)
        return _loaded(repository, config or None, split=chosen, cache_dir=None if kept is None else str(kept))
    except DataError:
        raise
    except Exception as error:  # network, hub and script errors have no common base
        raise DataError(
            f"there is no such file, and as a dataset on the hub it cannot be loaded: {first_line(error)}. "
            "Check the name (owner/name, or owner/name:config) and the network",
            name,
        ) from error


def _loaded(*names: str | None, **options: str | None) -> Any:
    """Load a dataset without the bars of the library about what it makes of the files."""
    from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars, load_dataset

    shown = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        return load_dataset(*names, **options)
    finally:
        if shown:
            enable_progress_bars()


def _one_split(loaded: Any, split: str | None, where: str) -> "Dataset":
    """Return the one split that is meant, of a Dataset or of a DatasetDict."""
    from datasets import Dataset

    if isinstance(loaded, Mapping):
        return loaded[_choose_split(list(loaded), split, where)]
    if not isinstance(loaded, Dataset):
        kind = type(loaded).__name__
        raise DataError(f"a file, a folder, a name or a datasets.Dataset is expected, not {kind}", where)
    if split is not None and split != str(loaded.split):
        raise DataError(f"split={split!r} was asked for, but there is one dataset without splits", where)
    return loaded


def _choose_split(splits: Sequence[str], split: str | None, where: str) -> str:
    if split is None and len(splits) == 1:
        return splits[0]
    if splits == [""]:
        raise DataError(f"split={split!r} was asked for, but there is one dataset without splits", where)
    if split is None:
        raise DataError(Remedy(f"there are several splits ({', '.join(splits)}); say which with ", "split"), where)
    if split not in splits:
        problem = f"there is no split {split!r}{did_you_mean(split, splits)}; there are {', '.join(splits)}"
        raise DataError(problem, where)
    return split


def _is_hub_name(source: str) -> bool:
    """Tell a name on the hub from a file that is missing."""
    if not HUB_NAME.fullmatch(source):
        return False
    path = Path(source)
    if text_suffix(path) is not None or path.suffix.lower() in (*ARROW_SUFFIXES, ".gz", ".txt", ".xlsx"):
        return False
    return path.parent == Path() or not path.parent.is_dir()


def _file_missing(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no file {str(path)!r}: the folder {str(path.parent)!r} does not exist"
    if path.exists():
        return f"{str(path)!r} is no file of a disk but a pipe or a device: write the documents to a file"
    if path.is_symlink():
        return f"{str(path)!r} is a link to {str(path.readlink())!r}, which is not there"
    near = did_you_mean(path.name, (entry.name for entry in path.parent.iterdir()))
    return f"there is no file {str(path)!r}{near}"
