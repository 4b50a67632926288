"""The manifest: the files that a model is made of, each with its checksum. What it does not name is never read.

It finds damage. It is no signature: who writes a model anew writes a manifest that fits, so that what the files hold is
checked as well: `pipelines.model.artifact.schemas`, `stages.arrays`.
"""

import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hierarchy.disk.manifests import MANIFEST
from hierarchy.disk.strict_json import parse_json
from hierarchy.disk.whole_folders import put_back
from hierarchy.errors import ArtifactError

FORMAT_VERSION = 4  # another document model since 3; 1 and 2 had other n-grams, and 1 fused margins as they are
NEIGHBOURS = "neighbours.safetensors"
PROMISES, METRICS, RECORD = "promises.json", "metrics.json", "run.json"
COPY_AGAIN = "copy the model again"
# Of these kinds are all files that a model has: none runs when it is loaded. No name begins with a dot.
# None is longer than a file may be named anywhere.
NAME = re.compile(
    r"(?!.{201})(?:[\w-][\w.-]*/)*(?:[\w-][\w.-]*\.(?:json|yaml|safetensors|md|txt|model|jinja)|openvino_model\.(?:xml|bin))",
    re.ASCII,
)
MOST_FILES = 1000  # an encoder of a hundred parts is a very large one
PIECE = 1 << 20  # bytes read at once
Stamp = tuple[int, ...]  # what tells a file from one that was put in its place, or written to since


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    sha256: dict[str, str] = Field(min_length=1)


def check_manifest(folder: Path) -> dict[str, Stamp]:
    """Compare every file of a model with its checksum.

    Returns
    -------
    dict[str, Stamp]
        The files that belong to the model, each as it was when it was read.

    Raises
    ------
    ArtifactError
        Names each file that is missing, damaged, a link or no file at all.
    """
    put_back(folder)
    if not is_present(folder / MANIFEST):
        raise ArtifactError(
            f"{folder} holds no model ({MANIFEST} is missing): name the folder that `train` or save_pretrained wrote"
        )
    listed = listed_files(folder)
    _check_names(listed, folder / MANIFEST)
    found, problems = {}, []
    for name, digest in listed.items():
        try:
            read, found[name] = _sha256(folder, name)
        except ArtifactError as error:
            problems += error.problems
        else:
            if read != digest:
                changed = f"SHA-256 differs from {MANIFEST}"
                problems.append(f"{folder / name} is damaged or was changed ({changed}): {COPY_AGAIN}")
    if problems:
        raise ArtifactError(problems, where="damaged model")
    return found


def manifest_key(folder: Path) -> str:
    """Hash the manifest of a model, which holds the hashes of all its files: another model has another key.

    Raises
    ------
    ArtifactError
        There is no model.
    """
    put_back(folder)
    if not (folder / MANIFEST).is_file():
        found = (
            f"{folder} holds no model ({MANIFEST} is missing)" if folder.is_dir() else f"there is no folder {folder}"
        )
        raise ArtifactError(f"{found}: name the folder that train wrote")
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def is_present(place: Path) -> bool:
    """Tell whether a model, or a file of it, is there.

    Raises
    ------
    ArtifactError
        The system does not tell, of a folder that is another user's as a rule.
    """
    try:
        place.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ArtifactError(
            f"{str(place)!r} cannot be read ({error.strerror or error}): name another folder, or {COPY_AGAIN}"
        ) from error
    return True


def listed_files(folder: Path) -> dict[str, str]:
    """Read the names of a model's files, which may still be anything, and their checksums.

    Raises
    ------
    ArtifactError
        The manifest cannot be read, or is none.
    """
    manifest = folder / MANIFEST
    content = read_model_json(folder, MANIFEST)
    try:
        listed = _Manifest.model_validate(content).sha256
    except ValueError as error:
        raise ArtifactError(f"{manifest} lists no files by their SHA-256: {COPY_AGAIN}") from error
    if len(listed) > MOST_FILES:
        raise ArtifactError(
            f"{manifest} lists {len(listed):,} files, and a model has {MOST_FILES:,} at most: {COPY_AGAIN}"
        )
    return listed


def _check_names(listed: Mapping[str, str], manifest: Path) -> None:
    problems = [f"it lists {name!r}, which is no file of a model" for name in listed if not NAME.fullmatch(name)]
    if not problems and len({name.lower() for name in listed}) < len(listed):
        problems = ["it lists two names that differ in capitals alone"]
    if not problems:
        wrong = [name for name, digest in listed.items() if not re.fullmatch(r"[0-9a-f]{64}", digest)]
        problems = [f"the checksum of {name} is {listed[name]!r}, not 64 hexadecimal digits" for name in wrong]
    if problems:
        raise ArtifactError([f"{problem}: leave this model, or {COPY_AGAIN}" for problem in problems], str(manifest))


def check_complete(listed: Collection[str], needed: Collection[str], allowed: Collection[str], manifest: Path) -> None:
    """Refuse a manifest that lists too little or too much for the settings of its model.

    Parameters
    ----------
    listed
        Names of its files.
    needed, allowed
        Names of files; those allowed may end in ``/`` and are all of a folder then.
    manifest
        For the message.

    Raises
    ------
    ArtifactError
        Names each file that is missing in the list, or does not belong there.
    """
    problems = [f"it does not list {name}: {COPY_AGAIN}" for name in sorted(set(needed) - set(listed))]
    folders = tuple(name for name in allowed if name.endswith("/"))
    for name in sorted(set(listed) - {*needed, *allowed}):
        if not (folders and name.startswith(folders)):
            problems.append(f"it lists {name}, which no model with these settings has: {COPY_AGAIN}")
    if problems:
        raise ArtifactError(problems, where=str(manifest))


def stamp(folder: Path, name: str) -> Stamp | None:
    """Tell what a file of a model is by now; None where it is gone."""
    try:
        return _stamp(_real(folder, name).stat())
    except (ArtifactError, OSError):
        return None


def read_model_json(folder: Path, name: str) -> Any:
    """Read a JSON file of a model.

    Raises
    ------
    ArtifactError
        Says why it cannot be read.
    """
    try:
        with _opened(folder, name) as (handle, size):
            content = b"".join(_pieces(handle, size))
        return parse_json(content)
    except ValueError as error:  # an ArtifactError is one too
        if isinstance(error, ArtifactError):
            raise
        raise ArtifactError(f"{folder / name} cannot be read ({error}): {COPY_AGAIN}") from error


@contextmanager
def only_listed(folder: Path, part: str, listed: Mapping[str, Any]) -> Iterator[Path]:
    """Give a folder in which nothing but the listed files of a part of a model stand, as links.

    transformers reads whatever lies beside an encoder: weights of other kinds, adapters, code.
    """
    with TemporaryDirectory(prefix="coarsefine-") as above:
        place = Path(above) / part
        for name in listed:
            if name.startswith(f"{part}/"):
                link = Path(above) / name
                link.parent.mkdir(parents=True, exist_ok=True)
                _link(_real(folder, name).absolute(), link)
        yield place


def _link(file: Path, link: Path) -> None:
    try:
        link.symlink_to(file)
    except OSError:  # Windows asks for a right that few have
        import shutil

        shutil.copyfile(file, link)


def _sha256(folder: Path, name: str) -> tuple[str, Stamp]:
    digest = hashlib.sha256()
    with _opened(folder, name) as (handle, size):
        before = _stamp(os.fstat(handle))
        for piece in _pieces(handle, size):
            digest.update(piece)
    return digest.hexdigest(), before


@contextmanager
def _opened(folder: Path, name: str) -> Iterator[tuple[int, int]]:
    """Open a file of a model, and tell its size."""
    try:
        file = _real(folder, name)
        # Where something else has taken its place meanwhile, a link is not followed and a pipe is not waited for.
        handle = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise ArtifactError(f"{folder / name} is no file: {COPY_AGAIN}")
            yield handle, found.st_size
        finally:
            os.close(handle)
    except FileNotFoundError as error:
        raise ArtifactError(f"{folder / name} is missing: {COPY_AGAIN}") from error
    except OSError as error:
        raise ArtifactError(f"{folder / name} cannot be read ({error.strerror or error}): {COPY_AGAIN}") from error


def _pieces(handle: int, size: int) -> Iterator[bytes]:
    """Read no more than there was when the file was opened."""
    while size > 0 and (piece := os.read(handle, min(PIECE, size))):
        size -= len(piece)
        yield piece


def _real(folder: Path, name: str) -> Path:
    """Find a file of a model without following a link, but for those of the hub's cache to its own blobs."""
    place = folder
    for step in name.split("/"):
        place = place / step
        if place.is_symlink():
            real = place.resolve()
            if step == name.rpartition("/")[2] and real.parent == (folder.parent.parent / "blobs").resolve():
                return real
            raise ArtifactError(f"{place} is a link: put the file itself there, or {COPY_AGAIN}")
    if place.exists() and not place.is_file():
        raise ArtifactError(f"{place} is no file: {COPY_AGAIN}")
    return place


def _stamp(found: os.stat_result) -> Stamp:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
