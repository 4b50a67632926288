"""One of several workers: it begins when its first task comes, and what it logs goes back with the results."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
Start: TypeAlias = Callable[[], Callable[[Task], Result]]  # called once in each worker: it loads what tasks need
OURS = "coarsefine"  # above the loggers of all our modules
MOST_IN_A_ROW = 3  # workers that end without a result, before it is the task's fault


class Said(NamedTuple):
    """A line of a worker's log."""

    logger: str
    level: int
    message: str


class Done(NamedTuple, Generic[Result]):
    """What comes back for a task: its result, and what was logged meanwhile."""

    result: Result
    said: Sequence[Said]


class Worker(Generic[Task, Result]):
    """Does one task after the other.

    Parameters
    ----------
    folder
        To work in, see `work_in`.
    """

    def __init__(self, folder: str | None = None) -> None:
        work_in(folder)
        self._work: Callable[[Task], Result] | None = None
        self._log = _collected_log()
        os.environ["TQDM_DISABLE"] = "1"  # read when tqdm is imported: bars of several workers are none
        os.environ["LOKY_MAX_CPU_COUNT"] = os.environ.get("OMP_NUM_THREADS", "1")  # what n_jobs: -1 comes to here

    def ready(self) -> None:
        """Answer as soon as there is a process."""

    def do(self, task: Task, start: Start[Task, Result]) -> Done[Result]:
        """Do a task; `start` is always the same one, and what it refuses is what the first task ends with."""
        if self._work is None:
            self._work = start()
        return Done(self._work(task), self._log.taken())


def work_in(folder: str | None) -> None:
    """Go to a folder, where this machine has it, so that relative paths mean what they mean to who began the work."""
    if folder is not None:
        with suppress(OSError):
            os.chdir(folder)


def results(done: Iterable[Done[Result]]) -> Iterator[Result]:
    """Yield results, and log what workers have said; what several say is logged once."""
    heard: set[Said] = set()
    for one in done:
        for said in dict.fromkeys(one.said):
            if said not in heard:
                heard.add(said)
                logging.getLogger(said.logger).log(said.level, "%s", said.message)
        yield one.result


class _Collected(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self._said: list[Said] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(Said(record.name, record.levelno, record.getMessage()))

    def taken(self) -> list[Said]:
        said, self._said = self._said, []
        return said


def _collected_log() -> _Collected:
    """Keep our log in this process, which is a worker and nothing else, and other libraries' errors on stderr."""
    handler = _Collected()
    logging.basicConfig(level=logging.ERROR)
    logging.captureWarnings(True)
    ours: Any = logging.getLogger(OURS)
    ours.handlers, ours.propagate = [handler], False
    ours.setLevel(logging.INFO)
    return handler
