"""A run folder: held while work lasts, its files named by all that they depend on, a damaged one found by its checksum.

A name is a hash of named parts, so that what was made of something else is never read. An array goes in with its type
and shape and a text with its length, so that no two different things look alike. Where settings are a part, all of them
are, but for those that a list names because they do not matter: a new setting then cannot be forgotten.

The checksums of files that belong together stand beside them, in a list as `sha256sum` writes and checks it. The list
is written last: files without one are not finished. What does not fit its checksum is made anew.
"""

import hashlib
import json
import logging
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from scipy import sparse

from hierarchy.disk.locks import held
from hierarchy.disk.paths import local_path
from hierarchy.disk.whole_files import cannot_write, checksum, named_file, sync, system_error, whole_file, write_whole
from hierarchy.errors import CoarsefineError, ConfigError, DataError
from stages.machine import is_first, n_processes

T = TypeVar("T")
_mine: ContextVar[frozenset[Path]] = ContextVar("folders that the calls around this one hold", default=frozenset())
LIST = ".sha256"  # how the name of a list ends
PLACES = "(`run` or -o; in Python `run_dir`, for documents `cache_dir`)"
LONGEST_LIST = 1 << 20  # bytes
logger = logging.getLogger(f"coarsefine.{__name__}")


def cache_key(**parts: Any) -> str:
    """Return the SHA-256 of named parts, 64 hexadecimal digits.

    Parameters
    ----------
    parts
        Arrays, dense or sparse, and whatever JSON can hold. Texts go in as `texts_digest` gives them.
    """
    named = {name: array_digest(part) if _is_array(part) else part for name, part in parts.items()}
    return hashlib.sha256(json.dumps(named, sort_keys=True, default=str).encode()).hexdigest()


def array_digest(array: Any) -> str:
    """Return the SHA-256 of an array, dense or CSR: of its type, its shape and its numbers."""
    if sparse.issparse(array):
        return cache_key(shape=array.shape, data=array.data, indices=array.indices, indptr=array.indptr)
    digest = hashlib.sha256(json.dumps([array.dtype.str, array.shape]).encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def texts_digest(texts: Iterable[str]) -> str:
    """Return the SHA-256 of texts in their order; nothing but the current one is in memory."""
    digest = hashlib.sha256()
    for text in texts:
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    return digest.hexdigest()


@contextmanager
def run_place(folder: Path) -> Iterator[Path]:
    """Make a run folder, and keep it for this call until the block ends; calls within may do it again.

    Raises
    ------
    BusyError
        Another process works there.
    DataError
        It cannot be made or written.
    """
    with made_folder(folder, folder), held_for_all(Path(os.path.realpath(folder)), folder, file=folder / ".lock"):
        yield folder


@contextmanager
def place_of_run(run_dir: str | None) -> Iterator[Path]:
    """Keep the run folder of a classifier until the block ends; None makes a temporary one.

    Raises
    ------
    BusyError, DataError
        As for `run_place`.
    ConfigError
        Several processes train together, and none is named.
    """
    if run_dir is not None:
        with run_place(local_path(run_dir)) as folder:
            yield folder
        return
    if n_processes() > 1:
        raise ConfigError("several processes share what they do in a run folder: set run_dir")
    with tempfile.TemporaryDirectory(prefix="coarsefine-") as temporary:
        yield Path(temporary)


@contextmanager
def made_folder(folder: Path, named: Path) -> Iterator[None]:
    """Make a folder and those above; what was made and is empty in the end goes: a refused command leaves nothing."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(cannot_write(named, error)) from error
    try:
        yield
    finally:
        with suppress(OSError):
            for place in missing:
                place.rmdir()


@contextmanager
def held_for_all(real: Path, place: Path, *, file: Path | None = None) -> Iterator[bool]:
    """Keep a place for this call until the block ends, once for all calls within; tell whether this one took it."""
    if real in _mine.get() or not is_first():  # of processes that train together the first one writes
        yield False  # what is left over beside it was looked at already
        return
    with held(place, file=file) as is_kept:
        before = _mine.set(_mine.get() | {real})
        try:
            yield is_kept
        finally:
            _mine.reset(before)


@contextmanager
def made_once(place: Path) -> Iterator[None]:
    """Let one process at a time make something in a run folder that several work in; those that waited find it there.

    Parameters
    ----------
    place
        Names what is made; a lock lies beside it meanwhile.
    """
    if is_first():  # of processes that train together
        with writing(place):
            make_folder(place.parent)
        with held(place, wait=math.inf):
            yield
    else:
        yield


@contextmanager
def finishing(listing: Path, *files: Path) -> Iterator[tuple[Path, ...]]:
    """Give another place for each file to write to; all are finished when the block ends well, and none otherwise.

    Parameters
    ----------
    listing
        Takes the checksums; its folder is made where it is missing.
    files
        In the same folder.

    Raises
    ------
    DataError
        The system refuses; errors of the system in the block count as such.
    """
    with writing(files[0]):
        make_folder(listing.parent)
        for place in (listing, *files):  # the list first: what it told ends here
            if place.is_symlink() or not place.is_file():  # nothing is written through a link
                _clear(place)
            place.unlink(missing_ok=True)  # a new one does not take over the rights of one that cannot be read
        with ExitStack() as parts:
            made = tuple(parts.enter_context(whole_file(file)) for file in files)
            yield made
            lines = [_line(checksum(part), file.name) for part, file in zip(made, files, strict=True)]
        write_whole(listing, "".join(lines).encode())


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn the system's refusal to write into a sentence with its cause; other errors pass, those of reading too."""
    try:
        yield
    except CoarsefineError:
        raise
    except Exception as error:
        cause = system_error(error)
        if cause is None or not _is_about(cause, place):
            raise
        raise DataError(
            f"{cannot_write(place, error)}, or take another place {PLACES}; what is finished there already is "
            "kept, and the same command goes on"
        ) from error


def write_checksums(listing: Path, *files: Path) -> None:
    """Finish files that others have written: put them on the disk, and their checksums into a list beside them."""
    for file in files:
        sync(file)
    lines = [_line(checksum(file), file.name) for file in files]
    write_whole(listing, "".join(lines).encode())


def is_finished(listing: Path, *files: Path) -> bool:
    """Whether files are there as they were written; where they are not any more, a line says which is made anew.

    Parameters
    ----------
    listing
        Its other files must be there, too.
    files
        That it must name.
    """
    if not os.path.lexists(listing):
        return False
    try:
        sums = _sums(listing)
    except (OSError, ValueError):
        return damaged(listing, "it is no list of checksums")
    for file in dict.fromkeys([*files, *(listing.with_name(name) for name in sums)]):
        try:
            if not file.is_file():
                return damaged(file, "no such file is there")
            if checksum(file) != sums.get(file.name):
                return damaged(file, f"its checksum is not that of {listing.name}")
        except OSError as error:
            return damaged(file, str(error.strerror))
    return True


def read_finished(file: Path, read: Callable[[Path], T], wrong: str) -> T | None:
    """Read a file that has a list of its own; None where it is not finished, or damaged.

    Parameters
    ----------
    file
        The list has its name with the suffix `LIST`.
    read
        Raises ValueError where the content is none of ours.
    wrong
        What is said then.
    """
    if not is_finished(file.with_suffix(LIST), file):
        return None
    try:
        return read(file)
    except ValueError:
        damaged(file, wrong)
        return None


def damaged(place: Path, why: str) -> bool:
    """Say that something is made anew; always False."""
    logger.warning("%s is damaged (%s): it is made anew", place, why)
    return False


def make_folder(folder: Path) -> None:
    """Make a folder where it is missing; what stands in its place is moved away."""
    if not folder.is_dir():
        _clear(folder)
        folder.mkdir(parents=True, exist_ok=True)


def set_aside(place: Path) -> Path:
    """Give what stands somewhere another name beside it, and return that."""
    number = 1
    while os.path.lexists(aside := place.with_name(f"{place.name}.damaged" + (f"-{number}" if number > 1 else ""))):
        number += 1
    place.rename(aside)
    return aside


def _is_array(part: Any) -> bool:
    return isinstance(part, np.ndarray) or sparse.issparse(part)


def _is_about(error: OSError, place: Path) -> bool:
    """Whether the system may have refused to write at a place: it is no connection, and names no file elsewhere."""
    if error.errno is None or isinstance(error, ConnectionError):
        return False
    file = named_file(error)
    if file is None:
        return True
    real, named = Path(os.path.realpath(place)), Path(os.path.realpath(file))
    return real.parent in named.parents or named in real.parents


def _clear(place: Path) -> None:
    """Move away what is none of ours, as it may be somebody's."""
    if os.path.lexists(place):
        logger.warning("%s is in the way: it is now %s", place, set_aside(place).name)


def _line(digest: str, name: str) -> str:
    return f"{digest}  {name}\n"


def _sums(listing: Path) -> dict[str, str]:
    if not listing.is_file() or listing.stat().st_size > LONGEST_LIST:
        raise ValueError
    content = listing.read_bytes().decode()
    sums = {name: digest for digest, name in (line.split("  ", 1) for line in content.splitlines())}
    is_ours = content == "".join(_line(digest, name) for name, digest in sums.items())
    if not sums or not is_ours or any(not name or Path(name).name != name for name in sums):
        raise ValueError
    return sums
