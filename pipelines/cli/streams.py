"""The standard streams of the command: no write on them fails, and every character has a form that they can show."""

import errno
import io
import os
import select
import sys
from typing import Any, TextIO


class Unfailing(io.RawIOBase):
    """The bytes under a standard stream: what cannot be written is dropped, and the first reason is kept.

    A report or a line of the log must not end the work that it tells of, and a closed pipe or a full disk would, at
    whatever write comes next, of whatever library.

    Parameters
    ----------
    raw
        What is written to.
    failure
        Why nothing can be written, where that is known already.
    """

    def __init__(self, raw: io.RawIOBase, failure: OSError | None = None) -> None:
        super().__init__()
        self.raw, self.failure = raw, failure

    def writable(self) -> bool:
        """Whether it is for writing, which it is."""
        return True

    def fileno(self) -> int:
        """Return the number of the file below."""
        return self.raw.fileno()

    def isatty(self) -> bool:
        """Whether the file below is a terminal."""
        return self.raw.isatty()

    def write(self, data: "memoryview | bytes") -> int:  # type: ignore[override]
        """Write, or drop, all or the beginning of the bytes; return how many."""
        try:
            while (written := self.raw.write(data)) is None:  # a pipe that does not wait, and is full
                select.select([], [self.raw], [])
        except OSError as error:
            self.failure = self.failure or error
            return len(data)
        return written


def guard_streams() -> None:
    """Put streams that never fail in the place of stdout and stderr; one that is closed becomes one that drops all."""
    sys.stdout, sys.stderr = _guarded(sys.stdout), _guarded(sys.stderr)


def failure_of(stream: TextIO) -> OSError | None:
    """Return why something could not be written to a stream, or None where nothing was lost."""
    stream.flush()
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.failure if isinstance(raw, Unfailing) else None


def _guarded(stream: TextIO | None) -> TextIO:
    if stream is None:  # the number stays taken, else the next file would get it and what libraries print
        raw = Unfailing(io.FileIO(os.devnull, "w"), OSError(errno.EBADF, "it is closed"))
        return _text(raw, "utf-8", lines=True)
    if not hasattr(stream, "buffer"):  # a notebook's
        return stream
    buffer: Any = stream.buffer
    return _text(Unfailing(getattr(buffer, "raw", buffer)), stream.encoding, lines=bool(stream.line_buffering))


def _text(raw: Any, encoding: str, *, lines: bool) -> TextIO:
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=lines)
