"""Probabilities at each level, and where the errors come from: by hand on six documents."""

import json

import numpy as np
import pytest

from pipelines.evaluation.comparison import EvaluationReport, compare
from pipelines.evaluation.figures import Evaluation, evaluate_predictions
from pipelines.evaluation.levels import CURVE_POINTS, FINE, GROUP, TAIL, level_scores
from pipelines.evaluation.report import markdown_table, tables
from pipelines.evaluation.sources import ConfusedPair, Slice, error_slices
from stages.label_space import LabelSpace

# Two groups: kitchen = {kettle, toaster}, garden = {hose, rake}.
TREE = {
    "space": LabelSpace(("kettle", "toaster", "hose", "rake"), ("kitchen", "garden"), np.array([0, 0, 1, 1])),
    "train_counts": np.array([40, 10, 10, 2]),
}
PROBABILITIES = np.array(
    [
        [0.7, 0.1, 0.1, 0.1],  # kettle: right, and its group
        [0.4, 0.0, 0.3, 0.3],  # kettle: right, though its group is less probable than the other
        [0.1, 0.2, 0.6, 0.1],  # toaster, answered hose
        [0.0, 0.0, 0.8, 0.2],  # hose: right
        [0.2, 0.1, 0.6, 0.1],  # rake, answered hose
        [0.3, 0.2, 0.1, 0.4],  # rake: right; its group is as probable as the other, and the first group wins
    ]
)
GOLD = np.array([0, 0, 1, 2, 3, 3])


def evaluate(**changes) -> Evaluation:
    unrouted = {"coarse_probability": np.full((6, 2), 0.5), "in_beam": np.ones((6, 2), bool), "lengths": np.ones(6)}
    arguments = {**TREE, **unrouted, **changes}
    return evaluate_predictions(arguments.pop("gold", GOLD), PROBABILITIES, **arguments)


def test_levels_by_hand():
    levels = evaluate().levels
    assert set(levels) == {FINE, GROUP, TAIL}
    fine, group, tail = levels[FINE], levels[GROUP], levels[TAIL]
    assert (fine.documents, fine.accuracy) == (6, pytest.approx(4 / 6))
    assert fine.nll == pytest.approx(-np.log([0.7, 0.4, 0.2, 0.8, 0.1, 0.4]).mean())
    # Sums: kitchen 0.8, 0.4, 0.3, 0, 0.3, 0.5. Answers: kitchen, garden, garden, garden, garden, kitchen.
    assert group.accuracy == pytest.approx(3 / 6)
    assert group.brier == pytest.approx(2 * np.mean(np.square([0.2, 0.6, 0.7, 0.0, 0.3, 0.5])))
    # By confidence: 0.8 right, 0.7 (toaster) wrong and 0.7 (rake) right, 1.0 right, 0.6 wrong, 0.5 wrong.
    assert group.aurc == pytest.approx((0 + 0 + 2 * 1 / 4 + 2 / 5 + 3 / 6) / 6)
    # Tail: rake alone, answered hose at 0.6 and rake at 0.4.
    assert (tail.documents, tail.accuracy) == (2, 0.5)
    assert tail.ece.value == pytest.approx((0.6 + 0.6) / 2)
    assert tail.curve.coverage == (0.5, 1.0)
    assert tail.curve.risk == (1.0, 0.5)


def test_unseen_labels_are_wrong_at_probability_zero_and_keep_their_group():
    space = LabelSpace(
        (*TREE["space"].label_ids, "spade", "ladder"), ("kitchen", "garden", "attic"), np.array([0, 0, 1, 1, 1, 2])
    )
    result = evaluate(gold=np.array([0, 0, 4, 2, 3, 5]), space=space)
    levels = result.levels
    assert levels[FINE].accuracy == pytest.approx(3 / 6)
    assert levels[GROUP].accuracy == pytest.approx(4 / 6)  # the attic has no column
    assert levels[GROUP].nll > 27 / 6  # the floor
    assert [one.name for one in result.slices] == ["tail", "unseen"]
    assert result.slices[1] == Slice("unseen", 2, 2, 0)


def test_without_tail_labels_there_is_no_tail():
    assert set(evaluate(train_counts=np.full(4, 7)).levels) == {FINE, GROUP}


def test_slices_by_hand():
    result = evaluate(lengths=np.array([900, 800, 12, 700, 600, 500]))
    assert result.slices == (Slice("tail", 2, 1, 2), Slice("short", 1, 1, 12))
    right, gold, counts = np.array([True] * 30), np.zeros(30, dtype=int), np.array([5])
    none = np.zeros(1, dtype=bool)
    assert error_slices(right, gold, counts, none, np.full(30, 10)) == ()  # all equally long: no tenth is the shortest
    [short] = error_slices(right, gold, counts, none, np.arange(30))
    assert (short.documents, short.limit) == (3, 2)


def test_pairs_and_group_mistakes_by_hand():
    result = evaluate(gold=np.array([0, 0, 1, 1, 3, 3]))
    assert result.pairs == (ConfusedPair("toaster", "hose", 2), ConfusedPair("rake", "hose", 1))
    assert result.group_mistakes == ((0, 1, 2),)


def test_curves_are_thinned():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(3), size=5000)
    curve = level_scores(probabilities, rng.integers(3, size=5000)).curve
    assert len(curve.coverage) == CURVE_POINTS
    assert np.allclose(curve.coverage, np.arange(1, 201) / 200)


def test_levels_survive_json_and_stand_in_the_tables():
    result = evaluate(lengths=np.array([900, 800, 12, 700, 600, 500]), label_names={"rake": "Rakes"})
    report = compare(result, "shop", answers={})
    again = EvaluationReport.from_dict(json.loads(json.dumps(report.as_dict(), allow_nan=False))).evaluation
    assert again == result
    assert (again.labels[3].name, again.labels[0].name) == ("Rakes", "")
    markdown = "\n".join(line for table in tables(report) for line in markdown_table(table))
    assert "| figure | fine label | most probable group | documents of tail labels |" in markdown
    assert f"| Brier score | {result.levels[FINE].brier:.4f} |" in markdown
    assert "| accuracy | 0.6667 | 0.5000 | 0.5000 |" in markdown
