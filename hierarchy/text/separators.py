"""What stands between the names of a path: `A > B > C`, `A##B`. Known ones, and which of them a list of paths has."""

import re
from collections.abc import Sequence

SEPARATORS = (">", "##", "»", "›", "→", "::", "|", "\\")  # that hardly stand in names; a slash does
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
    for symbol in SEPARATORS:
        spaced = f" {symbol} "
        for separator in (spaced, symbol):
            holding = [line for line in lines if separator in line]
            tops = {line.partition(separator)[0].strip() for line in holding}
            if 2 * len(holding) > len(lines) and 2 * len(tops) <= len(holding):
                return separator
    return None


def path_of(line: str, separator: str) -> tuple[str, ...]:
    """Return the names of a path from the top, without the blanks around them."""
    return tuple(name.strip() for name in line.split(separator))
