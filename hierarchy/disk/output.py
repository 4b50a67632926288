"""What is written: where nothing that is read lies, and whole or not at all."""

import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from hierarchy.disk.paths import path_exists
from hierarchy.disk.whole_files import cannot_write, file_refusal, folder_refusal, output_file
from hierarchy.errors import DataError
from hierarchy.text.characters import has_half
from hierarchy.text.escaping import csv_row, spreadsheet_cell, spreadsheet_json

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".jsonl", ".csv", ".parquet")
PAGE_SUFFIXES = (".html", ".htm")
Place: TypeAlias = str | Path


@dataclass(frozen=True)
class OutputFile:
    """A file that will be written.

    Parameters
    ----------
    name
        What its caller calls it (``--html``).
    place
        The file; an earlier one is replaced.
    suffixes
        How its name may end.
    """

    name: str
    place: Path
    suffixes: tuple[str, ...]

    def problem(self) -> str | None:
        """Say why it cannot be written."""
        file = f"the output file {str(self.place)!r}"
        if self.place.suffix.lower() not in self.suffixes:
            return f"{file} must end in {'' if len(self.suffixes) == 1 else 'one of '}{', '.join(self.suffixes)}"
        is_folder = os.path.isdir  # pathlib raises where a name is too long
        if is_folder(self.place):
            return f"{str(self.place)!r} is a folder: name a file for the output"
        if not is_folder(self.place.absolute().parent):
            return f"the folder of {file} does not exist: make it first"
        return _refused(file, self.place, file_refusal(self.place), tables=".parquet" in self.suffixes)

    def overwrites(self, other: Path) -> bool:
        """Whether it takes the place of another file."""
        return _same(self.place, other)


@dataclass(frozen=True)
class OutputFolder:
    """A folder that will be written, or written into.

    Parameters
    ----------
    name
        What its caller calls it (``--out``).
    place
        The folder.
    files
        Those that are written in it.
    replaced
        Whether an earlier folder goes, with all that lies in it.
    replaces
        A folder that is read and whose place it may take.
    tables
        Whether tables of documents or rows are written in it.
    """

    name: str
    place: Path
    files: tuple[str, ...] = ()
    replaced: bool = False
    replaces: Path | None = None
    tables: bool = False

    def problem(self) -> str | None:
        """Say why it cannot be written."""
        whole, named = self.place.absolute(), f"{self.name} {str(self.place)!r}"
        try:
            above = next(folder for folder in (whole, *whole.parents) if folder.resolve().exists())
        except (OSError, ValueError) as error:
            return cannot_write(self.place, error)
        if whole.exists() and not whole.is_dir():
            return f"{named} is a file: name a folder"
        if not above.is_dir():
            return f"{named} cannot be made, {above} is a file: name another folder"
        return _refused(named, self.place, self._refusal(whole, above), tables=self.tables)

    def _refusal(self, whole: Path, above: Path) -> Exception | None:
        """Try whether its files can be written, or its folder be made or put in the place of an earlier one."""
        if self.replaced or (self.files and above != whole):
            return folder_refusal(whole.parent if above == whole else above)
        files = [whole / name for name in self.files if Path(name).suffix]  # the others are folders
        return next((error for file in files if (error := file_refusal(file)) is not None), None)

    def overwrites(self, other: Path) -> bool:
        """Whether it, or a file in it, takes the place of something that it may not replace."""
        if self.replaces is not None and _same(self.place, other) and _same(other, self.replaces):
            return False
        files = (self.place / name for name in self.files)
        taken = _same(self.place, other) or any(_same(file, other) for file in files)
        return taken or (self.replaced and _inside(other, self.place))


def check_outputs(outputs: Sequence[OutputFile | OutputFolder], inputs: Mapping[str, Place | None]) -> None:
    """Refuse outputs that cannot be written, or would cost something that is read, before there is any work.

    Parameters
    ----------
    outputs
        All that one call writes.
    inputs
        All that it reads, by what its caller calls it. What does not lie on this disk (None, a name on the hub) can
        lose nothing.

    Raises
    ------
    DataError
        With all problems. The same file is found behind links and other spellings of its path, too.
    """
    told = [output.problem() for output in outputs]
    problems = [problem for problem in told if problem is not None]
    outputs = [output for output, problem in zip(outputs, told, strict=True) if problem is None]
    on_disk = {name: Path(place) for name, place in inputs.items() if place is not None and path_exists(place)}
    problems += [
        f"{output.name} {str(output.place)!r} {harm} what is read ({name} {str(place)!r}): name another output"
        for output in outputs
        for name, place in on_disk.items()
        if (harm := _harm(output, place)) is not None
    ]
    problems += [
        f"{one.name} {str(one.place)!r} would overwrite {other.name} {str(other.place)!r}: name two places"
        for one, other in permutations(outputs, 2)
        if one.overwrites(other.place)
    ]
    if problems:
        raise DataError(problems)


def _refused(what: str, place: Path, refusal: Exception | None, *, tables: bool) -> str | None:
    """Say what the system refuses, or that tables are to be written where none can be."""
    if refusal is not None:
        return cannot_write(place, refusal)
    if tables and has_half(str(place.absolute())):
        return f"{what} has bytes in its path that are not UTF-8, and no table can be written there: name another"
    return None


def _harm(output: OutputFile | OutputFolder, read: Path) -> str | None:
    if output.overwrites(read):
        return "would overwrite"
    return "lies in" if _inside(output.place, read) else None


def _same(one: Path, other: Path) -> bool:
    if path_exists(one) and path_exists(other):
        return one.samefile(other)  # links, hard ones too, and disks that know no capitals
    return one.resolve() == other.resolve()


def _inside(place: Path, folder: Path) -> bool:
    """Whether a place stands in a folder, at whatever depth; a link stands where it lies, not where it points."""
    above = place.absolute().parent.resolve()
    return any(_same(parent, folder) for parent in (above, *above.parents))


def write_parquet(table: "pa.Table", file: str | Path) -> None:
    """Write a Parquet file, whole or not at all; raises DataError where it cannot be."""
    with output_file(file) as part, part.open("wb") as stream:
        _write_tables([table], table.schema, stream)


def parquet_content(rows: Sequence[Mapping[str, Any]], schema: "pa.Schema") -> bytes:
    """Return what a Parquet file with some rows holds; the same rows make the same bytes."""
    stream = io.BytesIO()
    _write_tables(_tables([rows], schema), schema, stream)
    return stream.getvalue()


def write_answers(blocks: Iterator[Sequence[Mapping[str, Any]]], out: Path, schema: "Callable[[], pa.Schema]") -> None:
    """Write answers to a file, which gets its name only when it is whole.

    Parameters
    ----------
    blocks
        Answers, all with the same keys; no more than one block is in memory at a time.
    out
        A file that ends in one of `SUFFIXES`. In a CSV no text is taken for a formula by a spreadsheet.
    schema
        Gives names and types of the columns; Parquet alone asks for them.

    Raises
    ------
    DataError
        It cannot be written.
    """
    with output_file(out) as part, part.open("wb") as stream:
        if out.suffix.lower() == ".parquet":
            columns = schema()
            _write_tables(_tables(blocks, columns), columns, stream)
        else:
            stream.writelines(line.encode() for line in {".csv": _csv, ".jsonl": _jsonl}[out.suffix.lower()](blocks))


def _tables(blocks: Iterable[Sequence[Mapping[str, Any]]], schema: "pa.Schema") -> "Iterator[pa.Table]":
    import pyarrow as pa

    for block in blocks:
        yield pa.Table.from_pylist(block, schema=schema)


def _write_tables(tables: "Iterable[pa.Table]", schema: "pa.Schema", stream: BinaryIO) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(stream, schema) as writer:
        for table in tables:
            writer.write_table(table)


def _jsonl(blocks: Iterable[Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    for block in blocks:
        yield from (json.dumps(answer, ensure_ascii=False) + "\n" for answer in block)


def _csv(blocks: Iterable[Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    for number, block in enumerate(blocks):
        if number == 0:
            yield csv_row(block[0])
        yield from (csv_row(map(_cell, answer.values())) for answer in block)


def _cell(value: Any) -> Any:
    """Write a value for a spreadsheet: numbers as they are, lists as JSON."""
    if isinstance(value, list):
        return spreadsheet_json(json.dumps(value, ensure_ascii=False))
    return spreadsheet_cell(value) if isinstance(value, str) else value
