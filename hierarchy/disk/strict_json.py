"""JSON as it is written by machines for machines: what no writer of ours makes is refused, with the cause."""

import json
from collections import Counter
from math import isfinite
from typing import Any, NoReturn

DEEPEST = 50  # objects and lists in each other: what is read is walked through by functions that call themselves
LARGEST_WHOLE = 2**63  # numbers from here on, and below its negative, are none of numpy's


def parse_json(content: bytes) -> Any:
    """Read JSON.

    Parameters
    ----------
    content
        As it stands in the file.

    Raises
    ------
    ValueError
        It is no UTF-8 or no JSON, has a key twice, a number that is not finite or beyond 64 bits, or is nested too
        deeply; says which.
    """
    try:
        value = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_once_each,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_whole,
        )
    except RecursionError:
        _refuse_depth()
    if _is_deeper(value, DEEPEST):
        _refuse_depth()
    return value


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {twice!r} stands twice")
    return found


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError(f"the number {_shortened(digits)} is too large")
    return number


def _whole(digits: str) -> int:
    if len(digits) > 20 or not -LARGEST_WHOLE <= int(digits) < LARGEST_WHOLE:
        raise ValueError(f"the number {_shortened(digits)} is too large")
    return int(digits)


def _shortened(digits: str) -> str:
    return digits if len(digits) <= 30 else f"{digits[:20]}... of {len(digits)} characters"


def _refuse_depth() -> NoReturn:
    raise ValueError(f"lists and objects stand more than {DEEPEST} deep in each other") from None


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(part, levels - 1) for part in inner)
