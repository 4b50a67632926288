"""What does many tasks that need the same thing loaded: a model, an encoder, the documents of a training.

A task and its result are picklable. A task may be done twice, where the worker that had it was killed: what it writes
is written whole or not at all, under a name that says what it holds.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

from hierarchy.arguments import whole_number
from hierarchy.errors import ConfigError
from pipelines.engines.local import Processes, ThisProcess
from pipelines.engines.on_ray import connected
from pipelines.engines.worker import Start

ENGINES = ("local", "ray")
Task = TypeVar("Task")
Result = TypeVar("Result")


class Engine(Protocol):
    """Does tasks."""

    def map(self, start: Start[Task, Result], tasks: Iterable[Task], *, on_gpus: bool = False) -> Iterator[Result]:
        """Do tasks and yield their results as they come, in no order; a task is made when a worker is free for it.

        Parameters
        ----------
        start
            Makes what does a task; picklable, and called once in each worker.
        tasks
            Any number; where they are a list, no more workers are begun than there are tasks.
        on_gpus
            Whether each worker of Ray gets a GPU, where the cluster has any; then there are no more than these.

        Raises
        ------
        CoarsefineError
            As `start` or a task has raised it; other tasks are given up then.
        WorkerError
            Workers were killed, and those in their place again.
        """


def check_run_dir(run_dir: str | None, address: str | None) -> None:
    """Refuse a run folder that the machines of a cluster cannot share; raises ConfigError."""
    if run_dir is None and address is not None:
        raise ConfigError(
            f"the machines of the cluster at {address!r} share what they do in a run folder: set run_dir, to one that "
            "all of them have"
        )


def opened_engine(
    name: str = "local", *, processes: int | None = None, address: str | None = None
) -> AbstractContextManager[Engine]:
    """Return what opens an engine for a block.

    Parameters
    ----------
    name
        ``local`` or ``ray``.
    processes
        Workers. None: locally this process alone, with all its threads; of Ray all cores.
    address
        Of a Ray cluster; None begins Ray on this machine.

    Raises
    ------
    ConfigError
        An argument makes no sense, or Ray cannot be reached.
    MissingLibraryError
        Ray is not installed.
    """
    if name not in ENGINES:
        raise ConfigError(f"engine={name!r} is unknown: choose one of {', '.join(ENGINES)}")
    processes = None if processes is None else whole_number(processes, "processes")
    if address is not None and not address.strip():
        raise ConfigError("address is empty: name that of a Ray cluster (auto, host:port), or leave it out")
    if name == "ray":
        return connected(processes, address)
    if address is not None:
        raise ConfigError(f"address={address!r} is that of a Ray cluster: choose the engine 'ray', or leave it out")
    return nullcontext(ThisProcess() if processes in (None, 1) else Processes(processes))
