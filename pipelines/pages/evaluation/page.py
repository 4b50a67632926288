"""Puts the page together: headline, sections, plots, and the data of the table of labels."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hierarchy.disk.paths import local_path
from hierarchy.disk.whole_files import cannot_write, file_refusal, write_output
from hierarchy.errors import DataError
from hierarchy.nodes import Label, named
from pipelines.evaluation.comparison import FLAT, NOT_COMPARED, EvaluationReport
from pipelines.evaluation.excerpts import CHARACTERS, EXCERPTS, pair_excerpts
from pipelines.evaluation.figures import Evaluation
from pipelines.evaluation.levels import FINE, LEVELS
from pipelines.pages.evaluation import sections
from pipelines.pages.evaluation.plots import confusion_plot, reliability_plot, risk_plot
from pipelines.pages.heat import HEAT_GROUPS
from pipelines.pages.shell import check_bokeh, fill_page
from pipelines.pages.words import points, share

if TYPE_CHECKING:
    from pipelines.cross_validation.label_errors import LabelError

COVERAGES = (0.5, 0.7, 0.8, 0.9, 1.0)
SUSPECTS_SHOWN = 50


def write_report(
    report: EvaluationReport, path: str | Path, *, label_errors: "Sequence[tuple[LabelError, str]]" = ()
) -> None:
    """Write a report as one page to open in a browser, which needs no network.

    With the model in memory it shows excerpts of documents; a report that was read from a file says what is left out.

    Parameters
    ----------
    report
        Of `HierarchicalClassifier.evaluate`, or read from a file.
    path
        The file.
    label_errors
        Documents whose label may be wrong, as `pipelines.cross_validation.label_review.read_review` reads them, for a
        section of their own.

    Raises
    ------
    DataError
        `path` cannot be written.
    MissingLibraryError
        Bokeh, which draws the plots, is not installed.
    """
    path = local_path(path)
    refused = file_refusal(path)  # before the plots are drawn
    if refused is not None:
        raise DataError(cannot_write(path, refused))
    write_output(path, report_page(report, label_errors))


def report_page(report: EvaluationReport, label_errors: "Sequence[tuple[LabelError, str]]" = ()) -> str:
    """Draw the page that `write_report` writes."""
    check_bokeh()
    own, levels = report.evaluation, report.evaluation.levels
    drawn = {f"reliability_{level}": reliability_plot(scores, level) for level, scores in levels.items()}
    drawn["risk"] = risk_plot(levels)
    if own.group_mistakes:
        drawn["heat"] = confusion_plot(own)
    names = {row.id: named(row) for row in own.labels}
    model = None if report.material is None else report.material.model
    return fill_page(
        "evaluation",
        title=f"Evaluation on {report.data}" if report.data else "Evaluation",
        figures=_headline(own),
        drawn=drawn,
        report=report,
        own=own,
        rows={row.id: row for row in own.labels},
        groups={row.id: row for row in own.groups},
        trained=sum(row.train_count > 0 for row in own.labels),
        compared_with_flat=any(system in report.baselines for system in FLAT),
        not_compared=NOT_COMPARED,
        **sections.standings(report),
        levels={key: levels[key] for key in LEVELS if key in levels},
        lean=sections.lean,
        risk_at=sections.risk_at,
        coverages=COVERAGES,
        heat_groups=HEAT_GROUPS,
        excerpts=None if report.material is None else partial(pair_excerpts, report.material, own),
        most_excerpts=EXCERPTS,
        characters=CHARACTERS,
        **suspect_words(label_errors, names),
        silent=0 if model is None else len(set(model.taxonomy.label_ids) - set(model.label_ids)),
        data=_data(own, names),
    )


def suspect_words(found: "Sequence[tuple[LabelError, str]]", names: dict[str, str]) -> dict[str, Any]:
    """Return what label_errors.html reads: documents whose label may be wrong, and the names of the labels."""
    return {
        "suspects": found,
        "suspects_shown": SUSPECTS_SHOWN,
        "written": lambda label, earlier: names.get(label, named(Label(label, earlier))),
    }


def _headline(own: Evaluation) -> list[tuple[str, str]]:
    return [
        ("documents", f"{own.documents:,}"),
        ("labels", f"{len(own.labels):,}"),
        ("groups", f"{len(own.groups):,}"),
        ("right label", share(own.accuracy)),
        ("right group", share(own.group_accuracy)),
        *((f"right label among the {k} most probable", share(value)) for k, value in own.top_k.items() if k > 1),
        ("gap of stated and observed probability", f"{points(own.levels[FINE].ece.value)} points"),
    ]


def _data(own: Evaluation, names: dict[str, str]) -> dict[str, Any]:
    """Give what page.js reads: the names of the groups, and the columns of the table of labels."""
    place = {row.id: i for i, row in enumerate(own.labels)}
    group_place = {row.id: i for i, row in enumerate(own.groups)}
    rows = own.labels
    return {
        "groups": [named(row) for row in own.groups],
        "labels": {
            "name": [names[row.id] for row in rows],
            "group": [group_place[row.group] for row in rows],
            "trained": [row.train_count for row in rows],
            "documents": [row.support for row in rows],
            "wrong": [row.wrong for row in rows],
            "recall": [_rounded(row.recall if row.support else None) for row in rows],
            "precision": [_rounded(row.precision if row.predicted else None) for row in rows],
            "f1": [_rounded(row.f1) for row in rows],
            "mistaken": [-1 if row.mistaken_for is None else place[row.mistaken_for] for row in rows],
            "times": [row.mistaken_count for row in rows],
        },
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
