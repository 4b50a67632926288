"""Tasks done by the actors of a Ray cluster, or of a Ray that runs on this machine for as long as they last."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import length_hint
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from hierarchy.errors import ConfigError, WorkerError, first_line, need
from pipelines.engines.worker import MOST_IN_A_ROW, Done, Start, Worker, results
from stages.machine import END

Task = TypeVar("Task")
Result = TypeVar("Result")
REACH = 10.0  # seconds, in which the machine of a cluster answers
PATIENCE = 30.0  # seconds without an actor, after which a line says what is waited for
logger = logging.getLogger(f"coarsefine.{__name__}")


@dataclass(frozen=True)
class Actors:
    """Gives each actor a task as soon as it has none; one that has ended is begun again by Ray, with its task.

    Attributes
    ----------
    number
        Of actors; each has one core, and computes with one thread unless ``OMP_NUM_THREADS`` says otherwise.
    """

    number: int

    def map(self, start: Start[Task, Result], tasks: Iterable[Task], *, on_gpus: bool = False) -> Iterator[Result]:
        """As `pipelines.engines.engine.Engine.map`."""
        gpus = gpus_of_cluster() if on_gpus else 0
        if 0 < gpus < self.number:
            logger.info("workers: %d, as many as the cluster has GPUs", gpus)
        number = min(self.number, gpus or self.number, max(1, length_hint(tasks, self.number)))
        return results(self._done(start, tasks, number, gpus=min(gpus, 1)))

    def _done(
        self, start: Start[Task, Result], tasks: Iterable[Task], number: int, *, gpus: int
    ) -> Iterator[Done[Result]]:
        import ray

        # Given with each task: what a constructor takes from the store may be gone when Ray begins an actor anew.
        kept = _Kept(ray.put(start))
        actors = self._begun(number, gpus)
        beginning = {one.ready.remote(): one for one in actors}  # where there is no room for one yet it gets no task
        at_work: dict[Any, Any] = {}
        following = iter(tasks)
        try:
            while True:
                finished = _first([*beginning, *at_work], at_work=bool(at_work))
                done, begun = _result(finished), beginning.pop(finished, None)
                one = begun or at_work.pop(finished)
                if begun is None:
                    yield done  # before the next task is made, which may depend on it
                if (task := next(following, END)) is not END:
                    at_work[one.do.remote(task, kept)] = one
                elif not at_work:
                    return
        finally:
            _end(actors)

    def _begun(self, number: int, gpus: int) -> list[Any]:
        import ray

        # An environment of their own would cost a new process each; with one core Ray gives them one thread.
        actor = ray.remote(Worker).options(num_cpus=1, num_gpus=gpus, max_restarts=-1, max_task_retries=MOST_IN_A_ROW)
        return [actor.remote(str(Path.cwd())) for _ in range(number)]


@dataclass(frozen=True)
class _Kept:
    """A start that stands in Ray's store once, for all actors: the documents of a training may be in it."""

    reference: Any

    def __call__(self) -> Any:
        import ray

        return ray.get(self.reference)()


def gpus_of_cluster() -> int:
    """Return how many GPUs the cluster has that this process is connected to."""
    import ray

    return int(ray.cluster_resources().get("GPU", 0))


@contextmanager
def connected(processes: int | None, address: str | None) -> Iterator[Actors]:
    """Connect to Ray for the block, or begin one here that ends with the block; where Ray runs already, it is used.

    Parameters
    ----------
    processes
        Actors, and cores of a Ray that is begun here; None takes all cores.
    address
        Of a cluster (``auto``, ``host:port``, ``ray://host:port``); None begins Ray here.

    Raises
    ------
    ConfigError
        There is no cluster at the address, or an address is named although this process has connected itself.
    MissingLibraryError
        Ray is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is begun: it would tell its makers of each
    need("ray", what="--engine ray does its tasks by Ray")
    import ray

    is_ours = not ray.is_initialized()
    if is_ours:
        _connect(processes, address)
    elif address is not None:
        raise ConfigError("this process is connected to Ray already, and uses that: leave the address out")
    try:
        yield Actors(processes or max(1, int(ray.cluster_resources().get("CPU", 1))))
    finally:
        if is_ours:
            ray.shutdown()


def _connect(processes: int | None, address: str | None) -> None:
    import ray

    here: dict[str, Any] = {"num_cpus": processes, "include_dashboard": False} if address is None else {}
    logging.getLogger("ray").setLevel(logging.ERROR)
    os.environ.setdefault("RAY_worker_niceness", "0")  # else all other work on this machine goes before them
    handler = signal.getsignal(signal.SIGTERM)
    try:
        _reach(os.environ.get("RAY_ADDRESS", "auto") if address == "auto" else address or "local")
        # What workers log comes with their results.
        ray.init(address=address or "local", configure_logging=False, log_to_driver=False, **here)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        where = "on this machine" if address is None else f"at {address!r}"
        raise ConfigError(f"Ray cannot be reached {where} ({first_line(error)}): name another --address") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray has put its own there, which ends without a word


def _reach(address: str) -> None:
    """Raise an OSError where nothing listens at the host and port of an address: Ray would try for over a minute."""
    place = urlsplit(address if "://" in address else f"//{address}")
    if place.hostname and place.port:
        socket.create_connection((place.hostname, place.port), timeout=REACH).close()


def _first(references: list[Any], *, at_work: bool) -> Any:
    """Wait for the first of some results; say so, where no worker is at work and none begins."""
    import ray

    finished, _ = ray.wait(references, timeout=None if at_work else PATIENCE)
    if not finished:
        logger.info("waiting for Ray to begin a worker: it is slow, or all cores of the cluster are at work")
        finished, _ = ray.wait(references)
    return finished[0]


def _result(reference: Any) -> Any:
    """Return what a worker has returned; what it raised is raised as it was."""
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise WorkerError(
            f"a worker of Ray was ended from outside {MOST_IN_A_ROW + 1} times at one task, often for want of memory "
            f"({first_line(error)}): give more, or begin fewer processes"
        ) from error


def _end(actors: list[Any]) -> None:
    import ray

    if ray.is_initialized():
        for one in actors:
            ray.kill(one)
