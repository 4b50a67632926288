"""How far the probabilities can be trusted: of the fine label, of its group, and for rare labels apart."""

from dataclasses import dataclass

import numpy as np

from pipelines.evaluation import reliability
from pipelines.evaluation.bootstrap import Interval
from pipelines.evaluation.reliability import ReliabilityBins
from stages.label_space import LabelSpace

FINE, GROUP, TAIL = "fine", "group", "tail"
LEVELS = (FINE, GROUP, TAIL)
CURVE_POINTS = 200  # of a risk-coverage curve: a point each half per cent


@dataclass(frozen=True)
class RiskCoverage:
    """A risk-coverage curve at up to `CURVE_POINTS` coverages, rising to 1."""

    coverage: tuple[float, ...]  # share of the documents that are answered, the most confident first
    risk: tuple[float, ...]  # share of wrong answers among them


@dataclass(frozen=True)
class LevelScores:
    """What the answers and probabilities of one level are worth; see `pipelines.evaluation.reliability`."""

    documents: int
    accuracy: float
    brier: float
    nll: float
    ece: Interval  # expected calibration error
    ece_calibrated: float  # 95 % of perfectly calibrated models with these confidences stay below it
    aurc: float
    bins: ReliabilityBins
    curve: RiskCoverage


def level_table(
    probabilities: np.ndarray,
    gold: np.ndarray,
    space: LabelSpace,
    in_tail: np.ndarray,
    *,
    random_state: int = 0,
) -> dict[str, LevelScores]:
    """Measure the fine level, the group level, and the fine level of documents with rare labels.

    At the group level the answer is the group with the largest sum of its labels' probabilities, which need not be the
    group of the most probable label.

    Parameters
    ----------
    probabilities
        ``(documents, trained labels)``.
    gold
        ``(documents,)`` place of the right label in `space`.
    space
        The labels and groups of the columns, and others after them.
    in_tail
        ``(documents,)`` whose right label is in the tail third; without any, that level is left out.
    random_state
        Of the intervals.
    """
    of_group, gold_group = space.group_mass(probabilities), space.groups(gold)
    gold = np.where(gold < probabilities.shape[1], gold, -1)
    gold_group = np.where(gold_group < of_group.shape[1], gold_group, -1)
    table = {
        FINE: level_scores(probabilities, gold, random_state),
        GROUP: level_scores(of_group, gold_group, random_state),
    }
    if in_tail.any():
        table[TAIL] = level_scores(probabilities[in_tail], gold[in_tail], random_state)
    return table


def level_scores(probabilities: np.ndarray, gold: np.ndarray, random_state: int = 0) -> LevelScores:
    """Measure one level.

    Parameters
    ----------
    probabilities
        ``(documents, classes)``.
    gold
        ``(documents,)`` right column, or -1 where it has none.
    random_state
        Of the intervals.
    """
    confidence = answer_confidence(probabilities)
    correct = probabilities.argmax(axis=1) == gold
    return LevelScores(
        documents=len(gold),
        accuracy=float(correct.mean()),
        brier=reliability.brier(probabilities, gold),
        nll=reliability.negative_log_likelihood(probabilities, gold),
        ece=reliability.calibration_error_interval(confidence, correct, random_state=random_state),
        ece_calibrated=reliability.calibrated_quantile(confidence, random_state=random_state),
        aurc=reliability.aurc(confidence, correct),
        bins=reliability.reliability_bins(confidence, correct),
        curve=_thinned(*reliability.risk_coverage(confidence, correct)),
    )


def answer_confidence(probabilities: np.ndarray) -> np.ndarray:
    """``(documents,)`` float64 probability of the most probable column, at most 1."""
    return np.minimum(probabilities.max(axis=1).astype(np.float64), 1.0)  # sums of float32 may exceed 1 by a rounding


def _thinned(coverage: np.ndarray, risk: np.ndarray) -> RiskCoverage:
    wished = np.linspace(0, 1, CURVE_POINTS + 1)[1:]
    kept = np.unique(np.minimum(np.searchsorted(coverage, wished - 1e-9), len(coverage) - 1))
    return RiskCoverage(tuple(coverage[kept].tolist()), tuple(risk[kept].tolist()))
