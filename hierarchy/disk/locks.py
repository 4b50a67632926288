"""Places that one process writes at a time."""

import json
import os
import random
import socket
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hierarchy.disk.whole_files import cannot_write, is_same, lock, short_name
from hierarchy.errors import BusyError, DataError

_BEGINNING = b'{"process": '  # of every lock


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
        Seconds to wait for another process that has it.

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
    with os.fdopen(_locked(file, place, time.monotonic() + wait), "rb") as stream:
        try:
            yield lock(stream.fileno()) is True
        finally:
            with suppress(OSError):  # the work is done, and the next one takes it as it lies
                file.unlink(missing_ok=True)  # before it is let go: the next one that takes it must find it gone


def _locked(file: Path, place: str | Path, until: float) -> int:
    while True:
        try:
            handle = _opened(file, place)
            if lock(handle) is False:
                holder = _holder(handle)
                os.close(handle)
                raise BusyError(
                    f"{holder} is writing {str(place)!r} at this moment: wait for its end, or name another place"
                )
            # One that has just ended has removed the file that was opened here.
            if is_same(handle, file) and _is_kept(handle, file, place):
                return handle
            os.close(handle)
        except BusyError:
            if time.monotonic() >= until:
                raise
            time.sleep(random.uniform(0.005, 0.03))  # noqa: S311 - so that those who wait do not all ask at once


def _opened(file: Path, place: str | Path) -> int:
    with_care = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        try:
            return os.open(file, os.O_RDWR | os.O_CREAT | with_care, 0o666)
        except PermissionError:  # another user's; to lock it, it need not be written
            if not os.path.lexists(file):
                raise
            return os.open(file, os.O_RDONLY | with_care)
    except OSError as error:
        if not os.path.lexists(file):
            raise DataError(cannot_write(place, error)) from None
        if not isinstance(error, PermissionError):
            raise DataError(_in_the_way(file, place)) from None
        raise BusyError(
            f"another user is, or was, writing {str(place)!r} ({file.name!r} beside it cannot be read): wait for its "
            "end, or name another place"
        ) from None


def _is_kept(handle: int, file: Path, place: str | Path) -> bool:
    """Write this process into the file that it has locked; False where that one has gone, to be made anew.

    Raises
    ------
    DataError
        It is a file of somebody else, which is left as it is.
    """
    about = os.fstat(handle)
    content = os.read(handle, len(_BEGINNING)) if stat.S_ISREG(about.st_mode) else b"-"
    if about.st_nlink != 1 or not _BEGINNING.startswith(content):
        os.close(handle)
        raise DataError(_in_the_way(file, place))
    try:
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, json.dumps(_myself()).encode())
    except OSError:  # a full disk, or the file of a killed process of another user; the lock holds without a name
        if hasattr(os, "getuid") and about.st_uid != os.getuid():
            with suppress(OSError):
                file.unlink()
                return False
    return True


def _in_the_way(file: Path, place: str | Path) -> str:
    return f"{str(file)!r} is in the way, where the lock of {str(place)!r} belongs: move it, or write to another folder"


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
