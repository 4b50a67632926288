"""The machine that a training has: its device, the processes that train one model, and those that work for this one.

Of several processes that train one model (``torchrun``) the first does alone what all need; the others find it done.
"""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import parent_process
from typing import TYPE_CHECKING, Any, TypeVar

from hierarchy.errors import ConfigError, first_line

if TYPE_CHECKING:
    import torch
    from joblib import Parallel

LONGEST_WORK = timedelta(days=3)  # of the first process, for which the others wait
BETWEEN_LOOKS = 0.5  # seconds
END: Any = object()  # of what there is no more of
T = TypeVar("T")


def device_of(name: str | None) -> "torch.device":
    """Return a device on which something was computed already.

    Parameters
    ----------
    name
        As torch has it, ``cpu`` or ``cuda:1``; None takes a GPU where there is one.

    Raises
    ------
    ConfigError
        torch does not know it, or this machine has none.
    """
    import torch

    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.ones(1, device=device).item()
    except (RuntimeError, AssertionError, TypeError, ValueError, ImportError) as error:
        reason = first_line(error)[:100]
        raise ConfigError(
            f"device {name!r} cannot be used here ({reason}): name cpu, or another device of this machine"
        ) from None
    return device


def is_first() -> bool:
    """Whether this process speaks and writes for all; True where it is the only one."""
    return _number("RANK", 0) == 0


def n_processes() -> int:
    """Return the number of processes that train together."""
    return _number("WORLD_SIZE", 1)


def meet(*, on_cpu: bool) -> Any:
    """Bring the processes together, before anything else does it with a shorter patience.

    Parameters
    ----------
    on_cpu
        Whether they compute on the processor although there may be a GPU.
    """
    from accelerate import PartialState  # type: ignore[import-untyped]

    return PartialState(cpu=on_cpu, timeout=LONGEST_WORK)


@contextmanager
def first_goes_first() -> Iterator[None]:
    """Let the first process do some work alone; the others then do the same and find it in the run folder."""
    if n_processes() == 1:
        yield
        return
    import torch

    with meet(on_cpu=not torch.cuda.is_available()).main_process_first():
        yield


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield items, each of which a thread makes while the one before it is worked on."""
    with ThreadPoolExecutor(1) as worker:
        following = worker.submit(next, items, END)
        while (item := following.result()) is not END:
            following = worker.submit(next, items, END)
            yield item


def in_parallel(n_jobs: int) -> "Parallel":
    """Return what calls functions in several processes and yields their results in order.

    The processes end with this one, however it ends: nobody would wait for what they do.

    Parameters
    ----------
    n_jobs
        Processes; -1 for one a core.
    """
    from joblib import Parallel

    return Parallel(n_jobs=n_jobs, return_as="generator", initializer=end_with_parent)


def end_workers() -> None:
    """End the processes of `in_parallel`, which hold memory while they wait; the next call begins new ones."""
    from joblib.externals.loky import reusable_executor

    if (executor := reusable_executor._executor) is not None:  # asking for it would make one where there is none
        executor.shutdown(wait=True)


def end_with_parent() -> None:
    """Let this process, a worker, end with the one that has begun it, however that ends."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.pid,), daemon=True).start()


def _number(variable: str, default: int) -> int:
    written = os.environ.get(variable, str(default))
    if written.isascii() and written.isdigit() and len(written) < 7:
        return int(written)
    raise ConfigError(f"the environment says {variable}={written:.60}: set it to a whole number, or unset it")


def _watch(parent: int | None) -> None:
    # Linux can send a signal when the parent dies, but does so already when its thread that began the process ends.
    while os.getppid() == parent:
        time.sleep(BETWEEN_LOOKS)
    os._exit(1)
