"""The cache of arrays: a crash or a change costs one shard, a full disk costs nothing that was written."""

import errno
import pickle
import shutil
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hierarchy.errors import DataError
from stages.arrays import Array
from stages.run_folder import write_checksums
from stages.shards import SHARD_CHARACTERS, DocumentArrays, ShardCache, shard_bounds

HIDDEN = 4
Usage = namedtuple("Usage", "total used free")


class Encode:
    """Vectors from the characters of a text, one segment for each three; notes which texts it was called with."""

    def __init__(self, fail_at=None):
        self.calls = []
        self.fail_at = fail_at

    def __call__(self, texts):
        if len(self.calls) == self.fail_at:
            raise KeyboardInterrupt
        self.calls.append(list(texts))
        counts = np.array([1 + len(text) // 3 for text in texts])
        rows = [[len(t), sum(map(ord, t)), i, 1.0] for t, n in zip(texts, counts, strict=True) for i in range(n)]
        return np.array(rows, dtype=np.float32), counts


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr("stages.shards.SHARD_DOCUMENTS", 4)


@pytest.fixture
def texts():
    return [f"text {'x' * i}" for i in range(18)]  # 5 shards


def kept(folder, texts, make, *, key="key"):
    """The arrays of texts through a cache of vectors."""
    rows = Array("float32", ("rows", "hidden"))
    cache = ShardCache(folder, key, rows, {"hidden": HIDDEN}, least=1, tokens_a_row=200)
    return DocumentArrays(cache.shards(texts, make, read=list, what="vectors"))


def joined(arrays):
    return np.concatenate([rows for rows, _ in arrays.by_shard()])


def test_vectors_are_those_of_the_encoder(tmp_path, texts):
    vectors = kept(tmp_path, texts, Encode())
    whole, counts = Encode()(texts)
    assert len(vectors) == len(texts)
    assert np.array_equal(vectors.counts, counts)
    assert np.array_equal(np.concatenate([vectors[i] for i in range(len(texts))]), whole)
    assert np.array_equal(joined(vectors), whole)
    with pytest.raises(IndexError):
        vectors[len(texts)]
    with pytest.raises(IndexError):
        vectors[-1]


def test_nothing_is_encoded_twice(tmp_path, texts):
    first = kept(tmp_path, texts, Encode())
    again = Encode()
    second = kept(tmp_path, texts, again)
    assert again.calls == []
    assert joined(first).tobytes() == joined(second).tobytes()


@pytest.mark.parametrize("shard", [0, 2, 4])
def test_a_stopped_run_goes_on_at_the_first_missing_shard(tmp_path, texts, shard):
    with pytest.raises(KeyboardInterrupt):
        kept(tmp_path, texts, Encode(fail_at=shard))
    again = Encode()
    vectors = kept(tmp_path, texts, again)
    assert again.calls == [texts[start : start + 4] for start in range(4 * shard, 18, 4)]
    assert np.array_equal(joined(vectors), Encode()(texts)[0])


def test_a_changed_document_costs_one_shard(tmp_path, texts):
    kept(tmp_path, texts, Encode())
    texts[9] = "another"
    again = Encode()
    vectors = kept(tmp_path, texts, again)
    assert again.calls == [texts[8:12]]
    assert np.array_equal(joined(vectors), Encode()(texts)[0])


def test_another_key_shares_nothing(tmp_path, texts):
    kept(tmp_path, texts, Encode())
    again = Encode()
    kept(tmp_path, texts, again, key="other")
    assert len(again.calls) == 5


def test_texts_that_join_to_the_same_string_are_told_apart(tmp_path):
    kept(tmp_path, ["ab", "c"], Encode())
    again = Encode()
    kept(tmp_path, ["a", "bc"], again)
    assert again.calls == [["a", "bc"]]


def test_shards_with_the_same_texts(tmp_path):
    texts = ["same"] * 10
    vectors = kept(tmp_path, texts, Encode())
    assert np.array_equal(joined(vectors), Encode()(texts)[0])


def test_no_room_is_seen_before_anything_is_encoded(tmp_path, texts, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 100))
    encode = Encode()
    with pytest.raises(DataError, match=r"no room for .* documents in .*0\.0 MB are free.*on another disk"):
        kept(tmp_path, texts, encode)
    assert encode.calls == []
    assert list(tmp_path.iterdir()) == []


def test_a_full_cache_needs_no_room(tmp_path, texts, monkeypatch):
    kept(tmp_path, texts, Encode())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 0))
    assert len(kept(tmp_path, texts, Encode())) == len(texts)


def test_a_disk_that_fills_up_leaves_no_half_file(tmp_path, texts, monkeypatch):
    save, written = np.save, []

    def fills_up(file, array, **options):
        if len(written) == 5:  # the vectors of the third shard
            file.write(b"half of it")
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(array.shape)
        save(file, array, **options)

    monkeypatch.setattr("stages.shards.np.save", fills_up)
    with pytest.raises(DataError, match=r"No space left on device.*already is kept"):
        kept(tmp_path, texts, Encode())
    assert not list(tmp_path.glob("*.part"))
    assert len(list(tmp_path.iterdir())) == 2 * 3  # vectors, counts and checksums of two shards
    monkeypatch.setattr("stages.shards.np.save", save)
    again = Encode()
    vectors = kept(tmp_path, texts, again)
    assert again.calls == [texts[8:12], texts[12:16], texts[16:]]
    assert np.array_equal(joined(vectors), Encode()(texts)[0])


def test_another_failure_to_write_is_not_called_no_room(tmp_path, texts, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("stages.shards.np.save", refused)
    with pytest.raises(DataError, match="Permission denied") as caught:
        kept(tmp_path, texts, Encode())
    assert "no room" not in str(caught.value)


@pytest.mark.parametrize("end", [".npy", ".counts.npy"])
@pytest.mark.parametrize(
    "write", [lambda file: np.savez(file, a=np.ones(3)), lambda file: np.save(file, np.array([{}]), allow_pickle=True)]
)
def test_files_of_other_kinds_are_not_used(tmp_path, texts, caplog, end, write):
    first = joined(kept(tmp_path, texts, Encode()))
    listing = next(tmp_path.glob("*.sha256"))
    with listing.with_suffix(end).open("wb") as file:
        write(file)
    write_checksums(listing, listing.with_suffix(".npy"), listing.with_suffix(".counts.npy"))
    assert np.array_equal(joined(kept(tmp_path, texts, Encode())), first)
    assert caplog.text.count("is damaged") == 1


@given(st.lists(st.integers(0, 300_000), max_size=60))
def test_shards_cut_all_documents_and_stay_small(sizes):
    texts = ["x" * size for size in sizes]
    bounds = list(shard_bounds(texts))
    assert [place for start, end in bounds for place in range(start, end)] == list(range(len(texts)))
    for start, end in bounds:
        assert end - start <= 4
        assert end - start == 1 or sum(sizes[start:end]) <= SHARD_CHARACTERS


def test_documents_may_have_no_rows_where_the_cache_says_so(tmp_path):
    texts = ["", "aab", *[""] * 6, "b"]
    rows = Array("int32", ("rows",), below="vocabulary")
    cache = ShardCache(tmp_path, "key", rows, {"vocabulary": 200}, least=0, tokens_a_row=1)

    def characters(some):
        return np.array([ord(c) for text in some for c in text], dtype=np.int64), np.array([len(t) for t in some])

    for _ in range(2):  # as they are made, and as they are read
        arrays = DocumentArrays(cache.shards(texts, characters, read=list, what="characters"))
        assert [bytes(ids.astype(np.uint8)).decode() for ids in arrays] == texts
        assert arrays[1].dtype == np.int32
    again = pickle.loads(pickle.dumps(arrays))  # noqa: S301 - as a worker gets them
    assert np.array_equal(again[1], arrays[1])
    assert len(DocumentArrays([])) == 0


@pytest.mark.parametrize("end", [".npy", ".counts.npy", ".sha256"])
def test_a_damaged_shard_is_encoded_again_and_no_other(tmp_path, texts, caplog, end):
    first = joined(kept(tmp_path, texts, Encode()))
    file = sorted(tmp_path.glob("*.sha256"))[2].with_suffix(end)
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    again = Encode()
    assert joined(kept(tmp_path, texts, again)).tobytes() == first.tobytes()
    assert len(again.calls) == 1
    assert f"{file.name.split('.')[0]}." in caplog.text
    assert "is damaged" in caplog.text
    kept(tmp_path, texts, Encode(fail_at=0))


@pytest.mark.parametrize(
    ("end", "change"),
    [
        (".npy", lambda a: a[:-1]),
        (".npy", lambda a: a[:, :-1]),
        (".npy", lambda a: a.astype(np.float64)),
        (".npy", lambda a: a * np.float32("nan")),
        (".npy", lambda a: a.reshape(-1)),
        (".counts.npy", lambda a: a[:-1]),
        (".counts.npy", lambda a: a - a),
        (".counts.npy", lambda a: a[::-1] * 1.0),
        (".counts.npy", lambda a: a + 1),
        (".counts.npy", lambda a: np.append(a[:-2], [a[-2] - 9, a[-1] + 9])),
        (".counts.npy", lambda a: np.append(a[:-4], a[-4:] + 2**62)),  # the same sum in 64 bits
    ],
)
def test_arrays_that_do_not_agree_are_not_used(tmp_path, texts, caplog, end, change):
    first = joined(kept(tmp_path, texts, Encode()))
    listing = max(tmp_path.glob("*.sha256"), key=lambda file: file.with_suffix(".npy").stat().st_size)
    file = listing.with_suffix(end)
    np.save(file, change(np.load(file)))
    write_checksums(listing, listing.with_suffix(".npy"), listing.with_suffix(".counts.npy"))
    again = Encode()
    assert joined(kept(tmp_path, texts, again)).tobytes() == first.tobytes()
    assert len(again.calls) == 1
    assert caplog.text.count("is damaged") == 1
