"""The kinds of range that a search space is made of."""

import json
import math
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

INSIDE = 0.381966  # of the way from the low end to the high one: no round number, so that whole numbers show
IN_CONFIG = "set it in the config and leave it out here"


class _Range(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Numbers(_Range):
    low: float
    high: float
    step: float | None = Field(None, gt=0)
    log: bool = False

    @model_validator(mode="after")
    def _has_values(self) -> "_Numbers":
        low, high = self.low, self.high
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"the range from {low} to {high} has no end: give two numbers")
        if low > high:
            raise ValueError(f"the range from {low} to {high} is empty: low must be below high")
        if low == high:
            raise ValueError(f"the range from {low} to {high} is one value only: {IN_CONFIG}")
        if self.log and low <= 0:
            raise ValueError(f"log needs a low above 0, not {low}: raise it, or leave log out")
        if self.log and self.step not in (None, 1):
            raise ValueError("log and step do not go together: leave one out")
        if self.step is not None and not _whole((high - low) / self.step):
            raise ValueError(f"steps of {self.step} do not lead from {low} to {high}: change one of them")
        return self

    def samples(self) -> list[Any]:
        """Values that stand for all others in a check."""
        return [self.low, self.high, self.low + (self.step or INSIDE * (self.high - self.low))]

    def holds(self, value: Any) -> bool:
        """Whether `value` can be drawn."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        return self.step is None or _whole((value - self.low) / self.step)


class FloatRange(_Numbers):
    """Numbers from `low` to `high`; with `log` each factor is as likely as another, with `step` only some are drawn."""

    type: Literal["float"] = "float"

    def points(self) -> list[Any] | None:
        """All values, for a grid; None where they cannot be counted."""
        if self.step is None:
            return None
        steps = round((self.high - self.low) / self.step)
        return [float(f"{self.low + i * self.step:.12g}") for i in range(steps + 1)]


class IntRange(_Numbers):
    """Whole numbers from `low` to `high`, each `step`-th one."""

    type: Literal["int"] = "int"
    low: int
    high: int
    step: int = Field(1, ge=1)

    def points(self) -> list[Any] | None:
        """All values, for a grid."""
        return list(range(self.low, self.high + 1, self.step))


class Choices(_Range):
    """One of some values of any kind."""

    type: Literal["categorical"] = "categorical"
    choices: list[Any] = Field(min_length=1)

    @model_validator(mode="after")
    def _differ(self) -> "Choices":
        written = [_as_json(value) for value in self.choices]
        if len(written) == 1:
            raise ValueError(f"choices {written[0]} is one value only: {IN_CONFIG}")
        for value in written:
            if written.count(value) > 1:
                raise ValueError(f"choices name {value} twice: keep one")
        return self

    def samples(self) -> list[Any]:
        """Values that stand for all others in a check."""
        return self.choices

    def points(self) -> list[Any] | None:
        """All values, for a grid."""
        return self.choices

    def holds(self, value: Any) -> bool:
        """Whether `value` can be drawn."""
        return _as_json(value) in map(_as_json, self.choices)


Range = FloatRange | IntRange | Choices
KINDS: dict[str, type[Range]] = {"float": FloatRange, "int": IntRange, "categorical": Choices}


def distribution(range_: Range) -> "BaseDistribution":
    """Return a range in Optuna's words."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(range_, Choices):
        return CategoricalDistribution([_as_json(value) for value in range_.choices])
    kind = IntDistribution if isinstance(range_, IntRange) else FloatDistribution
    return kind(range_.low, range_.high, log=range_.log, step=range_.step)


def to_storage(range_: Range, value: Any) -> Any:
    """Return a value as Optuna keeps it: a choice as JSON, which tells 1, 1.0 and true apart and knows lists."""
    return _as_json(value) if isinstance(range_, Choices) else value


def from_storage(range_: Range, stored: Any) -> Any:
    """Return a value as a config has it."""
    return json.loads(stored) if isinstance(range_, Choices) else stored


def _whole(number: float) -> bool:
    return math.isclose(number, round(number), abs_tol=1e-9)


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
