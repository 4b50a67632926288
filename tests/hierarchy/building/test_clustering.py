"""Clusters with hard sizes: the exact assignment against scipy, limits, pins and links."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from hierarchy import TaxonomyError
from hierarchy.building import clustering
from hierarchy.building.clustering import Clusters, balanced_assignment, cluster, constrained
from hierarchy.building.sizes import Kept, Room
from hierarchy.embedding.label_vectors import unit


def cost_by_slots(cost, low, high):
    """The same problem for scipy: a column for each place in a cluster, the mandatory ones not for dummy items."""
    items, clusters = cost.shape
    columns = np.concatenate([np.repeat(np.arange(clusters), low), np.repeat(np.arange(clusters), high - low)])
    square = np.zeros((len(columns), len(columns)))
    square[:items] = cost[:, columns]
    square[items:, : low.sum()] = 1e6
    rows, chosen = linear_sum_assignment(square)
    return square[rows, chosen].sum()


@st.composite
def problems(draw):
    clusters = draw(st.integers(1, 5))
    low = np.array([draw(st.integers(0, 4)) for _ in range(clusters)])
    high = low + np.array([draw(st.integers(0, 5)) for _ in range(clusters)])
    items = draw(st.integers(max(1, low.sum()), max(1, high.sum())))
    if items > high.sum():
        high[0] += items
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    cost = rng.integers(0, 3, (items, clusters)).astype(float) if draw(st.booleans()) else rng.random((items, clusters))
    return cost - rng.random(clusters) * draw(st.booleans()), low, high


@given(problems())
@settings(max_examples=150, deadline=None)
def test_assignment_is_exact_and_within_limits(problem):
    cost, low, high = problem
    home = balanced_assignment(cost, low, high)
    sizes = np.bincount(home, minlength=len(low))
    assert (low <= sizes).all()
    assert (sizes <= high).all()
    assert cost[np.arange(len(cost)), home].sum() == pytest.approx(cost_by_slots(cost, low, high), abs=1e-6)


def test_impossible_sizes():
    with pytest.raises(TaxonomyError, match="3 labels do not fit groups that take 4 to 8 of them"):
        balanced_assignment(np.zeros((3, 2)), np.array([2, 2]), np.array([4, 4]))


def blobs(per_blob, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(len(per_blob), 12)) * 4
    owner = np.repeat(np.arange(len(per_blob)), per_blob)
    return unit(centres[owner] + rng.normal(size=(len(owner), 12)) * 0.4), owner


def test_clusters_are_found_and_repeat():
    vectors, owner = blobs([10, 10, 10])
    asked = Clusters(np.full(3, 5), np.full(3, 15), np.zeros((3, 12)))
    home = cluster(vectors, asked)
    assert len({(a, b) for a, b in zip(owner, home, strict=True)}) == 3
    assert np.array_equal(home, cluster(vectors, asked))


def test_limits_hold_against_the_data():
    vectors, _ = blobs([28, 1, 1])
    home = cluster(vectors, Clusters(np.full(3, 8), np.full(3, 12), np.zeros((3, 12))))
    assert sorted(np.bincount(home)) >= [8, 8, 8]
    assert np.bincount(home).max() <= 12


def test_pinned_members_count_in_the_centroid():
    vectors, owner = blobs([10, 10])
    sums = np.zeros((2, 12))
    sums[1] = vectors[owner == 0][:5].sum(axis=0)  # cluster 1 already holds labels of the first blob
    home = cluster(vectors[owner == 0], Clusters(np.array([0, 0]), np.array([20, 20]), sums))
    assert (home == 1).sum() >= 5


def test_links_hold():
    vectors, _ = blobs([10, 10])
    place = constrained([[0, 15, 16]], [(1, 2), (3, 15)], [(4, 0), (5, 1)])
    home = cluster(vectors, Clusters(np.full(2, 5), np.full(2, 15), np.zeros((2, 12))), place=place)
    assert home[0] == home[15] == home[16]
    assert home[1] != home[2]
    assert home[3] != home[15]
    assert (home[4], home[5]) == (1, 0)
    with pytest.raises(TaxonomyError, match="leave no way to place the labels"):
        constrained([], [(0, 1), (1, 2), (0, 2)])(np.zeros((4, 2)), np.zeros(2, dtype=int), np.full(2, 4))


def plan_sizes(free, kept, n_groups, min_size, max_size, **links):
    """Return the best way."""
    return Room(free, kept, min_size, max_size, **links).ways(n_groups)[0]


def test_planned_sizes():
    low, high = plan_sizes(600, [], "auto", 5, 40)
    assert (len(low), set(low), set(high)) == (35, {9}, {34})
    assert len(plan_sizes(10_000, [], "auto", 5, 40)[0]) == 313
    assert [len(plan_sizes(n, [], "auto", 5, 40)[0]) for n in (1, 3, 9, 10)] == [1, 1, 1, 2]
    low, high = plan_sizes(5, [Kept(15)] * 10, "auto", 5, 40)  # five new labels find room in ten groups
    assert (len(low), low.sum()) == (10, 0)
    low, high = plan_sizes(20, [Kept(2, pinned=False), Kept(7, pinned=False)], 4, 5, 40)  # built, with pinned labels
    assert low.tolist() == [3, 0, 5, 5]
    low, high = plan_sizes(6, [Kept(2, pinned=False), Kept(1, pinned=False), Kept(1, pinned=False)], 3, 5, 40)
    assert low.tolist() == [0, 0, 0]  # too few labels for all
    low, high = plan_sizes(20, [Kept(3, max_size=3), Kept(1, min_size=4)], 4, 5, 40)
    assert (high[0], low[1]) == (0, 3)
    with pytest.raises(TaxonomyError, match=r"n_groups is 10, but 30 labels .* allow 1 to 6"):
        plan_sizes(30, [], 10, 5, 40)
    with pytest.raises(TaxonomyError, match=r"leave no way: 'g' \(min_size 10\); change them"):
        plan_sizes(9, [Kept(0, False, min_size=10, name="g")], "auto", 5, 40)


@pytest.mark.parametrize(
    ("room", "reason"),
    [
        (Room(600), "about sqrt(2 x labels)"),
        (Room(5000), "a group takes at most max_group_size 40 labels; else about sqrt(2 x labels), 100"),
        (Room(600, min_size=20), "a group takes at least min_group_size 20 labels; else about sqrt(2 x labels), 35"),
        (Room(9), "9 labels are fewer than two groups of min_group_size 5; else about sqrt(2 x labels), 4"),
        (Room(30, [Kept(1)] * 20), "20 groups stay; else about sqrt(2 x labels), 10"),
        (Room(20, apart=8), "cannot_link parts labels into 8 groups; else about sqrt(2 x labels), 6"),
        (Room(60, together=50), "must_link joins 50 labels; else about sqrt(2 x labels), 11"),
    ],
)
def test_the_reason_names_what_decided(room, reason):
    assert room.reason(len(room.ways("auto")[0][0])) == reason


def test_limits_that_nobody_set_give_way():
    for count in (1, 2, 3, 4):
        low, high = plan_sizes(count, [], "auto", None, None)
        assert (len(low), low[0] <= count <= high[0]) == (1, True)
    assert len(plan_sizes(4, [], 2, None, None)[0]) == 2  # fewer than 5 in a group
    assert plan_sizes(100, [], 1, None, None)[1] == [100]  # more than 40
    assert len(plan_sizes(4, [], 1, 5, 40)[0]) == 1
    assert plan_sizes(30, [], "auto", None, 3)[1].max() == 3
    assert plan_sizes(200, [], "auto", 50, None)[0].min() >= 50
    low, high = plan_sizes(3, [Kept(60), Kept(60)], "auto", None, None)  # given groups are full, three labels are few
    assert (low.tolist(), high.tolist()) == ([0, 0, 3], [0, 0, 40])
    assert len(plan_sizes(4, [], "auto", None, None, apart=3)[0]) == 3
    assert [high.max() >= 50 for _, high in Room(60, together=50).ways("auto")][1]


def test_a_setting_that_contradicts_the_labels_is_named():
    for asked, said in (
        ((4, [], 9, None, None), "n_groups is 9, but 4 labels allow 1 to 4; change n_groups"),
        ((4, [], 2, 4, None), "n_groups is 2, but 4 labels with min_group_size 4 allow 1; change one of these"),
        ((9, [], 1, None, 4), "n_groups is 1, but 9 labels with max_group_size 4 allow 3 to 9; change one of these"),
        ((6, [Kept(4)] * 3, 2, None, None), r"n_groups is 2, but 18 labels \(3 groups stay\) allow 3 to 9"),
    ):
        with pytest.raises(TaxonomyError, match=f"^{said}"):
            plan_sizes(*asked)


@given(st.integers(1, 400), st.integers(1, 10), st.integers(1, 30), st.lists(st.integers(1, 60), max_size=4))
@settings(max_examples=60, deadline=None)
def test_auto_always_finds_a_plan(free, least, more, pinned):
    low, high = plan_sizes(free, [Kept(members) for members in pinned], "auto", least, least + more)
    assert low.sum() <= free <= high.sum()
    assert (high[len(pinned) :] <= least + more).all()


@st.composite
def label_sets(draw):
    """Random vectors with sizes, pinned sums and given starts; some vectors are the same, as names can be."""
    clusters = draw(st.integers(1, 6))
    low = np.array([draw(st.integers(0, 4)) for _ in range(clusters)])
    high = low + np.array([draw(st.integers(0, 5)) for _ in range(clusters)])
    items = draw(st.integers(max(1, low.sum()), max(1, high.sum())))
    high[0] += max(0, items - high.sum())
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    vectors = unit(rng.normal(size=(items, 5)))
    if draw(st.booleans()):
        vectors = vectors[rng.integers(0, max(1, items // 3), items)]
    sums = rng.normal(size=(clusters, 5)) * (rng.random(clusters) < 0.4)[:, None]
    starts = {c: unit(rng.normal(size=(1, 5)))[0] for c in range(clusters) if rng.random() < 0.3}
    return vectors, Clusters(low, high, sums, starts), rng


@given(label_sets())
@settings(max_examples=80, deadline=None)
def test_sizes_hold_and_the_same_comes_again(problem):
    vectors, asked, _ = problem
    home = cluster(vectors, asked, 3)
    sizes = np.bincount(home, minlength=len(asked.low))
    assert home.shape == (len(vectors),)
    assert len(sizes) == len(asked.low)
    assert (asked.low <= sizes).all()
    assert (sizes <= asked.high).all()
    assert home.tobytes() == cluster(vectors, asked, 3).tobytes()


@given(label_sets())
@settings(max_examples=40, deadline=None)
def test_units_rivals_and_bars_hold_where_there_is_a_way(problem):
    vectors, asked, rng = problem
    n, clusters = len(vectors), len(asked.low)
    order = rng.permutation(n)
    units, apart, barred = [order[:2].tolist()] if n > 1 else [], [], [(int(order[-1]), 0)]
    if n > 3:
        apart = [(int(order[2]), int(order[3]))]
    try:
        home = cluster(vectors, asked, place=constrained(units, apart, barred))
    except TaxonomyError:
        assume(False)
    sizes = np.bincount(home, minlength=clusters)
    assert (asked.low <= sizes).all()
    assert (sizes <= asked.high).all()
    assert all(home[a] == home[b] for a, b in units)
    assert all(home[a] != home[b] for a, b in apart)
    assert all(home[item] != c for item, c in barred)


@given(st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_pinned_labels_draw_their_like(seed):
    vectors, owner = blobs([8, 8, 8], seed)
    for blob in range(3):  # cluster 2 already holds labels of this blob
        sums = np.zeros((3, 12))
        sums[2] = vectors[owner == blob].sum(axis=0)
        home = cluster(vectors, Clusters(np.full(3, 2), np.full(3, 20), sums))
        assert np.bincount(owner[home == 2], minlength=3).argmax() == blob


def test_full_groups_leave_the_new_ones_to_the_rest():
    vectors, owner = blobs([10, 10])
    sums = np.zeros((4, 12))
    sums[:2] = vectors[[0, 10]]
    home = cluster(vectors, Clusters(np.array([0, 0, 5, 5]), np.array([0, 0, 15, 15]), sums))
    assert {(int(a), int(b)) for a, b in zip(owner, home, strict=True)} in ({(0, 2), (1, 3)}, {(0, 3), (1, 2)})


def test_large_sets_do_not_look_at_all_pairs(monkeypatch):
    def forbidden(*_):
        raise AssertionError("Ward's method on a large set")

    monkeypatch.setattr(clustering, "MOST_FOR_WARD", 20)
    monkeypatch.setattr(clustering, "_ward", forbidden)
    vectors, _ = blobs([10, 10, 10])
    home = cluster(vectors, Clusters(np.full(3, 5), np.full(3, 15), np.zeros((3, 12))))
    assert np.bincount(home).min() >= 5
    with pytest.raises(AssertionError, match="large set"):
        cluster(vectors[:20], Clusters(np.full(3, 1), np.full(3, 15), np.zeros((3, 12))))
