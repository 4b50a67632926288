"""``metrics.json``: the figures of an evaluation, which cards and reports show."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from hierarchy.errors import ArtifactError
from pipelines.evaluation.bootstrap import Interval
from pipelines.evaluation.comparison import BaselineResult, EvaluationReport
from pipelines.evaluation.figures import Evaluation
from pipelines.evaluation.score_tables import THIRDS
from pipelines.evaluation.sources import SHORT_TEXTS, TAIL_LABELS, UNSEEN_LABELS
from pipelines.model.artifact.schemas.checking import REMEDY, refusal
from pipelines.promises.kept import KeptPromise

LARGEST = 10**12  # of figures: what is above is none


class _Metrics(BaseModel):
    model_config = ConfigDict(strict=True, arbitrary_types_allowed=True, allow_inf_nan=False)

    data: str
    accuracy: Interval
    macro_f1: Interval
    baselines: dict[str, BaselineResult]
    notes: tuple[str, ...]
    promises: tuple[KeptPromise, ...]
    evaluation: Evaluation

    @model_validator(mode="after")
    def _agree(self) -> "_Metrics":
        for number in _numbers(dataclasses.asdict(self.evaluation), *map(dataclasses.asdict, self.baselines.values())):
            if not (0 <= number <= LARGEST if isinstance(number, int) else -LARGEST <= number <= LARGEST):
                raise ValueError(f"{number} is no figure of an evaluation")
        one = self.evaluation
        labels, groups = {row.id for row in one.labels}, {row.id for row in one.groups}
        for what, named, known in (
            ("group", [row.group for row in one.labels] + [row.mistaken_for for row in one.groups], groups),
            ("label", [row.mistaken_for for row in one.labels], labels),
            ("label", [name for pair in one.pairs or () for name in (pair.gold, pair.predicted)], labels),
        ):
            if unknown := {name for name in named if name} - known:
                raise ValueError(f"evaluation: {min(unknown)!r} is no {what} of its tables")
        if not {*THIRDS} >= set(one.thirds):
            raise ValueError(f"evaluation.thirds: they are not {', '.join(THIRDS)}")
        if any(
            part.name not in (TAIL_LABELS, SHORT_TEXTS, UNSEEN_LABELS) or not part.documents
            for part in one.slices or ()
        ):
            raise ValueError("evaluation.slices: one has no documents, or a name that is not known")
        if any(max(gold, answer) >= len(one.groups) for gold, answer, _ in one.group_mistakes or ()):
            raise ValueError("evaluation.group_mistakes: one is none of its groups")
        return self


def check_metrics(content: Any, where: Path) -> None:
    """Check the figures of an evaluation, of any version; see `checked`."""
    try:
        report = EvaluationReport.from_dict(content)
        parts = {name: getattr(report, name) for name in _Metrics.model_fields}
        # Names of files may hold bytes that are no text.
        text = json.dumps(parts, default=dataclasses.asdict, ensure_ascii=False).encode("utf-8", "replace")
    except (TypeError, LookupError, ValueError, AttributeError) as error:
        raise ArtifactError(f"it holds no evaluation ({error!r}): {REMEDY}", str(where)) from error
    try:
        _Metrics.model_validate_json(text)
    except ValidationError as error:
        raise refusal(error, where) from None


def _numbers(*values: Any) -> Iterator[float]:
    for value in values:
        if isinstance(value, dict):
            yield from _numbers(*value.values())
        elif isinstance(value, list | tuple):
            yield from _numbers(*value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield value
