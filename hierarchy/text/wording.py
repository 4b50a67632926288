"""How a line for people counts things and lists them."""

from collections.abc import Sequence

TEXT_SHOWN = 80  # characters of a text in a line
SHOWN = 10  # names and rows in a line


def count(number: int, noun: str) -> str:
    """Return ``1 label`` or ``1,200 labels``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shortened(text: str) -> str:
    """Return a text that fits in a line: what should be a label may be a whole document."""
    return text if len(text) <= TEXT_SHOWN else f"{text[:TEXT_SHOWN]}…"


def some(items: Sequence[object], total: int | None = None) -> str:
    """Return the first items with commas, and how many more there are, of `total` or of the items."""
    shown = ", ".join(shortened(str(item)) for item in items[:SHOWN])
    more = (len(items) if total is None else total) - min(len(items), SHOWN)
    return f"{shown} and {more:,} more" if more > 0 else shown
