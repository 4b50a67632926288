"""Places that one process writes at a time."""

import hashlib
import json
import os
import random
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hierarchy.disk import cannot_write, is_same, lock
from hierarchy.errors import BusyError, DataError

_LONGEST_NAME = 50  # characters of the place in the name of its lock: four bytes each, and a name has 255


@contextmanager
def held(place: str | Path, *, file: Path | None = None, wait: float = 0.0) -> Iterator[bool]:
    """Keep a file or folder that is written for this process alone, until the block ends.

    The system lets go of it when the process ends, however it ends. Where there are no such locks, nothing is held.

    Parameters
    ----------
    place
        What is written; a link and what it leads to are one place.
    file
        Where the lock lies while it is held; beside the place where None.
    wait
        Seconds to wait for another process that has it, where its work is short.

    Yields
    ------
    bool
        Whether it is kept: only then is what lies beside it left over, and not another one's work.

    Raises
    ------
    BusyError
        Another process has it, or this one already.
    DataError
        There can be no file beside the place.
    """
    real = Path(os.path.realpath(place))
    file = file or real.with_name(f".{short_name(real.name)}.lock")
    handle = _patiently_locked(file, place, wait)
    try:
        yield lock(handle) is True
    finally:
        try:
            with suppress(OSError):  # the work is done, and the next one takes it as it lies
                file.unlink(missing_ok=True)  # before it is let go: the next one that takes it must find it gone
        finally:
            os.close(handle)


def short_name(name: str) -> str:
    """Shorten a long name; two that begin alike stay two."""
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 9]}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"


def _patiently_locked(file: Path, place: str | Path, wait: float) -> int:
    end = time.monotonic() + wait
    while True:
        try:
            return _locked(file, place)
        except BusyError:
            if time.monotonic() >= end:
                raise
            time.sleep(random.uniform(0.005, 0.03))  # noqa: S311 - so that those who wait do not all ask at once


def _locked(file: Path, place: str | Path) -> int:
    while True:
        try:
            handle = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except OSError as error:
            raise DataError(cannot_write(place, error)) from None
        if lock(handle) is False:
            holder = _holder(handle)
            os.close(handle)
            raise BusyError(
                f"{holder} is writing {str(place)!r} at this moment: wait for its end, or name another place"
            )
        # One that has just ended has removed the file that was opened here.
        if is_same(handle, file):
            with suppress(OSError):  # a full disk; the lock holds without a name
                os.ftruncate(handle, 0)
                os.write(handle, json.dumps(_myself()).encode())
            return handle
        os.close(handle)


def _myself() -> dict[str, object]:
    command = [Path(sys.argv[0]).name, *sys.argv[1:2]] if sys.argv and sys.argv[0] else ["python"]
    return {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "command": " ".join(command),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _holder(handle: int) -> str:
    """Name the process that has a lock, as it has written itself there."""
    try:
        told = json.loads(os.read(handle, 4096))
        host = "" if told["host"] == socket.gethostname() else f" on {told['host']}"
        who = "this process" if not host and told["process"] == os.getpid() else f"process {told['process']}{host}"
        return f"{who} ({told['command']}, since {told['since']})"
    except (ValueError, KeyError, TypeError, OSError):  # it has not written itself yet
        return "another process"
