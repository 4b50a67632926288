"""Folders that are replaced: whole or not at all, wherever the process ends, and what is not theirs stays."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from hierarchy.disk import whole_folders as folders
from hierarchy.disk.locks import held
from hierarchy.disk.whole_folders import folder_problem, put_back, remove_left_overs, whole_folder

STEPS = ("rename", "mkdir", "link", "symlink", "unlink", "rmdir", "fsync", "chmod")
KEPT = [Path(name) for name in (".git", ".git/HEAD", ".git/objects", ".git/objects/1", "empty", "link", "notes.txt")]


@pytest.fixture(params=["exchanged", "in two steps"])
def way(request, monkeypatch):
    """Both ways to replace a folder."""
    if request.param == "in two steps":
        monkeypatch.setattr(folders, "_exchange", lambda *_: False)
    return request.param


@pytest.fixture
def folder(tmp_path):
    return earlier(tmp_path / "beside" / "model")


def earlier(folder):
    """An earlier version, among files of somebody else."""
    (folder / "deep").mkdir(parents=True)
    for name in ("one", "two", "deep/three"):
        (folder / name).write_text("old", encoding="utf-8")
    (folder / ".git" / "objects").mkdir(parents=True)
    (folder / "empty").mkdir()
    for name in (".git/HEAD", ".git/objects/1", "notes.txt"):
        (folder / name).write_text("mine", encoding="utf-8")
    (folder / "link").symlink_to("notes.txt")
    (folder / ".git" / "objects").chmod(0o555)
    return folder


def fill(part):
    (part / "deep").mkdir()
    for name in ("one", "deep/three"):
        (part / name).write_text("new", encoding="utf-8")


def replace(folder):
    with held(folder):
        remove_left_overs(folder)
        with whole_folder(folder, lambda: KEPT) as part:
            fill(part)


def version(folder):
    """Old or new, and nothing between; what is kept is there."""
    assert (folder / ".git" / "HEAD").read_text(encoding="utf-8") == "mine"
    assert (folder / ".git" / "objects" / "1").read_text(encoding="utf-8") == "mine"
    assert (folder / "link").readlink() == Path("notes.txt")
    assert (folder / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert (folder / "empty").is_dir()
    assert stat.S_IMODE((folder / ".git" / "objects").stat().st_mode) == 0o555
    found = {p.relative_to(folder).as_posix(): p.read_text(encoding="utf-8") for p in folder.rglob("*") if p.is_file()}
    found = {name: text for name, text in found.items() if Path(name) not in KEPT}
    if found == dict.fromkeys(("one", "two", "deep/three"), "old"):
        return "old"
    assert found == dict.fromkeys(("one", "deep/three"), "new")
    return "new"


class Killed(BaseException):
    """What no code that cleans up can catch, or work after."""


def killed_at(step, work, monkeypatch):
    """Whether the work came to the given file operation: neither it nor any after it is done, as after kill -9."""
    left = step

    def counted(real):
        def call(*arguments, **options):
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return real(*arguments, **options)

        return call

    with monkeypatch.context() as patched:
        for name in STEPS:
            patched.setattr(os, name, counted(getattr(os, name)))
        patched.setattr(folders, "_exchange", counted(folders._exchange))
        try:
            work()
        except Killed:
            return True
    return False


def test_a_kill_anywhere_costs_nothing(folder, way, monkeypatch):
    seen = []
    while killed_at(len(seen), lambda: replace(folder), monkeypatch):
        put_back(folder)
        seen.append(version(folder))
        replace(folder)
        assert version(folder) == "new"
        assert [p.name for p in folder.parent.iterdir()] == ["model"]
        for name in ("one", "two", "deep/three"):
            (folder / name).write_text("old", encoding="utf-8")
    assert seen == sorted(seen, reverse=True)  # it never goes back
    assert min(seen.count("old"), seen.count("new")) > 10


@pytest.mark.parametrize("name", STEPS)
def test_an_error_anywhere_leaves_the_earlier_one(folder, way, monkeypatch, name):
    real = getattr(os, name)
    for nth in range(1, 30):
        calls = 0

        def fails(*arguments, nth=nth, **options):
            nonlocal calls
            calls += 1
            if calls == nth:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **options)

        with monkeypatch.context() as patched:
            patched.setattr(os, name, fails)
            with suppress(OSError):
                replace(folder)
        put_back(folder)
        version(folder)
        if calls < nth:
            return
        with held(folder):
            remove_left_overs(folder)
        assert [p.name for p in folder.parent.iterdir()] == ["model"]
    pytest.fail("it never came to an end")


def test_a_link_stays_and_its_folder_is_replaced(folder, way, tmp_path):
    (tmp_path / "link").symlink_to("beside/model")
    replace(tmp_path / "link")
    assert (tmp_path / "link").readlink() == Path("beside/model")
    assert version(folder) == "new"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["beside", "link"]


def test_files_that_are_kept_are_the_same_files(folder, way):
    before = (folder / "notes.txt").stat().st_ino
    replace(folder)
    assert (folder / "notes.txt").stat().st_ino == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files to others")
def test_folders_that_are_kept_keep_their_owner(folder, way):
    for place in (folder, folder / ".git", folder / ".git" / "objects"):
        os.chown(place, 4711, 4712)
    replace(folder)
    for place in (folder, folder / ".git", folder / ".git" / "objects"):
        assert (place.stat().st_uid, place.stat().st_gid) == (4711, 4712)
    assert stat.S_IMODE((folder / ".git" / "objects").stat().st_mode) == 0o555


def test_where_files_have_one_name_only_they_are_copied(folder, way, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refused)
    replace(folder)
    assert version(folder) == "new"


def test_what_is_kept_never_replaces_what_is_new(folder, way):
    with pytest.raises(FileExistsError), whole_folder(folder, lambda: [Path("notes.txt")]) as part:
        (part / "notes.txt").write_text("new", encoding="utf-8")
    assert version(folder) == "old"


@pytest.mark.parametrize("rights", [0o700, 0o750, 0o2755])
def test_rights_stay(folder, way, rights):
    folder.chmod(rights)
    replace(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == rights


def test_a_new_folder_has_the_rights_of_any_other(tmp_path):
    (tmp_path / "other").mkdir()
    with whole_folder(tmp_path / "new", list) as part:
        fill(part)
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_left_overs_of_others_stay(folder, tmp_path):
    names = (".model.x.part", ".other.0123456789abcdef.part", ".model2.0123456789abcdef.part", ".model.lock.d")
    for name in names:
        (folder.parent / name).mkdir()
    (folder.parent / ".model.0123456789abcdef.part").symlink_to(tmp_path)
    remove_left_overs(folder)
    assert sorted(p.name for p in folder.parent.iterdir()) == sorted([*names, ".model.0123456789abcdef.part", "model"])
    assert tmp_path.exists()


def test_nothing_is_put_back_over_something_or_from_a_stranger(folder, monkeypatch):
    aside = folders._set_aside(folder)
    aside.mkdir()
    put_back(folder)
    assert version(folder) == "old"
    folder.rename(folder.with_name("gone"))
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    put_back(folder)
    assert not folder.exists()


def test_names_that_begin_alike_are_not_confused(tmp_path, monkeypatch):
    one, other = (earlier(tmp_path / ("x" * 60 + end)) for end in "12")
    one.rename(folders._set_aside(one))
    other.rename(tmp_path / "elsewhere")
    put_back(other)
    assert not other.exists()
    put_back(one)
    assert version(one) == "old"


def test_places_that_cannot_be_replaced(folder, tmp_path, monkeypatch):
    assert folder_problem(folder) is None
    assert folder_problem(folder.parent / "new" / "er") is None
    monkeypatch.chdir(folder / "deep")
    for place in (Path(), Path(".."), folder, folder.parent, Path("/")):
        assert "current folder" in folder_problem(place)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "round").symlink_to("round")
    (tmp_path / "gone").symlink_to("nowhere")
    assert "links go round" in folder_problem(tmp_path / "round")
    assert "is a link to" in folder_problem(tmp_path / "gone")
    assert "is a file" in folder_problem(folder / "one")
    assert "what stands in place of its folder is a file" in folder_problem(folder / "one" / "x")
    assert "shorter name" in folder_problem(tmp_path / ("x" * 256))


def test_mounted_disks_are_not_replaced(folder, monkeypatch):
    assert "name a folder inside it" in folder_problem(Path("/proc"))
    read_bytes = Path.read_bytes

    def with_mount(place):
        line = f"1 2 0:1 / {str(place).replace('model', 'm' + chr(92) + '157del')} rw - ext4 x rw\n".encode()
        return lambda file: line if str(file) == "/proc/self/mountinfo" else read_bytes(file)

    monkeypatch.setattr(Path, "read_bytes", with_mount(folder))
    assert "name a folder inside it" in folder_problem(folder)
    monkeypatch.setattr(Path, "read_bytes", with_mount(folder / "deep" / "disk"))
    assert "a disk is mounted at" in folder_problem(folder)
    monkeypatch.setattr(Path, "read_bytes", with_mount(folder.parent))
    assert folder_problem(folder) is None
