"""Arrays of a file: what does not fit is refused by name, before scipy, torch or numpy are given it."""

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy import sparse

from hierarchy.errors import ArtifactError
from stages.arrays import Array, check_arrays, read_arrays, row_arrays
from stages.fine.rows import Rows

SIZES = {"features": 9, "groups": 3}
EXPECTED = {
    "group_of": Array("int64", ("labels",), below="groups", rising=True, complete=True),
    **row_arrays("rows", rows="labels", columns="features", sparse=True),
    "more": Array("uint64", ("documents",), required=False),
}


@pytest.fixture
def arrays():
    weight = sparse.random(5, 9, 0.5, format="csr", dtype=np.float32, random_state=0)
    rows = Rows(weight, np.arange(5, dtype=np.float32))
    return {"group_of": np.array([0, 0, 1, 2, 2]), **rows.tensors("rows")}


def problem(arrays):
    with pytest.raises(ArtifactError) as caught:
        check_arrays(arrays, EXPECTED, SIZES, where="the.file")
    assert str(caught.value).startswith("the.file: ")
    return str(caught.value).removeprefix("the.file: ")


def test_what_was_written_fits_and_tells_its_lengths(arrays):
    entries = len(arrays["rows.data"])
    assert check_arrays(arrays, EXPECTED, SIZES, where="x") == {**SIZES, "labels": 5, "entries of rows": entries}
    dense = Rows(np.ones((5, 4), dtype=np.float32), np.zeros(5, dtype=np.float32)).tensors("rows")
    plan = row_arrays("rows", rows="labels", columns="features", sparse=False)
    assert check_arrays(dense, plan, where="x") == {"labels": 5, "features": 4}
    empty = Rows(sparse.csr_matrix((5, 9), dtype=np.float32), np.zeros(5, dtype=np.float32)).tensors("rows")
    check_arrays({"group_of": arrays["group_of"], **empty}, EXPECTED, SIZES, where="x")


@pytest.mark.parametrize("name", ["group_of", "rows.data", "rows.indices", "rows.indptr", "rows.shape", "rows.bias"])
def test_each_array_is_needed_in_its_own_type_and_shape(arrays, name):
    array = arrays[name]
    assert f"{name} is missing: copy it again" in problem({k: a for k, a in arrays.items() if k != name})
    assert f"{name} holds float64, not {array.dtype}" in problem({**arrays, name: array.astype(np.float64)})
    for other in (array[None], array[:, None], array[0].reshape(()), np.zeros((0, 2**40), dtype=array.dtype)):
        assert f"{name} has the shape" in problem({**arrays, name: other})
    for other in (array[:0], array[:-1], np.append(array, array[-1:])):
        assert "has the shape" in problem({**arrays, name: other})


def test_unknown_arrays_are_refused(arrays):
    assert "'else' is no array of this file" in problem({**arrays, "else": np.zeros(1)})


@pytest.mark.parametrize(
    ("name", "place", "value", "said"),
    [
        ("rows.indices", 0, 9, "rows.indices holds 9, and there are 9 features"),
        ("rows.indices", 0, 2**31 - 1, "rows.indices holds 2147483647"),
        ("rows.indices", -1, -1, "rows.indices holds -1"),
        ("rows.indptr", 0, 1, "rows.indptr goes from 1"),
        ("rows.indptr", 0, -(2**63), "rows.indptr goes from -9223372036854775808"),
        ("rows.indptr", 2, 2**63 - 1, "rows.indptr falls"),
        ("rows.indptr", -1, 10**9, "rows.indptr goes from 0 to 1000000000"),
        ("rows.shape", 0, 10**9, r"rows.shape says [1000000000, 9]"),
        ("rows.shape", 1, 8, r"rows.shape says [5, 8]"),
        ("rows.data", 0, np.nan, "rows.data holds numbers that are not finite"),
        ("rows.bias", 4, -np.inf, "rows.bias holds numbers that are not finite"),
        ("rows.bias", 4, 3e38, "rows.bias holds numbers that are not finite, or above"),
        ("group_of", 4, 10**9, "group_of holds 1000000000, and there are 3 groups"),
        ("group_of", 0, -1, "group_of holds -1"),
        ("group_of", 0, 1, "group_of falls"),
        ("group_of", 2, 0, "group_of leaves out some of the 3 groups"),
        ("group_of", 2, 2, "group_of leaves out some of the 3 groups"),
    ],
)
def test_values_that_would_crash_or_lie(arrays, name, place, value, said):
    arrays[name][place] = value
    assert said in problem(arrays)


def test_files_that_are_none(tmp_path):
    file = tmp_path / "a.safetensors"
    save_file({"a": np.arange(4.0, dtype=np.float32), "b": np.arange(3)}, file)
    whole = file.read_bytes()
    length = struct.unpack("<Q", whole[:8])[0]
    header = json.loads(whole[8 : 8 + length])

    def with_header(changed):
        text = json.dumps(changed).encode()
        return struct.pack("<Q", len(text)) + text + whole[8 + length :]

    def changed(**values):
        return with_header({**header, "a": {**header["a"], **values}})

    hostile = [
        b"", b"x", whole[:7], whole[:-1], whole[:20], struct.pack("<Q", 2**62) + whole[8:], whole + b"more",
        with_header([]), with_header({**header, "a": 1}), changed(dtype="F8_E4M3"), changed(dtype="what"),
        changed(dtype="BF16", shape=[8]), changed(shape=[-1]), changed(shape=[2**62, 4]), changed(shape=[2**64]),
        changed(data_offsets=[0, 2**60]), changed(data_offsets=header["b"]["data_offsets"]), changed(dtype="F64"),
        struct.pack("<Q", 2) + b"{]" + whole[8 + length :],
    ]  # fmt: skip
    for content in hostile:
        file.write_bytes(content)
        with pytest.raises(ArtifactError, match=r"a\.safetensors: it cannot be read \(.+\): copy it again"):
            read_arrays(file)
    file.write_bytes(whole)
    assert set(read_arrays(file)) == {"a", "b"}
