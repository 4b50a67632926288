"""The folder of a model as a place to write to: checked and held before the work; what is not the model's stays."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from hierarchy.disk.locks import held
from hierarchy.disk.manifests import MANIFEST
from hierarchy.disk.paths import local_path
from hierarchy.disk.whole_files import cannot_write
from hierarchy.disk.whole_folders import folder_problem, put_back, remove_left_overs
from hierarchy.errors import ArtifactError, ConfigError, DataError
from pipelines.model.artifact.manifest import listed_files
from stages.machine import is_first, n_processes

# All that a model ever had at the top of its folder. Whatever else lies there is somebody else's, even where a manifest
# that comes from elsewhere claims it.
NAMES = {
    MANIFEST, "README.md", "config.json", "encoder", "encoder_pretrained", "metrics.json", "model.safetensors",
    "neighbours.safetensors", "promises.json", "router.json", "run.json", "taxonomy.yaml", "vocabulary.json",
}  # fmt: skip
_mine: ContextVar[frozenset[Path]] = ContextVar("folders that the calls around this one hold", default=frozenset())


def check_replaceable(folder: Path) -> None:
    """Check that a model can be written to `folder`, before there is one.

    A model that a killed process has left without its name there gets it back.

    Raises
    ------
    ArtifactError
        It is a file, a mounted disk or the current folder, holds something that is no model, or files of others under
        names that a model needs; or it cannot be made.
    """
    put_back(folder)
    if (problem := folder_problem(folder)) is not None:
        raise ArtifactError(problem)
    try:
        foreign(folder)
    except OSError as error:
        raise ArtifactError(cannot_write(folder, error)) from error


@contextmanager
def model_place(folder: Path) -> Iterator[None]:
    """Check the folder of a model, and keep it for this call until the block ends; calls within may do it again.

    Raises
    ------
    ArtifactError
        See `check_replaceable`.
    BusyError
        Another process writes a model there.
    """
    check_replaceable(folder)
    real = Path(os.path.realpath(folder))
    with _made(real.parent, folder), _held(real, folder) as is_kept:
        if is_first() and is_kept:
            remove_left_overs(real)
        yield


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
    with _made(folder, folder), _held(Path(os.path.realpath(folder)), folder, file=folder / ".lock"):
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


def foreign(folder: Path) -> list[Path]:
    """Return what lies in the folder of a model and is not the model's, folders before what is in them.

    Returns
    -------
    list[Path]
        Relative to the folder; none where there is no folder.

    Raises
    ------
    ArtifactError
        It holds something that is no model, or what is not the model's bears a name that a model needs.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return []
    listed = _listed(folder)
    entries = sorted(entry.relative_to(folder) for entry in folder.rglob("*"))
    others = [entry for entry in entries if entry.parts[0] not in NAMES]
    taken = [entry for entry in entries if entry.parts[0] in NAMES and not _is_of_model(entry, folder, listed)]
    problems = [
        f"{str(folder / entry)!r} is not the model's ({MANIFEST} does not name it), and a model may need the name: "
        "move it, or name another folder"
        for entry in taken
    ]
    problems += [
        f"{str(folder / entry)!r} is not the model's and cannot be read, so it cannot be kept: name another folder"
        for entry in others
        if not (folder / entry).is_symlink() and not os.access(folder / entry, os.R_OK)
    ]
    if problems:
        raise ArtifactError(problems)
    return others


def _is_of_model(entry: Path, folder: Path, listed: set[str]) -> bool:
    if entry.as_posix() in listed or entry.as_posix() == MANIFEST:
        return True
    return (folder / entry).is_dir() and not (folder / entry).is_symlink()  # what is in a folder counts for itself


def _listed(folder: Path) -> set[str]:
    """Return the names in the manifest of the model that is to be replaced."""
    manifest = folder / MANIFEST
    if not manifest.exists():
        raise ArtifactError(f"{folder} is not empty and holds no model: name a new folder")
    try:
        return set(listed_files(folder))
    except ArtifactError:
        raise ArtifactError(
            f"{str(manifest)!r} is not of a model, or damaged, so nothing tells what in {str(folder)!r} is a model's: "
            "name a new folder"
        ) from None


@contextmanager
def _made(folder: Path, named: Path) -> Iterator[None]:
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
def _held(real: Path, place: Path, *, file: Path | None = None) -> Iterator[bool]:
    if real in _mine.get() or not is_first():  # of processes that train together the first one writes
        yield False  # what is left over beside it was looked at already
        return
    with held(place, file=file) as is_kept:
        before = _mine.set(_mine.get() | {real})
        try:
            yield is_kept
        finally:
            _mine.reset(before)
