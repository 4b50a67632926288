"""Puts the page together: headline, sections, plots, and the data of the table of labels."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hierarchy.disk.paths import local_path
from hierarchy.disk.whole_files import cannot_write, file_refusal, write_output
from hierarchy.errors import DataError
from hierarchy.nodes import named
from pipelines.evaluation.comparison import EvaluationReport
from pipelines.evaluation.excerpts import pair_excerpts
from pipelines.evaluation.figures import Evaluation
from pipelines.evaluation.levels import FINE
from pipelines.pages.evaluation import sections
from pipelines.pages.evaluation.label_errors import suspect_labels
from pipelines.pages.evaluation.pairs import confused_pairs
from pipelines.pages.evaluation.plots import confusion_plot, reliability_plot, risk_plot
from pipelines.pages.shell import check_bokeh, embedded, fill_page
from pipelines.pages.words import name, points, share

if TYPE_CHECKING:
    from pipelines.cross_validation.label_errors import LabelError

FOLDER = Path(__file__).parent
# What would let a text leave its place, as JSON writes it: none of them can stand in a script as it is.
UNSAFE = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


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
    script, places = embedded(drawn)
    names = {row.id: named(row) for row in own.labels}
    excerpts = None if report.material is None else partial(pair_excerpts, report.material, own)
    return fill_page(
        FOLDER,
        title=f"Evaluation on {report.data}" if report.data else "Evaluation",
        figures=_headline(own),
        plots=script,
        data=json.dumps(_data(own, names), ensure_ascii=False, separators=(",", ":")).translate(UNSAFE),
        summary=sections.report_in_short(report),
        error_sources=sections.error_sources(own),
        reliability=sections.reliability(levels, places),
        level_table=sections.figures_of_levels(levels),
        risk_of_surest=share(sections.risk_at(levels[FINE], 0.8)),
        risk_of_all=share(sections.risk_at(levels[FINE], 1.0)),
        risk=places["risk"],
        risk_table=sections.risk_table(levels),
        promises=sections.promises(report),
        group_confusion=sections.group_confusion(own, places),
        confused_pairs=confused_pairs(own, names, excerpts),
        suspect_labels=suspect_labels(label_errors, names),
        notes=sections.notes(_notes(report)),
    )


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


def _notes(report: EvaluationReport) -> list[str]:
    """Give the report's own notes, and what could not be shown, as HTML."""
    own = report.evaluation
    lines = [name(line[:1].upper() + line[1:]) for line in report.notes]
    if own.unseen:
        lines.append(f"Documents whose label had no training documents, so that they count as wrong: {own.unseen:,}.")
    if report.material is None:
        lines.append(
            "Left out: excerpts of documents. This report was read from a file, which holds no texts; evaluate the "
            "model again to see them."
        )
    else:
        model = report.material.model
        silent = len(set(model.taxonomy.label_ids) - set(model.label_ids))
        if silent:
            lines.append(f"Labels of the taxonomy without training documents, which are never answered: {silent:,}.")
    return lines


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
