"""The folder of a prediction that is not finished: whose it is, what it belongs to, and its shards.

``state.json`` is there before anything else and goes last, so that the folder is known as ours whenever a process is
killed. A shard has the hash of its content in its name: one that was changed does not count. Nothing else that lies in
the folder is ever removed.
"""

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from hierarchy.disk.whole_files import cannot_write, is_left_over, write_output, write_whole
from hierarchy.errors import DataError
from pipelines.data.reading import HUB

STATE, TABLE = "state.json", "documents"
LONGEST_NAME = 255  # bytes
_SHARD = re.compile(r"(\d{5,})-([0-9a-f]{16})\.(?:jsonl|parquet)")  # Parquet until version 0.2.0
_OLD_STATE, _OLD_SHARD = "state.tmp", re.compile(r"\d{5}\.parquet")  # of version 0.1.0
_OF_TABLE = re.compile(r"documents-[0-9a-f]{32}\..*")
logger = logging.getLogger(f"coarsefine.{__name__}")


class State(BaseModel):
    """What ``state.json`` says.

    Parameters
    ----------
    made_by
        Whose folder it is.
    run
        What its shards belong to; None before that is known, and from when they begin to go.
    """

    model_config = ConfigDict(extra="forbid", strict=True)
    made_by: Literal["coarsefine predict"] = "coarsefine predict"
    run: dict[str, Any] | None = None


def parts_of(out: Path) -> Path:
    """Return the folder of an output's parts; it stands beside the file that a link leads to."""
    out = Path(os.path.realpath(out))
    whole = os.fsencode(f"{out.name}.parts")
    if len(whole) <= LONGEST_NAME:
        return out.with_name(f"{out.name}.parts")
    return out.with_name(f"{out.name[:40]}-{hashlib.sha256(whole).hexdigest()[:16]}.parts")


def check_parts(folder: Path) -> None:
    """Refuse a place that is taken by something that is not ours; raises DataError."""
    foreign = [folder] if folder.is_symlink() or (folder.exists() and not folder.is_dir()) else _sorted_out(folder)[1]
    if foreign and (foreign[0] == folder or _state(folder) is None):
        raise DataError(
            f"{str(folder)!r} is in the way and was not made by predict (see {foreign[0].name!r}): name another output "
            "file, or move it"
        )


def open_parts(folder: Path, *, restart: bool = False) -> bool:
    """Make the folder where it is not there, and throw away shards of no run; return whether it holds none now.

    Documents stay, unless it is not known who has made them: their names say what they hold, and a run that was ended
    before it had read all of them goes on with them.

    Parameters
    ----------
    folder
        As `parts_of` gives it, after `check_parts`, while its output is held.
    restart
        Throw away everything.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise DataError(cannot_write(folder, error)) from None
    state = _state(folder)
    if state is not None and state.run is not None and not restart:
        return False
    if not restart and any(is_shard(entry) for entry in folder.iterdir()):
        logger.warning("%s: nothing says to which run the shards in it belong; they are made anew", folder)
    _clear(folder, documents=restart or state is None)
    return True


def claim_parts(folder: Path, run: dict[str, Any]) -> None:
    """Write down what the shards will belong to, or check that it is the same as before.

    Raises
    ------
    DataError
        Another run has left its shards here.
    """
    state = _state(folder)
    if state is None or state.run is None:
        write_output(folder / STATE, State(run=run).model_dump_json(indent=1) + "\n")
        return
    earlier = state.run
    changed = [name for name in run if earlier.get(name) != run[name]]
    if changed:
        raise DataError(
            f"{folder} holds an unfinished run that differs in: {', '.join(changed)}; run it with the same documents, "
            "model, options and versions to go on, name another output file, or throw it away with --restart "
            "(restart=True)"
        )


def write_shard(answers: Iterable[Mapping[str, Any]], folder: Path, place: int) -> Path:
    """Write the shard at a place, JSON lines, whole or not at all, and return its file."""
    content = "".join(json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers).encode()
    return write_content(content, folder, place, ".jsonl")


def write_content(content: bytes, folder: Path, place: int, suffix: str) -> Path:
    """Do the same with what the shard's file is to hold."""
    file = folder / f"{place:08d}-{_hash(place, content)}{suffix}"
    try:
        write_whole(file, content)
    except OSError as error:
        raise DataError(f"{cannot_write(file, error)}, and give the same command again") from error
    return file


def is_shard(entry: Path) -> bool:
    """Whether a file has the name of a shard."""
    return _SHARD.fullmatch(entry.name) is not None and entry.is_file() and not entry.is_symlink()


def whole_shards(folder: Path) -> dict[int, Path]:
    """Return the shards that are there, by their places; what was damaged is removed, with a line in the log."""
    found: dict[int, Path] = {}
    for file in filter(is_shard, sorted(folder.iterdir())):
        content = _content(file)
        if content is None:
            logger.warning("%s is damaged and is made anew", file)
            file.unlink()
        else:
            found[int(file.name.partition("-")[0])] = file
    return found


def read_shard(file: Path) -> list[dict[str, Any]]:
    """Read a shard; raises DataError where it was changed."""
    content = _content(file)
    if content is None:
        raise DataError(f"{str(file)!r} was changed from outside: give the same command again, which makes it anew")
    return [json.loads(line) for line in content.splitlines()]


def remove_parts(folder: Path) -> None:
    """Remove the folder; what is not ours in it stays there."""
    _clear(folder)
    foreign = _sorted_out(folder)[1]
    if foreign:
        logger.warning("%s stays: %r in it was not made by predict", folder, foreign[0].name)
    (folder / STATE).unlink()
    if not foreign:
        _remove(folder)


def _clear(folder: Path, *, documents: bool = True) -> None:
    write_output(folder / STATE, State().model_dump_json(indent=1) + "\n")  # from here on it belongs to no run
    for entry in _sorted_out(folder)[0]:
        if documents or entry.parent.name != TABLE or not _OF_TABLE.fullmatch(entry.name):
            _remove(entry)
    _remove(folder / TABLE)


def _remove(entry: Path) -> None:
    if entry.name == HUB:
        shutil.rmtree(entry, ignore_errors=True)
    elif entry.is_dir():
        with suppress(OSError):  # something is in it that is not ours
            entry.rmdir()
    else:
        entry.unlink(missing_ok=True)


def _state(folder: Path) -> State | None:
    """Read what the folder says of itself; None where that is nothing that was written by us."""
    file = folder / STATE
    try:
        return None if file.is_symlink() or not file.is_file() else State.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None


def _sorted_out(folder: Path) -> tuple[list[Path], list[Path]]:
    """List what is ours in a folder, its state apart, and what is not."""
    state, table = folder / STATE, folder / TABLE
    marked = state.is_file() and not state.is_symlink()
    entries = set(folder.iterdir() if folder.is_dir() else ()) - ({state} if marked else set())
    if table.is_dir() and not table.is_symlink():
        entries = entries - {table} | set(table.iterdir())
    ours = sorted(entry for entry in entries if _is_ours(entry, marked=marked))
    return ours, sorted(entries.difference(ours))


def _is_ours(entry: Path, *, marked: bool) -> bool:
    if entry.is_symlink():
        return False
    if entry.is_dir():
        return marked and entry.name == HUB and entry.parent.name == TABLE
    if entry.parent.name == TABLE and _OF_TABLE.fullmatch(entry.name):
        return entry.is_file()
    return entry.is_file() and (is_left_over(entry.name) or is_shard(entry) or _is_old(entry))


def _is_old(file: Path) -> bool:
    """Whether a killed process of version 0.1.0 has left a file, with nothing in it that could be lost."""
    return file.name == _OLD_STATE or (_OLD_SHARD.fullmatch(file.name) is not None and not file.stat().st_size)


def _content(file: Path) -> bytes | None:
    """Return what a shard holds; None where it is not what was written."""
    name = _SHARD.fullmatch(file.name)
    try:
        content = file.read_bytes()
    except OSError:
        return None
    return content if name and _hash(int(name[1]), content) == name[2] else None


def _hash(place: int, content: bytes) -> str:
    return hashlib.sha256(b"%d:" % place + content).hexdigest()[:16]
