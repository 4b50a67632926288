"""How figures and names are written on the page."""

from html import escape

from pipelines.evaluation.bootstrap import Interval


def share(value: float) -> str:
    """Write a share as per cent."""
    return f"{value:.1%}"


def span(interval: Interval) -> str:
    """Write the ends of a share's interval."""
    return f"{interval.low:.1%} and {interval.high:.1%}"


def points(value: float) -> str:
    """Write a difference of two shares in percentage points, without its sign."""
    return f"{abs(100 * value):.1f}"


def signed_points(value: float) -> str:
    """Write a difference of two shares in percentage points."""
    return f"{100 * value:+.1f}".replace("-", "−")


def difference(interval: Interval | None) -> str:
    """Say how far this model lies above another system: what the interval allows to say, and the interval."""
    if interval is None:
        return "not comparable<br><small>measured on other documents</small>"
    ends = f"{signed_points(interval.low)} to {signed_points(interval.high)}"
    if not interval.excludes_zero:
        return f"level<br><small>{signed_points(interval.value)} points ({ends})</small>"
    return f"{points(interval.value)} points {'better' if interval.value > 0 else 'worse'}<br><small>({ends})</small>"


def name(text: str) -> str:
    """Write a name that came with the data: as text, with a direction of its own."""
    return f"<bdi>{escape(text)}</bdi>"


def counted(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
