"""Puts the page together: headline, sections, plots, and the data of the table of labels."""

import json
from collections.abc import Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hierarchy.nodes import named
from pipelines.evaluation.comparison import EvaluationReport
from pipelines.evaluation.excerpts import pair_excerpts
from pipelines.evaluation.figures import Evaluation
from pipelines.evaluation.levels import FINE, GROUP
from pipelines.pages.evaluation import sections
from pipelines.pages.evaluation.label_errors import suspect_labels
from pipelines.pages.evaluation.pairs import confused_pairs
from pipelines.pages.evaluation.plots import confusion_plot, reliability_plot, risk_plot
from pipelines.pages.evaluation.words import name, points, share
from pipelines.pages.shell import check_bokeh, embedded, fill_page, headline

if TYPE_CHECKING:
    from pipelines.cross_validation.label_errors import LabelError

FOLDER = Path(__file__).parent
# What would let a text leave its place, as JSON writes it: none of them can stand in a script as it is.
UNSAFE = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def report_page(report: EvaluationReport, label_errors: "Sequence[tuple[LabelError, str]]" = ()) -> str:
    """Draw a report as one HTML page that needs nothing beside it and no network.

    Parameters
    ----------
    report
        Fresh from an evaluation, with excerpts of wrongly answered documents; read from a file, without.
    label_errors
        Documents whose label may be wrong, each with an excerpt or an empty string.

    Raises
    ------
    MissingLibraryError
        Where Bokeh, which draws the plots, is not installed.
    """
    check_bokeh()
    own, levels = report.evaluation, report.evaluation.levels or {}
    drawn = {f"reliability_{level}": reliability_plot(scores, level) for level, scores in levels.items()}
    if FINE in levels and GROUP in levels:
        drawn["risk"] = risk_plot(levels)
    heat = confusion_plot(own)
    if heat is not None:
        drawn["heat"] = heat
    script, places = embedded(drawn) if drawn else ("", {})
    names = {row.id: named(row) for row in own.labels}
    excerpts = None if report.material is None else partial(pair_excerpts, report.material, own)
    parts = (  # in the order of reading; one that has nothing to say is empty
        sections.report_in_short(report),
        sections.error_sources(own),
        sections.probabilities(levels, places),
        sections.coverage(levels, places),
        sections.promises(report),
        sections.group_confusion(own, places),
        confused_pairs(own, names, excerpts),
        suspect_labels(label_errors, names),
        sections.label_table(),
        sections.notes(_notes(report)),
    )
    return fill_page(
        FOLDER,
        title=escape(f"Evaluation on {report.data}" if report.data else "Evaluation"),
        figures=_headline(own),
        sections="\n".join(part for part in parts if part),
        data=json.dumps(_data(own, names), ensure_ascii=False, separators=(",", ":")).translate(UNSAFE),
        plots=script,
    )


def _headline(own: Evaluation) -> str:
    figures = [
        ("documents", f"{own.documents:,}"),
        ("labels", f"{len(own.labels):,}"),
        ("groups", f"{len(own.groups):,}"),
        ("right label", share(own.accuracy)),
        ("right group", share(own.group_accuracy)),
    ]
    figures += [(f"right label among the {k} most probable", share(value)) for k, value in own.top_k.items() if k > 1]
    if own.levels and FINE in own.levels:
        figures.append(("gap of stated and observed probability", f"{points(own.levels[FINE].ece.value)} points"))
    return headline(figures)


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
    if own.levels is None:
        lines.append(
            "Left out: probabilities, documents that go wrong more often, and what is taken for what. This report was "
            "written by an earlier version; evaluate the model again to see them."
        )
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
            "wrong": [round(row.support * (1 - (row.recall or 0.0))) for row in rows],
            "recall": [_rounded(row.recall if row.support else None) for row in rows],
            "precision": [_rounded(row.precision if row.predicted else None) for row in rows],
            "f1": [_rounded(row.f1) for row in rows],
            "mistaken": [-1 if row.mistaken_for is None else place[row.mistaken_for] for row in rows],
            "times": [row.mistaken_count for row in rows],
        },
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
