"""Outputs beside inputs: whatever the spelling or the link, nothing that is read is overwritten."""

import os
from pathlib import Path

import pytest

from hierarchy.errors import DataError
from pipelines.output import OutputFile, OutputFolder, check_outputs, write_whole


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
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != Path.cwd())
    assert "is not writable: name another folder" in refused(OutputFolder("--out", Path("a/b"), files=("c",)))[0]
    assert refused(csv("new.csv")) == ["the folder of the output file 'new.csv' is not writable: name another"]
    assert refused(OutputFolder("run", Path("a.run"))) == []  # perhaps nothing is kept there


def test_a_folder_is_no_file():
    Path("folder.csv").mkdir()
    assert refused(csv("folder.csv")) == ["'folder.csv' is a folder: name a file for the output"]


def test_a_file_is_written_whole_or_not_at_all(monkeypatch):
    write_whole('{"half": "\ud83d"}', Path("x.json"))
    assert Path("x.json").read_bytes() == b'{"half": "\\ud83d"}'

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match=r"x\.csv cannot be written \(No space left"):
        write_whole("new", Path("x.csv"))
    assert Path("x.csv").read_text(encoding="utf-8") == "text,label\n"
    assert not list(Path().glob(".*"))
