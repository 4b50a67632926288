"""What is written: where nothing that is read lies, and whole or not at all; predictions in shards at first."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, permutations
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeAlias

from hierarchy.characters import has_half
from hierarchy.errors import DataError
from hierarchy.local_paths import is_there

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
        file, folder = f"the output file {str(self.place)!r}", self.place.absolute().parent
        if self.place.suffix.lower() not in self.suffixes:
            return f"{file} must end in {'' if len(self.suffixes) == 1 else 'one of '}{', '.join(self.suffixes)}"
        if self.place.is_dir():
            return f"{str(self.place)!r} is a folder: name a file for the output"
        if not folder.is_dir():
            return f"the folder of {file} does not exist: make it first"
        if not os.access(folder, os.W_OK):
            return f"the folder of {file} is not writable: name another"
        return _no_table(file, self.place) if ".parquet" in self.suffixes else None

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
        whole = self.place.absolute()
        above = next(folder for folder in (whole, *whole.parents) if folder.exists())
        if whole.exists() and not whole.is_dir():
            return f"{self.name} {str(self.place)!r} is a file: name a folder"
        if not above.is_dir():
            return f"{self.name} {str(self.place)!r} cannot be made, {above} is a file: name another folder"
        if self.files and not os.access(above, os.W_OK):
            return f"{self.name} {str(self.place)!r} cannot be written, {above} is not writable: name another folder"
        return _no_table(f"{self.name} {str(self.place)!r}", self.place) if self.tables else None

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
    problems = [problem for output in outputs if (problem := output.problem()) is not None]
    on_disk = {name: Path(place) for name, place in inputs.items() if place is not None and is_there(place)}
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


def _no_table(what: str, place: Path) -> str | None:
    if not has_half(str(place.absolute())):
        return None
    return f"{what} has bytes in its path that are not UTF-8, and no table can be written there: name another"


def _harm(output: OutputFile | OutputFolder, read: Path) -> str | None:
    if output.overwrites(read):
        return "would overwrite"
    return "lies in" if _inside(output.place, read) else None


def _same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)  # links, hard ones too, and disks that know no capitals
    return one.resolve() == other.resolve()


def _inside(place: Path, folder: Path) -> bool:
    """Whether a place stands in a folder, at whatever depth; a link stands where it lies, not where it points."""
    above = place.absolute().parent.resolve()
    return any(_same(parent, folder) for parent in (above, *above.parents))


def write_whole(text: str, path: Path) -> None:
    """Write a file whole or not at all; a half of a character, as JSON can hold it, is written as its escape."""
    part = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        part.write_bytes(text.encode("utf-8", "backslashreplace"))
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DataError(f"{path} cannot be written ({error.strerror or error}): free some space and go on") from error


@contextmanager
def held(parts: Path, out: Path) -> Iterator[None]:
    """Keep the folder of an output's parts, made where it is not there, for this process alone.

    The system lets go of it when the process ends, however it ends. Where there are no such locks, nothing is held.

    Raises
    ------
    DataError
        Another process has it.
    """
    if sys.platform == "win32":  # folders cannot be locked there
        parts.mkdir(exist_ok=True)
        yield
        return
    handle = _locked(parts, out)
    try:
        yield
    finally:
        os.close(handle)


def _locked(parts: Path, out: Path) -> int:
    import fcntl

    while True:
        parts.mkdir(exist_ok=True)
        handle = os.open(parts, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise DataError(
                f"another run is writing {str(out)!r} at this moment: wait for its end, or name another output file"
            ) from None
        except OSError:  # a file system without locks
            return handle
        # A run that has just ended has removed the folder that was opened here.
        if parts.exists() and os.path.samestat(os.fstat(handle), parts.stat()):
            return handle
        os.close(handle)


def write_shard(table: "pa.Table", file: Path) -> None:
    """Write a shard, whole or not at all."""
    import pyarrow.parquet as pq

    part = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        pq.write_table(table, part.absolute())  # pyarrow takes some relative names for addresses ("s3:x")
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DataError(f"{file} cannot be written ({error.strerror or error}): free some space and go on") from error


def write_out(shards: Sequence[Path], out: Path) -> None:
    """Put the parts together, one in memory at a time."""
    import pyarrow.parquet as pq

    part = out.with_name(f".{out.name}.tmp")
    tables = (pq.read_table(shard.absolute()) for shard in shards)
    try:
        if out.suffix.lower() == ".parquet":
            first = next(tables)
            with pq.ParquetWriter(part.absolute(), first.schema) as writer:
                for table in chain([first], tables):
                    writer.write_table(table)
        else:
            write = _write_csv if out.suffix.lower() == ".csv" else _write_jsonl
            with part.open("w", encoding="utf-8", newline="") as stream:
                write(tables, stream)
        part.replace(out)
    except OSError as error:
        raise DataError(f"{out} cannot be written ({error.strerror or error}): free some space and go on") from error
    finally:
        part.unlink(missing_ok=True)


def _write_jsonl(tables: "Iterator[pa.Table]", stream: TextIO) -> None:
    for table in tables:
        stream.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in table.to_pylist())


def _write_csv(tables: "Iterator[pa.Table]", stream: TextIO) -> None:
    import csv

    first = next(tables)
    writer = csv.DictWriter(stream, first.column_names, lineterminator="\n")
    writer.writeheader()
    for table in chain([first], tables):
        for line in table.to_pylist():
            writer.writerow(
                {k: json.dumps(v, ensure_ascii=False) if isinstance(v, list) else v for k, v in line.items()}
            )
