"""Paths as a person writes them: ~ is the home folder once, and a file of that name stays one."""

from pathlib import Path

import pytest

from hierarchy import Taxonomy
from hierarchy.disk.paths import expanded, for_others, local_path, path_exists
from hierarchy.errors import DataError


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


@pytest.mark.parametrize(
    "written",
    ["model", "./model", "owner/name", "owner/name:config", "a~b", "data [v2]/x*", "/x/~", "s3:x", "", "a/~/b"],
)
def test_all_else_stays_as_it_is(written):
    assert expanded(written) == written


@pytest.mark.parametrize(("written", "behind"), [("~", ""), ("~/m", "/m"), ("~/a b/[c]?", "/a b/[c]?")])
def test_the_home_folder(written, behind, home):
    assert expanded(written) == f"{home}{behind}"
    assert local_path(Path(written)) == Path(f"{home}{behind}")


@pytest.mark.parametrize("written", ["./~", "./~/m", "~no-such-user/m", "./~x"])
def test_a_file_whose_name_begins_with_a_tilde(written, home):
    once = expanded(written)
    assert Path(once) == Path.cwd() / written
    assert expanded(once) == once
    assert local_path(local_path(written)) == local_path(written) == Path.cwd() / written


def test_without_a_home_nothing_stops(monkeypatch):
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as where neither HOME nor a user is known
    assert local_path("~/m") == Path.cwd() / "~/m"
    assert for_others("~/m") == "~/m"


def test_others_are_not_told_whose_home_it_is(home):
    assert for_others(f"a part of {home}/in/train.csv (or {home}/x)") == "a part of ~/in/train.csv (or ~/x)"
    for same in (f"/mnt{home}/x", f"{home}2/x", "train.csv"):
        assert for_others(same) == same


def test_taxonomy_files_stand_at_home(home):
    home.mkdir()
    tree = Taxonomy.from_data(["a", "b"], ["g", "h"])
    for suffix in ("yaml", "json"):
        getattr(tree, f"to_{suffix}")(f"~/t.{suffix}")
        assert (home / f"t.{suffix}").is_file()
        assert Taxonomy.from_file(f"~/t.{suffix}") == tree
    tree.to_csv("~/t.csv")
    assert Taxonomy.from_file(Path("~/t.csv")).label_ids == tree.label_ids
    assert not list(Path.cwd().iterdir())


@pytest.mark.parametrize("written", ["a\0b", "~/\0", "\ud800"])
def test_a_path_that_no_file_can_have(written):
    with pytest.raises(DataError, match="no path can have"):
        local_path(written)
    assert not path_exists(written)


def test_a_name_of_bytes_that_are_no_text():
    assert local_path("\udcce\udcc4.csv").name == "\udcce\udcc4.csv"
