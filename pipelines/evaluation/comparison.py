"""The system beside its baselines: who is better on the same documents, and by how much."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from hierarchy.disk.paths import for_others, local_path
from hierarchy.disk.whole_files import write_output
from pipelines.evaluation.bootstrap import (
    Interval,
    bootstrap_interval,
    bootstrap_macro_f1,
    paired_bootstrap,
    paired_bootstrap_macro_f1,
)
from pipelines.evaluation.figures import PER_DOCUMENT, Evaluation
from pipelines.evaluation.levels import FINE, GROUP, LEVELS
from pipelines.evaluation.metrics import accuracy_and_macro_f1
from pipelines.evaluation.score_tables import THIRDS
from pipelines.evaluation.sources import SLICES
from pipelines.model.artifact.schemas.checking import refusing
from pipelines.promises.kept import KeptPromise

if TYPE_CHECKING:
    from pipelines.evaluation.excerpts import Material

SVM = "tf-idf + linear svm"
LOGISTIC = "logistic regression on vectors"
NO_TREE = "no tree (b = 0)"
NO_NGRAMS = "no n-grams (c = 0)"
NEITHER = "neither"
CLASSIC = "classic chain"
BASELINES = (SVM, LOGISTIC, NO_TREE, NO_NGRAMS, NEITHER, CLASSIC)  # in the order of a report
FLAT = (SVM, LOGISTIC)  # models of their own that know no groups
GROUPS_IGNORED = (NO_TREE, NEITHER)  # this model's own rows: to beat these says nothing about a flat model
NOT_COMPARED = (
    "Not compared with a flat model: none was fitted beside this one; evaluate --train fits them, given the training "
    "documents."
)
COMPARED_EARLIER = "Not compared with a flat model now, only earlier."
LARGEST = 10**12  # of figures: what is above is none
Standing: TypeAlias = Literal["better", "level", "worse", "unknown"]


@dataclass(frozen=True)
class BaselineResult:
    """What another system reaches, and how far the evaluated one lies above it (system minus baseline).

    ``fitted``: measured on the documents of the report. ``stored``: measured earlier, on the documents that
    `data` names; its differences, if any, are about those documents too.
    """

    accuracy: float
    macro_f1: float
    accuracy_difference: Interval | None = None
    macro_f1_difference: Interval | None = None
    source: Literal["fitted", "stored"] = "fitted"
    data: str = ""

    @property
    def standing(self) -> Standing:
        """Whether it is clearly better or worse than the system, level (the interval holds 0), or not known."""
        difference = self.accuracy_difference
        if difference is None:
            return "unknown"
        if not difference.excludes_zero:
            return "level"
        return "better" if difference.value < 0 else "worse"

    def stored(self) -> "BaselineResult":
        """Give the same figures, marked as measured earlier."""
        return dataclasses.replace(self, source="stored")


@dataclass(frozen=True)
class EvaluationReport:
    """A system's evaluation with its intervals, and the baselines beside it.

    `data` names the documents. `accuracy` and `macro_f1` repeat the evaluation's figures with their bootstrap
    intervals. `promises` tell what became of the model's promises. `notes` are sentences for the reader. `material`
    (model and texts, for the page's excerpts) stays in memory only: `as_dict` leaves it out.
    """

    evaluation: Evaluation
    data: str
    accuracy: Interval
    macro_f1: Interval
    baselines: dict[str, BaselineResult]
    notes: tuple[str, ...] = ()
    promises: tuple[KeptPromise, ...] = ()
    material: "Material | None" = field(default=None, repr=False, compare=False)

    @property
    def documents(self) -> int:
        """How many documents were evaluated."""
        return self.evaluation.documents

    @property
    def verdict(self) -> str:
        """Say in plain words whether a flat model is better, with the interval, and no more than was measured."""
        flat = {name: self.baselines[name] for name in FLAT if name in self.baselines}
        ignored = {name: self.baselines[name] for name in GROUPS_IGNORED if name in self.baselines}
        told = [self._sentence(name, one) for name, one in (flat | ignored).items() if one.standing == "better"]
        if not flat:
            return " ".join([NOT_COMPARED, *told])
        if not told:
            closest = min(flat, key=lambda name: self._margin(flat[name]))
            nobody = flat[closest].standing == "worse"
            told = ["No flat baseline has a higher accuracy."] if nobody else []
            told.append(self._sentence(closest, flat[closest]))
        return " ".join([COMPARED_EARLIER, *told] if all(one.source == "stored" for one in flat.values()) else told)

    def noting(self, lines: Sequence[str]) -> "EvaluationReport":
        """Return the report with more notes; those that it has already are not said twice."""
        return dataclasses.replace(self, notes=tuple(dict.fromkeys((*self.notes, *lines))))

    def as_dict(self) -> dict[str, Any]:
        """Give the report ready for JSON; answers of single documents are left out."""
        told = _ReportFile.model_construct(**{name: getattr(self, name) for name in _ReportFile.model_fields})
        values = told.model_dump(mode="json", exclude={"evaluation": set(PER_DOCUMENT)})
        return {"data": self.data, "documents": self.documents, "verdict": self.verdict, **values}

    @classmethod
    def from_dict(cls, values: Any, where: str | Path = "report") -> "EvaluationReport":
        """Read what `as_dict` gave, also after a detour over JSON.

        Parameters
        ----------
        values
            May come from a stranger: everything is compared with everything else.
        where
            Names the file in errors.

        Raises
        ------
        ArtifactError
            It is no report; names each key that is missing, unknown or has a wrong value.
        """
        if isinstance(values, Mapping):  # what follows from the rest is not read
            values = {name: value for name, value in values.items() if name not in ("documents", "verdict")}
        # Names of files may hold bytes that are no text.
        text = json.dumps(values, ensure_ascii=False).encode("utf-8", "replace")
        with refusing(Path(where)):
            return cls(**dict(_ReportFile.model_validate_json(text)))

    def to_json(self, path: str | Path) -> None:
        """Write the report to a JSON file."""
        text = json.dumps(self.as_dict(), ensure_ascii=False, indent=2, allow_nan=False)
        write_output(local_path(path), text + "\n")

    def _margin(self, result: BaselineResult) -> float:
        """Accuracy of the system minus that of the baseline."""
        if result.accuracy_difference is not None:
            return result.accuracy_difference.value
        return self.evaluation.accuracy - result.accuracy

    def _sentence(self, name: str, result: BaselineResult) -> str:
        margin = self._margin(result)
        own = result.accuracy + margin
        where = f" on {result.data}" if result.source == "stored" and result.data else ""
        who = f"{name} reaches accuracy {result.accuracy:.4f}{where}, this model {own:.4f}"
        interval = result.accuracy_difference
        if interval is None:
            lead = "Flat may win: " if margin < 0 else ""
            return f"{lead}{who}, on other documents; refit the baseline to compare."
        points = f"{100 * margin:+.1f} points for this model"
        span = f"{interval.level:.0%} interval {100 * interval.low:+.1f} to {100 * interval.high:+.1f}"
        if result.standing == "level":
            return f"No flat baseline wins: {who}: the two are level ({points}, {span}, which holds zero)."
        wins = "Flat wins: " if name in FLAT else "This model is better without its groups: "
        lead = wins if result.standing == "better" else ""
        return f"{lead}{who}: {points} ({span})."


class _ReportFile(BaseModel):
    """What a file tells of a report, checked."""

    model_config = ConfigDict(strict=True, extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)

    notes: tuple[str, ...]
    accuracy: Interval
    macro_f1: Interval
    baselines: dict[str, BaselineResult]
    promises: tuple[KeptPromise, ...]
    evaluation: Evaluation
    data: str

    @model_validator(mode="after")
    def _agree(self) -> "_ReportFile":
        one = self.evaluation
        for number in _numbers(dataclasses.asdict(one), *map(dataclasses.asdict, self.baselines.values())):
            if not (0 <= number <= LARGEST if isinstance(number, int) else -LARGEST <= number <= LARGEST):
                raise ValueError(f"{number} is no figure of an evaluation")
        labels, groups = {row.id for row in one.labels}, {row.id for row in one.groups}
        for what, named, known in (
            ("group", [row.group for row in one.labels] + [row.mistaken_for for row in one.groups], groups),
            ("label", [row.mistaken_for for row in one.labels], labels),
            ("label", [name for pair in one.pairs for name in (pair.gold, pair.predicted)], labels),
        ):
            if unknown := {name for name in named if name} - known:
                raise ValueError(f"evaluation: {min(unknown)!r} is no {what} of its tables")
        for name, found, least, most in (
            ("thirds", one.thirds, THIRDS, THIRDS),
            ("levels", one.levels, (FINE, GROUP), LEVELS),
        ):
            if not {*least} <= {*found} <= {*most}:
                raise ValueError(f"evaluation.{name}: they are not {', '.join(most)}")
        if any(part.name not in SLICES or not part.documents for part in one.slices):
            raise ValueError("evaluation.slices: one has no documents, or a name that is not known")
        if any(max(gold, answer) >= len(one.groups) for gold, answer, _ in one.group_mistakes):
            raise ValueError("evaluation.group_mistakes: one is none of its groups")
        return self


def _numbers(*values: Any) -> Iterator[float]:
    for value in values:
        if isinstance(value, dict):
            yield from _numbers(*value.values())
        elif isinstance(value, list | tuple):
            yield from _numbers(*value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield value


def compare(
    evaluation: Evaluation,
    data: str,
    *,
    answers: Mapping[str, np.ndarray],
    stored: Mapping[str, BaselineResult] | None = None,
    notes: Sequence[str] = (),
    promises: Sequence[KeptPromise] = (),
    material: "Material | None" = None,
    resamples: int = 1000,
    random_state: int = 0,
) -> EvaluationReport:
    """Put an evaluation beside its baselines, with paired bootstrap intervals.

    Parameters
    ----------
    evaluation
        The system's, fresh from `evaluate_predictions`.
    data
        Name of the documents.
    answers
        For each baseline (`BASELINES` names them), the answered columns ``(documents,)`` for the same
        documents, numbered as in `evaluate_predictions`.
    stored
        Results of baselines that were measured earlier; one in `answers` goes before one in here.
    notes
        Sentences for the reader.
    promises
        What became of the model's promises.
    material
        Model and texts, for the excerpts of its page.
    resamples, random_state
        Of the bootstrap.

    Raises
    ------
    DataError
        If `evaluation` was read from a file, which keeps no answers of single documents.
    """
    data = for_others(data)
    gold, predicted, correct = evaluation.answers
    results = {name: result.stored() for name, result in (stored or {}).items()}
    for name, answer in answers.items():
        answer = np.asarray(answer, dtype=np.int64)
        difference = paired_bootstrap(correct, gold == answer, resamples=resamples, random_state=random_state)
        figures = accuracy_and_macro_f1(gold, answer)
        macro = paired_bootstrap_macro_f1(gold, predicted, answer, resamples=resamples, random_state=random_state)
        results[name] = BaselineResult(
            accuracy=figures["accuracy"],
            macro_f1=figures["macro_f1"],
            accuracy_difference=difference,
            macro_f1_difference=macro,
            data=data,
        )
    order = [name for name in BASELINES if name in results] + [n for n in results if n not in BASELINES]
    return EvaluationReport(
        evaluation=evaluation,
        data=data,
        accuracy=bootstrap_interval(correct, resamples=resamples, random_state=random_state),
        macro_f1=bootstrap_macro_f1(gold, predicted, resamples=resamples, random_state=random_state),
        baselines={name: results[name] for name in order},
        notes=tuple(notes),
        promises=tuple(promises),
        material=material,
    )
