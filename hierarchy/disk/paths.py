"""Paths as a person writes them: ``~`` is the home folder, wherever a path comes in."""

import os.path
import re
from pathlib import Path

from hierarchy.errors import DataError


def expanded(path: str) -> str:
    """Return a path, or a name that may be one, with a leading ``~`` or ``~user`` as the home folder it stands for.

    All else stays as it is, names on the hub too. What then still begins with ``~`` is a file of that name (``./~``, or
    ``~x`` where there is no user x): it is made absolute, so that no later reader takes it for the home folder.

    Parameters
    ----------
    path
        As written in a config, on the command line or by a caller.

    Raises
    ------
    DataError
        No file can have this path.
    """
    if not _can_be(path):
        raise DataError(f"the path {path!a} holds a character that no path can have: write another")
    path = os.path.expanduser(path)  # noqa: PTH111 - pathlib takes "./~" for "~", and stops at a user that is not there
    return str(Path(path).absolute()) if str(Path(path)).startswith("~") else path


def local_path(path: str | Path) -> Path:
    """Return the `Path` that a caller means, see `expanded`."""
    return Path(expanded(str(path)))


def _can_be(path: str) -> bool:
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:  # half a character
        return False


def path_exists(path: str | Path) -> bool:
    """Whether a path names something; a name that none can have, a whole document for one, names nothing."""
    return _can_be(str(path)) and os.path.exists(path)  # noqa: PTH110 - pathlib raises where a name is too long


def for_others(words: str) -> str:
    """Return words with ``~`` for the home folder at the beginning of paths: others need not know whose it is."""
    home = os.path.expanduser("~").rstrip("/")  # noqa: PTH111 - pathlib stops where there is none
    return re.sub(rf"(^|[\s(]){re.escape(home)}/", r"\1~/", words) if home not in ("", "~") else words
