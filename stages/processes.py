"""Several processes that train one model (``torchrun``): what the first does for all, the others find done."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

LONGEST_WORK = timedelta(days=3)  # that the others wait for


def is_first() -> bool:
    """Whether this process speaks and writes for all; True where it is the only one."""
    return int(os.environ.get("RANK", "0")) == 0


def n_processes() -> int:
    """Return the number of processes that train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def first_goes_first() -> Iterator[None]:
    """Let the first process do some work alone; the others then do the same and find it in the run folder."""
    if n_processes() == 1:
        yield
        return
    from accelerate import PartialState  # type: ignore[import-untyped]

    with PartialState(timeout=LONGEST_WORK).main_process_first():
        yield
