"""The figures of a model card: how good, how far to trust the probabilities, where it fails."""

from hierarchy.nodes import named
from hierarchy.text.escaping import markdown
from pipelines.evaluation.comparison import FLAT, BaselineResult, EvaluationReport
from pipelines.evaluation.levels import FINE
from pipelines.evaluation.report import (
    Table,
    baselines_table,
    markdown_table,
    promises_table,
    span,
    with_errors,
    with_span,
    worst_groups,
    worst_labels,
)
from pipelines.evaluation.sources import SHORT_TEXTS, TAIL_LABELS, UNSEEN_LABELS, Slice
from pipelines.promises.promises import Promises

WORST = 5  # groups, labels and pairs that a card shows; `evaluate` shows more
UNMEASURED = "The model was not evaluated: `coarsefine evaluate MODEL test.jsonl --train train.jsonl` does it."


def key_figures(report: EvaluationReport | None) -> list[tuple[str, str]]:
    """Give the lines of the first table that tell how good the model is."""
    if report is None:
        return [("how good it is", "not measured")]
    own = report.evaluation
    flat = {name: report.baselines[name] for name in FLAT if name in report.baselines}
    best = max(flat, key=lambda name: flat[name].accuracy, default=None)
    rows = [
        ("how good it is", f"{report.accuracy.value:.1%} of {report.documents} documents right ({report.data})"),
        ("beside flat models", "not compared: none was fitted" if best is None else _best(best, flat[best])),
    ]
    if own.accuracy < 1:
        rows.append(("where it fails most", ", ".join(map(named, with_errors(own.groups)[:3]))))
    return rows


def _best(name: str, result: BaselineResult) -> str:
    standing = {"better": ", better than this model", "level": ", level with this model"}.get(result.standing, "")
    where = f" (measured earlier, on {result.data})" if result.source == "stored" else ""
    return f"{result.accuracy:.1%} for the best of them, {name}{standing}{where}"


def figures(report: EvaluationReport | None, promises: Promises | None) -> list[str]:
    """Give the section with the figures beside the baselines, the probabilities and the promises."""
    if report is None:
        lines = [UNMEASURED]
    else:
        own = report.evaluation
        rows = [
            ("accuracy", with_span(report.accuracy)),
            ("macro-F1 (every label counts alike)", with_span(report.macro_f1)),
            *((f"right label among the best {k}", f"{share:.4f}") for k, share in own.top_k.items() if k > 1),
            ("right group", f"{own.group_accuracy:.4f}"),
        ]
        beside = baselines_table(report)
        lines = [f"Measured on {markdown(report.data)}, {report.documents} documents.", ""]
        lines += markdown_table(Table("", ("figure", "value"), rows))
        lines += ["", *(markdown_table(beside) if beside.rows else []), "", markdown(report.verdict)]
        lines += [line for note in report.notes for line in ("", markdown(note))]
    lines += ["", "### Probabilities and promises", ""]
    lines += ["Probabilities are calibrated on the validation documents, which is a fit and no promise."]
    if report is not None:
        level = report.evaluation.levels[FINE]
        lines += [
            f"On the documents above their expected calibration error is {level.ece.value:.4f} (0 is perfect; 95 % of "
            f"perfectly calibrated models stay below {level.ece_calibrated:.4f})."
        ]
    if promises is None:
        return [*lines, "", "Nothing is promised: no calibration documents were given."]
    lines += ["", "Promised, for documents drawn like the calibration documents:", ""]
    lines += [f"- {line}" for line in _promise_lines(promises)]
    if report is not None and report.promises:
        lines += ["", "What became of it on the documents above:", "", *markdown_table(promises_table(report))]
    return lines


def where_it_fails(report: EvaluationReport | None) -> list[str]:
    """Give the section about the errors: between groups and in them, rare labels, short texts, the worst of all."""
    if report is None:
        return [UNMEASURED]
    own = report.evaluation
    lines = [
        f"{1 - own.accuracy:.1%} of the documents get a wrong label: {own.routing_errors:.1%} land in a wrong group "
        f"(routing errors), {own.head_errors:.1%} in the right group on a wrong label (head errors).",
        "",
        *(f"- {_slice_line(part, own.accuracy)}" for part in own.slices),
    ]
    thirds = {name: third for name, third in own.thirds.items() if third.train_counts is not None}
    for name, third in thirds.items() if len(thirds) > 1 else ():  # labels with equally many documents are one third
        if third.f1 is not None and third.train_counts is not None:
            what = f"{third.labels} labels with {span(*third.train_counts)} training documents"
            lines.append(f"- The {name} third ({what}) reaches F1 {third.f1:.4f}.")
    for table in (worst_groups(report, WORST), worst_labels(report, WORST)):
        if table.rows:
            lines += ["", f"**{table.title}**", "", *markdown_table(table)]
    if own.pairs:
        names = {row.id: named(row) for row in own.labels}
        pairs = [f"{names[pair.gold]} for {names[pair.predicted]} ({pair.count})" for pair in own.pairs[:WORST]]
        lines += ["", f"Most often mistaken, the right label first: {markdown('; '.join(pairs))}."]
    return lines


def _slice_line(part: Slice, accuracy: float) -> str:
    who = {
        TAIL_LABELS: f"Documents of rare labels (up to {part.limit} training documents)",
        SHORT_TEXTS: f"The shortest tenth of the texts (up to {part.limit} characters)",
        UNSEEN_LABELS: "Documents of labels without training documents",
    }[part.name]
    return f"{who}: {part.errors / part.documents:.1%} of {part.documents} wrong, against {1 - accuracy:.1%} of all."


def _promise_lines(promises: Promises) -> list[str]:
    back_off, conformal = promises.back_off, promises.conformal
    answers = [
        f"{what} above probability {threshold:.4f}"
        for what, threshold in (("the fine label", back_off.fine), ("else the group", back_off.group))
        if threshold is not None
    ]
    lines = [
        f"on {promises.documents} calibration documents, with routing {promises.routing}",
        f"answers with {', '.join(answers)}: each level keeps precision {back_off.precision:g}, with probability "
        f"{1 - back_off.delta:g} over the calibration documents"
        if answers
        else f"no answer keeps precision {back_off.precision:g} on these documents: the model abstains always",
        f"conformal sets hold the right label {conformal.coverage:.0%} of the time"
        + ("; sets of labels in every group apart" if conformal.groups else ""),
    ]
    if promises.out_of_scope is not None:
        lines.append(f"at most {promises.out_of_scope.false_alarms:.1%} of documents in scope seem out of scope")
    return lines
