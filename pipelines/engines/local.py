"""Tasks done on this machine: by this process, or by others that it begins and that end with it."""

import logging
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass
from functools import partial
from itertools import islice
from operator import length_hint
from typing import Any, TypeVar

from hierarchy.errors import WorkerError, first_line
from pipelines.engines.worker import MOST_IN_A_ROW, Done, Start, Worker, results
from stages.machine import end_with_parent

Task = TypeVar("Task")
Result = TypeVar("Result")
logger = logging.getLogger(f"coarsefine.{__name__}")


@dataclass(frozen=True)
class ThisProcess:
    """Does all tasks itself, one after the other."""

    def map(self, start: Start[Task, Result], tasks: Iterable[Task], *, on_gpus: bool = False) -> Iterator[Result]:
        """As `pipelines.engines.engine.Engine.map`."""
        work: Callable[[Task], Result] | None = None
        for task in tasks:
            work = work or start()
            yield work(task)


@dataclass(frozen=True)
class Processes:
    """Begins processes, never by a fork, which stops torch dead.

    Attributes
    ----------
    number
        Of processes; each computes with one thread, unless ``OMP_NUM_THREADS`` says otherwise.
    """

    number: int

    def map(self, start: Start[Task, Result], tasks: Iterable[Task], *, on_gpus: bool = False) -> Iterator[Result]:
        """As `pipelines.engines.engine.Engine.map`."""
        return results(self._done(start, tasks))

    def _done(self, start: Start[Task, Result], tasks: Iterable[Task]) -> Iterator[Done[Result]]:
        number = min(self.number, max(1, length_hint(tasks, self.number)))
        following, waiting = iter(tasks), deque[tuple[Task, int]]()  # each with how often its process has ended
        while True:
            in_flight: dict[Future[Done[Result]], tuple[Task, int]] = {}
            pool = _pool(number, start)
            try:
                while True:
                    room = number - len(in_flight) - len(waiting)  # none is made before one can begin
                    waiting.extend((task, 0) for task in islice(following, max(0, room)))
                    while waiting:
                        future = pool.submit(_do, waiting[0][0])
                        in_flight[future] = waiting.popleft()  # from here on: a pool that is broken takes none
                    if not in_flight:
                        return
                    finished, _ = wait(in_flight, return_when=FIRST_COMPLETED)
                    for future in sorted(finished, key=lambda one: one.exception() is not None):  # nothing done is lost
                        done = future.result()
                        del in_flight[future]
                        yield done
            except BrokenExecutor as error:  # all processes end with one of them
                ended = [(task, times + 1) for task, times in in_flight.values()]
                if any(times > MOST_IN_A_ROW for _, times in ended):
                    raise WorkerError(
                        f"worker processes were ended from outside {MOST_IN_A_ROW + 1} times at one task, often for "
                        f"want of memory ({first_line(error)}): give more, or begin fewer processes"
                    ) from error
                logger.warning("a worker process was ended from outside: what was in work is done again")
                waiting.extendleft(reversed(ended))
            finally:
                pool.shutdown(wait=True, kill_workers=True)


_do_here: Callable[[Any], Done[Any]]  # of this process, where it is a worker


def _pool(number: int, start: Start[Task, Result]) -> Any:
    # Of loky, which begins processes anew without asking a caller's script for `if __name__ == "__main__"`.
    from joblib.externals.loky import ProcessPoolExecutor

    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    return ProcessPoolExecutor(number, initializer=_begin, initargs=(start,), env=threads)


def _begin(start: Start[Task, Result]) -> None:
    global _do_here
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal: the first one ends them
    end_with_parent()
    worker: Worker[Any, Any] = Worker()
    _do_here = partial(worker.do, start=start)


def _do(task: Any) -> Done[Any]:
    return _do_here(task)
