"""The output files of predictions: shards while it goes on, and the whole in the format that the suffix names."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from hierarchy.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".jsonl", ".csv", ".parquet")


def check_out(out: Path) -> None:
    """Refuse a file that cannot be written, before there is anything to write.

    Raises
    ------
    DataError
        The suffix is none of `SUFFIXES`, it is a folder, or its own folder is missing or not writable.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise DataError(f"the output file {str(out)!r} must end in one of {', '.join(SUFFIXES)}")
    if out.is_dir():
        raise DataError(f"{str(out)!r} is a folder: name a file for the output")
    if not out.absolute().parent.is_dir():
        raise DataError(f"the folder of the output file {str(out)!r} does not exist: make it first")
    if not os.access(out.absolute().parent, os.W_OK):
        raise DataError(f"the folder of the output file {str(out)!r} is not writable: name another")


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
        pq.write_table(table, part)
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DataError(f"{file} cannot be written ({error.strerror or error}): free some space and go on") from error


def write_out(shards: Sequence[Path], out: Path) -> None:
    """Put the parts together, one in memory at a time."""
    import pyarrow.parquet as pq

    part = out.with_name(f".{out.name}.tmp")
    tables = (pq.read_table(shard) for shard in shards)
    try:
        if out.suffix.lower() == ".parquet":
            first = next(tables)
            with pq.ParquetWriter(part, first.schema) as writer:
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
