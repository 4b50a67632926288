"""The sections of the page, each a function from figures to HTML, in words for readers who train no models."""

from collections.abc import Mapping, Sequence

from pipelines.evaluation.comparison import (
    CLASSIC,
    FLAT,
    LOGISTIC,
    NEITHER,
    NO_NGRAMS,
    NO_TREE,
    NOT_COMPARED,
    SVM,
    EvaluationReport,
)
from pipelines.evaluation.figures import Evaluation
from pipelines.evaluation.levels import FINE, GROUP, LEVELS, TAIL, LevelScores
from pipelines.evaluation.sources import SHORT_TEXTS, TAIL_LABELS, Slice
from pipelines.pages.heat import HEAT_GROUPS
from pipelines.pages.shell import boxed_table, section
from pipelines.pages.words import difference, ends, name, points, share
from pipelines.promises.kept import FALSE_ALARMS, FINE_ANSWERS, GROUP_ANSWERS, LABEL_SETS, TREE_NODES

WHAT = {  # the baselines, for readers who do not know their names
    SVM: "counts words and knows no groups: the usual quick solution",
    LOGISTIC: "reads texts as this model's encoder does, and knows neither groups nor single words",
    NO_TREE: "this model, its groups ignored",
    NO_NGRAMS: "this model without its word counts",
    NEITHER: "this model with neither groups nor word counts",
    CLASSIC: "chooses the group first, then a label inside it: a wrong first step is final",
}
PROMISED = {
    FINE_ANSWERS: "right label, where the model is sure of it",
    GROUP_ANSWERS: "right group, where it is sure of that only",
    LABEL_SETS: "the set holds the right label",
    TREE_NODES: "the right label stands under the node of the tree",
    FALSE_ALARMS: "taken for documents of none of these labels",
}
COVERAGES = (0.5, 0.7, 0.8, 0.9, 1.0)
MOSTLY = 3  # times more on one side than on the other
TITLES = {FINE: "Fine label", GROUP: "Group", TAIL: "Rare labels only"}
ABOUT = {  # what is special about a level
    GROUP: " The answer is the group whose labels are the most probable together.",
    TAIL: " Nobody who reads an answer knows that the right label is rare: this shows who bears the errors.",
}


def report_in_short(report: EvaluationReport) -> str:
    """Say how good the model is, and put the other systems beside it."""
    own = report.evaluation
    trained = sum(row.train_count > 0 for row in own.labels)
    lines = [
        f"Of 100 documents, {100 * own.accuracy:.0f} get the right one of {trained:,} labels (exactly "
        f"{share(own.accuracy)}; {report.accuracy.level:.0%} interval: between {ends(report.accuracy)}), and "
        f"{100 * own.group_accuracy:.0f} at least a label in the right one of {len(own.groups):,} groups.",
        f"If every label counts alike, however rare it is, the score (macro-F1) is {share(report.macro_f1.value)}, "
        f"between {ends(report.macro_f1)}.",
    ]
    lines += _standings(report)
    text = "".join(f'<p class="lead">{line}</p>' for line in lines)
    return section("In short", text, _beside(report))


def _standings(report: EvaluationReport) -> list[str]:
    """Say which systems are better and which are level, and no more than was measured."""
    better, level = [], []
    for other, result in report.baselines.items():
        where = " (measured earlier, on other documents)" if result.source == "stored" else ""
        if result.standing == "better" or (result.standing == "unknown" and result.accuracy > report.accuracy.value):
            better.append(name(other) + where)
        elif result.standing == "level":
            level.append(name(other) + where)
    lines = [] if any(one in report.baselines for one in FLAT) else [NOT_COMPARED]
    if better:
        lines.append(f"More often right than this model {'is' if len(better) == 1 else 'are'}: {', '.join(better)}.")
    if level:
        lines.append(f"Level with this model, so that chance alone may divide them: {', '.join(level)}.")
    if not (lines or better or level):
        lines.append("No other system in the table below is right more often.")
    return lines


def _beside(report: EvaluationReport) -> str:
    if not report.baselines:
        return ""
    rows = [("<strong>This model</strong>", share(report.accuracy.value), "", share(report.macro_f1.value), "")]
    for other, result in report.baselines.items():
        lines = [WHAT[other]] if other in WHAT else []
        if result.source == "stored":
            lines.append(f"measured earlier, on {name(result.data or 'other documents')}")
        what = "".join(f"<br><small>{line}</small>" for line in lines)
        rows.append(
            (
                name(other) + what,
                share(result.accuracy),
                difference(result.accuracy_difference),
                share(result.macro_f1),
                difference(result.macro_f1_difference),
            )
        )
    columns = ("system", "right label", "this model is", "macro-F1", "this model is")
    note = (
        "<p>Differences are in percentage points, with the interval that holds the true one in 95 of 100 such tests. "
        "Where it holds 0, the two systems cannot be told apart on these documents.</p>"
    )
    return f"<h3>Beside other systems</h3>{note}{boxed_table(columns, rows, figures=4)}"


def error_sources(own: Evaluation) -> str:
    """Say which step went wrong, and which documents go wrong more often than others."""
    errors = round(own.documents * (1 - own.accuracy))
    if not errors:
        return section("Where the errors come from", '<p class="lead">There are none: every answer is right.</p>')
    routing = round(own.documents * own.routing_errors)
    head = errors - routing
    text = (
        f'<p class="lead">{errors:,} of {own.documents:,} answers are wrong ({share(errors / own.documents)}). '
        f"In {routing:,} of them ({share(routing / errors)}) the answer already stands in a wrong group, a "
        f"<em>routing error</em>. In {head:,} ({share(head / errors)}) the group is right and the label inside it is "
        "wrong, a <em>head error</em>.</p>"
    )
    parts = [
        f'<span class="{kind}" style="flex: {count} 1 0">{label}: {count:,}</span>'
        for kind, label, count in (("routing", "wrong group", routing), ("head", "right group, wrong label", head))
        if count
    ]
    return section(
        "Where the errors come from", text, f'<div class="split">{"".join(parts)}</div>', _slices(own, errors)
    )


def _slices(own: Evaluation, errors: int) -> str:
    if not own.slices:
        return ""
    rows = []
    for one in own.slices:
        rest = own.documents - one.documents
        elsewhere = (errors - one.errors) / rest if rest else 0.0
        explained = max(0, round(one.errors - one.documents * elsewhere))
        rows.append(
            (
                _slice_words(one),
                f"{one.documents:,}",
                share(one.errors / one.documents),
                share(elsewhere) if rest else "–",
                f"{one.errors:,} ({share(one.errors / errors)})",
                f"{explained:,} ({share(explained / errors)})",
            )
        )
    columns = ("documents with", "documents", "wrong", "wrong elsewhere", "errors, of all", "errors explained, of all")
    note = (
        "<p>Explained are the errors beyond those that as many other documents would have. A document can stand in "
        "more than one row.</p>"
    )
    return f"<h3>Documents that go wrong more often</h3>{note}{boxed_table(columns, rows, figures=5)}"


def _slice_words(one: Slice) -> str:
    if one.name == TAIL_LABELS:
        return f"a rare label<br><small>the third of the labels with {one.limit:,} or fewer training documents</small>"
    if one.name == SHORT_TEXTS:
        return f"too little text<br><small>the shortest tenth, up to {one.limit:,} characters</small>"
    return "a label without any training document<br><small>never answered, so always wrong</small>"


def reliability(levels: Mapping[str, LevelScores], places: Mapping[str, str]) -> str:
    """Compare what the model states with what happens, a plot a level."""
    return "".join(
        f"<div><h3>{TITLES[level]}</h3><p>{_kept(levels[level])}{ABOUT.get(level, '')}</p>"
        f"{places[f'reliability_{level}']}</div>"
        for level in LEVELS
        if level in levels
    )


def figures_of_levels(levels: Mapping[str, LevelScores]) -> str:
    """Put the figures of the levels beside each other."""
    shown = [level for level in LEVELS if level in levels]
    lines = [
        ("right answers", "", lambda one: share(one.accuracy)),
        ("stated and observed share differ by", "calibration error (ECE)", lambda one: share(one.ece.value)),
        ("… its 95% interval", "bootstrap", lambda one: f"{one.ece.low:.1%} to {one.ece.high:.1%}"),
        ("… if perfectly calibrated, up to", "95% of such models", lambda one: share(one.ece_calibrated)),
        ("squared error of all probabilities", "Brier, 0 to 2", lambda one: f"{one.brier:.3f}"),
        ("surprise at the right answer", "negative log-likelihood, from 0", lambda one: f"{one.nll:.3f}"),
        ("mean error over all shares answered", "AURC, from 0", lambda one: f"{one.aurc:.3f}"),
    ]
    rows = [
        (f"{what}{f'<br><small>{term}</small>' if term else ''}", *(cell(levels[level]) for level in shown))
        for what, term, cell in lines
    ]
    columns = ("figure (all but the first: the lower, the better)", *(TITLES[level] for level in shown))
    return boxed_table(columns, rows, figures=len(shown))


def _kept(level: LevelScores) -> str:
    gap = f"Stated and observed share differ by {points(level.ece.value)} points on average"
    limit = f"{points(level.ece_calibrated)} points"
    if level.ece.value <= level.ece_calibrated:
        return f"{gap}; by chance alone even a perfectly calibrated model may show {limit}."
    bins = level.bins
    gaps = [n * (c - a) for n, c, a in zip(bins.count, bins.confidence, bins.accuracy, strict=True)]
    above, below = sum(one for one in gaps if one > 0), -sum(one for one in gaps if one < 0)
    how = "is too sure" if above > MOSTLY * below else "is not sure enough" if below > MOSTLY * above else ""
    how = how or "is not sure enough of some answers and too sure of others"
    return f"{gap}, more than the {limit} that chance may show in a perfectly calibrated model: it {how}."


def risk_at(level: LevelScores, answered: float) -> float:
    """Share of wrong answers where the surest share of the documents is answered."""
    curve = level.curve
    return next(risk for part, risk in zip(curve.coverage, curve.risk, strict=True) if part >= answered - 1e-9)


def risk_table(levels: Mapping[str, LevelScores]) -> str:
    """Say what is gained where unsure answers are left to a person."""
    rows = [
        (f"the surest {part:.0%}", *(share(risk_at(levels[level], part)) for level in (FINE, GROUP)))
        for part in COVERAGES
    ]
    return boxed_table(("answered by the model", "wrong labels among them", "wrong groups"), rows, figures=2)


def promises(report: EvaluationReport) -> str:
    """Put what the model promises beside what happened."""
    if not report.promises:
        return ""
    rows = [
        (
            f"{kept.what}<br><small>{PROMISED[kept.what]}</small>",
            ("at most " if kept.what == FALSE_ALARMS else "at least ") + share(kept.promised),
            "–" if kept.found is None else share(kept.found),
            f"{kept.documents:,} ({share(kept.share)})",
        )
        for kept in report.promises
    ]
    text = (
        '<p class="lead">The model answers with the label, with its group, or not at all, and promises how often it is '
        "right.</p><p>A promise is about all documents like those it was made on; on these it may miss by chance.</p>"
    )
    columns = ("what", "promised", "on these documents", "documents")
    return section("What the model promises", text, boxed_table(columns, rows, figures=3))


def group_confusion(own: Evaluation, places: Mapping[str, str]) -> str:
    """Show which groups are taken for which."""
    if "heat" not in places:
        return ""
    which = f" Shown are the {HEAT_GROUPS} groups with the most of it." if len(own.groups) > HEAT_GROUPS else ""
    text = (
        "<p>Row: the documents whose right label stands in a group. Column, in the same order: the group of the answer."
        f" The darker a cell, the larger the share of the row's documents that went there.{which}</p>"
    )
    return section("Groups taken for others", text, places["heat"])


def notes(lines: Sequence[str]) -> str:
    """List what else is to be said; lines are HTML."""
    return section("Notes", f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>") if lines else ""
