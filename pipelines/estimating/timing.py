"""How long work takes here: growing amounts of it are done, and a straight line leads from them to the whole."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

ENOUGH = 2.0  # seconds of work by which the rest is judged
MOST_AT_ONCE = 16  # times the amount before: what a first short piece took may mislead


@dataclass(frozen=True)
class Pace:
    """Seconds that work takes, as a straight line.

    Attributes
    ----------
    fixed
        Whatever the amount.
    each
        For each unit of it.
    """

    fixed: float
    each: float

    def seconds(self, amount: float) -> float:
        """Return the seconds of an amount."""
        return self.fixed + self.each * amount


def pace_of(
    work: Callable[[int], object], most: int, *, size: Callable[[int], float] = float, weight: float = 1.0
) -> Pace:
    """Time some work.

    Parameters
    ----------
    work
        Does an amount of it, from 1 to `most`; called several times.
    most
        How much of it there is at most; the whole is timed where it is little.
    size
        Of an amount, in the units of the pace, where it does not grow evenly.
    weight
        How much the work matters in the whole: so many times as long it is timed.
    """
    seconds_of(partial(work, 1))  # loads libraries and starts processes
    first = seconds_of(partial(work, 1))
    amount, spent, enough = 1, first, weight * ENOUGH
    while amount < most and (amount == 1 or spent - first < enough):
        grown = first if amount == 1 else spent - first  # at first all of it may grow
        wanted = math.ceil(amount * enough / max(grown, 1e-9))
        amount = min(most, max(2 * amount, min(wanted, MOST_AT_ONCE * amount)))
        spent = seconds_of(partial(work, amount))
    if amount == 1:
        return Pace(0.0, first / size(1))
    each = max(0.0, spent - first) / (size(amount) - size(1))
    return Pace(max(0.0, first - each * size(1)), each)


@contextmanager
def of_a_sample() -> Iterator[None]:
    """Log nothing but warnings: what is said of a sample would be taken for something about all documents."""
    ours = logging.getLogger("coarsefine")
    before = ours.level
    ours.setLevel(max(before, logging.WARNING))
    try:
        yield
    finally:
        ours.setLevel(before)


def seconds_of(work: Callable[[], object]) -> float:
    """Do some work once, and return how long it took."""
    with of_a_sample():
        started = time.perf_counter()
        work()
        return time.perf_counter() - started
