"""The folder of a model as a place to write to: checked and held before the work; what is not the model's stays."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hierarchy.disk.manifests import MANIFEST
from hierarchy.disk.whole_files import cannot_write
from hierarchy.disk.whole_folders import folder_problem, put_back, remove_left_overs
from hierarchy.errors import ArtifactError
from pipelines.model.artifact.manifest import listed_files
from stages.machine import is_first
from stages.run_folder import held_for_all, made_folder

# All that a model ever had at the top of its folder. Whatever else lies there is somebody else's, even where a manifest
# that comes from elsewhere claims it.
NAMES = {
    MANIFEST, "README.md", "config.json", "encoder", "encoder_pretrained", "metrics.json", "model.safetensors",
    "neighbours.safetensors", "promises.json", "router.json", "run.json", "taxonomy.yaml", "vocabulary.json",
}  # fmt: skip


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
    with made_folder(real.parent, folder), held_for_all(real, folder) as is_kept:
        if is_first() and is_kept:
            remove_left_overs(real)
        yield


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
