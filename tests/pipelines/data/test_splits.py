"""The split: each document once, rare labels whole, the share met. The fingerprint: order counts."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hierarchy.errors import DataError
from pipelines.data.splits import fingerprint, stratified_split

LABELS = st.lists(st.integers(0, 12).map(lambda k: f"label {k * k}"), max_size=150)


@given(labels=LABELS, fraction=st.floats(0.01, 0.9), seed=st.integers(0, 5))
def test_split_properties(labels, fraction, seed):
    training, validation = stratified_split(labels, fraction, seed)
    assert sorted([*training, *validation]) == list(range(len(labels)))
    assert list(training) == sorted(training)
    assert list(validation) == sorted(validation)
    total = Counter(labels)
    kept, cut = Counter(labels[i] for i in training), Counter(labels[i] for i in validation)
    for label, n in total.items():
        if n < 3:
            assert cut[label] == 0
        else:
            assert kept[label] >= 2
            assert abs(cut[label] - min(fraction * n, n - 2)) <= 1
    owed = sum(min(fraction * n, n - 2) for n in total.values() if n >= 3)
    assert abs(len(validation) - owed) <= 1.001
    assert len(validation) or not owed
    again = stratified_split(labels, fraction, seed)
    assert np.array_equal(again[0], training)
    assert np.array_equal(again[1], validation)


@given(labels=LABELS, texts=st.integers(1, 60), seed=st.integers(0, 5))
def test_no_text_stands_on_both_sides(labels, texts, seed):
    keys = np.random.default_rng(seed).integers(0, texts, len(labels))
    training, validation = stratified_split(labels, 0.3, seed, keys=keys)
    plain = stratified_split(labels, 0.3, seed)
    assert sorted([*training, *validation]) == list(range(len(labels)))
    assert set(validation) <= set(plain[1])
    apart = [i for i in plain[1] if keys[i] not in set(keys[plain[0]])]
    assert validation.tolist() == (apart or plain[1].tolist())


def test_small_labels_contribute_by_their_size():
    labels = [f"{size}/{k}" for size in range(3, 10) for k in range(300) for _ in range(size)]
    _, validation = stratified_split(labels, 0.1, random_state=3)
    assert abs(len(validation) - len(labels) / 10) <= 1
    by_size = Counter(labels[i].split("/")[0] for i in validation)
    for size in range(3, 10):
        assert by_size[str(size)] == pytest.approx(30 * size, rel=0.2)


def test_seeds_differ_and_exact_shares_are_exact():
    labels = ["a"] * 100 + ["b"] * 50 + ["c"] * 10
    _, validation = stratified_split(labels, 0.1)
    assert Counter(labels[i] for i in validation) == {"a": 10, "b": 5, "c": 1}
    assert not np.array_equal(validation, stratified_split(labels, 0.1, random_state=1)[1])


def test_one_label_with_three_documents_gives_one():
    _, validation = stratified_split(["a", "a", "a", "b"], 0.1)
    assert len(validation) == 1


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_a_fraction_outside_its_range_is_refused(fraction):
    with pytest.raises(DataError, match="must lie between 0 and 1"):
        stratified_split(["a"], fraction)


def test_fingerprint():
    known = fingerprint(["ab", "中文"], ["c", None])
    assert len(known) == 64
    assert known == fingerprint(iter(["ab", "中文"]), iter(["c", None]))
    others = [
        (["中文", "ab"], ["c", None]),
        (["a", "中文"], ["bc", None]),
        (["ab", "中文"], ["c", ""]),
        (["ab"], ["c"]),
    ]
    assert known not in [fingerprint(*other) for other in others]
    with pytest.raises(ValueError, match="shorter"):
        fingerprint(["a", "b"], ["c"])
