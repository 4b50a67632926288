"""Documents kept on disk, written once for each content of their source: a memory-mapped table, or JSON lines."""

import hashlib
import json
import logging
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Source:
    """Where documents come from, found and ready to be read.

    Attributes
    ----------
    where
        What messages call it.
    columns
        Which columns the documents have.
    read
        Gives the documents.
    files
        Whose content counts, wherever they stand and however old they are: about a second for each GB. None: it is in
        memory.
    parts
        What else decides how it is read, beside the columns; their `repr` counts.
    """

    where: str
    columns: Columns
    read: Reader
    files: Sequence[Path] | None
    parts: tuple[Any, ...] = ()


def stored_table(source: Source, cache_dir: Path | None) -> "Dataset":
    """Return documents as a memory-mapped table; log what is odd about them, also where the table is there already.

    Parameters
    ----------
    source
        The documents.
    cache_dir
        Folder of the table; None takes one that goes when this process ends.

    Raises
    ------
    DataError
        The documents cannot be read, there are none, or the table cannot be written.
    """
    from datasets import Dataset

    def write(documents: Documents, file: Path) -> None:
        import pyarrow as pa

        schema = features(source.columns).arrow_schema
        with file.open("wb") as stream, pa.ipc.new_stream(stream, schema) as writer:
            for batch in _batches(documents):
                writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))

    table = _stored(source, cache_dir or Path(_temporary_folder().name), ".arrow", write, _is_table)
    return Dataset.from_file(str(table))


def stored_lines(source: Source, cache_dir: Path) -> Path:
    """Return documents as a file of JSON lines, for who reads them once and in their order; else as `stored_table`."""

    def write(documents: Documents, file: Path) -> None:
        with file.open("w", encoding="utf-8") as stream:
            stream.writelines(json.dumps(document, ensure_ascii=False) + "\n" for document in documents)

    return _stored(source, cache_dir, ".jsonl", write, lambda _file, _columns: True)


def _stored(
    source: Source, folder: Path, suffix: str, write: Callable[[Documents, Path], None],
    is_whole: Callable[[Path, Columns], bool],
) -> Path:  # fmt: skip
    """Return the file of the documents, written where it is not there, or damaged."""
    where, files = source.where, source.files or ()
    with readable_errors(where):
        described = repr((VERSION, source.columns, source.parts, [checksum(file) for file in files]))
    key = hashlib.sha256(described.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    listing, stored, notes_file = (folder / f"documents-{key}{end}" for end in (LIST, suffix, ".json"))
    notes = _notes(listing, stored, notes_file, source.columns, is_whole)
    if notes is None:
        notes = []
        with readable_errors(where), finishing(listing, stored, notes_file) as (part, notes_part):
            write(_some(_healed(_read_errors(source.read(notes), where), notes)), part)
            notes_part.write_text(json.dumps(notes), encoding="utf-8")
    tell(notes, where)
    return stored


def _notes(
    listing: Path, stored: Path, notes_file: Path, columns: Columns, is_whole: Callable[[Path, Columns], bool]
) -> list[str] | None:
    """Read the notes of finished documents; None where they are not there, or damaged."""
    if not is_finished(listing, stored, notes_file):
        return None
    with suppress(OSError, ValueError):
        notes = TypeAdapter(list[str]).validate_python(parse_json(notes_file.read_bytes()))
        if is_whole(stored, columns):
            return notes
    damaged(stored, "it holds no documents of these columns")
    return None


def _is_table(file: Path, columns: Columns) -> bool:
    import pyarrow as pa

    try:
        with pa.memory_map(str(file)) as source:
            found = pa.ipc.open_stream(source).read_all()
        found.validate(full=True)
    except pa.ArrowException:
        return False
    return bool(found.schema.equals(features(columns).arrow_schema))


def table_in_memory(source: Source) -> "Dataset":
    """Return documents as a table in memory, as `stored_table` does on disk."""
    import pyarrow as pa
    from datasets import Dataset

    notes: list[str] = []
    schema = features(source.columns).arrow_schema
    with readable_errors(source.where):
        documents = _some(_healed(source.read(notes), notes))
        batches = [pa.RecordBatch.from_pylist(batch, schema=schema) for batch in _batches(documents)]
    tell(notes, source.where)
    return Dataset(pa.Table.from_batches(batches, schema))


def joined_tables(tables: Mapping[str, "Dataset"]) -> "Dataset":
    """Return tables one behind the other, with a column ``file`` that says where each document stands.

    Parameters
    ----------
    tables
        File -> documents, all with the same columns; what lies on disk stays there.
    """
    from datasets import concatenate_datasets

    names = names_apart(tables)
    files = [names[file] for file, table in tables.items() for _ in range(len(table))]
    return concatenate_datasets([*tables.values()]).add_column("file", files)


def names_apart(files: Collection[str]) -> dict[str, str]:
    """Return what files are called where they stand together: as much of the ends of their paths as tells them apart.

    Parameters
    ----------
    files
        Paths, all different.
    """
    names: dict[str, str] = {}
    for depth in range(1, 1 + max(len(Path(file).parts) for file in files)):
        if len(set(names.values())) < len(files):
            names = {file: str(Path(*Path(file).parts[-depth:])) for file in files}
    return names


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


def _batches(documents: Documents) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(documents, ROWS_IN_MEMORY)):
        yield batch


def _some(documents: Documents) -> Documents:
    """Give the documents, of which there must be some."""
    empty = True
    for document in documents:
        empty = False
        yield document
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
