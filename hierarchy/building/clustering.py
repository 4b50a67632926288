"""Clusters with hard size limits: Ward's method, then k-means whose assignment step is exact under the limits.

Ward's (1963) merges are good where k-means is weak, in its start, and k-means mends what merges cannot take back.
A few starts by k-means++ stand beside, and alone where there are too many items to look at all pairs.

The assignment is a transport problem. It starts from each item's cheapest cluster and moves items along shortest
paths between over-full and under-full clusters until the limits hold (successive shortest paths, Ahuja, Magnanti
and Orlin, 1993, ch. 9). The paths run over clusters, not items, so 10,000 items are as exact as 100.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from hierarchy.embedding.label_vectors import unit
from hierarchy.errors import TaxonomyError

MOST_FOR_WARD = 2500  # items; it looks at all pairs of them
_FAR = np.int64(1) << 60  # no way between two clusters
_SCALE = 1e9  # costs become integers: equal ways stay equal, whatever the processor's rounding

Place = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(cost, low, high) → the cluster of each item."""
Find = Callable[[np.ndarray, int], np.ndarray]
"""(vectors, how many) → first centroids."""


@dataclass(frozen=True)
class Clusters:
    """What is asked of the clusters.

    Parameters
    ----------
    low, high
        How many free items each takes at least and at most, shape (clusters,).
    sums
        The sum of the vectors that already stand in each cluster and stay, shape (clusters, dimensions); zeros for
        a cluster without any. They count in its centroid.
    start
        Clusters that begin where more items stood, although these may go: {cluster: sum of their vectors}.
    """

    low: np.ndarray
    high: np.ndarray
    sums: np.ndarray
    start: dict[int, np.ndarray] = field(default_factory=dict)


def balanced_assignment(cost: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Assign items to clusters at the least total cost with sizes within limits, exactly.

    Parameters
    ----------
    cost
        (items, clusters).
    low, high
        Smallest and largest size of each cluster, shape (clusters,).

    Returns
    -------
    np.ndarray
        The cluster of each item, int64, shape (items,).

    Raises
    ------
    TaxonomyError
        Where the limits allow no assignment.
    """
    items, clusters = cost.shape
    if not low.sum() <= items <= high.sum():
        raise TaxonomyError(f"{items} labels do not fit groups that take {low.sum()} to {high.sum()} of them")
    # 1. Costs become whole numbers, and each item goes to its cheapest cluster, whatever the limits.
    spread = float(np.abs(cost).max(initial=0.0)) or 1.0
    price = np.rint(cost * (_SCALE / spread)).astype(np.int64)
    home = price.argmin(axis=1)
    size = np.bincount(home, minlength=clusters)
    # 2. A graph over clusters: the way from c to d costs what it costs to move the item for which that is cheapest.
    sink = clusters  # the node that evens out how many items the clusters within their limits hold
    way = np.full((clusters + 1, clusters + 1), _FAR)  # way[c, d]: what moving the best item from c to d costs
    mover = np.zeros((clusters, clusters), dtype=np.int64)  # which item that is

    def refresh(c: int) -> None:
        members = np.flatnonzero(home == c)
        way[c, :clusters] = _FAR
        if len(members):
            extra = price[members] - price[members, c][:, None]  # (members, clusters)
            best = extra.argmin(axis=0)
            mover[c] = members[best]
            way[c, :clusters] = extra[best, np.arange(clusters)]
        way[c, c] = _FAR

    for c in range(clusters):
        refresh(c)
    while ((size > high) | (size < low)).any():
        # 3. From clusters that hold too many to those that hold too few. Where the two sums differ, the sink stands for
        #    clusters within their limits, which give or take the rest for nothing.
        excess, deficit = np.maximum(size - high, 0), np.maximum(low - size, 0)
        way[:clusters, sink] = np.where((size < high) & (size >= low), 0, _FAR)
        way[sink, :clusters] = np.where((size > low) & (size <= high), 0, _FAR)
        balance = int(excess.sum() - deficit.sum())
        sources = [*np.flatnonzero(excess), *([sink] if balance < 0 else [])]
        targets = [*np.flatnonzero(deficit), *([sink] if balance > 0 else [])]
        # 4. One item moves along each step of the cheapest path; only clusters on the path have new ways.
        path = _shortest_path(way, np.asarray(sources), np.asarray(targets))
        for c, d in pairwise(path):
            if c != sink and d != sink:
                home[mover[c, d]] = d
        for c in path:
            if c != sink:
                size[c] = int((home == c).sum())
                refresh(c)
    return home


def _shortest_path(way: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> list[int]:
    """Bellman and Ford, all nodes at once: some ways cost less than nothing."""
    nodes = len(way)
    distance = np.full(nodes, _FAR)
    distance[sources] = 0
    before = np.full(nodes, -1)
    everyone = np.arange(nodes)
    for _ in range(nodes):
        # 1. Is a node reached more cheaply through another one? A path has at most as many steps as there are nodes.
        through = distance[:, None] + way  # (from, to)
        best = through.argmin(axis=0)
        shorter = through[best, everyone] < distance
        if not shorter.any():
            break
        distance[shorter] = through[best, everyone][shorter]
        before[shorter] = best[shorter]
    # 2. Back from the nearest target to the source from which it was reached.
    node = int(targets[distance[targets].argmin()])
    path = [node]
    while before[node] >= 0:
        node = int(before[node])
        path.append(node)
    return path[::-1]


def cluster(
    vectors: np.ndarray,
    clusters: Clusters,
    random_state: int = 0,
    place: Place = balanced_assignment,
) -> np.ndarray:
    """Cluster unit vectors by their cosine into clusters with hard size limits.

    Ward's clusters and five starts by k-means++ (Arthur and Vassilvitskii, 2007) are tried up to 2,500 items, one such
    start alone above. The start that ends nearest to its centroids is taken.

    Parameters
    ----------
    vectors
        (items, dimensions), rows of length 1.
    clusters
        Sizes, pinned members and given centroids.
    random_state
        Of k-means++.
    place
        The assignment step.

    Returns
    -------
    np.ndarray
        The cluster of each item, shape (items,). The same for the same input, in any process.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    few = len(vectors) <= MOST_FOR_WARD
    starts: list[Find] = [_ward] if few else []
    seeds = [(random_state + number) % 2**32 for number in range(5 if few else 1)]
    starts += [partial(_plus_plus, random_state=seed) for seed in seeds]
    best_cost, best = np.inf, np.zeros(len(vectors), dtype=np.int64)
    for find in starts:
        # One thread: the matrices are small, and sums come out the same whatever the number of cores.
        with threadpool_limits(1):
            home, cost = _k_means(vectors, clusters, _first_centroids(vectors, clusters, find), place)
        if round(cost, 9) < best_cost:
            best_cost, best = round(cost, 9), home
    return best


def _k_means(vectors: np.ndarray, clusters: Clusters, centroids: np.ndarray, place: Place) -> tuple[np.ndarray, float]:
    home = np.full(len(vectors), -1)
    # First without limits, which is fast, then with them: the limits then bend clusters that make sense.
    for limited, rounds in ((False, 20), (True, 12)):
        for _ in range(rounds):
            cost = 1.0 - vectors @ centroids.T
            moved = place(cost, clusters.low, clusters.high) if limited else cost.argmin(axis=1)
            settled = np.array_equal(moved, home)
            home = moved
            if settled:
                break
            centroids = _centroids(vectors, home, clusters, centroids)
    return home, float(cost[np.arange(len(vectors)), home].sum())


def _first_centroids(vectors: np.ndarray, clusters: Clusters, find: Find) -> np.ndarray:
    """Begin with what is given; the other clusters begin where no given one is near."""
    from scipy.optimize import linear_sum_assignment

    # 1. Clusters with pinned labels, or with a start of their own, begin there.
    centroids = clusters.sums.astype(np.float64, copy=True)
    for c, vector in clusters.start.items():
        centroids[c] = centroids[c] + vector
    centroids = unit(centroids)
    begun = centroids.any(axis=1)
    empty, given = np.flatnonzero(~begun), np.flatnonzero(begun & (clusters.high > 0))
    # 2. For the others one start a cluster is found, those that begin already included; each of these takes the start
    #    that is nearest to it away.
    if len(empty):
        found = find(vectors, min(len(empty) + len(given), len(vectors)))
        _, near = linear_sum_assignment(-(centroids[given] @ found.T))
        rest = np.delete(found, near, axis=0)[: len(empty)]
        centroids[empty[: len(rest)]] = rest
    return centroids


def _ward(vectors: np.ndarray, count: int) -> np.ndarray:
    from sklearn.cluster import AgglomerativeClustering

    home = np.zeros(len(vectors), dtype=np.int64)
    if count > 1:
        home = AgglomerativeClustering(count, linkage="ward").fit_predict(vectors)
    sums = np.zeros((count, vectors.shape[1]))
    np.add.at(sums, home, vectors)
    return unit(sums)


def _plus_plus(vectors: np.ndarray, count: int, random_state: int) -> np.ndarray:
    from sklearn.cluster import kmeans_plusplus

    return np.asarray(kmeans_plusplus(vectors, count, random_state=random_state)[0])


def _centroids(vectors: np.ndarray, home: np.ndarray, clusters: Clusters, before: np.ndarray) -> np.ndarray:
    sums = clusters.sums.astype(np.float64, copy=True)
    np.add.at(sums, home, vectors)
    empty = ~sums.any(axis=1)
    sums[empty] = before[empty]
    return unit(sums)


def constrained(
    units: Sequence[Sequence[int]],
    apart: Sequence[tuple[int, int]],
    barred: Sequence[tuple[int, int]] = (),
) -> Place:
    """Make an assignment step that keeps units of items together and pairs of items apart.

    Parameters
    ----------
    units
        Positions of items that stay together.
    apart
        Pairs of items that stand in different clusters.
    barred
        Pairs (item, cluster): the item may not stand there.

    Returns
    -------
    Place
        Exact for the items that no constraint touches, given where the others go; those are placed at the least
        cost by an integer program (HiGHS), with the free items counted but not told apart.
    """
    touched = [item for unit_ in units for item in unit_] + [item for pair in apart for item in pair]
    tied = sorted({*touched, *(item for item, _ in barred)})
    unit_of = {item: tuple(unit_) for unit_ in units for item in unit_}
    blocks = list(dict.fromkeys(unit_of.get(item, (item,)) for item in tied))
    block_of = {item: b for b, block in enumerate(blocks) for item in block}
    rivals = sorted({(block_of[a], block_of[b]) for a, b in apart})
    closed = sorted({(block_of[item], c) for item, c in barred})

    def place(cost: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        chosen = _place_blocks(cost, low, high, blocks, rivals, closed)
        home = np.full(len(cost), -1)
        taken = np.zeros(len(low), dtype=np.int64)
        for block, c in zip(blocks, chosen, strict=True):
            home[list(block)] = c
            taken[c] += len(block)
        rest = np.flatnonzero(home < 0)
        home[rest] = balanced_assignment(cost[rest], np.maximum(low - taken, 0), high - taken)
        return home

    return place


def _place_blocks(
    cost: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    blocks: Sequence[Sequence[int]],
    rivals: Sequence[tuple[int, int]],
    closed: Sequence[tuple[int, int]],
) -> list[int]:
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import coo_array, csr_array, hstack, identity, kron

    n, k = len(blocks), len(low)
    free = len(cost) - sum(len(block) for block in blocks)
    # 1. Variables: x[block, cluster] in {0, 1}, then how many free items each cluster takes. A barred x is 0.
    price = np.array([cost[list(block)].sum(axis=0) for block in blocks])  # (blocks, clusters)
    weights = np.array([[len(block) for block in blocks]])
    upper = np.ones((n, k))
    for block, c in closed:
        upper[block, c] = 0

    def rule(of_blocks: Any, of_free: Any, least: Any, most: Any) -> LinearConstraint:
        return LinearConstraint(csr_array(hstack([of_blocks, of_free])), least, most)

    # 2. Rules: each block stands in one cluster, sizes are within limits, and all free items stand somewhere.
    rules = [
        rule(kron(identity(n), np.ones((1, k))), coo_array((n, k)), 1, 1),
        rule(kron(weights, identity(k)), identity(k), low, high),
        rule(coo_array((1, n * k)), coo_array(np.ones((1, k))), free, free),
    ]
    # 3. Of two rivals at most one stands in a cluster.
    if rivals:
        rows = np.repeat(np.arange(len(rivals)), 2)
        pairs = coo_array((np.ones(2 * len(rivals)), (rows, np.ravel(rivals))), shape=(len(rivals), n))
        rules.append(rule(kron(pairs, identity(k)), coo_array((len(rivals) * k, k)), -np.inf, 1))
    # 4. The least cost of the blocks; free items cost nothing here, since they are placed afterwards.
    result = milp(
        np.concatenate([price.ravel(), np.zeros(k)]),
        integrality=np.ones(n * k + k),
        bounds=Bounds(0, np.concatenate([upper.ravel(), np.full(k, free)])),
        constraints=rules,
    )
    if result.x is None:
        raise TaxonomyError("must_link, cannot_link and the group sizes leave no way to place the labels")
    return [int(c) for c in result.x[: n * k].reshape(n, k).argmax(axis=1)]
