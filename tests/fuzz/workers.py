"""Processes that try inputs, one after the other; one that an input kills or hangs is replaced: a finding."""

import faulthandler
import multiprocessing
import os
import signal
import tempfile
import time
from collections import deque
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from fuzz.cases import OURS, SECONDS, Outcome, limit_memory, made, one_thread, try_case
from fuzz.targets import TARGETS

PATIENCE = SECONDS + 10  # until a worker that does not stop by itself is killed
START = 180  # seconds that a new worker's first input may take, for what it imports and trains


class Worker:
    """One process that tries inputs, started when it is needed."""

    def __init__(self) -> None:
        self._log = Path(tempfile.mkstemp(prefix="coarsefine-fuzz-", suffix=".log")[1])
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, str(self._log)), daemon=True)
        self._process.start()
        theirs.close()
        self._seen: set[str] = set()
        self._last: deque[str] = deque(maxlen=5)

    def try_case(self, name: str, number: int) -> Outcome:
        """Try input `number` of a target; a finding too where the process does not survive it."""
        patience = PATIENCE if name in self._seen else START
        self._seen.add(name)
        self._last.append(f"{name} {number}")
        start = time.perf_counter()
        try:
            self._ours.send((name, number))
            if self._ours.poll(patience):
                return self._ours.recv()
        except (EOFError, ConnectionError):
            self._process.join(10)
            return self._lost(f"killed by signal {-(self._process.exitcode or 0)}", start, made(TARGETS[name], number))
        self._tell_where()
        return self._lost("hang in native code", start, made(TARGETS[name], number))

    def stop(self) -> None:
        """End the process."""
        with suppress(ConnectionError):
            self._ours.send(None)
        self._process.join(10)
        self._process.kill()
        self._ours.close()
        self._log.unlink(missing_ok=True)

    def _tell_where(self) -> None:
        os.kill(self._process.pid or 0, signal.SIGUSR1)
        time.sleep(1)

    def _lost(self, error: str, start: float, case: object) -> Outcome:
        told = self._log.read_text(encoding="utf-8", errors="replace").strip("\0")
        told = told.partition("\nExtension modules")[0][-4000:]
        # What one input breaks in memory may end the process only at a later one.
        told += f"\nThe process's last inputs: {', '.join(self._last)}"
        self._process.kill()
        self._process.join()
        self._ours.close()
        self._start()
        return Outcome("finding", time.perf_counter() - start, 0, error, _our_line(told), told, repr(case))


def _our_line(told: str) -> str:
    """Return the innermost place of the project in a fault handler's report."""
    lines = [line.split('"') for line in told.splitlines() if line.lstrip().startswith('File "')]
    ours = [(name, rest) for _, name, rest in lines if name.startswith(OURS)]
    return f"{Path(ours[0][0]).name}:{ours[0][1].rsplit(' ', 1)[-1]}" if ours else ""


def _work(connection: Connection, log: str) -> None:
    one_thread()
    stream = Path(log).open("w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    for descriptor in (1, 2):
        os.dup2(stream.fileno(), descriptor)
    faulthandler.enable(stream)
    faulthandler.register(signal.SIGUSR1, stream, all_threads=True)
    limit_memory()
    os.fsync = lambda _: None  # only a power cut would tell, and a disk takes its time
    for name, number in iter(connection.recv, None):
        stream.truncate(0)
        connection.send(try_case(TARGETS[name], number))
