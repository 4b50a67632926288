"""Corrections: what a person says is right, a line each, in a file that trains the next model."""

import errno
import json
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from hierarchy.disk.whole_files import cannot_write, lock
from hierarchy.errors import DataError

LONGEST_LINE, BETWEEN_TRIES = 5.0, 0.002  # seconds that a line may take to write; between two looks whether it is there


class Corrections:
    """A JSONL file that only grows; several processes may write to it.

    Parameters
    ----------
    file
        Made where it is missing, for its owner alone, since it holds texts.

    Raises
    ------
    DataError
        It cannot be written.
    """

    def __init__(self, file: Path) -> None:
        self.file, self._alone = file, threading.Lock()
        if file.exists() and not file.is_file():
            raise DataError(f"the corrections {str(file)!r} are no file: name another")
        os.close(self._opened())

    def add(self, text: str, label: str, version: str) -> int:
        """Append a correction and return how many the file holds.

        Parameters
        ----------
        text
            The document.
        label
            Id of the right label.
        version
            Of the model that was corrected.

        Raises
        ------
        DataError
            The system refuses.
        """
        at = datetime.now(UTC).isoformat(timespec="seconds")
        row = json.dumps({"text": text, "label": label, "at": at, "model": version}, ensure_ascii=False)
        handle = self._opened()
        try:
            _await_others(handle)
            with self._alone:
                _append(handle, row.encode())
        except OSError as error:
            raise DataError(cannot_write(self.file, error)) from error
        finally:
            os.close(handle)
        with self.file.open("rb") as stream:
            return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))

    def _opened(self) -> int:
        try:
            return os.open(self.file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise DataError(cannot_write(self.file, error)) from error


def _await_others(handle: int) -> None:
    """Take the file's lock, since what another process is writing is no line that was cut off."""
    end = time.monotonic() + LONGEST_LINE
    while lock(handle) is False:
        if time.monotonic() > end:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        time.sleep(BETWEEN_TRIES)


def _append(handle: int, row: bytes) -> None:
    """Add a line whole or not at all."""
    size = os.fstat(handle).st_size
    is_cut = size > 0 and os.pread(handle, 1, size - 1) != b"\n"  # somebody's editor, or a machine that went down
    line = (b"\n" if is_cut else b"") + row + b"\n"
    written = os.write(handle, line)
    if written < len(line):
        if os.fstat(handle).st_size == size + written:
            os.ftruncate(handle, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(handle)
