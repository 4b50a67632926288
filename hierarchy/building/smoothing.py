"""Smooths label vectors over the graph of their nearest neighbours, so that clusters follow what hangs together.

One label's vector is noisy: a name has few words. The mean over its neighbourhood is not. Steps of such means damp
what varies from neighbour to neighbour and leave what varies from one region of the graph to the next, which is what
a cut with few crossing edges needs; k-means then finds groups that are not round as well.
"""

from typing import Any

import numpy as np

from hierarchy.embedding.label_vectors import unit

NEIGHBOURS = 12
STEPS = 2
_ROWS = 1000  # at a time, so that the likeness of 10,000 labels with each other is never in memory whole


def smoothed(vectors: np.ndarray, neighbours: int = NEIGHBOURS, steps: int = STEPS) -> np.ndarray:
    """Take each vector halfway to the mean of its neighbours, some times over.

    The low-pass filter (I + D⁻¹A) / 2 of Zhang, Liu, Li and Wu, "Attributed graph clustering via adaptive graph
    convolution" (2019). A joins each label with those most alike, weighted by their cosine.

    Parameters
    ----------
    vectors
        (labels, dimensions), rows of length 1.
    neighbours
        How many each label chooses; it also gets those that choose it.
    steps
        How many times.

    Returns
    -------
    np.ndarray
        (labels, dimensions), centred, rows of length 1. Three labels or fewer are left as they are.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    n = len(vectors)
    if n <= 3:
        return vectors
    with threadpool_limits(1):  # sums come out the same whatever the number of cores
        # 1. Which labels are near each other, and how near.
        graph = _neighbour_graph(vectors, min(neighbours, n - 1))
        degree = np.asarray(graph.sum(axis=1)).reshape(-1, 1)
        # 2. Each step takes a vector halfway to the weighted mean of its neighbours; one without any stays.
        near = vectors
        for _ in range(steps):
            mean = graph @ near / np.where(degree > 0, degree, 1.0)
            near = np.where(degree > 0, (near + mean) / 2, near)
    # 3. What all labels share by now says nothing.
    return unit(near - near.mean(axis=0))


def _neighbour_graph(vectors: np.ndarray, neighbours: int) -> Any:
    """Weigh the edges between labels and their nearest by cosine, the same in both directions: (labels, labels)."""
    from scipy.sparse import csr_array

    n = len(vectors)
    nearest = np.empty((n, neighbours), dtype=np.int64)
    weights = np.empty((n, neighbours))
    # 1. The nearest of each label, but itself, in any order; what points away weighs nothing.
    for start in range(0, n, _ROWS):
        likeness = vectors[start : start + _ROWS] @ vectors.T  # (rows, labels)
        rows = np.arange(len(likeness))
        likeness[rows, start + rows] = -np.inf
        best = np.argpartition(-likeness, neighbours - 1, axis=1)[:, :neighbours]
        nearest[start : start + _ROWS] = best
        weights[start : start + _ROWS] = np.maximum(np.take_along_axis(likeness, best, axis=1), 0.0)
    # 2. One row a label; with its transpose an edge counts in both directions, and twice where each chose the other.
    chosen = csr_array((weights.ravel(), nearest.ravel(), np.arange(0, n * neighbours + 1, neighbours)), shape=(n, n))
    return chosen + chosen.T
