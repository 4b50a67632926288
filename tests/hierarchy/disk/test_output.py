"""Outputs beside inputs: whatever the spelling or the link, nothing that is read is overwritten."""

import errno
import os
from pathlib import Path

import pytest

from hierarchy.disk.output import OutputFile, OutputFolder, check_outputs
from hierarchy.errors import DataError


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("model/encoder", "data/parts"):
        Path(folder).mkdir(parents=True)
    for file in ("x.csv", "other.csv", "model/manifest.json", "data/parts/1.csv"):
        Path(file).write_text("text,label\n", encoding="utf-8")
    Path("soft.csv").symlink_to("x.csv")
    os.link("x.csv", "hard.csv")
    Path("to_model").symlink_to("model")


def refused(*outputs, **inputs):
    try:
        check_outputs(outputs, inputs)
    except DataError as error:
        return error.problems
    return []


def read_only(path, flags, *mode):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


def csv(place):
    return OutputFile("--out", Path(place), (".csv",))


@pytest.mark.parametrize("out", ["x.csv", "./x.csv", "data/../x.csv", "soft.csv", "hard.csv"])
@pytest.mark.parametrize("read", ["x.csv", "soft.csv", "hard.csv", Path.cwd])
def test_a_file_that_is_read_is_not_written(out, read, tmp_path):
    place = tmp_path / "x.csv" if callable(read) else read
    assert refused(csv(out), FILE=place) == [
        f"--out {str(Path(out))!r} would overwrite what is read (FILE {str(place)!r}): name another output"
    ]
    assert refused(csv("other.csv"), FILE=place, no=None, hub="org/name") == []


@pytest.mark.parametrize(
    ("out", "read"),
    [("model/new.csv", "model"), ("to_model/new.csv", "model"), ("model/encoder/new.csv", "to_model"),
     ("data/parts/1.csv", "data"), ("data/parts/new.csv", "data")],
)  # fmt: skip
def test_nothing_is_written_into_a_folder_that_is_read(out, read):
    [problem] = refused(csv(out), MODEL=read)
    assert problem.startswith(f"--out {out!r} lies in what is read")


def test_a_folder_that_goes_holds_nothing_that_is_read():
    def model(place, replaces=None):
        return OutputFolder("output", Path(place), replaced=True, replaces=replaces)

    for place, read in (("data", "data/parts/1.csv"), ("data", "data"), ("model", "model"), ("model/new", "model")):
        assert len(refused(model(place), FILE=read)) == 1, (place, read)
    assert refused(model("new"), FILE="x.csv") == []
    assert refused(model("model", replaces=Path("to_model")), MODEL="to_model") == []
    assert len(refused(model("model", replaces=Path("model")), MODEL="model", FILE="model/manifest.json")) == 1
    assert len(refused(model("model/new", replaces=Path("model")), MODEL="model")) == 1
    assert refused(model("x.csv"), FILE="other.csv") == ["output 'x.csv' is a file: name a folder"]


def test_a_folder_that_is_written_into_overwrites_only_its_files():
    folder = OutputFolder("--out", Path("data/parts"), files=("1.csv", "2.csv"))
    assert len(refused(folder, FILE="data/parts/1.csv")) == 1
    Path("data/parts/mine.csv").touch()
    assert refused(folder, FILE="data/parts/mine.csv") == []


def test_two_outputs_are_two_places():
    one, other = OutputFile("--json", Path("new.x"), (".x",)), OutputFile("--html", Path("data/../new.x"), (".x",))
    assert refused(one, other)[0] == "--json 'new.x' would overwrite --html 'data/../new.x': name two places"
    model, run = OutputFolder("output", Path("new"), replaced=True), OutputFolder("run", Path("new/run"))
    assert refused(model, run) == ["output 'new' would overwrite run 'new/run': name two places"]
    assert refused(model, OutputFolder("run", Path("new.run"))) == []


@pytest.mark.parametrize(
    ("out", "told"),
    [("new.txt", "the output file 'new.txt' must end in .csv"), ("data", "must end in .csv"),
     ("none/new.csv", "the folder of the output file 'none/new.csv' does not exist: make it first"),
     ("x.csv/new.csv", "does not exist")],
)  # fmt: skip
def test_a_file_that_cannot_be_written_is_told(out, told):
    assert told in refused(csv(out))[0]


def test_a_folder_that_cannot_be_written_is_told(monkeypatch):
    assert "x.csv is a file: name another folder" in refused(OutputFolder("run", Path("x.csv/run")))[0]
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", read_only)
        told = "cannot be written (Read-only file system): name a place that can be written"
        assert refused(OutputFolder("--out", Path("a/b"), files=("c.json",))) == [f"'a/b' {told}"]
        assert refused(OutputFolder("--out", Path("data"), files=("c.json",))) == [f"'data' {told}"]
        assert refused(OutputFolder("output", Path("model"), replaced=True)) == [f"'model' {told}"]
        assert refused(csv("new.csv"), csv("x.csv")) == [f"'new.csv' {told}", f"'x.csv' {told}"]
        assert refused(OutputFolder("run", Path("a.run"))) == []  # perhaps nothing is kept there
    Path("data/c.json").mkdir()
    assert "it is a folder" in refused(OutputFolder("--out", Path("data"), files=("c.json",)))[0]
    assert sorted(path.name for path in Path().iterdir() if path.name.startswith(".")) == []


@pytest.mark.parametrize("name", ["x" * 260 + ".csv", "字" * 90 + ".csv", "a\0b.csv"])
def test_a_name_that_none_can_have_is_told(name):
    [told] = refused(csv(name), FILE="x.csv")
    assert "cannot be written" in told
    assert len(refused(OutputFolder("output", Path(name), replaced=True), FILE="x.csv")) == 1
    assert refused(csv("y" * 250 + ".csv")) == []


def test_a_folder_is_no_file():
    Path("folder.csv").mkdir()
    assert refused(csv("folder.csv")) == ["'folder.csv' is a folder: name a file for the output"]
