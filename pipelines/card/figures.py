"""The figures of a model card: how good, how far to trust the probabilities, where it fails."""

from typing import Any

from hierarchy.nodes import named
from hierarchy.text.wording import count
from pipelines.evaluation.comparison import FLAT, BaselineResult, EvaluationReport
from pipelines.evaluation.levels import FINE
from pipelines.evaluation.report import baselines_table, promises_table, with_errors, worst_groups, worst_labels
from pipelines.promises.promises import Promises

WORST = 5  # groups, labels and pairs that a card shows; `evaluate` shows more


def key_figures(report: EvaluationReport | None) -> list[tuple[str, str]]:
    """Give the lines of the first table that tell how good the model is."""
    if report is None:
        return [("how good it is", "not measured")]
    own = report.evaluation
    flat = {name: report.baselines[name] for name in FLAT if name in report.baselines}
    best = max(flat, key=lambda name: flat[name].accuracy, default=None)
    rows = [
        (
            "how good it is",
            f"{report.accuracy.value:.1%} of {count(report.documents, 'document')} right ({report.data})",
        ),
        ("beside flat models", "not compared: none was fitted" if best is None else _best(best, flat[best])),
    ]
    if own.accuracy < 1:
        rows.append(("where it fails most", ", ".join(map(named, with_errors(own.groups)[:3]))))
    return rows


def _best(name: str, result: BaselineResult) -> str:
    standing = {"better": ", better than this model", "level": ", level with this model"}.get(result.standing, "")
    where = f" (measured earlier, on {result.data})" if result.source == "stored" else ""
    return f"{result.accuracy:.1%} for the best of them, {name}{standing}{where}"


def evaluated(report: EvaluationReport | None, promises: Promises | None) -> dict[str, Any]:
    """Return what the template reads about figures and promises."""
    limits = [] if promises is None else [
        f"{what} above probability {limit:.4f}"
        for what, limit in (("the fine label", promises.back_off.fine), ("the group", promises.back_off.group))
        if limit is not None
    ]  # fmt: skip
    if report is None:
        return {"report": None, "own": None, "limits": limits}
    own = report.evaluation
    thirds = {name: third for name, third in own.thirds.items() if third.train_counts is not None}
    names = {row.id: named(row) for row in own.labels}
    return {
        "report": report,
        "own": own,
        "limits": limits,
        "level": own.levels[FINE],
        "beside": baselines_table(report),
        "kept": promises_table(report),
        # Labels with equally many documents are one third.
        "thirds": [one for one in thirds.items() if one[1].f1 is not None] if len(thirds) > 1 else [],
        "worst_tables": [worst_groups(report, WORST), worst_labels(report, WORST)],
        "mistaken": [f"{names[p.gold]} for {names[p.predicted]} ({p.count})" for p in own.pairs[:WORST]],
    }
