"""Progress of long work: a bar on a terminal, plain lines with rate and estimate when piped."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from hierarchy.text.escaping import visible

T = TypeVar("T")
SECONDS_BETWEEN_LINES = 15.0
logger = logging.getLogger(f"coarsefine.{__name__}")


def progress(items: Iterable[T], *, total: int, what: str, unit: str) -> Iterator[T]:
    """Yield `items` and show how far the work is.

    Parameters
    ----------
    items
        What is worked on; it is passed through unchanged.
    total
        How many items there will be.
    what
        What is being done, in a few words.
    unit
        What one item is, in the plural.
    """
    if sys.stderr is not None and sys.stderr.isatty():  # there is none under pythonw
        from tqdm import tqdm

        yield from tqdm(items, total=total, desc=visible(what), unit=f" {unit}", leave=False)
        return
    started = last = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if done and now - last >= SECONDS_BETWEEN_LINES:
            rate = done / (now - started)
            told = f"{rate:.1f} a second" if rate >= 1 else f"{60 * rate:.1f} a minute"
            logger.info(
                "%s: %d of %d %s, %s, about %s left", what, done, total, unit, told, duration((total - done) / rate)
            )
            last = now
        yield item


def duration(seconds: float) -> str:
    """Write a time span as a person would: ``45 s``, ``3.5 min``, ``2.1 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@dataclass
class Clock:
    """Seconds of each step, in the order in which the steps ran."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step and log it."""
        logger.info("%s ...", name)
        started = time.monotonic()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - started
        logger.info("%s: %s", name, duration(self.seconds[name]))
