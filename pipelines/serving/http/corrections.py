"""Corrections: what a person says is right, a line each, in a file that trains the next model."""

import errno
import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

from hierarchy.disk.whole_files import cannot_write, lock
from hierarchy.errors import DataError


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
            with self._alone:
                lock(handle, wait=True)  # what another process is writing is no line that was cut off
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
