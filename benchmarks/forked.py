"""Commands in processes that are forked from this one, which has imported everything, and ways to kill them.

A start costs milliseconds and not seconds, and a kill meets the work and not its imports.
"""

import atexit
import ctypes
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

# A kill between two of these finds files half written, without their names, or with the names of others.
CALLS = {
    "rename": 6, "renameat": 6, "renameat2": 6, "unlink": 6, "unlinkat": 6, "link": 4, "linkat": 4, "symlink": 4,
    "mkdir": 4, "mkdirat": 4, "rmdir": 4, "ftruncate": 4, "fsync": 4, "fdatasync": 4, "write": 3, "pwrite64": 3,
    "openat": 2,
}  # fmt: skip
SECONDS_FOR_A_COMMAND = 120.0
SECONDS_BETWEEN_LOOKS = 0.002
SECONDS_FOR_STRACE = 20.0  # to end after its process
PR_SET_PTRACER, ANYBODY = 0x59616D61, -1  # of Linux's prctl
LINE_OF_CALL = re.compile(r"(\d+) +(\w+)\(")


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes
    ----------
    code
        Its exit code; of a process that a signal ended, the signal's number below 0; None where it hung.
    seconds
        How long it ran.
    said
        What it wrote to stderr.
    """

    code: int | None
    seconds: float
    said: str


def can_trace() -> bool:
    """Whether there is a strace, and the system lets it trace."""
    found = shutil.which("strace")
    return bool(found) and subprocess.run([found, "-o", os.devnull, "true"], capture_output=True).returncode == 0


def import_everything() -> None:
    """Import what the commands import."""
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    import optuna
    import torch

    import stages.training.trainer  # noqa: F401

    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def command_line(*arguments: str) -> Callable[[], None]:
    """Return a function that runs ``coarsefine`` with these arguments."""

    def run() -> None:
        from pipelines.cli.app import main

        sys.argv = ["coarsefine", *arguments]
        main()

    return run


class Forked:
    """A command at work, leader of its own session; stderr goes to a file beside the folder.

    Parameters
    ----------
    run
        What the process does.
    folder
        Where it does it.
    stdout
        Number of an open file that gets its stdout; None drops it.
    stderr
        The same for stderr; None takes the file, whose text `end` returns.
    before
        What the process does first of all.
    waits
        Whether it waits for `go`, for a tracer to have hold of it.
    """

    def __init__(
        self,
        run: Callable[[], None],
        folder: Path,
        *,
        stdout: int | None = None,
        stderr: int | None = None,
        before: Callable[[], None] | None = None,
        waits: bool = False,
    ) -> None:
        self.log = folder.with_name(f"{folder.name}.stderr")
        self._code: int | None = None
        self._gate = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        with open(os.devnull, "r+b") as nothing, self.log.open("wb") as log:  # noqa: PTH123 - a device
            streams = (nothing.fileno(), nothing.fileno() if stdout is None else stdout, log.fileno())
            self.started = time.monotonic()
            self.pid = os.fork()
            if self.pid == 0:
                _be_the_command(run, folder, (*streams[:2], stderr or streams[2]), before, self._gate)
        os.close(self._gate[0])
        if not waits:
            self.go()

    def go(self) -> None:
        """Let the process begin."""
        self.started = time.monotonic()
        os.close(self._gate[1])

    def send(self, number: int) -> None:
        """Send a signal to the process alone."""
        os.kill(self.pid, number)

    def end(self, seconds: float = SECONDS_FOR_A_COMMAND) -> Ended:
        """Wait for the end, for so many seconds at most; whatever is left of its session is killed after it."""
        code = self.wait(seconds)
        lasted = time.monotonic() - self.started
        self.kill()
        return Ended(code, lasted, self.log.read_text(encoding="utf-8", errors="replace"))

    def wait(self, seconds: float) -> int | None:
        """Wait for the end of the process; None where it goes on after so many seconds."""
        until = time.monotonic() + seconds
        while self._code is None:
            gone, status = os.waitpid(self.pid, os.WNOHANG)
            if gone:
                self._code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > until:
                break
            else:
                time.sleep(SECONDS_BETWEEN_LOOKS)
        return self._code

    def kill(self) -> None:
        """Kill what is left of the session: the process, and its workers."""
        for process in workers_of(self.pid):
            with suppress(psutil.Error):
                process.kill()
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait(SECONDS_FOR_A_COMMAND)


def workers_of(session: int) -> list[psutil.Process]:
    """Return the living processes of a session but its leader."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            same = process.pid != session and os.getsid(process.pid) == session
            if same and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def killed_at_random(run: Callable[[], None], folder: Path, seconds: float, chance: random.Random) -> Ended:
    """Run a command that takes so many seconds, and kill it at some moment of them."""
    moment = chance.uniform(0.0, seconds)
    command = Forked(run, folder)
    if command.wait(moment) is None:
        command.kill()
    ended = command.end()
    return Ended(ended.code, moment, "")


def killed_before_call(run: Callable[[], None], folder: Path, calls: Counter[str], chance: random.Random) -> Ended:
    """Run a command, and kill it before one of the system calls that an undisturbed run makes.

    Parameters
    ----------
    run, folder
        As for `Forked`.
    calls
        As `calls_of` counts them.
    chance
        Chooses the kind of call, by `CALLS`, and then the place among its kind.
    """
    call = chance.choices(list(calls), [CALLS[one] for one in calls])[0]
    place = chance.randint(1, calls[call])
    traced = _traced(run, folder, f"-e trace={call} -e inject={call}:signal=KILL:when={place} -o /dev/null")
    return Ended(traced.code, traced.seconds, f"before {call} {place} of {calls[call]}")


def calls_of(run: Callable[[], None], folder: Path) -> Counter[str]:
    """Run a command undisturbed, and count its system calls by name, in the thread that makes most of them."""
    lines = folder.with_name(f"{folder.name}.calls")
    ended = _traced(run, folder, f"-e trace={','.join(CALLS)} -o {lines}")
    if ended.code != 0:
        sys.exit(f"a traced command ended with {ended.code}: {ended.said}")
    by_thread = Counter(LINE_OF_CALL.findall(lines.read_text(encoding="utf-8", errors="replace")))
    lines.unlink()
    calls: Counter[str] = Counter()
    for (_, call), times in by_thread.items():  # strace counts in each thread anew
        calls[call] = max(calls[call], times)
    return calls


def _traced(run: Callable[[], None], folder: Path, options: str) -> Ended:
    command = Forked(run, folder, waits=True)
    tracer = subprocess.Popen(
        ["strace", "-f", "-p", str(command.pid), *options.split()], stderr=subprocess.PIPE, text=True
    )
    assert tracer.stderr is not None  # noqa: S101 - for mypy
    first = tracer.stderr.readline()
    if "attached" not in first:
        command.kill()
        sys.exit(f"strace cannot take hold of a process: {first.strip()}")
    command.go()
    ended = command.end()
    tracer.communicate(timeout=SECONDS_FOR_STRACE)
    return ended


def _be_the_command(
    run: Callable[[], None],
    folder: Path,
    streams: tuple[int, ...],
    before: Callable[[], None] | None,
    gate: tuple[int, int],
) -> None:
    code = 70
    try:
        os.setsid()
        os.chdir(folder)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY)  # strace, which is no parent of it, may trace it
        os.close(gate[1])
        os.read(gate[0], 1)  # ends when the other side is closed
        os.close(gate[0])
        sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor
        sys.stderr = sys.__stderr__ = open(2, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
        if before is not None:
            before()
        run()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        as_at_any_end = (threading._shutdown, atexit._run_exitfuncs)  # type: ignore[attr-defined]
        for last in (*as_at_any_end, sys.stdout.flush, sys.stderr.flush):
            with suppress(BaseException):
                last()
        os._exit(code)
