"""Processes that work for this one, and end with it."""

import os
import threading
import time
from multiprocessing import parent_process

from joblib import Parallel

BETWEEN_LOOKS = 0.5  # seconds


def in_parallel(n_jobs: int) -> Parallel:
    """Return what calls functions in several processes and yields their results in order.

    The processes end with this one, however it ends: nobody would wait for what they do.

    Parameters
    ----------
    n_jobs
        Processes; -1 for one a core.
    """
    return Parallel(n_jobs=n_jobs, return_as="generator", initializer=_end_with_parent)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.pid,), daemon=True).start()


def _watch(parent: int | None) -> None:
    # Linux can send a signal when the parent dies, but does so already when its thread that began the process ends.
    while os.getppid() == parent:
        time.sleep(BETWEEN_LOOKS)
    os._exit(1)
