"""Brings a table of the `datasets` library, wherever it comes from, to the columns of a document."""

import errno
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hierarchy.errors import DataError
from pipelines.data.columns import Columns, to_document

if TYPE_CHECKING:
    from datasets import Dataset

ROWS_IN_MEMORY = 200  # written at a time; documents may be long
VERSION = 1  # of what is written to the cache: raise it when the columns or their meaning change


def convert(loaded: "Dataset", columns: Columns, where: str, cache_dir: str | Path | None) -> "Dataset":
    """Bring any dataset to the columns of `features`.

    Parameters
    ----------
    loaded
        A dataset with any columns.
    columns
        Which of them hold what.
    where
        The source, for messages.
    cache_dir
        Where a dataset that stands on disk is written; one in memory stays there.

    Returns
    -------
    datasets.Dataset
        One row for each row of `loaded`, in the same order; ``row`` counts from 0.

    Raises
    ------
    DataError
        Where a column is not there, nothing is, or a cell holds no single value.
    """
    from datasets import config
    from datasets.fingerprint import Hasher

    columns.check(loaded.column_names, where)
    if not len(loaded):
        raise DataError("the source holds no documents: name one that does, or another split", where)
    chosen = [name for name in dict.fromkeys(columns.wanted) if name in loaded.column_names]
    selected = loaded.with_format(None).select_columns(chosen)
    cache_file = None
    if selected.cache_files:
        files = [Path(entry["filename"]) for entry in selected.cache_files]
        identity = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        key = Hasher.hash((VERSION, selected._fingerprint, identity, columns))
        folder = Path(cache_dir or config.HF_DATASETS_CACHE) / "coarsefine"
        folder.mkdir(parents=True, exist_ok=True)
        cache_file = str(folder / f"documents-{key}.arrow")
    with readable_errors(where):
        return selected.map(
            _convert_batch,
            batched=True,
            batch_size=ROWS_IN_MEMORY,
            writer_batch_size=ROWS_IN_MEMORY,
            with_indices=True,
            remove_columns=chosen,
            features=features(columns),
            fn_kwargs={"columns": columns, "names": _class_names(selected)},
            cache_file_name=cache_file,
            load_from_cache_file=cache_file is not None,
            desc="Reading documents",
        )


def _convert_batch(
    batch: Mapping[str, list[Any]], rows: list[int], columns: Columns, names: Mapping[str, list[str]]
) -> dict[str, list[Any]]:
    cells = {
        name: [_class_name(value, names[name]) for value in values] if name in names else values
        for name, values in batch.items()
    }
    documents = [
        to_document(dict(zip(cells, values, strict=True)), columns, row, f"row {row}")
        for row, values in zip(rows, zip(*cells.values(), strict=True), strict=True)
    ]
    return {key: [document[key] for document in documents] for key in documents[0]}


def _class_names(dataset: "Dataset") -> dict[str, list[str]]:
    """Return the class names of the columns that hold class numbers."""
    found: dict[str, list[str]] = {}
    for column, feature in dataset.features.items():
        inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", feature)
        if hasattr(inner, "int2str"):
            found[column] = inner.names
    return found


def _class_name(value: Any, names: list[str]) -> Any:
    if isinstance(value, list):
        return [_class_name(item, names) for item in value]
    return None if value is None or value < 0 else names[value]  # -1 is the library's "no label"


def features(columns: Columns) -> Any:
    """Return the types of our columns."""
    from datasets import Features, Value

    types = {"text": Value("string"), "row": Value("int64")}
    if columns.label is not None:
        types |= {"label": Value("string"), "label_count": Value("int32")}
    if columns.group is not None:
        types["group"] = Value("string")
    return Features(types)


@contextmanager
def readable_errors(where: str) -> Iterator[None]:
    """Turn the library's errors into ours, with the cause; show its progress bars on terminals only."""
    from datasets import disable_progress_bars, enable_progress_bars
    from datasets.exceptions import DatasetGenerationError
    from datasets.utils import are_progress_bars_disabled

    hide = not sys.stderr.isatty() and not are_progress_bars_disabled()
    if hide:
        disable_progress_bars()
    try:
        yield
    except (DatasetGenerationError, DataError, OSError, ValueError) as error:
        cause: BaseException = error
        while isinstance(cause, DatasetGenerationError) and (cause.__cause__ or cause.__context__):
            cause = cause.__cause__ or cause.__context__
        if isinstance(cause, DataError):
            raise DataError(cause.problems, cause.where or where, cause.hint) from None
        if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:
            raise DataError(
                "no space is left for the table of documents: free some, or set cache_dir (on the command line: run)",
                where,
            ) from error
        raise DataError(f"cannot be read: {first_line(cause)}", where) from error
    finally:
        if hide:
            enable_progress_bars()


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, without its full stop."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
