"""Several processes that train one model (``torchrun``): what the first does for all, the others find done."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from hierarchy.errors import ConfigError

LONGEST_WORK = timedelta(days=3)  # of the first process, for which the others wait


def is_first() -> bool:
    """Whether this process speaks and writes for all; True where it is the only one."""
    return _number("RANK", 0) == 0


def n_processes() -> int:
    """Return the number of processes that train together."""
    return _number("WORLD_SIZE", 1)


def _number(variable: str, default: int) -> int:
    written = os.environ.get(variable, str(default))
    if written.isascii() and written.isdigit() and len(written) < 7:
        return int(written)
    raise ConfigError(f"the environment says {variable}={written:.60}: set it to a whole number, or unset it")


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
