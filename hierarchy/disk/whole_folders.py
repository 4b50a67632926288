"""Folders that are replaced whole or not at all."""

import ctypes
import errno
import hashlib
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hierarchy.disk.locks import held
from hierarchy.disk.whole_files import cannot_write, keep_rights, replacement_refusal, short_name, sync
from hierarchy.errors import BusyError, DataError

_HERE, _EXCHANGE, _SWAP = -100, 2, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS
_PATIENCE, _PAUSE = 100, 0.05  # looks, and seconds between them, at a place that another process is about to fill


@contextmanager
def whole_folder(folder: Path, keep: Callable[[], Iterable[Path]]) -> Iterator[Path]:
    """Give another, empty folder to fill; it takes the place of `folder` when the block ends well.

    Whatever happens, there is the earlier folder or the new one, both with what is to be kept: where the system can
    exchange two names, at any moment; elsewhere once `put_back` was called. Where `folder` is a link, the link stays.

    Parameters
    ----------
    folder
        One process at a time, see `hierarchy.disk.locks.held`.
    keep
        Called when the block has ended: relative paths of what the earlier folder holds and the new one shall hold,
        folders before what lies in them. None of them is a name that the block has used.

    Raises
    ------
    OSError
        The system refuses; see `hierarchy.disk.whole_files.cannot_write` for the words.
    """
    real = _real(folder)
    part = real.with_name(f"{_stem(real)}.{secrets.token_hex(8)}.part")
    part.mkdir()
    try:
        if real.exists():
            keep_rights(real.stat(), part)  # one that others may not read stays so
        yield part
        for entry in part.rglob("*"):
            if entry.is_file() and not entry.is_symlink():
                sync(entry)
        _carry(real, part, list(keep()))
        _put_in_place(part, real)
    finally:
        _remove(part)  # the earlier one, if it has come to this


def second_name(source: Path, target: Path) -> None:
    """Give a file a second name on the same disk; where there can be none, a copy."""
    try:
        os.link(source, target)
    except OSError:  # not every file system can, and some files of other users may not be linked
        shutil.copy2(source, target, follow_symlinks=False)
        sync(target)


def put_back(folder: Path) -> None:
    """Give a folder its name again, where a process was killed while it replaced it in two steps."""
    if "\0" in str(folder):  # there can be no such name
        return
    real = _real(folder)
    for _ in range(_PATIENCE):
        if os.path.lexists(real) or not _is_mine(_set_aside(real)):
            return
        try:
            with held(real):
                if not os.path.lexists(real):
                    _set_aside(real).rename(real)
        except BusyError:  # another process is between the two steps
            time.sleep(_PAUSE)
        except (OSError, DataError):
            return


def remove_left_overs(folder: Path) -> None:
    """Remove what killed processes have left beside a folder, for the process that holds it."""
    real = _real(folder)
    left = re.compile(rf"{re.escape(_stem(real))}\.[0-9a-f]{{16}}\.part", re.DOTALL)
    for entry in [entry for entry in real.parent.iterdir() if left.fullmatch(entry.name)]:
        if _is_mine(entry):
            _remove(entry)
    if os.path.lexists(real) and _is_mine(_set_aside(real)):
        _remove(_set_aside(real))


def folder_problem(folder: Path) -> str | None:
    """Say why a folder cannot be made or replaced; None where it can."""
    real = _real(folder)
    try:
        os.lstat(real)
    except FileNotFoundError:
        return _missing_problem(folder, real)
    except OSError as error:
        return cannot_write(folder, error)
    if real.is_symlink():
        return cannot_write(folder, OSError(errno.ELOOP, os.strerror(errno.ELOOP)))
    if not real.is_dir():
        return f"{folder} is a file: name a folder for the model"
    with suppress(OSError):  # the current folder may be gone
        if real in (Path.cwd(), *Path.cwd().parents):
            return f"{str(folder)!r} is, or holds, the current folder, which cannot be replaced: call from outside it"
    if mounted := _mounted(real):
        remedy = "name a folder inside it" if real in mounted else "name another folder"
        return f"{str(folder)!r} cannot be replaced, a disk is mounted at {str(mounted[0])!r}: {remedy}"
    if not os.access(real, os.W_OK | os.X_OK) or not os.access(real.parent, os.W_OK | os.X_OK):
        return f"{str(folder)!r} cannot be replaced, it or the folder above is not writable: name another folder"
    refusal = replacement_refusal(real)
    return None if refusal is None else cannot_write(folder, refusal)


def _missing_problem(folder: Path, real: Path) -> str | None:
    if folder.is_symlink():
        return f"{str(folder)!r} is a link to {str(real)!r}, which is not there: make that folder, or name another"
    above = next(parent for parent in real.parents if parent.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        return f"{folder} cannot be made, {above} is no folder or not writable: name another folder"
    return None


def _real(folder: Path) -> Path:
    return Path(os.path.realpath(folder))


def _stem(real: Path) -> str:
    """Begin the names beside a folder as that of its lock begins: they belong to who holds it."""
    return f".{short_name(real.name)}"


def _set_aside(real: Path) -> Path:
    """Where a folder lies between the two steps: to be found from its name alone."""
    return real.with_name(f"{_stem(real)}.{hashlib.sha256(os.fsencode(real.name)).hexdigest()[:16]}.old")


def _is_mine(entry: Path) -> bool:
    """Whether it is a folder, and of this user: in one that all may write to anybody can make such a name."""
    if os.path.islink(entry) or not os.path.isdir(entry):  # noqa: PTH112, PTH114 - pathlib raises at long names
        return False
    return not hasattr(os, "getuid") or entry.stat().st_uid == os.getuid()


def _mounted(real: Path) -> list[Path]:
    """Find where disks are mounted at or in a folder; the system's list knows those of the same disk, too."""
    if real.is_mount():
        return [real]
    try:
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return []
    octal = re.compile(rb"\\([0-7]{3})")
    points = [octal.sub(lambda found: bytes([int(found[1], 8)]), line.split(b" ")[4]) for line in lines]
    return [point for point in map(Path, map(os.fsdecode, points)) if real in (point, *point.parents)]


def _carry(source: Path, target: Path, entries: list[Path]) -> None:
    """Have entries of one folder in another as well: files by a second name, so that none is ever gone."""
    for entry in entries:
        _carry_one(source / entry, target / entry)
    for entry in reversed(entries):  # a folder that may not be written gets its rights after its content
        if (source / entry).is_dir() and not (source / entry).is_symlink():
            shutil.copystat(source / entry, target / entry)
            keep_rights((source / entry).stat(), target / entry)


def _carry_one(source: Path, target: Path) -> None:
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    if source.is_symlink():
        target.symlink_to(source.readlink())
    elif source.is_dir():
        target.mkdir()
    else:
        second_name(source, target)


def _put_in_place(part: Path, real: Path) -> None:
    for folder in [part, *(entry for entry in part.rglob("*") if entry.is_dir() and not entry.is_symlink())]:
        with suppress(OSError):  # not every file system can
            sync(folder)
    if not real.exists():
        part.rename(real)
    elif not _exchange(part, real):
        _replace_in_two_steps(part, real)
    with suppress(OSError):
        sync(real.parent)


def _replace_in_two_steps(part: Path, real: Path) -> None:
    aside = _set_aside(real)
    try:
        real.rename(aside)
        part.rename(real)
        aside.rename(part)  # now it is a left-over like any other
    finally:
        if not os.path.lexists(real) and aside.exists():
            aside.rename(real)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change names in one step; False where the system cannot."""
    if sys.platform == "win32":
        return False
    system, first, second = ctypes.CDLL(None), os.fsencode(one), os.fsencode(other)
    if hasattr(system, "renameat2"):
        return bool(system.renameat2(_HERE, first, _HERE, second, _EXCHANGE) == 0)
    if hasattr(system, "renamex_np"):
        return bool(system.renamex_np(first, second, _SWAP) == 0)
    return False


def _remove(folder: Path) -> None:
    """Remove a folder and all in it, write-protected folders too; what cannot go stays for the next one."""
    with suppress(OSError):
        folder.chmod(0o700)
    for place, folders, _ in os.walk(folder):
        for entry in (Path(place, name) for name in folders):
            if not entry.is_symlink():
                with suppress(OSError):
                    entry.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
