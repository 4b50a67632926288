"""How figures and names are written on every page: the filters of its template."""

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from hierarchy.nodes import named
from hierarchy.text.wording import count
from pipelines.evaluation.bootstrap import Interval


def share(value: float) -> str:
    """Write a share as per cent."""
    return f"{value:.1%}"


def ends(interval: Interval) -> str:
    """Write the ends of a share's interval."""
    return f"{interval.low:.1%} and {interval.high:.1%}"


def whole(number: int) -> str:
    """Write a whole number, its thousands apart."""
    return f"{number:,}"


def thousandths(value: float) -> str:
    """Write a figure that is no share."""
    return f"{value:.3f}"


def points(value: float) -> str:
    """Write a difference of two shares in percentage points, without its sign."""
    return f"{abs(100 * value):.1f}"


def signed_points(value: float) -> str:
    """Write a difference of two shares in percentage points."""
    return signed(100 * value, 1)


def signed(value: float, digits: int = 2) -> str:
    """Write a number with its sign."""
    return f"{value:+.{digits}f}".replace("-", "−")


def name(text: str) -> Markup:
    """Write a name that came with the data: as text, with a direction of its own."""
    return Markup("<bdi>{}</bdi>").format(text)


WORDS: dict[str, Callable[..., Any]] = {
    word.__name__: word for word in (count, ends, name, named, points, share, signed, signed_points, thousandths, whole)
}
