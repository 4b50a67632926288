"""Files that are written whole or not at all, and places that one process holds."""

import errno
import os
import stat
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import SimpleNamespace

import pytest

from hierarchy.disk.locks import held
from hierarchy.disk.whole_files import (
    _looked_at,
    cannot_write,
    file_refusal,
    folder_refusal,
    keep_rights,
    replacement_refusal,
    system_error,
    system_refusal,
    whole_file,
    write_output,
    write_whole,
)
from hierarchy.errors import BusyError, DataError

HOLDER = (
    "import sys, time; from hierarchy.disk.locks import held\nwith held(sys.argv[1]): print(flush=True); time.sleep(60)"
)


@pytest.fixture
def files(tmp_path):
    _looked_at.clear()
    return lambda: sorted(path.name for path in tmp_path.iterdir())


def holder(place, code=HOLDER):
    process = subprocess.Popen([sys.executable, "-c", code, place], stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


def test_a_file_is_replaced_whole_and_keeps_its_rights(tmp_path, files):
    file = tmp_path / "a.json"
    write_whole(file, b"one")
    file.chmod(0o640)
    write_whole(file, b"two")
    assert file.read_bytes() == b"two"
    assert file.stat().st_mode & 0o777 == 0o640
    assert files() == ["a.json"]


def test_a_new_file_has_the_rights_of_every_new_file(tmp_path):
    (tmp_path / "usual").touch()
    write_whole(tmp_path / "new", b"")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_what_replaces_a_private_file_is_never_readable_for_others(tmp_path):
    file = tmp_path / "a"
    file.touch(mode=0o600)
    with whole_file(file) as part:
        assert stat.S_IMODE(part.stat().st_mode) == 0o600


def test_the_owner_of_a_replaced_file_keeps_it(tmp_path, monkeypatch):
    given, earlier = [], tmp_path / "a"
    earlier.touch(mode=0o640)
    about = list(earlier.stat())
    about[stat.ST_UID], about[stat.ST_GID] = 4711, 4712
    monkeypatch.setattr(os, "chown", lambda path, user, group: given.append((user, group)))
    keep_rights(os.stat_result(about), earlier)
    assert given == [(-1, 4712), (4711, -1)]


@pytest.mark.parametrize(("earlier", "kept"), [(0o640, 0o600), (0o664, 0o644), (0o606, 0o606), (0o2775, 0o755)])
def test_another_group_gets_no_rights(tmp_path, monkeypatch, earlier, kept):
    def refuse(*_):
        raise PermissionError

    (tmp_path / "a").touch()
    about = list((tmp_path / "a").stat())
    about[stat.ST_MODE], about[stat.ST_GID] = stat.S_IFREG | earlier, 4712
    monkeypatch.setattr(os, "chown", refuse)
    keep_rights(os.stat_result(about), tmp_path / "a")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == kept


def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path, monkeypatch, files):
    def protected(path, flags, *more, real=os.open):
        if path == tmp_path / "a" and flags & os.O_WRONLY:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, flags, *more)

    write_whole(tmp_path / "a", b"one")
    monkeypatch.setattr(os, "open", protected)
    assert isinstance(file_refusal(tmp_path / "a"), PermissionError)
    with pytest.raises(PermissionError):
        write_whole(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"one"
    assert files() == ["a"]


@pytest.mark.parametrize(("user", "refused"), [(0, False), (1, True), (2, False), (3, False)])
def test_in_a_sticky_folder_a_file_is_replaced_by_its_owner_only(monkeypatch, user, refused):
    above = SimpleNamespace(st_mode=stat.S_IFDIR | 0o1777, st_uid=2)
    file = SimpleNamespace(parent=SimpleNamespace(stat=lambda: above), lstat=lambda: SimpleNamespace(st_uid=3))
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert (replacement_refusal(file) is not None) == refused
    above.st_mode = stat.S_IFDIR | 0o777
    assert replacement_refusal(file) is None


def test_a_failed_write_leaves_the_earlier_file_and_nothing_else(tmp_path, files):
    file = tmp_path / "a.json"
    write_whole(file, b"one")
    with pytest.raises(ZeroDivisionError), whole_file(file) as part:
        part.write_bytes(b"half" * (1 // 0))
    assert file.read_bytes() == b"one"
    assert files() == ["a.json"]


def test_a_link_stays_and_its_target_is_replaced(tmp_path, files):
    far = tmp_path / "far"
    far.mkdir()
    (far / "target").write_text("old")
    (tmp_path / "link").symlink_to("far/target")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (far / "target").read_bytes() == b"new"
    (tmp_path / "dangling").symlink_to("far/made")
    write_whole(tmp_path / "dangling", b"made")
    assert (far / "made").read_bytes() == b"made"
    assert files() == ["dangling", "far", "link"]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path)])
def test_what_is_no_file_is_refused(tmp_path, make):
    make(tmp_path / "odd")
    with pytest.raises(OSError, match=r"odd"):
        write_whole(tmp_path / "odd", b"")
    assert os.path.lexists(tmp_path / "odd")


def test_names_of_other_attempts_are_neither_followed_nor_in_the_way(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in (".o.json.tmp", f".o.json.{os.getpid()}.tmp", f".o.json.{'0' * 16}.part"):
        (tmp_path / name).symlink_to(victim)
    write_whole(tmp_path / "o.json", b"mine")
    assert victim.read_text() == "precious"
    assert (tmp_path / "o.json").read_bytes() == b"mine"


def test_text_for_people_is_written_whole_or_the_cause_is_told(tmp_path, files, monkeypatch):
    write_output(tmp_path / "x.json", '{"half": "\ud83d"}')
    assert (tmp_path / "x.json").read_bytes() == b'{"half": "\\ud83d"}'

    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match=r"x\.json' cannot be written \(No space left .*free some space"):
        write_output(tmp_path / "x.json", "new")
    assert (tmp_path / "x.json").read_text(encoding="utf-8").startswith('{"half"')
    assert files() == ["x.json"]


@pytest.mark.parametrize("name", ["a" * 250 + ".json", "字" * 83 + ".jsonl", "😀" * 62])
def test_long_names_can_be_written_and_held(tmp_path, name):
    with held(tmp_path / name):
        write_whole(tmp_path / name, b"x")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_killed_processes_left_is_removed_and_what_others_write_is_not(tmp_path, files):
    code = (
        "import sys, time; from hierarchy.disk.whole_files import whole_file\n"
        "with whole_file(sys.argv[1]): print(flush=True); time.sleep(60)"
    )
    dead, alive = (holder(tmp_path / name, code) for name in ("a", "b"))
    dead.kill()
    dead.wait()
    (tmp_path / ".mine.part").touch()
    write_whole(tmp_path / "a", b"x")
    assert [name[:3] for name in files()] == [".b.", ".mi", "a"]
    alive.kill()
    alive.wait()


def test_what_a_process_left_that_was_killed_while_it_tried_a_folder_is_removed(tmp_path, files):
    (tmp_path / f".new.{'0' * 16}.part").touch()
    assert folder_refusal(tmp_path) is None
    assert files() == []


def test_a_place_is_held_by_one_process_which_is_named(tmp_path, files):
    place = tmp_path / "out"
    other = holder(place)
    told = rf"process {other.pid} \(.*since.*\) is writing '.*out' .*wait for its end"
    with pytest.raises(BusyError, match=told), held(place):
        pass
    other.kill()
    other.wait()
    with held(place):
        (tmp_path / "link").symlink_to(place)
        with pytest.raises(BusyError, match="this process"), held(tmp_path / "link"):
            pass
    assert files() == ["link"]


@pytest.mark.parametrize("how", ["link", "hard link", "note", "folder", "pipe"])
def test_what_stands_where_a_lock_belongs_is_left_alone(tmp_path, files, how):
    victim, lock = tmp_path / "victim", tmp_path / ".out.lock"
    victim.write_text("precious")
    {
        "link": lambda: lock.symlink_to(victim),
        "hard link": lambda: lock.hardlink_to(victim),
        "note": lambda: lock.write_text("mine"),
        "folder": lock.mkdir,
        "pipe": lambda: os.mkfifo(lock),
    }[how]()
    with pytest.raises(DataError, match=r"\.out\.lock' is in the way, .*move it"), held(tmp_path / "out"):
        pass
    assert files() == [".out.lock", "victim"]
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("content", ["", '{"pro', '{"process": 5, "host": "x", "command": "c", "since": "s"}'])
def test_the_lock_of_a_killed_process_is_taken_over(tmp_path, files, content):
    (tmp_path / ".out.lock").write_text(content)
    with held(tmp_path / "out"):
        pass
    assert files() == []


def test_the_lock_of_a_killed_process_of_another_user_is_made_anew(tmp_path, files, monkeypatch):
    lock = tmp_path / ".out.lock"
    lock.write_text('{"process": 5}')
    others = lock.stat().st_ino

    def open_as_another(path, flags, *more, real=os.open):
        if path == lock and flags & os.O_RDWR and lock.exists() and lock.stat().st_ino == others:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, flags, *more)

    monkeypatch.setattr(os, "open", open_as_another)
    monkeypatch.setattr(os, "getuid", lambda: -1)
    with held(tmp_path / "out"):
        assert "since" in lock.read_text()
    assert files() == []


def test_nothing_is_lost_where_many_wait_for_their_turn(tmp_path):
    code = """
import sys, time
from pathlib import Path
from hierarchy.errors import BusyError
from hierarchy.disk.locks import held
file = Path(sys.argv[1])
for _ in range(20):
    while True:
        try:
            with held(file):
                number = int(file.read_text() or 0)
                time.sleep(0.001)
                file.write_text(str(number + 1))
            break
        except BusyError:
            time.sleep(0.001)
"""
    file = tmp_path / "count"
    file.touch()
    runs = [subprocess.Popen([sys.executable, "-c", code, file]) for _ in range(4)]
    assert [run.wait() for run in runs] == [0] * 4
    assert file.read_text() == "80"


def test_a_place_without_a_folder_cannot_be_held(tmp_path):
    with pytest.raises(DataError, match="its folder is not there"), held(tmp_path / "none" / "x"):
        pass


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 19264 vs 19152"), "free some space"),
        (OSError(errno.ENOSPC, "No space left on device"), "free some space"),
        (OSError(errno.EROFS, "Read-only file system"), "name a place that can be written"),
        (OSError(errno.ENAMETOOLONG, "File name too long"), "shorter name"),
        (RuntimeError("I/O error: Permission denied (os error 13)"), "ask for the right"),
        (RuntimeError("PytorchStreamWriter failed writing file data/1"), "free some space"),
        (RuntimeError("something else"), "something else"),
    ],
)
def test_the_words_tell_the_true_cause(error, words):
    assert words in cannot_write("o.json", error)


def test_errors_that_are_not_of_the_system():
    assert system_error(ValueError("os error")) is None
    assert system_error(ValueError("(os error 99999999999999999999)")) is None
    assert system_error(RuntimeError("(os error 28)")).errno == errno.ENOSPC


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EROFS, "Read-only file system", "ro/x"), "Read-only file system: 'ro/x': name a place that"),
        (OSError(errno.EMFILE, "Too many open files", "x"), "ulimit -n"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "not enough memory"),
        (OSError("Cannot call rmtree on a symbolic link"), "Cannot call rmtree on a symbolic link"),
        (MemoryError(), "not enough memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            "not enough memory",
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "not enough memory"),
        (RuntimeError("can't start new thread"), "ulimit -u"),
        (RecursionError("maximum recursion depth exceeded"), "nested too deep"),
        (BrokenProcessPool("a worker died"), "ended from outside"),
        (RuntimeError("x (os error 28)"), "free some space"),
        (OSError(errno.EBADF, "Bad file descriptor", 9999), "Bad file descriptor"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", b"gone/x"), "'gone/x': its folder is not there"),
    ],
)
def test_what_the_system_refuses_is_said_with_its_cause(error, said):
    assert said in system_refusal(error)


def test_a_file_that_is_missing_is_no_folder_that_is_missing(tmp_path):
    missing = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(tmp_path / "a"))
    assert system_refusal(missing) == f"No such file or directory: {str(tmp_path / 'a')!r}"
    missing.filename = str(tmp_path / "a" / "b")
    assert "its folder is not there" in system_refusal(missing)


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), RuntimeError("shapes differ"), AssertionError()])
def test_faults_of_ours_are_none_of_the_system(error):
    assert system_refusal(error) is None


def test_a_working_directory_that_is_gone(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(FileNotFoundError) as raised:
        Path.cwd()
    assert system_refusal(raised.value).startswith("the working directory is not there any more")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ["taxonomy.yaml", "manifest.json", "encoder/config.json"])
def test_no_file_of_a_model_is_written(files, tmp_path, name):
    (tmp_path / "encoder").mkdir()
    (tmp_path / name).write_text("before")
    manifest = '{"sha256": {"taxonomy.yaml": "", "encoder/config.json": ""}}'
    (tmp_path / "manifest.json").write_text(manifest)
    before = (tmp_path / name).read_text()
    (tmp_path / "link").symlink_to(name)
    for path in (tmp_path / name, tmp_path / "link"):
        with pytest.raises(DataError, match=f"a file of the model .*{tmp_path.name}', which would be damaged"):
            write_output(path, "x")
        assert file_refusal(path) is not None
    assert (tmp_path / name).read_text() == before
    write_output(tmp_path / "notes.txt", "x")
    write_output(tmp_path / "notes.txt", "y")
    assert (tmp_path / "notes.txt").read_text() == "y"


@pytest.mark.parametrize("manifest", ["[]", "{}", '{"sha256": 5}', '{"name": "an app", "icons": []}', "no JSON"])
def test_a_manifest_of_another_program_protects_nothing(files, tmp_path, manifest):
    (tmp_path / "manifest.json").write_text(manifest)
    for name in ("new.json", "new.json", "manifest.json"):
        write_output(tmp_path / name, "x")
    assert (tmp_path / "manifest.json").read_text() == "x"
