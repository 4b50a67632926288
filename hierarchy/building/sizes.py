"""How many groups there shall be, and how many labels each may take."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TypeAlias

import numpy as np

from hierarchy.errors import TaxonomyError

FEWEST, MOST = 5, 40  # labels of a built group, where nobody sets a limit
LIMITS_SHOWN = 10  # of groups, in a message
ROOM = 0.8  # where the largest size decides the number of groups, they are planned to be this full
Sizes: TypeAlias = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Kept:
    """A group that stays: the owner's, or built with pinned labels, a frozen name or limits of its own.

    Parameters
    ----------
    members
        Labels that are pinned in it.
    pinned
        It is the owner's, as a whole: it takes new labels, but needs none.
    min_size, max_size
        Limits for this group alone.
    name
        For messages.
    """

    members: int = 0
    pinned: bool = True
    min_size: int | None = None
    max_size: int | None = None
    name: str = ""


def size_limits(min_size: int | None, max_size: int | None, together: int = 1) -> tuple[int, int]:
    """Return the limits of built groups: `FEWEST` to `MOST`, where what is set does not ask for others.

    Parameters
    ----------
    min_size, max_size
        What was set; None leaves it open.
    together
        Labels of the largest must-link.
    """
    low = min_size if min_size is not None else min(FEWEST, max_size if max_size is not None else FEWEST)
    return low, max_size if max_size is not None else max(MOST, 2 * low, together)


@dataclass(frozen=True)
class Room:
    """What is to be placed, and what stays and limits it.

    Parameters
    ----------
    free
        Labels to be placed.
    kept
        Groups that stay.
    min_size, max_size
        Limits of built groups. None is `FEWEST` and `MOST`, which give way to what is set and to links.
    together, apart
        What links ask for: so many labels in one group, and so many groups at least.
    """

    free: int
    kept: Sequence[Kept] = ()
    min_size: int | None = None
    max_size: int | None = None
    together: int = 1
    apart: int = 1

    @property
    def total(self) -> int:
        """Labels of all groups."""
        return self.free + sum(group.members for group in self.kept)

    @property
    def limits(self) -> tuple[int, int]:
        """Least and greatest size of a built group."""
        return size_limits(self.min_size, self.max_size, self.together)

    @cached_property
    def least(self) -> int:
        """The least size that some number of groups allows: fewer labels than the limit make one group of all."""
        low, high = self.limits
        apart = self.apart if self.min_size is None else 1
        fitting = (least for least in range(low, 0, -1) if any(count >= apart for count in self._fitting(least, high)))
        return next(fitting, low)

    @property
    def usual(self) -> int:
        """Groups that `n_groups: auto` makes where nothing else is asked: about sqrt(2 · labels)."""
        return round(math.sqrt(2 * self.total))

    def reason(self, n_groups: int) -> str:
        """Say why `n_groups: auto` made so many groups: what kept it from `usual`, where it is another number."""
        low, high = self.limits
        if n_groups == self.usual:
            return "about sqrt(2 x labels)"
        if n_groups > self.usual:
            causes = {
                f"{len(self.kept)} groups stay": n_groups == len(self.kept),
                f"cannot_link parts labels into {self.apart} groups": n_groups == self.apart,
                f"a group takes at most max_group_size {high} labels": True,
            }
        else:
            causes = {
                f"must_link joins {self.together} labels": self.together > low,
                f"{self.total} labels are fewer than two groups of min_group_size {low}": self.total < 2 * low,
                f"a group takes at least min_group_size {low} labels": True,
            }
        cause = next(cause for cause, holds in causes.items() if holds)
        return f"{cause}; else about sqrt(2 x labels), {self.usual}"

    def counts(self) -> list[int]:
        """Return all numbers of groups, kept ones included, that the limits allow.

        Raises
        ------
        TaxonomyError
            There is none.
        """
        counts = list(self._fitting(self.least, self.limits[1]))
        if not counts:
            limited = [
                f"'{group.name}' ({field} {size})"
                for group in self.kept
                for field, size in (("min_size", group.min_size), ("max_size", group.max_size))
                if size is not None
            ]
            raise TaxonomyError(
                f"labels that cannot be placed: {self.free}; the groups' own limits leave no way: "
                f"{', '.join(limited[:LIMITS_SHOWN])}; change them"
            )
        return counts

    def ways(self, n_groups: int | str, *, near_mean: bool = True) -> list[Sizes]:
        """Plan how many new groups are made and how many free labels each group takes.

        Parameters
        ----------
        n_groups
            Groups in all, or "auto": about sqrt(2 · labels), as near as the limits allow.
        near_mean
            Whether, within the limits and as far as pinned labels allow, a group has between half and twice the mean
            size.

        Returns
        -------
        list of tuple of np.ndarray
            One or more ways, the best first: least and greatest number of free labels for each kept group and then
            each new one. Links may leave the first way out.

        Raises
        ------
        TaxonomyError
            Where the number that was asked for does not fit the limits; the message gives the numbers that do.
        """
        high = self.limits[1]
        if n_groups == "auto":
            target = max(self.usual, math.ceil(self.total / (ROOM * high)))
            if self.together > 1:  # beside the group that holds them
                target = min(target, 1 + (self.total - self.together) // self.least)
            target = max(target, self.apart)
            counts = sorted(self.counts(), key=lambda count: (abs(count - target), count))
        else:
            counts = [int(n_groups)]
        yielding = n_groups != "auto" or max(self.apart, self.together) > 1
        leasts = range(self.least, 0, -1) if self.min_size is None and yielding else (self.least,)
        mosts = (high, self.total) if self.max_size is None and n_groups != "auto" else (high,)
        tries = product(mosts, leasts, (self.total if near_mean else 0, 0))
        found = [self._first_fit(counts, total, least, most) for most, least, total in tries]
        ways = [way for way in found if way is not None]
        if not ways:
            raise TaxonomyError(self._refused(counts[0]))
        return ways

    def _refused(self, n_groups: int) -> str:
        possible = list(self._fitting(self.min_size or 1, self.max_size or max(1, self.total)))
        allowed = " to ".join(map(str, dict.fromkeys((possible[0], possible[-1])))) if possible else "no number"
        limits = {"min_group_size": self.min_size, "max_group_size": self.max_size}
        chosen = [f"{name} {size}" for name, size in limits.items() if size is not None]
        within = f" with {' and '.join(chosen)}" if chosen else ""
        stay = f" ({len(self.kept)} groups stay)" if self.kept else ""
        change = "one of these" if chosen else "n_groups"
        return f"n_groups is {n_groups}, but {self.total} labels{within}{stay} allow {allowed}; change {change}"

    def _fitting(self, least: int, most: int) -> Iterator[int]:
        for count in range(len(self.kept), len(self.kept) + self.free // least + 2):
            if self._first_fit((count,), 0, least, most) is not None:
                yield count

    def _first_fit(self, counts: Iterable[int], total: int, least: int, most: int) -> Sizes | None:
        for groups in counts:
            new = groups - len(self.kept)
            if new < 0 or groups < 1:
                continue
            low, high = least, most
            if total:
                low, high = max(low, math.ceil(total / groups / 2)), min(high, total * 2 // groups)
            if low > high:
                continue
            for small in (False, True):  # where there are too few labels, a group with pinned ones may stay small
                lows, highs = [low] * new, [high] * new
                for group in reversed(self.kept):
                    needs_none = group.pinned or (small and group.members > 0)
                    own_low = group.min_size or (0 if needs_none else min(low, group.max_size or low))
                    own_high = group.max_size or max(high, own_low)
                    lows.insert(0, max(0, own_low - group.members))
                    highs.insert(0, max(0, own_high - group.members, lows[0]))
                if sum(lows) <= self.free <= sum(highs):
                    return np.array(lows, dtype=np.int64), np.array(highs, dtype=np.int64)
        return None
