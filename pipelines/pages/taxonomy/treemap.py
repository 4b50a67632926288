"""A squarified treemap of two levels (Bruls, Huizing and van Wijk, 2000): rectangles that are nearly square."""

from dataclasses import dataclass

import numpy as np

GAP = 2.0  # between groups
HEADER = 18.0  # the strip that carries a group's name
STRETCH = 2.0  # tiles of labels are so much wider than high, as names are
HEADER_NEEDS = (48.0, 40.0)  # width and height: a smaller rectangle has no strip


@dataclass(frozen=True)
class Treemap:
    """Rectangles as rows (left, top, right, bottom), with the origin at the top left.

    Attributes
    ----------
    groups
        (groups, 4).
    labels
        (labels, 4), each inside its group's.
    headers
        (groups,) height of the strip above the labels of each group, 0 for none.
    """

    groups: np.ndarray
    labels: np.ndarray
    headers: np.ndarray


def treemap(sizes: np.ndarray, offsets: np.ndarray, width: float, height: float) -> Treemap:
    """Lay out groups, and labels within groups, by size.

    Parameters
    ----------
    sizes
        Of each label, above 0, group by group; shape (labels,).
    offsets
        Where groups begin, shape (groups + 1,).
    width, height
        Of the whole.

    Returns
    -------
    Treemap
        Areas of groups are in proportion to the sums of their sizes; those of labels within each group too.
    """
    groups = squarified(np.add.reduceat(sizes, offsets[:-1]), np.array([0.0, 0.0, width, height]))
    labels = np.empty((len(sizes), 4))
    headers = np.zeros(len(groups))
    for g, (left, top, right, bottom) in enumerate(groups):
        headers[g] = HEADER if right - left >= HEADER_NEEDS[0] and bottom - top >= HEADER_NEEDS[1] else 0.0
        gap = min(GAP, (right - left) / 4, (bottom - top) / 4) / 2
        inside = np.array([left + gap, top + gap + headers[g], right - gap, bottom - gap])
        mine = slice(offsets[g], offsets[g + 1])
        stretched = np.array([STRETCH, 1.0, STRETCH, 1.0])
        labels[mine] = squarified(sizes[mine], inside / stretched) * stretched
    return Treemap(groups, labels, headers)


def squarified(sizes: np.ndarray, space: np.ndarray) -> np.ndarray:
    """Divide a rectangle into nearly square ones with areas in proportion to sizes.

    Parameters
    ----------
    sizes
        Above 0, shape (n,).
    space
        The rectangle (left, top, right, bottom).

    Returns
    -------
    np.ndarray
        (n, 4), in the order of `sizes`; the largest stands at the top left.
    """
    low, high = space[:2].copy(), space[2:]  # (left, top), (right, bottom) of what is free
    order = np.argsort(-sizes, kind="stable")
    areas = sizes[order] * (np.prod(high - low) / sizes.sum())
    placed = np.empty((len(sizes), 4))
    start = 0
    while start < len(areas):
        # A column at the left where there is more width, else a row at the top: thick across, cut along.
        across, along = (0, 1) if high[0] - low[0] >= high[1] - low[1] else (1, 0)
        side = high[along] - low[along]
        end = _end_of_row(areas, start, side)
        row, mine = areas[start:end], order[start:end]
        edge = low[across] + row.sum() / side
        cuts = low[along] + np.concatenate([[0.0], np.cumsum(row)]) / row.sum() * side
        placed[mine, across], placed[mine, 2 + across] = low[across], edge
        placed[mine, along], placed[mine, 2 + along] = cuts[:-1], cuts[1:]
        low[across], start = edge, end
    return placed


def _end_of_row(areas: np.ndarray, start: int, side: float) -> int:
    """Take rectangles into a row along `side` for as long as the worst of them becomes no less square."""
    largest, total, best, end = areas[start], 0.0, np.inf, start
    while end < len(areas):
        total += areas[end]
        # Areas fall, so the first is the largest of the row and the one at hand the smallest.
        worst = max(side**2 * largest / total**2, total**2 / (side**2 * areas[end]))
        if worst > best:
            break
        best, end = worst, end + 1
    return end
