"""Which groups the heat map shows, in which order, and its cells."""

import numpy as np

HEAT_GROUPS = 50  # more rows cannot be read


def heat_cells(confusion: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Choose the groups with the most confusion, order them, and list what is confused.

    Parameters
    ----------
    confusion
        (groups, groups), share of each row's documents that the probe sends to each column.

    Returns
    -------
    tuple
        Positions of the groups in the order of rows and columns, at most `HEAT_GROUPS`; and `row`, `column` and
        `share` of the cells off the diagonal with a share above 0.
    """
    away = confusion.copy()
    np.fill_diagonal(away, 0.0)
    mixed = away + away.T
    shown = _side_by_side(mixed, np.sort(np.argsort(-mixed.sum(axis=1), kind="stable")[:HEAT_GROUPS]))
    part = away[np.ix_(shown, shown)]
    rows, columns = np.nonzero(part)
    return shown, {
        "row": rows.astype(np.int32),
        "column": columns.astype(np.int32),
        "share": part[rows, columns].astype(np.float32),
    }


def _side_by_side(mixed: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Order groups so that those that are confused with each other stand together."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(shown) < 3:
        return shown
    likeness = mixed[np.ix_(shown, shown)]
    distance = likeness.max() - likeness
    np.fill_diagonal(distance, 0.0)
    return shown[leaves_list(linkage(squareform(distance, checks=False), "average", optimal_ordering=True))]
