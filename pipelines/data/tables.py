"""Documents as a table on disk, memory-mapped and written once for each content of their source."""

import hashlib
import json
import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import TypeAdapter

from hierarchy.disk.strict_json import parse_json
from hierarchy.disk.whole_files import checksum
from hierarchy.errors import DataError, first_line
from hierarchy.text.characters import healed
from hierarchy.text.wording import count
from pipelines.data.columns import Columns
from stages.run_folder import LIST, damaged, finishing, is_finished

if TYPE_CHECKING:
    from datasets import Dataset

ROWS_IN_MEMORY = 200  # written at a time; documents may be long
HEALED_LISTED = 5  # rows
VERSION = 2  # of what readers make of a source: raise it when they would give other documents or notes
Documents: TypeAlias = Iterator[dict[str, Any]]
Reader: TypeAlias = Callable[[list[str]], Documents]  # it adds to the list what a person should know of the source
# What libraries raise over a file that is damaged, or of a kind that they do not know.
FOREIGN = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, NotImplementedError, RecursionError)
logger = logging.getLogger(f"coarsefine.{__name__}")


def stored_table(
    read: Reader, columns: Columns, where: str, cache_dir: Path | None, *parts: Any, files: Sequence[Path]
) -> "Dataset":
    """Return documents as a memory-mapped table; log what is odd about them, also where the table is there already.

    Parameters
    ----------
    read
        Gives the documents.
    columns
        Which columns they have.
    where
        The source, for messages.
    cache_dir
        Folder of the table; None takes one that goes when this process ends.
    parts
        What decides how the source is read, beside the columns; their `repr` counts.
    files
        Whose content counts, wherever they stand and however old they are: about a second for each GB.

    Raises
    ------
    DataError
        The documents cannot be read, there are none, or the table cannot be written.
    """
    import pyarrow as pa
    from datasets import Dataset

    with readable_errors(where):
        described = repr((VERSION, columns, parts, [checksum(file) for file in files]))
    key = hashlib.sha256(described.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    folder = cache_dir or Path(_temporary_folder().name)
    listing, table, notes_file = (folder / f"documents-{key}{end}" for end in (LIST, ".arrow", ".json"))
    notes = _notes(listing, table, notes_file, columns)
    if notes is None:
        notes = []
        with readable_errors(where), finishing(listing, table, notes_file) as (table_part, notes_part):
            schema = features(columns).arrow_schema
            with table_part.open("wb") as stream, pa.ipc.new_stream(stream, schema) as writer:
                for batch in _batches(_read_errors(read(notes), where), notes, schema):
                    writer.write_batch(batch)
            notes_part.write_text(json.dumps(notes), encoding="utf-8")
    tell(notes, where)
    return Dataset.from_file(str(table))


def _notes(listing: Path, table: Path, notes_file: Path, columns: Columns) -> list[str] | None:
    """Read the notes of a finished table; None where it is not there, or damaged."""
    import pyarrow as pa

    if not is_finished(listing, table, notes_file):
        return None
    with suppress(OSError, ValueError, pa.ArrowException):
        notes = TypeAdapter(list[str]).validate_python(parse_json(notes_file.read_bytes()))
        with pa.memory_map(str(table)) as source:
            found = pa.ipc.open_stream(source).read_all()
        found.validate(full=True)
        if found.schema.equals(features(columns).arrow_schema):
            return notes
    damaged(table, "it holds no documents of these columns")
    return None


def table_in_memory(read: Reader, columns: Columns, where: str) -> "Dataset":
    """Return documents as a table in memory, as `stored_table` does on disk."""
    import pyarrow as pa
    from datasets import Dataset

    notes: list[str] = []
    schema = features(columns).arrow_schema
    with readable_errors(where):
        batches = list(_batches(read(notes), notes, schema))
    tell(notes, where)
    return Dataset(pa.Table.from_batches(batches, schema))


def joined_tables(tables: Mapping[str, "Dataset"]) -> "Dataset":
    """Return tables one behind the other, with a column ``file`` that says where each document stands.

    Parameters
    ----------
    tables
        File -> documents, all with the same columns; what lies on disk stays there.
    """
    from datasets import concatenate_datasets

    names: dict[str, str] = {}
    for depth in range(1, 1 + max(len(Path(file).parts) for file in tables)):
        if len(set(names.values())) < len(tables):  # as much of their ends as tells them apart
            names = {file: str(Path(*Path(file).parts[-depth:])) for file in tables}
    files = [names[file] for file, table in tables.items() for _ in range(len(table))]
    return concatenate_datasets([*tables.values()]).add_column("file", files)


def tell(notes: Iterable[str], where: str) -> None:
    """Log what a person should know of a source."""
    for note in notes:
        logger.warning("%s: %s", where, note)


def features(columns: Columns) -> Any:
    """Return the types of our columns."""
    from datasets import Features, Value

    types = {"text": Value("string"), "row": Value("int64")}
    if columns.label is not None:
        types |= {"label": Value("string"), "label_count": Value("int32")}
    if columns.group is not None:
        types["group"] = Value("string")
    return Features(types)


@cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="coarsefine-", ignore_cleanup_errors=True)


def _read_errors(documents: Documents, where: str) -> Documents:
    """Give the documents; what fails when they are read is told apart from what fails when they are written."""
    while True:
        with readable_errors(where):
            document = next(documents, None)
        if document is None:
            return
        yield document


def _batches(documents: Documents, notes: list[str], schema: Any) -> Iterator[Any]:
    import pyarrow as pa

    empty, documents = True, _healed(documents, notes)
    while batch := list(islice(documents, ROWS_IN_MEMORY)):
        empty = False
        yield pa.RecordBatch.from_pylist(batch, schema=schema)
    if empty:
        raise DataError("holds no documents: name a source that does, or check how it was written")


def _healed(documents: Documents, notes: list[str]) -> Documents:
    rows: list[int] = []
    for document in documents:
        text = healed(document["text"])
        if text is not document["text"]:
            rows.append(document["row"])
            document["text"] = text
        yield document
    if rows:
        listed = ", ".join(map(str, rows[:HEALED_LISTED])) + (", ..." if rows[HEALED_LISTED:] else "")
        notes.append(f"{count(len(rows), 'text')} with half a character, which is read as U+FFFD (rows {listed})")


@contextmanager
def readable_errors(where: str) -> Iterator[None]:
    """Turn errors of libraries and of the system into ours, with the cause."""
    try:
        yield
    except DataError as error:
        raise DataError(error.problems, error.where or where, error.hint) from None
    except OSError as error:
        raise DataError(f"cannot be read: {first_line(error)}", where) from error
    except MemoryError as error:
        raise DataError(
            f"does not fit into memory ({first_line(error)}): give more of it, or part the file", where
        ) from error
    except FOREIGN as error:
        raise DataError(f"cannot be read: {first_line(error)}", where) from error
