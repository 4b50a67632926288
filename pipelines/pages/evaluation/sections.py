"""What the page says beside its figures, in words for readers who train no models."""

from pipelines.evaluation.comparison import EvaluationReport
from pipelines.evaluation.levels import LevelScores

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
