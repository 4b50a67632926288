"""The files that a caller means by some files and folders."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from hierarchy.disk.paths import local_path
from hierarchy.errors import DataError
from hierarchy.text.wording import count
from pipelines.data.arrowfiles import ARROW_SUFFIXES, splits_of
from pipelines.data.reading import READABLE
from pipelines.data.tables import readable_errors
from pipelines.data.textfiles import text_suffix

HIDDEN = (".", "_")  # begins the names of what programs keep for themselves: `_SUCCESS`, `.ipynb_checkpoints`
logger = logging.getLogger(f"coarsefine.{__name__}")


def source_files(sources: Sequence[str | Path]) -> list[str]:
    """Return files, and those in folders at whatever depth, in order.

    A folder that the `datasets` library saved stands for itself. What has another suffix in a folder, or a name that
    begins with a dot or an underscore, is left out; a link to a folder is not followed, since it may lead in a circle.
    A link to a file that is not there is one of the files: who reads it says so.

    Parameters
    ----------
    sources
        Files and folders.

    Raises
    ------
    DataError
        There is no such file, one is named twice, or a folder holds none: with all problems.
    """
    if not sources:
        raise DataError("no documents are named: name files, or folders of files")
    files: dict[str, Path] = {}  # where it is in truth -> as it is called
    problems: list[str] = []
    for source in map(local_path, sources):
        with readable_errors(str(source)):
            found = _files_in(source) if source.is_dir() and splits_of(source) is None else [source]
        if not found:
            problems.append(f"the folder {str(source)!r} holds no documents ({READABLE}): name another")
        for file in found:
            real = os.path.realpath(file)
            if file == source and not file.exists():  # a link in a folder that leads nowhere is a file that is bad
                problems.append(f"there is no file or folder {str(file)!r}: check the name")
            elif real in files:
                problems.append(f"{str(file)!r} is named twice: leave one out")
            files[real] = file
    if problems:
        raise DataError(problems)
    return list(map(str, files.values()))


def _files_in(folder: Path) -> list[Path]:
    found, others, links = [], 0, 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(HIDDEN))
        links += sum(Path(place, name).is_symlink() for name in folders)
        for name in sorted(names):
            is_readable = text_suffix(Path(name)) is not None or Path(name).suffix.lower() in ARROW_SUFFIXES
            if is_readable and not name.startswith(HIDDEN):
                found.append(Path(place, name))
            else:
                others += 1
    if others:
        logger.info("%s: %s in it with another name or suffix left out", folder, count(others, "file"))
    if links:
        logger.warning("%s: %s in it not followed: name what they lead to as well", folder, count(links, "folder link"))
    return found
