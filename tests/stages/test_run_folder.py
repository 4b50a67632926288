"""What a run folder keeps: its names tell what it depends on, and nothing is read that is not whole."""

import errno
import itertools
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hierarchy.errors import DataError, EncoderError
from stages.run_folder import (
    LIST,
    array_digest,
    cache_key,
    finishing,
    is_finished,
    set_aside,
    texts_digest,
    write_checksums,
    writing,
)

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


CONTENT = b"content of some length"


def empty(file):
    file.write_bytes(b"")


def cut(file):
    file.write_bytes(file.read_bytes()[:-1])


def lengthen(file):
    file.write_bytes(file.read_bytes() + b"\n")


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def fill(file):
    file.write_bytes(bytes(range(256)))


def replace_by_folder(file):
    file.unlink()
    file.mkdir()
    (file / "notes").write_text("somebody's", encoding="utf-8")


def replace_by_pipe(file):
    file.unlink()
    os.mkfifo(file)


def replace_by_link(file):
    file.unlink()
    (file.parent.parent / "victim").write_bytes(b"precious")
    file.symlink_to(file.parent.parent / "victim")


DAMAGES = [empty, cut, lengthen, flip, fill, replace_by_folder, replace_by_pipe, replace_by_link]


def make(folder):
    files = folder / "cache" / f"a{LIST}", folder / "cache" / "a.bin", folder / "cache" / "a.json"
    with finishing(*files) as parts:
        for part in parts:
            part.write_bytes(CONTENT)
    return files


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_named_and_can_be_made_anew(tmp_path, caplog, damage, place):
    files = make(tmp_path)
    assert is_finished(*files)
    assert not caplog.records
    damage(files[place])
    assert not is_finished(*files)
    assert len(caplog.records) == 1
    assert f"/{files[place].name.split('.')[0]}." in caplog.text
    assert "is damaged" in caplog.text
    assert is_finished(*make(tmp_path))
    assert [file.read_bytes() for file in files[1:]] == [CONTENT, CONTENT]


def test_what_stands_in_the_way_is_moved_and_links_are_not_written_through(tmp_path, caplog):
    files = make(tmp_path)
    for _ in range(2):
        replace_by_folder(files[1])
        make(tmp_path)
    replace_by_link(files[2])
    make(tmp_path)
    assert (tmp_path / "victim").read_bytes() == b"precious"
    for name in ("a.bin.damaged", "a.bin.damaged-2"):
        assert (tmp_path / "cache" / name / "notes").read_text(encoding="utf-8") == "somebody's"
    assert "in the way: it is now a.bin.damaged-2" in caplog.text
    assert is_finished(*files)


@pytest.mark.parametrize("missing", [1, 2])
def test_a_file_that_was_removed_is_named_and_one_that_was_never_finished_is_not(tmp_path, caplog, missing):
    files = make(tmp_path)
    files[0].rename(files[0].with_suffix(".elsewhere"))
    assert not is_finished(*files)
    assert not caplog.records
    files[0].with_suffix(".elsewhere").rename(files[0])
    files[missing].unlink()
    assert not is_finished(*files)
    assert files[missing].name in caplog.text


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ZeroDivisionError])
def test_what_was_stopped_is_not_finished_and_leaves_nothing(tmp_path, stop):
    files = make(tmp_path)
    with pytest.raises(stop), finishing(*files):
        raise stop
    assert not is_finished(*files)
    assert not list(files[0].parent.glob(".*"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_the_system_refuses(tmp_path, number):
    files = make(tmp_path)
    with pytest.raises(DataError) as caught, finishing(*files):
        raise OSError(number, os.strerror(number))
    assert os.strerror(number) in str(caught.value)
    assert "the same command goes on" in str(caught.value)
    assert str(files[1]) in str(caught.value)


def test_a_list_names_files_beside_it_only(tmp_path, caplog):
    (tmp_path / "outside").write_bytes(CONTENT)
    files = make(tmp_path)
    files[0].write_text(f"{'0' * 64}  ../outside\n", encoding="utf-8")
    assert not is_finished(*files)
    assert "no list of checksums" in caplog.text


def test_files_of_others_are_finished_afterwards_and_the_list_must_name_what_is_needed(tmp_path, caplog):
    one, two = tmp_path / "one", tmp_path / "two"
    for file in (one, two):
        file.write_bytes(CONTENT)
    write_checksums(tmp_path / f"all{LIST}", one)
    assert is_finished(tmp_path / f"all{LIST}", one)
    assert not is_finished(tmp_path / f"all{LIST}", two)
    write_checksums(tmp_path / f"all{LIST}", one, two)
    two.unlink()
    assert not is_finished(tmp_path / f"all{LIST}", one)  # each that it names must be there


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="rights of other systems")
def test_a_list_is_what_sha256sum_writes(tmp_path):
    import hashlib

    files = make(tmp_path)
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert files[0].read_text(encoding="utf-8") == f"{digest}  a.bin\n{digest}  a.json\n"


def test_a_new_file_does_not_take_over_the_rights_of_a_damaged_one(tmp_path):
    files = make(tmp_path)
    rights = files[1].stat().st_mode
    files[1].chmod(0)
    make(tmp_path)
    assert files[1].stat().st_mode == rights


def test_a_folder_is_made_where_a_file_stands(tmp_path):
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    assert is_finished(*make(tmp_path))
    assert (tmp_path / "cache.damaged").read_text(encoding="utf-8") == "a file"
    assert set_aside(tmp_path / "cache").name == "cache.damaged-2"


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 2), content=st.binary(max_size=200))
def test_no_other_content_is_taken(tmp_path_factory, place, content):
    folder = tmp_path_factory.mktemp("any")
    files = make(folder)
    same = files[place].read_bytes() == content
    files[place].write_bytes(content)
    assert is_finished(*files) == same


@pytest.mark.parametrize("name", ["", ".", "..", "n" * 300, "a\0b", "a/b"])
def test_a_list_may_name_anything(tmp_path, caplog, name):
    files = make(tmp_path)
    files[0].write_text(f"{'0' * 64}  {name}\n", encoding="utf-8")
    assert not is_finished(files[0])
    assert caplog.text.count("is damaged") == 1


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
        OSError("a library's own words"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/elsewhere/documents.csv"),
        EncoderError("what is told of an encoder may say No space left on device"),
    ],
)
def test_what_is_no_refusal_to_write_stays_what_it_is(tmp_path, error):
    with pytest.raises(type(error)) as caught, writing(tmp_path / "run"):
        raise error
    assert caught.value is error


@pytest.mark.parametrize("name", ["", "run", "run/rows.npy", "other"])
def test_refusals_beside_and_above_a_place_are_about_it(tmp_path, name):
    with pytest.raises(DataError, match="Permission denied"), writing(tmp_path / "run"):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(tmp_path / name))
