"""Keys: the same things have one, and whatever differs has another, also where one thing ends and the next begins."""

import itertools

import numpy as np
import pytest
from scipy import sparse

from stages.cache_keys import array_digest, cache_key, texts_digest

ZEROS = np.zeros((2, 3), dtype=np.float32)


def test_a_key_stands_for_its_parts_whatever_their_order():
    one, other = cache_key(a=1, b=ZEROS, c={"x": 1, "y": 2}), cache_key(c={"y": 2, "x": 1}, b=ZEROS.copy(), a=1)
    assert one == other
    assert len(one) == 64
    assert array_digest(np.asfortranarray(np.arange(6).reshape(2, 3))) == array_digest(np.arange(6).reshape(2, 3))
    assert cache_key(a=sparse.csr_matrix(ZEROS)) == cache_key(a=sparse.csr_matrix(ZEROS.copy()))


@pytest.mark.parametrize(
    "parts",
    [
        [{"a": 1}, {"a": 2}, {"b": 1}, {"a": "1"}, {"a": None}, {"a": 1, "b": None}, {"a": [1, 2]}, {"a": [[1], 2]}],
        [{"a": "b", "c": "d"}, {"a": "bc", "c": ""}, {"a": 'b", "c": "d'}],
        [{"a": "\ud800"}, {"a": "\udfff"}, {"a": "\\ud800"}],
    ],
)
def test_what_differs_has_another_key(parts):
    assert len({cache_key(**some) for some in parts}) == len(parts)


@pytest.mark.parametrize(
    "arrays",
    [
        [ZEROS, ZEROS.T, ZEROS.ravel(), ZEROS.astype(np.int32), ZEROS.astype(np.float64), ZEROS[:1], ZEROS[:0]],
        [np.zeros((0, 3)), np.zeros((3, 0)), np.zeros(0)],
        [
            sparse.csr_matrix((2, 3)), sparse.csr_matrix((2, 4)), sparse.csr_matrix((3, 3)),
            sparse.csr_matrix(([1.0], [0], [0, 1, 1]), shape=(2, 3)),
            sparse.csr_matrix(([1.0], [0], [0, 0, 1]), shape=(2, 3)),
            sparse.csr_matrix(([1.0], [1], [0, 1, 1]), shape=(2, 3)),
        ],
    ],
)  # fmt: skip
def test_arrays_of_other_type_shape_or_content_have_another_key(arrays):
    assert len({cache_key(features=array) for array in arrays}) == len(arrays)


def test_arrays_and_texts_do_not_run_into_what_follows_them():
    numbers, texts = np.arange(4), ["ab", "c", "", "ab"]
    arrays = {cache_key(train=numbers[:n], valid=numbers[n:]) for n in range(5)}
    split = {cache_key(train=texts_digest(texts[:n]), valid=texts_digest(texts[n:])) for n in range(5)}
    assert (len(arrays), len(split)) == (5, 5)
    likes = [["ab"], ["a", "b"], ["", "ab"], ["ab", ""], ["a\0", "b"], ["a", "\0b"], ["a\0b"], []]
    assert all(texts_digest(one) != texts_digest(other) for one, other in itertools.combinations(likes, 2))
    assert texts_digest(iter(texts)) == texts_digest(tuple(texts))
