"""How figures and names are written on every page."""

from html import escape

from pipelines.evaluation.bootstrap import Interval


def share(value: float) -> str:
    """Write a share as per cent."""
    return f"{value:.1%}"


def ends(interval: Interval) -> str:
    """Write the ends of a share's interval."""
    return f"{interval.low:.1%} and {interval.high:.1%}"


def points(value: float) -> str:
    """Write a difference of two shares in percentage points, without its sign."""
    return f"{abs(100 * value):.1f}"


def signed_points(value: float) -> str:
    """Write a difference of two shares in percentage points."""
    return signed(100 * value, 1)


def signed(value: float, digits: int = 2) -> str:
    """Write a number with its sign."""
    return f"{value:+.{digits}f}".replace("-", "−")


def difference(interval: Interval | None) -> str:
    """Say how far this model lies above another system: what the interval allows to say, and the interval."""
    if interval is None:
        return "not comparable<br><small>measured on other documents</small>"
    reach = f"{signed_points(interval.low)} to {signed_points(interval.high)}"
    if not interval.excludes_zero:
        return f"level<br><small>{signed_points(interval.value)} points ({reach})</small>"
    return f"{points(interval.value)} points {'better' if interval.value > 0 else 'worse'}<br><small>({reach})</small>"


def name(text: str) -> str:
    """Write a name that came with the data: as text, with a direction of its own."""
    return f"<bdi>{escape(text)}</bdi>"
