"""Files that are written whole or not at all, and what the system says where it refuses."""

import concurrent.futures
import errno
import hashlib
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hierarchy.disk.manifests import model_of
from hierarchy.errors import DataError, first_line

_LEFT_OVER = re.compile(r"\..*\.[0-9a-f]{16}\.part", re.DOTALL)
_LONGEST_NAME = 50  # characters of the real name in that of its part or lock: four bytes each, and a name has 255
_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or ask for more",
    errno.EFBIG: "raise the limit of file sizes (ulimit -f)",
    errno.EACCES: "ask for the right to it, or name another place",
    errno.EPERM: "ask for the right to it, or name another place",
    errno.EROFS: "name a place that can be written",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.ENOENT: "its folder is not there: make it, or name another",
    errno.ENOTDIR: "what stands in place of its folder is a file: name another",
    errno.EISDIR: "it is a folder: name a file",
    errno.ELOOP: "its links go round in a circle: name another",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EIO: "the disk fails: name a place on another",
}
# What torch says of a full disk: while it writes, and when it ends a file of which a part could not be written.
_FULL = ("No space left on device", "PytorchStreamWriter failed writing", ". unexpected pos ")
_NO_MEMORY = re.compile("can't allocate memory|cannot allocate memory|out of memory|bad_alloc", re.IGNORECASE)
_looked_at: set[Path] = set()  # folders in which this process has removed what others left


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give another, empty file to write to; it takes the place of `path` when the block ends well.

    Its name cannot be guessed, and nothing that stands there is followed. Where `path` is a link, the link stays and
    the file that it leads to is replaced. The rights of an earlier file stay, and hold before the new one is whole;
    one that may not be written is not replaced. The new one is on the disk before it has its name, so that a power cut
    leaves the earlier file or the new one. What killed processes have left in the folder is removed. Where other
    processes write to the same folder, the block must write into the file that it is given and not put another one in
    its place, as `safetensors.numpy.save_file` does.

    Raises
    ------
    OSError
        The system refuses; see `cannot_write` for the words.
    """
    real = _replaceable(path)
    _remove_left_overs(real.parent)
    part, handle = _new_part(real)
    try:
        yield part
        keep_rights(real.stat() if real.exists() else os.fstat(handle), part)  # safetensors makes its files private
        sync(part)
        part.replace(real)
        with suppress(OSError):  # not every file system can
            sync(real.parent)
    finally:
        part.unlink(missing_ok=True)
        os.close(handle)


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all, see `whole_file`."""
    with whole_file(path) as part:
        part.write_bytes(content)


@contextmanager
def output_file(path: str | Path) -> Iterator[Path]:
    """Give a file to write to, as `whole_file` does, for what a person asks for.

    Raises
    ------
    DataError
        The system refuses: names the file, the cause and the remedy.
    """
    try:
        with whole_file(path) as part:
            yield part
    except OSError as error:
        raise DataError(cannot_write(path, error)) from error


def write_output(path: str | Path, text: str) -> None:
    """Write text as UTF-8, see `output_file`; a half of a character, as JSON can hold it, is written as its escape."""
    with output_file(path) as part:
        part.write_bytes(text.encode("utf-8", "backslashreplace"))


def file_refusal(path: str | Path) -> Exception | None:
    """Return why a file cannot be written, before there is anything to write; None where it can.

    It is tried: a file beside it is made, and goes at once. Rights alone do not tell, of a disk that is read-only for
    one.
    """
    try:
        return folder_refusal(_replaceable(path).parent)
    except (OSError, ValueError) as error:  # ValueError: no file has such a name
        return error


def folder_refusal(folder: Path) -> Exception | None:
    """Return why no file can be made in a folder, as `file_refusal` does."""
    _remove_left_overs(folder)  # a process can be killed while it tries, too
    try:
        part, handle = _new_part(folder / "new")
    except (OSError, ValueError) as error:
        return error
    part.unlink(missing_ok=True)
    os.close(handle)
    return None


def replacement_refusal(real: Path) -> OSError | None:
    """Return why what stands at a place cannot be replaced there by another user than its own; None where it can."""
    above = real.parent.stat()
    if not above.st_mode & stat.S_ISVTX or not hasattr(os, "geteuid"):
        return None
    if os.geteuid() in (0, above.st_uid, real.lstat().st_uid):
        return None
    return PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(real))


def keep_rights(earlier: os.stat_result, new: Path) -> None:
    """Give a file or folder the owner, the group and the rights of the one that it replaces, as far as the system lets.

    Where the group cannot stay, the new one gets no rights but those that everybody has.
    """
    rights, now = stat.S_IMODE(earlier.st_mode), new.stat()
    if hasattr(os, "chown"):
        if now.st_gid != earlier.st_gid:
            try:
                os.chown(new, -1, earlier.st_gid)
            except OSError:
                rights = rights & ~0o2070 | (rights & rights << 3 & 0o070)
        if now.st_uid != earlier.st_uid:
            with suppress(OSError):  # only root may
                os.chown(new, earlier.st_uid, -1)
    new.chmod(rights)


def short_name(name: str) -> str:
    """Shorten a long name; two that begin alike stay two."""
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 9]}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"


def is_left_over(name: str) -> bool:
    """Whether a file has the name of one that is not yet whole, see `whole_file`."""
    return _LEFT_OVER.fullmatch(name) is not None


def cannot_write(path: str | Path, error: Exception) -> str:
    """Say that a file or folder cannot be written, why, and what to do.

    Parameters
    ----------
    path
        What should be written.
    error
        Of the system, or of a library that only quotes it, see `system_error`.
    """
    cause = system_error(error)
    if cause is None:
        return f"{str(path)!r} cannot be written ({error}): name another place"
    remedy = _REMEDIES.get(cause.errno or 0, "name another place")
    return f"{str(path)!r} cannot be written ({cause.strerror or cause}): {remedy}"


def system_error(error: Exception) -> OSError | None:
    """Return the error of the system that is, or is quoted in, another one; None where there is none.

    safetensors and torch write in code of their own, whose errors carry the cause as text only.
    """
    if isinstance(error, OSError):
        return error
    if quoted := re.search(r"\(os error (\d{1,5})\)", str(error)):
        return OSError(int(quoted[1]), os.strerror(int(quoted[1])))
    if any(words in str(error) for words in _FULL):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return None


def named_file(error: OSError) -> str | None:
    """Return the path that an error of the system is about; None where it has none, or only an open file's number."""
    return os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else None


def system_refusal(error: Exception) -> str | None:
    """Say what the system refuses, where that is what an error comes from, and what to do; None where it is not.

    Parameters
    ----------
    error
        Anything that ended the work.
    """
    cause = system_error(error)
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        return f"there is not enough memory ({first_line(error)}): give more, or lower sizes and n_jobs"
    if isinstance(error, RecursionError):
        return "something that was read is nested too deep: write it flatter"
    if isinstance(error, concurrent.futures.BrokenExecutor):
        return "a worker process was ended from outside, often for want of memory: give more, or lower n_jobs"
    if "can't start new thread" in str(error):
        return "the system gives no more threads: raise the limit of processes (ulimit -u), or lower n_jobs"
    if cause is None:
        return None
    if cause.errno == errno.ENOENT and not _stands_somewhere():
        return "the working directory is not there any more: change to one that is"
    named = named_file(cause)
    place = "" if named is None else f": {named!r}"
    remedy = f": {_REMEDIES[cause.errno]}" if cause.errno in _REMEDIES and not _is_file_missing(cause) else ""
    return f"{cause.strerror or first_line(cause)}{place}{remedy}"


def _is_file_missing(error: OSError) -> bool:
    """Whether a file is not there though its folder is."""
    named = named_file(error)
    if error.errno != errno.ENOENT or named is None:
        return False
    return os.path.isdir(os.path.dirname(os.path.abspath(named)))  # noqa: PTH100, PTH112, PTH120


def _stands_somewhere() -> bool:
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def lock(handle: int) -> bool | None:
    """Take the lock of an open file, which ends with the process that has it; None where the system has no locks.

    Returns
    -------
    bool or None
        False where another has it.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def is_same(handle: int, file: Path) -> bool:
    """Whether an open file still has its name."""
    try:
        return os.path.samestat(os.fstat(handle), file.lstat())
    except FileNotFoundError:
        return False


def _replaceable(path: str | Path) -> Path:
    """Return the file that a path leads to; raises OSError where it may not be written, though its folder may be."""
    real = Path(os.path.realpath(path))
    if real.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if real.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    if not real.exists():
        return real
    if not real.is_file():
        raise OSError(errno.EINVAL, "it is a pipe or a device", str(path))
    if (model := model_of(real)) is not None:
        raise OSError(errno.EINVAL, f"it is a file of the model {str(model)!r}, which would be damaged", str(path))
    os.close(os.open(real, os.O_WRONLY))
    if (refusal := replacement_refusal(real)) is not None:
        raise refusal
    return real


def _new_part(real: Path) -> tuple[Path, int]:
    while True:
        part = real.with_name(f".{short_name(real.name)}.{secrets.token_hex(8)}.part")
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600 if real.exists() else 0o666)
        if lock(handle) is not False and is_same(handle, part):
            return part, handle
        os.close(handle)  # another process took it for a left-over, before it was locked


def _remove_left_overs(folder: Path) -> None:
    if folder in _looked_at:
        return
    _looked_at.add(folder)
    with suppress(OSError):  # a folder may be for writing only
        for part in folder.iterdir():
            if is_left_over(part.name):
                with suppress(OSError), open(part, "rb", opener=_opened) as stream:
                    if lock(stream.fileno()):  # nobody writes to it any more
                        part.unlink()


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def checksum(file: Path) -> str:
    """Return the SHA-256 of what a file holds, in hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sync(place: Path) -> None:
    """Have a file, or the names in a folder, written to the disk."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
