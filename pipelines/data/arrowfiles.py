"""Documents from Parquet and Arrow files and the folders of the `datasets` library: these files, these columns.

What is read lies in files and memory of Python's, so Arrow's own threads are kept from it (`use_threads`,
`pre_buffer`): one that gives it back when the process ends already aborts it, and the exit code is lost.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from hierarchy.errors import DataError
from pipelines.data.columns import Columns, other_names, to_document

if TYPE_CHECKING:
    import pyarrow as pa

ARROW_SUFFIXES = (".parquet", ".arrow")
ROWS_AT_ONCE = 200  # documents may be long
METADATA = b"huggingface"  # of a file's schema
LISTS = ("Sequence", "List", "LargeList")  # what the library calls them, earlier and now
STATE, SPLITS, INFO = "state.json", "dataset_dict.json", "dataset_info.json"  # of a folder of the library


def read_arrow_files(
    files: Sequence[Path], columns: Columns, notes: list[str], *, info: Path | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the documents of files that make one table, one after the other.

    Opened here and not by name, since pyarrow and datasets take some names for patterns or addresses.

    Parameters
    ----------
    files
        Parquet or Arrow files with the same columns.
    columns
        Which columns hold what; the others are not read.
    notes
        Is told what is odd about the files.
    info
        The ``dataset_info.json`` beside them; it names the classes of columns that hold class numbers, in place of what
        the files say.

    Yields
    ------
    dict
        As `pipelines.data.columns.to_document` makes them; ``row`` counts from 0.

    Raises
    ------
    DataError
        Where a column is missing, or a cell holds no single value.
    """
    row = 0
    for number, file in enumerate(files):
        with file.open("rb") as stream:
            schema, batches = _opened(stream, file, columns)
            found = columns.check(schema.names)
            notes += other_names(found) if number == 0 else []
            classes = class_names(_features(schema, found.values(), info))
            for batch in batches:
                yield from to_documents(batch, found, columns, row, classes)
                row += len(next(iter(batch.values())))


def to_documents(
    batch: Mapping[str, Sequence[Any]],
    found: Mapping[str, str],
    columns: Columns,
    first: int,
    classes: Mapping[str, list[str]],
) -> Iterator[dict[str, Any]]:
    """Turn columns of a source into documents.

    Parameters
    ----------
    batch
        Name in the source -> values.
    found
        Wanted column -> its name in the source.
    columns
        Which columns hold what.
    first
        The row of the first.
    classes
        As `class_names` gives them.
    """
    cells = {
        column: [_class_name(value, classes[name], column, row) for row, value in enumerate(batch[name], start=first)]
        if name in classes
        else batch[name]
        for column, name in found.items()
    }
    for row, values in enumerate(zip(*cells.values(), strict=True), start=first):
        yield to_document(dict(zip(cells, values, strict=True)), columns, row, f"row {row}")


def class_names(described: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the class names of the columns that hold class numbers, as the library describes columns in JSON."""
    return {name: known for name, feature in described.items() if (known := _names_in(feature)) is not None}


def splits_of(folder: Path) -> dict[str, list[Path]] | None:
    """Return the Arrow files of each split of a folder that `save_to_disk` wrote; None where it is no such folder.

    One dataset alone is a split too, called as it was or by an empty name.
    """
    if (folder / STATE).is_file():
        name, files = _split(folder)
        return {name: files}
    if not (folder / SPLITS).is_file():
        return None
    return {name: _split(folder / name)[1] for name in _json(folder / SPLITS)["splits"]}


def _split(folder: Path) -> tuple[str, list[Path]]:
    state = _json(folder / STATE)
    return state.get("_split") or "", [folder / file["filename"] for file in state["_data_files"]]


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _opened(stream: BinaryIO, file: Path, columns: Columns) -> "tuple[pa.Schema, Iterator[dict[str, list[Any]]]]":
    """Return the schema of all columns, and the wanted ones in batches."""
    if file.suffix.lower() == ".parquet":
        import pyarrow.parquet as pq

        parquet = pq.ParquetFile(stream, pre_buffer=False)
        schema = parquet.schema_arrow
        batches = parquet.iter_batches(ROWS_AT_ONCE, columns=_chosen(schema, columns), use_threads=False)
    else:
        schema, batches = _arrow_batches(stream, columns)
    return schema, (piece.to_pydict() for batch in batches if batch.num_rows for piece in _pieces(batch))


def _chosen(schema: "pa.Schema", columns: Columns) -> list[str]:
    return list(dict.fromkeys(columns.find(schema.names).values()))


def _arrow_batches(stream: BinaryIO, columns: Columns) -> "tuple[pa.Schema, Iterator[pa.RecordBatch]]":
    """Read a file of either Arrow format: with batches that can be chosen, or a stream."""
    import pyarrow as pa

    def reader(**options: Any) -> Any:
        stream.seek(0)
        return pa.ipc.open_file(stream, **options) if chooses else pa.ipc.open_stream(stream, **options)

    chooses = stream.read(6) == b"ARROW1"
    schema = reader(options=pa.ipc.IpcReadOptions(use_threads=False)).schema
    places = [schema.names.index(name) for name in _chosen(schema, columns)]
    chosen = reader(options=pa.ipc.IpcReadOptions(included_fields=places, use_threads=False))
    return schema, (chosen.get_batch(i) for i in range(chosen.num_record_batches)) if chooses else iter(chosen)


def _pieces(batch: "pa.RecordBatch") -> "Iterator[pa.RecordBatch]":
    batch.validate(full=True)  # pyarrow reads where a damaged file sends it, and would end the process
    for start in range(0, batch.num_rows, ROWS_AT_ONCE):
        yield batch.slice(start, ROWS_AT_ONCE)


def _features(schema: "pa.Schema", names: Iterable[str], info: Path | None) -> Mapping[str, Any]:
    """Return what the library says of some columns; nothing where the files do not come from it."""
    try:
        if info is not None:
            described = _json(info).get("features")
        elif METADATA in (schema.metadata or {}):
            described = json.loads(schema.metadata[METADATA]).get("info", {}).get("features")
        else:
            return {}
        return {name: described[name] for name in names if name in described} if described else {}
    except (ValueError, TypeError, AttributeError, RecursionError):
        where = f"the metadata {METADATA.decode()!r}" if info is None else f"the file {info.name!r}"
        raise DataError(
            f"{where}, where the datasets library describes the columns, is damaged: save the documents anew, or as CSV"
        ) from None


def _names_in(feature: Any) -> list[str] | None:
    inner = feature[0] if isinstance(feature, list) and feature else feature
    while isinstance(inner, dict) and inner.get("_type") in LISTS:
        inner = inner.get("feature")
    names = inner.get("names") if isinstance(inner, dict) and inner.get("_type") == "ClassLabel" else None
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def _class_name(value: Any, names: list[str], column: str, row: int) -> Any:
    if isinstance(value, list):
        return [_class_name(item, names, column, row) for item in value]
    if value is None or value == -1:  # the library's "no label"
        return None
    if isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    raise DataError(
        f"row {row}: column {column!r} holds {value!r:.80}, and the file names {len(names)} classes, counted from 0: "
        "save it anew with all its classes, or with names in the column"
    )
