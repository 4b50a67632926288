"""What the page says beside its figures, in words for readers who train no models."""

from pipelines.evaluation.comparison import (
    CLASSIC,
    LOGISTIC,
    NEITHER,
    NO_NGRAMS,
    NO_TREE,
    SVM,
    EvaluationReport,
)
from pipelines.evaluation.levels import FINE, GROUP, TAIL, LevelScores
from pipelines.promises.kept import FALSE_ALARMS, FINE_ANSWERS, GROUP_ANSWERS, LABEL_SETS, TREE_NODES

SYSTEMS = {  # the baselines, for readers who do not know their names
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
LEVEL_WORDS = {  # title of a level, and what is special about it
    FINE: ("Fine label", ""),
    GROUP: ("Group", "The answer is the group whose labels are the most probable together."),
    TAIL: (
        "Rare labels only",
        "Nobody who reads an answer knows that the right label is rare: this shows who bears the errors.",
    ),
}
MOSTLY = 3  # times more on one side than on the other


def standings(report: EvaluationReport) -> dict[str, list[str]]:
    """Name the systems that are better, and those that are level."""
    better, level = [], []
    for other, result in report.baselines.items():
        if result.standing == "better" or (result.standing == "unknown" and result.accuracy > report.accuracy.value):
            better.append(other)
        elif result.standing == "level":
            level.append(other)
    return {"better": better, "level": level}


def lean(level: LevelScores) -> str:
    """Say to which side the stated probabilities miss the observed shares."""
    bins = level.bins
    gaps = [n * (c - a) for n, c, a in zip(bins.count, bins.confidence, bins.accuracy, strict=True)]
    above, below = sum(one for one in gaps if one > 0), -sum(one for one in gaps if one < 0)
    if above > MOSTLY * below:
        return "is too sure"
    return (
        "is not sure enough" if below > MOSTLY * above else "is not sure enough of some answers and too sure of others"
    )


def risk_at(level: LevelScores, answered: float) -> float:
    """Share of wrong answers where the surest share of the documents is answered."""
    curve = level.curve
    return next(risk for part, risk in zip(curve.coverage, curve.risk, strict=True) if part >= answered - 1e-9)
