"""The folder of a prediction that is not finished: known as ours, and checked, whatever has happened to it."""

import json
import logging
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hierarchy.errors import DataError
from pipelines.serving.parts import (
    check_parts,
    claim_parts,
    open_parts,
    parts_of,
    read_shard,
    remove_parts,
    whole_shards,
    write_shard,
)

ANSWERS = [{"row": 1, "label": "a\u2028", "beam_mass": 0.1, "reason": None, "paths": []}]
RUN = {"documents": "d", "top_k": 3}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out.csv.parts"


@pytest.fixture
def begun(folder):
    """A folder with two finished shards and the table of its documents."""
    open_parts(folder)
    claim_parts(folder, RUN)
    for place in range(2):
        write_shard(ANSWERS, folder, place)
    (folder / "documents" / "hub" / "some___set").mkdir(parents=True)
    (folder / "documents" / f"documents-{'0' * 32}.jsonl").touch()
    return folder


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_what_is_there_goes_on_and_then_goes(begun):
    check_parts(begun)
    assert not open_parts(begun)
    claim_parts(begun, RUN)
    with pytest.raises(DataError, match="differs in: top_k;"):
        claim_parts(begun, {**RUN, "top_k": 1})
    assert [read_shard(file) == ANSWERS for file in whole_shards(begun).values()] == [True, True]
    assert open_parts(begun, restart=True)
    assert names(begun) == ["state.json"]
    remove_parts(begun)
    assert not begun.exists()


def test_documents_that_were_read_stay_when_a_run_had_not_read_them_all(folder):
    assert open_parts(folder)
    file = folder / "documents" / f"documents-{'0' * 32}.jsonl"
    file.parent.mkdir()
    file.touch()
    assert open_parts(folder)
    assert file.exists()
    assert open_parts(folder, restart=True)
    assert not file.exists()


@pytest.mark.parametrize("state", [b"[]", b"", b"{", b"\xff", b"{}\n" * 9, b'{"run": 1}', b"[" * 100_000, None])
def test_shards_of_a_run_that_is_not_known_are_made_anew(begun, state, caplog):
    (begun / "state.json").unlink()
    if state is not None:
        (begun / "state.json").write_bytes(state)
    else:
        (begun / "documents" / "hub" / "some___set").rmdir()
        (begun / "documents" / "hub").rmdir()
    check_parts(begun)
    with caplog.at_level(logging.WARNING):
        assert open_parts(begun) == (state != b"{}\n")
    assert names(begun) == ["state.json"]
    assert "nothing says to which run" in caplog.text


@pytest.mark.parametrize(
    "damage",
    [lambda file: file.write_bytes(b""), lambda file: file.write_bytes(file.read_bytes()[:-1]),
     lambda file: file.write_bytes(file.read_bytes().replace(b"0.1", b"0.2", 1)),
     lambda file: file.rename(file.with_name(file.name.replace("00000", "00007")))],
)  # fmt: skip
def test_a_damaged_shard_does_not_count(begun, damage, caplog):
    file = whole_shards(begun)[0]
    damage(file)
    with caplog.at_level(logging.WARNING):
        assert list(whole_shards(begun)) == [1]
    assert len(caplog.records) == 1
    assert "is damaged and is made anew" in caplog.text
    assert len(names(begun)) == 3


def test_a_shard_that_is_changed_later_is_not_read(begun):
    file = whole_shards(begun)[1]
    file.write_bytes(b"{}\n")
    with pytest.raises(DataError, match="was changed from outside"):
        read_shard(file)


KILLED = [
    "", "state.tmp", "documents/", "00000.parquet", f".state.json.{'a' * 16}.part",
    f"documents/.documents-1.{'a' * 16}.part", f"00000-{'0' * 16}.parquet",
]  # fmt: skip


@pytest.mark.parametrize("killed", KILLED)
def test_what_a_killed_run_has_left_is_ours(folder, killed):
    place = folder / killed
    (place if killed.endswith("/") else place.parent).mkdir(parents=True, exist_ok=True)
    if killed and not killed.endswith("/"):
        place.touch()
    check_parts(folder)
    assert open_parts(folder)
    remove_parts(folder)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["thesis.txt", "00000.parquet", "documents/thesis.txt", "documents/hub/x", "state/x"])
@pytest.mark.parametrize("inside", ["foreign", "ours", "no state"])
def test_what_is_not_ours_stays(folder, name, inside):
    if inside == "ours":
        open_parts(folder)
    elif inside == "no state":
        folder.mkdir()
        write_shard(ANSWERS, folder, 0)
    theirs = folder / name
    theirs.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith("parquet"):
        pq.write_table(pa.table({"theirs": [1]}), theirs)
    else:
        theirs.write_text("years of work")
    content = theirs.read_bytes()
    if inside == "ours" and "hub" not in name:
        check_parts(folder)
        open_parts(folder, restart=True)
        remove_parts(folder)
    if inside != "ours":
        with pytest.raises(DataError, match="is in the way"):
            check_parts(folder)
    assert theirs.read_bytes() == content


@pytest.mark.parametrize("name", ["state.json", "documents", ""])
def test_links_are_not_followed(folder, tmp_path, name):
    theirs = tmp_path / "theirs"
    if name:
        folder.mkdir()
    if name == "state.json":
        theirs.write_text(json.dumps({"made_by": "coarsefine predict", "run": None}))
    else:
        theirs.mkdir()
    (folder / name if name else folder).symlink_to(theirs)
    with pytest.raises(DataError, match="is in the way"):
        check_parts(folder)


def test_the_folder_stands_beside_the_file_and_its_name_can_be_made(tmp_path):
    assert parts_of(tmp_path / "a.csv") == tmp_path / "a.csv.parts"
    (tmp_path / "link.csv").symlink_to("far.csv")
    assert parts_of(tmp_path / "link.csv") == tmp_path / "far.csv.parts"
    long = [parts_of(tmp_path / f"{'字' * 83}{end}.csv") for end in "ab"]
    assert len(set(long)) == 2
    for folder in long:
        folder.mkdir()


READ_IN_ONE_THREAD = """
import os, sys
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
from hierarchy.errors import DataError
from pipelines.cross_validation.out_of_fold import read_out_of_fold
from pipelines.data.columns import Columns
from pipelines.data.arrowfiles import read_arrow_files

def threads():
    return len(os.listdir("/proc/self/task"))

file = Path(sys.argv[1]) / "a.parquet"
pq.write_table(pa.table({name: ["x y"] * 5000 for name in ("text", "label", "beam_mass", "paths")}), file)
before = threads()
list(read_arrow_files([file], Columns(text=("text",), label="label"), []))
try:
    read_out_of_fold(file)
except DataError:
    pass
print(threads() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_no_thread_of_arrow_holds_what_was_read_when_the_process_ends(tmp_path):
    command = [sys.executable, "-c", READ_IN_ONE_THREAD, str(tmp_path)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "0\n"
