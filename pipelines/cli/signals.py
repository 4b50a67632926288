"""What ends the command from outside: SIGTERM and SIGHUP unwind it as Ctrl-C does, and its workers end with it."""

import signal
import sys
import time
from types import FrameType

ENDING = ("SIGTERM", "SIGHUP")  # where the system has them
TOGETHER = 1.0  # seconds; `timeout` and others send a signal to the process and to its group, so it comes twice


class Stopped(SystemExit):
    """The system or a person has asked the process to end; raised wherever it is at work.

    Parameters
    ----------
    number
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number  # as a shell tells of a signal
        super().__init__(self.exit_code)
        self.name = signal.Signals(number).name


def heed_signals() -> None:
    """Let signals raise `Stopped`, so that files are closed and folders removed; `nohup` keeps its meaning."""
    last = -TOGETHER

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal last
        if time.monotonic() - last >= TOGETHER:
            last = time.monotonic()
            raise Stopped(number)

    for name in ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, stop)


def end_workers() -> None:
    """End the processes that fit rows; one that is in the middle of a row would be waited for."""
    reusable = sys.modules.get("joblib.externals.loky.reusable_executor")
    executor = getattr(reusable, "_executor", None)  # asking for it in the official way would start it
    if executor is not None:
        executor.terminate(kill_workers=True)  # with what they share in memory
