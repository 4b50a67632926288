"""How many groups there shall be, and how many labels each may take."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hierarchy.errors import TaxonomyError

ROOM = 0.8  # where the largest size decides the number of groups, they are planned to be this full


@dataclass(frozen=True)
class Kept:
    """A group that stays: pinned, or built with a frozen name or limits of its own.

    Parameters
    ----------
    members
        Labels that are pinned in it.
    pinned
        It takes new labels, but needs none.
    min_size, max_size
        Limits for this group alone.
    """

    members: int = 0
    pinned: bool = True
    min_size: int | None = None
    max_size: int | None = None


def counts_that_fit(free: int, kept: Sequence[Kept], min_size: int, max_size: int) -> list[int]:
    """Return all numbers of groups, kept ones included, that the limits allow.

    Parameters
    ----------
    free, kept, min_size, max_size
        As for `plan_sizes`.
    """
    largest = max(0, free // max(1, min_size)) + 1
    return [
        new + len(kept)
        for new in range(largest + 1)
        if _first_fit(free, kept, (new,), 0, min_size, max_size) is not None
    ]


def plan_sizes(
    free: int, kept: Sequence[Kept], n_groups: int | str, min_size: int, max_size: int, *, near_mean: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Plan how many new groups are made and how many free labels each group takes.

    Parameters
    ----------
    free
        Labels to be placed.
    kept
        Groups that stay.
    n_groups
        Groups in all, or "auto": about sqrt(2 · labels), as near as the limits allow.
    min_size, max_size
        Limits of built groups. Within them, and as far as pinned labels allow, a group has between half and twice
        the mean size.
    near_mean
        Whether that last rule holds, where it can.

    Returns
    -------
    tuple of np.ndarray
        Least and greatest number of free labels for each kept group and then each new one.

    Raises
    ------
    TaxonomyError
        Where the number that was asked for does not fit the limits; the message gives the numbers that do.
    """
    total = free + sum(group.members for group in kept)
    largest = max(0, free // max(1, min_size)) + 1
    if n_groups == "auto":
        target = max(round(math.sqrt(2 * total)), math.ceil(total / (ROOM * max_size))) - len(kept)
        nearest = sorted(range(largest + 1), key=lambda new: (abs(new - target), new))
        tries = [(nearest, True, min_size), (nearest, False, min_size), (range(free + 1), False, 1)]
    else:
        new = int(n_groups) - len(kept)
        tries = [((new,), True, min_size), ((new,), False, min_size)]
    for counts, near, least in tries:
        found = _first_fit(free, kept, counts, total if near and near_mean else 0, least, max_size)
        if found is not None:
            return found
    possible = counts_that_fit(free, kept, min_size, max_size)
    if n_groups == "auto":
        raise TaxonomyError(
            f"{free} labels cannot be placed: the groups' own min_size and max_size leave no way; change them"
        )
    allowed = f"{possible[0]} to {possible[-1]}" if possible else "no number"
    raise TaxonomyError(
        f"n_groups is {n_groups}, but {total} labels in groups of {min_size} to {max_size} "
        f"({len(kept)} groups stay) allow {allowed}; change n_groups or the limits"
    )


def _first_fit(
    free: int, kept: Sequence[Kept], counts: Iterable[int], total: int, least: int, most: int
) -> tuple[np.ndarray, np.ndarray] | None:
    for new in counts:
        groups = new + len(kept)
        if new < 0 or groups < 1:
            continue
        low, high = least, most
        if total:
            low, high = max(low, math.ceil(total / groups / 2)), min(high, total * 2 // groups)
        if low > high:
            continue
        lows, highs = [low] * new, [high] * new
        for group in reversed(kept):
            own_low = group.min_size or (0 if group.pinned else min(low, group.max_size or low))
            own_high = group.max_size or max(high, own_low)
            lows.insert(0, max(0, own_low - group.members))
            highs.insert(0, max(0, own_high - group.members, lows[0]))
        if sum(lows) <= free <= sum(highs):
            return np.array(lows, dtype=np.int64), np.array(highs, dtype=np.int64)
    return None
