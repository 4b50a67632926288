"""An evaluation report to read: tables for the terminal, and as Markdown for the model card."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hierarchy.nodes import named
from hierarchy.text.escaping import markdown
from hierarchy.text.wording import count
from pipelines.evaluation.bootstrap import Interval
from pipelines.evaluation.comparison import BaselineResult, EvaluationReport
from pipelines.evaluation.levels import FINE, GROUP, LEVELS, TAIL, LevelScores
from pipelines.evaluation.metrics import Scores
from pipelines.evaluation.score_tables import GroupRow, LabelRow

Row = TypeVar("Row", bound=LabelRow | GroupRow)
WORST = 10  # groups and labels with the most wrong documents that are shown


@dataclass(frozen=True)
class Table:
    """A table of plain strings; the first column is text, the others are figures."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def markdown_table(table: Table, *, text_columns: int = 1) -> list[str]:
    """Give the lines of one table; figures stand to the right, and no cell is read as Markdown.

    Parameters
    ----------
    table
        Its title is left out.
    text_columns
        How many columns from the left are text.
    """
    sides = " --- |" * text_columns + " ---: |" * (len(table.columns) - text_columns)
    return [_markdown_row(table.columns), f"|{sides}", *map(_markdown_row, table.rows)]


def tables(report: EvaluationReport) -> list[Table]:
    """Give the tables of a report: figures, probabilities, promises, baselines, and the worst groups and labels."""
    made = [_figures(report), _levels(report), promises_table(report), baselines_table(report)]
    made += [worst_groups(report), worst_labels(report)]
    return [table for table in made if table.rows]


def _figures(report: EvaluationReport) -> Table:
    own = report.evaluation
    rows = [
        ("accuracy", with_span(report.accuracy)),
        ("macro-F1", with_span(report.macro_f1)),
        ("macro precision / recall", f"{own.macro.precision:.4f} / {own.macro.recall:.4f}"),
        ("weighted precision / recall / F1", _three(own.weighted)),
        ("micro precision / recall / F1", _three(own.micro)),
    ]
    for name in ("head", "middle", "tail"):
        third = own.thirds[name]
        if third.train_counts is not None:
            what = f"{name} F1 ({count(third.labels, 'label')} with {span(*third.train_counts)} training documents)"
            rows.append((what, _figure(third.f1)))
    rows += [(f"top-{k} accuracy", f"{share:.4f}") for k, share in own.top_k.items()]
    left_out = f" ({count(own.auc.left_out, 'label')} without positives left out)" if own.auc.left_out else ""
    rows += [
        (f"macro AUC-ROC{left_out}", _figure(own.auc.value)),
        ("hierarchical precision / recall / F1", _three(own.hierarchical)),
        ("group accuracy, of the answered label", f"{own.group_accuracy:.4f}"),
        ("group macro-F1, of the answered label", f"{own.group_macro_f1:.4f}"),
        ("group accuracy of the coarse stage alone", f"{own.coarse_accuracy:.4f}"),
        ("gold group in the beam", f"{own.coarse_in_beam:.4f}"),
        ("routing errors (wrong group)", f"{own.routing_errors:.4f}"),
        ("head errors (right group, wrong label)", f"{own.head_errors:.4f}"),
    ]
    if own.unseen:
        rows.append(("documents of labels without training documents", str(own.unseen)))
    title = f"Evaluation on {report.data}" if report.data else "Evaluation"
    return Table(f"{title} ({count(report.documents, 'document')})", ("figure", "value"), rows)


def _levels(report: EvaluationReport) -> Table:
    levels = report.evaluation.levels
    headings = {FINE: "fine label", GROUP: "most probable group", TAIL: "documents of tail labels"}
    shown = {name: levels[name] for name in LEVELS if name in levels}
    lines: list[tuple[str, Callable[[LevelScores], str]]] = [
        ("documents", lambda level: str(level.documents)),
        ("accuracy", lambda level: f"{level.accuracy:.4f}"),
        ("Brier score", lambda level: f"{level.brier:.4f}"),
        ("negative log-likelihood", lambda level: f"{level.nll:.4f}"),
        ("expected calibration error (ECE)", lambda level: with_span(level.ece)),
        ("ECE that 95% of calibrated models stay below", lambda level: f"{level.ece_calibrated:.4f}"),
        ("area under risk-coverage (AURC)", lambda level: f"{level.aurc:.4f}"),
    ]
    rows = [(name, *(cell(level) for level in shown.values())) for name, cell in lines]
    return Table("Probabilities", ("figure", *(headings[name] for name in shown)), rows)


def promises_table(report: EvaluationReport) -> Table:
    """Give what was promised beside what was found."""
    rows = [
        (kept.what, f"{kept.promised:.4f}", _figure(kept.found), str(kept.documents), f"{kept.share:.4f}")
        for kept in report.promises
    ]
    return Table("Promises", ("what", "promised", "found", "of", "share of the documents"), rows)


def baselines_table(report: EvaluationReport) -> Table:
    """Give the model beside the other systems; no rows where none was measured."""
    rows = [
        (
            name,
            f"{result.accuracy:.4f}",
            _difference(result.accuracy_difference),
            f"{result.macro_f1:.4f}",
            _difference(result.macro_f1_difference),
            _source(result),
        )
        for name, result in report.baselines.items()
    ]
    if rows:
        own = ("this model", f"{report.accuracy.value:.4f}", "", f"{report.macro_f1.value:.4f}", "", "")
        rows.insert(0, own)
    lead = "model minus it, points"
    columns = ("system", "accuracy", lead, "macro-F1", lead, "measured")
    return Table("Beside other systems", columns, rows)


def worst_groups(report: EvaluationReport, shown: int = WORST) -> Table:
    """Give the groups with the most wrong documents, at most `shown`."""

    def cells(row: GroupRow) -> tuple[str, ...]:
        figures = map(_figure, (row.accuracy, row.f1, row.routing_errors, row.head_errors))
        return str(row.labels), str(row.support), *figures

    columns = ("group", "labels", "documents", "accuracy", "group F1", "routing errors", "head errors")
    return _worst("Groups", columns, report.evaluation.groups, cells, shown)


def worst_labels(report: EvaluationReport, shown: int = WORST) -> Table:
    """Give the labels with the most wrong documents, at most `shown`."""
    groups = {row.id: named(row) for row in report.evaluation.groups}

    def cells(row: LabelRow) -> tuple[str, ...]:
        figures = map(_figure, (row.precision, row.recall, row.f1))
        return groups[row.group], str(row.train_count), str(row.support), *figures

    columns = ("label", "group", "trained on", "documents", "precision", "recall", "F1")
    return _worst("Labels", columns, report.evaluation.labels, cells, shown)


def _worst(
    what: str, columns: tuple[str, ...], rows: Sequence[Row], cells: Callable[[Row], tuple[str, ...]], shown: int
) -> Table:
    """Give a table of those with wrong documents: the name, the cells of each, and what it is mistaken for."""
    names = {one.id: named(one) for one in rows}
    wrong = with_errors(rows)
    lines = [(names[row.id], *cells(row), _mistaken(row, names)) for row in wrong[:shown]]
    title = f"{what} with the most wrong documents ({len(lines)} of {len(wrong)})"
    return Table(title, (*columns, "mistaken for"), lines)


def with_errors(rows: Sequence[Row]) -> list[Row]:
    """Give the labels or groups with wrong documents, those with the most first."""
    return sorted((row for row in rows if row.wrong), key=lambda row: -row.wrong)


def _mistaken(row: Row, names: Mapping[str, str]) -> str:
    return f"{names[row.mistaken_for]} ({row.mistaken_count})" if row.mistaken_for else ""


def _figure(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4f}"


def _three(scores: Scores) -> str:
    return f"{scores.precision:.4f} / {scores.recall:.4f} / {scores.f1:.4f}"


def span(low: int, high: int) -> str:
    """Write a range of numbers, or the one number that it is."""
    return f"{low}" if low == high else f"{low} to {high}"


def with_span(interval: Interval) -> str:
    """Write a figure with its interval."""
    return f"{interval.value:.4f} ({interval.level:.0%} interval {interval.low:.4f} to {interval.high:.4f})"


def _difference(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f"{100 * interval.value:+.1f} ({100 * interval.low:+.1f} to {100 * interval.high:+.1f})"


def _source(result: BaselineResult) -> str:
    if result.source == "fitted":
        return "now"
    return f"earlier, on {result.data}" if result.data else "earlier"


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(markdown, cells)) + " |"
