"""What ends the command from outside: SIGTERM and SIGHUP unwind it as Ctrl-C does, and its workers end with it."""

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

ENDING = ("SIGTERM", "SIGHUP")  # where the system has them
TOGETHER = 1.0  # seconds; `timeout` and others send a signal to the process and to its group, so it comes twice
SOON = 0.05  # seconds
_received: "list[Stopped]" = []


class Stopped(SystemExit):
    """The system or a person has asked the process to end; raised wherever it is at work.

    Parameters
    ----------
    number
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.exit_code = 128 + number  # as a shell tells of a signal
        super().__init__(self.exit_code)
        self.name = signal.Signals(number).name


@contextmanager
def heeded_signals() -> Iterator[None]:
    """Let signals raise `Stopped` in the block, so that files are closed and folders go; `nohup` keeps its meaning.

    Python drops what is raised in a finalizer, whatever ran it: such a signal comes again.
    """
    last = -TOGETHER

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal last
        if time.monotonic() - last >= TOGETHER:
            last = time.monotonic()
            _received.append(Stopped(number))
            raise _received[-1]

    def dropped(found: Any) -> None:
        nonlocal last
        if not isinstance(found.exc_value, Stopped):
            sys.__unraisablehook__(found)
            return
        last = -TOGETHER
        again = threading.Timer(SOON, os.kill, (os.getpid(), found.exc_value.number))
        again.daemon = True
        again.start()

    numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    heeded = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    hook, sys.unraisablehook = sys.unraisablehook, dropped
    for number in heeded:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in heeded:  # what comes while the interpreter ends has nothing to close any more
            signal.signal(number, signal.SIG_DFL)
        sys.unraisablehook = hook


def received() -> Stopped | None:
    """Return the signal that has ended the work, also where a library made an error of its own of it."""
    return _received[-1] if _received else None


def end_workers() -> None:
    """End the processes that fit rows; one that is in the middle of a row would be waited for."""
    reusable = sys.modules.get("joblib.externals.loky.reusable_executor")
    executor = getattr(reusable, "_executor", None)  # asking for it in the official way would start it
    if executor is not None:
        executor.terminate(kill_workers=True)
    if (shared := sys.modules.get("joblib._memmapping_reducer")) is not None:
        _remove_shared(shared.SYSTEM_SHARED_MEM_FS)


def _remove_shared(memory: str) -> None:
    # joblib knows a folder that workers share only after it has made it: a signal between the two leaves it.
    for root in {os.environ.get("JOBLIB_TEMP_FOLDER") or memory, memory, tempfile.gettempdir()}:
        for folder in Path(root).glob(f"joblib_memmapping_folder_{os.getpid()}_*"):
            shutil.rmtree(folder, ignore_errors=True)
