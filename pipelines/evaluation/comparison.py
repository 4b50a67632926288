"""The system beside its baselines: who is better on the same documents, and by how much."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from hierarchy.disk.paths import for_others, local_path
from hierarchy.disk.whole_files import cannot_write, file_refusal, write_output
from hierarchy.errors import DataError
from pipelines.evaluation.bootstrap import (
    Interval,
    bootstrap_interval,
    bootstrap_macro_f1,
    paired_bootstrap,
    paired_bootstrap_macro_f1,
)
from pipelines.evaluation.figures import Evaluation
from pipelines.evaluation.metrics import averaged_scores
from pipelines.promises.kept import KeptPromise

if TYPE_CHECKING:
    from pipelines.cross_validation.label_errors import LabelError
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
    "Not compared with a flat model: none was fitted beside this one; evaluate fits them, given the training documents."
)
COMPARED_EARLIER = "Not compared with a flat model now, only earlier."
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

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "BaselineResult":
        """Read what ``dataclasses.asdict`` gave."""
        intervals = {
            name: None if values[name] is None else Interval(**values[name])
            for name in ("accuracy_difference", "macro_f1_difference")
        }
        return cls(**{**values, **intervals})


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
        return {
            "data": self.data,
            "documents": self.documents,
            "verdict": self.verdict,
            "notes": list(self.notes),
            "accuracy": dataclasses.asdict(self.accuracy),
            "macro_f1": dataclasses.asdict(self.macro_f1),
            "baselines": {name: dataclasses.asdict(result) for name, result in self.baselines.items()},
            "promises": [dataclasses.asdict(promise) for promise in self.promises],
            "evaluation": self.evaluation.as_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "EvaluationReport":
        """Read what `as_dict` gave, also after a detour over JSON."""
        return cls(
            evaluation=Evaluation.from_dict(values["evaluation"]),
            data=values["data"],
            accuracy=Interval(**values["accuracy"]),
            macro_f1=Interval(**values["macro_f1"]),
            baselines={name: BaselineResult.from_dict(one) for name, one in values["baselines"].items()},
            notes=tuple(values["notes"]),
            promises=tuple(KeptPromise(**promise) for promise in values.get("promises", ())),
        )

    def to_json(self, path: str | Path) -> None:
        """Write the report to a JSON file."""
        text = json.dumps(self.as_dict(), ensure_ascii=False, indent=2, allow_nan=False)
        write_output(local_path(path), text + "\n")

    def to_html(self, path: str | Path, *, label_errors: "Sequence[tuple[LabelError, str]]" = ()) -> None:
        """Write the report as one page to open in a browser, which needs no network.

        With the model in memory it shows excerpts of documents; a report that was read from a file says what is left
        out.

        Parameters
        ----------
        path
            The file.
        label_errors
            Documents whose label may be wrong, as `pipelines.cross_validation.label_review.read_review` reads them, for
            a section of their own.

        Raises
        ------
        DataError
            `path` cannot be written.
        MissingLibraryError
            Bokeh, which draws the plots, is not installed.
        """
        from pipelines.pages.evaluation import report_page

        path = local_path(path)
        refused = file_refusal(path)  # before the plots are drawn
        if refused is not None:
            raise DataError(cannot_write(path, refused))
        write_output(path, report_page(self, label_errors))

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
        Model and texts, for the excerpts of `EvaluationReport.to_html`.
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
        macro = paired_bootstrap_macro_f1(gold, predicted, answer, resamples=resamples, random_state=random_state)
        results[name] = BaselineResult(
            accuracy=float(np.mean(gold == answer)),
            macro_f1=averaged_scores(gold, answer, "macro").f1,
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
