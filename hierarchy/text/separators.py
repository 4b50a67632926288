"""What stands between the names of a path: `A > B > C`, `A##B`. Known ones, and which of them a list of paths has."""

import re
from collections.abc import Iterator, Sequence

# That hardly stand in names; a slash does. An arrow comes before the sign that it ends with.
SEPARATORS = ("->", "=>", ">", "＞", "##", "»", "›", "→", "⇒", "::", "|", "\\")
BETWEEN = " > "  # the names of a path that was not written as one
PATH_CUT = re.compile(rf"\s*(?:{'|'.join(map(re.escape, (*SEPARATORS, '/')))})\s*")


def guessed_separator(lines: Sequence[str]) -> str | None:
    """Return the separator that parts the names of paths; None where the lines seem to hold names.

    A separator stands in most lines, and the paths share their beginnings, two or more each: names that hold it by
    chance do neither. Where most have a blank at each side of it, one without them belongs to a name.

    Parameters
    ----------
    lines
        Paths or names.
    """
    for separator in common_separators(lines):
        tops = [line.partition(separator)[0].strip() for line in lines if separator in line]
        if 2 * len({*tops}) <= len(tops):
            return separator
    return None


def common_separators(lines: Sequence[str]) -> Iterator[str]:
    """Yield what may be a separator and stands in most lines, with blanks around it first."""
    for symbol in SEPARATORS:
        for separator in (f" {symbol} ", symbol):
            if 2 * sum(separator in line for line in lines) > len(lines):
                yield separator


def path_of(line: str, separator: str) -> tuple[str, ...]:
    """Return the names of a path from the top, without the blanks around them."""
    return tuple(name.strip() for name in line.split(separator))
