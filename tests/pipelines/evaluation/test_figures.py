"""Every figure by hand on six documents, against scikit-learn on random ones, and the report around them."""

import dataclasses
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_fixtures import space_of
from sklearn.metrics import f1_score, precision_recall_fscore_support, roc_auc_score

from hierarchy.errors import DataError
from hierarchy.nodes import Group, Label
from hierarchy.taxonomy import Taxonomy
from pipelines.card.figures import key_figures
from pipelines.evaluation import bootstrap, metrics
from pipelines.evaluation.comparison import (
    BASELINES,
    CLASSIC,
    COMPARED_EARLIER,
    LOGISTIC,
    NEITHER,
    NO_NGRAMS,
    NO_TREE,
    NOT_COMPARED,
    SVM,
    BaselineResult,
    EvaluationReport,
    compare,
)
from pipelines.evaluation.figures import Evaluation, evaluate_predictions
from pipelines.evaluation.report import baselines_table, markdown_table, tables
from pipelines.pages.evaluation import report_page
from stages.label_space import LabelSpace

# Two groups: kitchen = {kettle, toaster}, garden = {hose, rake}.
TREE = {
    "space": LabelSpace(("kettle", "toaster", "hose", "rake"), ("kitchen", "garden"), np.array([0, 0, 1, 1])),
    "train_counts": np.array([40, 10, 10, 2]),
}
PROBABILITIES = np.array(
    [
        [0.7, 0.1, 0.1, 0.1],  # kettle: right
        [0.5, 0.3, 0.1, 0.1],  # toaster, answered kettle: head error, second place
        [0.1, 0.2, 0.6, 0.1],  # toaster, answered hose: routing error, second place
        [0.0, 0.0, 0.8, 0.2],  # hose: right
        [0.2, 0.1, 0.6, 0.1],  # kettle, answered hose: routing error, second place
        [0.6, 0.4, 0.0, 0.0],  # rake, answered kettle: routing error, outside the beam
    ],
    dtype=np.float32,
)
GOLD = np.array([0, 1, 1, 2, 0, 3])
COARSE = np.array([[0.8, 0.2], [0.9, 0.1], [0.6, 0.4], [0.1, 0.9], [0.3, 0.7], [0.6, 0.4]])
IN_BEAM = np.array([[1, 1], [1, 1], [1, 1], [0, 1], [1, 1], [1, 0]], dtype=bool)


def unrouted(n, n_groups):
    """What the coarse stage says where it knows nothing, and documents of one length."""
    return {
        "coarse_probability": np.full((n, n_groups), 1 / n_groups),
        "in_beam": np.ones((n, n_groups), dtype=bool),
        "lengths": np.ones(n),
    }


def evaluate(**changes) -> Evaluation:
    arguments = {**TREE, **unrouted(6, 2), "coarse_probability": COARSE, "in_beam": IN_BEAM, **changes}
    return evaluate_predictions(arguments.pop("gold", GOLD), arguments.pop("probabilities", PROBABILITIES), **arguments)


def random_case(seed: int, n: int = 200, n_labels: int = 12, n_groups: int = 4):
    rng = np.random.default_rng(seed)
    group_of = np.sort(np.concatenate([np.arange(n_groups), rng.integers(n_groups, size=n_labels - n_groups)]))
    gold = rng.integers(n_labels - 1, size=n)  # the last label has no positives
    logits = rng.normal(size=(n, n_labels))
    logits[np.arange(n), gold] += 1.5
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    tree = {"space": space_of(group_of), "train_counts": rng.integers(1, 50, size=n_labels), **unrouted(n, n_groups)}
    return gold, probabilities.astype(np.float32), tree


def test_figures_by_hand():
    result = evaluate()
    assert result.documents == 6
    assert result.accuracy == pytest.approx(2 / 6)
    assert result.micro == metrics.Scores(*[pytest.approx(2 / 6)] * 3)
    # kettle: 1 right of 2 gold and 3 answers; hose: 1 of 1 and 3; toaster and rake: none right
    assert result.macro.precision == pytest.approx((1 / 3 + 1 / 3) / 4)
    assert result.macro.recall == pytest.approx((1 / 2 + 1) / 4)
    assert result.macro.f1 == pytest.approx((2 / 5 + 2 / 4) / 4)
    assert result.weighted.f1 == pytest.approx((2 * 2 / 5 + 2 / 4) / 6)
    assert result.top_k == {1: pytest.approx(2 / 6), 3: pytest.approx(5 / 6), 5: pytest.approx(5 / 6)}
    assert result.group_accuracy == pytest.approx(3 / 6)
    assert result.group_macro_f1 == pytest.approx((2 * 2 / (4 + 3) + 2 * 1 / (2 + 3)) / 2)
    assert result.hierarchical == metrics.Scores(*[pytest.approx((2 + 3) / 12)] * 3)
    assert result.routing_errors == pytest.approx(3 / 6)
    assert result.head_errors == pytest.approx(1 / 6)
    assert result.coarse_accuracy == pytest.approx(4 / 6)
    assert result.coarse_in_beam == pytest.approx(5 / 6)
    assert result.answers[2].tolist() == [True, False, False, True, False, False]


def test_rows_by_hand():
    result = evaluate()
    kettle, toaster, _, rake = result.labels
    assert (kettle.id, kettle.group, kettle.train_count, kettle.support, kettle.predicted) == (
        "kettle", "kitchen", 40, 2, 3,
    )  # fmt: skip
    assert (kettle.precision, kettle.recall) == (pytest.approx(1 / 3), 0.5)
    assert (kettle.mistaken_for, kettle.mistaken_count) == ("hose", 1)
    assert toaster.mistaken_for == "kettle"  # one kettle, one hose: the first label wins the tie
    assert (rake.precision, rake.recall, rake.f1, rake.mistaken_for) == (0.0, 0.0, 0.0, "kettle")
    kitchen, garden = result.groups
    assert (kitchen.labels, kitchen.train_count, kitchen.support, kitchen.predicted) == (2, 50, 4, 3)
    assert (kitchen.accuracy, kitchen.routing_errors, kitchen.head_errors) == (0.25, 0.5, 0.25)
    assert (garden.recall, garden.mistaken_for, garden.mistaken_count) == (0.5, "kitchen", 1)


def test_a_label_in_neither_gold_nor_predictions_has_no_scores():
    result = evaluate(gold=np.array([0, 0, 0, 2, 0, 0]))
    rake = result.labels[3]
    assert (rake.precision, rake.recall, rake.f1, rake.mistaken_for) == (None, None, None, None)
    assert result.macro.f1 == pytest.approx((2 * 3 / (5 + 3) + 2 * 1 / (1 + 3)) / 2)


def test_thirds_are_cut_by_rank_and_keep_equal_counts_together():
    assert metrics.count_thirds(np.array([40, 10, 10, 2])).tolist() == [2, 1, 1, 0]
    assert metrics.count_thirds(np.arange(9)).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert metrics.count_thirds(np.full(7, 100)).tolist() == [1] * 7
    thirds = evaluate().thirds
    assert thirds["head"].f1 == pytest.approx(2 / 5)
    assert thirds["middle"].f1 == pytest.approx((0 + 2 / 4) / 2)
    assert (thirds["tail"].f1, thirds["tail"].support, thirds["tail"].train_counts) == (0.0, 1, (2, 2))
    balanced = evaluate(train_counts=np.full(4, 5)).thirds
    assert (balanced["head"].f1, balanced["head"].train_counts, balanced["middle"].labels) == (None, None, 4)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_learn(seed):
    gold, probabilities, tree = random_case(seed)
    result = evaluate_predictions(gold, probabilities, **tree)
    predicted = probabilities.argmax(axis=1)
    for average in ("micro", "macro", "weighted"):
        expected = precision_recall_fscore_support(gold, predicted, average=average, zero_division=0)[:3]
        assert dataclasses.astuple(getattr(result, average)) == pytest.approx(expected)
    areas = [roc_auc_score(gold == label, probabilities[:, label]) for label in range(11)]
    assert result.auc == metrics.MacroAuc(pytest.approx(np.mean(areas)), 11, 1)
    expected = precision_recall_fscore_support(gold, predicted, labels=range(11), zero_division=0)
    assert [row.f1 for row in result.labels[:11]] == pytest.approx(expected[2])
    groups = tree["space"].group_of
    assert result.group_macro_f1 == pytest.approx(f1_score(groups[gold], groups[predicted], average="macro"))
    order = np.argsort(-probabilities, axis=1)
    for k in (1, 3, 5):
        assert result.top_k[k] == pytest.approx(np.mean((order[:, :k] == gold[:, None]).any(axis=1)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_errors_sum_to_what_accuracy_lacks(seed, n):
    gold, probabilities, tree = random_case(seed, n=n)
    result = evaluate_predictions(gold, probabilities, **tree)
    assert result.routing_errors + result.head_errors == pytest.approx(1 - result.accuracy)
    assert result.group_accuracy == pytest.approx(1 - result.routing_errors)
    assert result.hierarchical.f1 == pytest.approx((result.accuracy + result.group_accuracy) / 2)
    for row in result.groups:
        if row.support:
            assert row.accuracy + row.routing_errors + row.head_errors == pytest.approx(1)


def test_unseen_gold_labels_are_wrong_and_count_as_labels():
    labels = ["kettle", "mixer", "mixer", "hose", "spade", "rake"]
    homes = {"kitchen": ("kettle", "toaster", "mixer"), "garden": ("hose", "rake", "spade")}
    tree = Taxonomy(tuple(Group(g, g, labels=tuple(Label(i, i) for i in ids)) for g, ids in homes.items()))
    space = TREE["space"].with_untrained(labels, tree)
    result = evaluate(gold=space.targets(labels), space=space)
    assert result.unseen == 3
    assert result.accuracy == pytest.approx(2 / 6)
    names = np.array(labels)
    answers = np.array(space.label_ids)[PROBABILITIES.argmax(axis=1)]
    assert result.macro.f1 == pytest.approx(f1_score(names, answers, average="macro"))
    assert result.top_k[5] == pytest.approx(2 / 6)
    assert result.group_accuracy == pytest.approx(4 / 6)
    assert (result.routing_errors, result.head_errors) == (pytest.approx(2 / 6), pytest.approx(2 / 6))
    assert [row.id for row in result.labels[4:]] == ["mixer", "spade"]
    assert (result.labels[4].group, result.labels[4].train_count) == ("kitchen", 0)


def test_one_label_and_one_document():
    result = evaluate_predictions(
        np.array([0]), np.ones((1, 1)), space=space_of([0]), train_counts=np.array([3]), **unrouted(1, 1)
    )
    assert (result.accuracy, result.macro.f1, result.auc.value, result.auc.left_out) == (1, 1, None, 1)


def test_bad_arrays_are_refused_with_all_problems():
    with pytest.raises(DataError, match="nothing to evaluate"):
        evaluate(gold=np.array([], dtype=int), probabilities=np.empty((0, 4)))
    with pytest.raises(DataError, match="2 problems") as caught:
        evaluate(lengths=np.array([0, 1]), in_beam=IN_BEAM[:2])
    assert "lengths has the shape (2,), expected (6,)" in str(caught.value)
    with pytest.raises(DataError, match="gold holds labels from 0 to 4"):
        evaluate(gold=GOLD + (GOLD == 3))
    with pytest.raises(DataError, match="NaN"):
        evaluate(probabilities=np.full((6, 4), np.nan))


def test_evaluation_survives_json():
    result = evaluate()
    values = compare(result, "shop", answers={}).as_dict()
    again = EvaluationReport.from_dict(json.loads(json.dumps(values, allow_nan=False))).evaluation
    assert again == result
    with pytest.raises(DataError, match="evaluate again"):
        _ = again.answers


# --- bootstrap -------------------------------------------------------------------------------------------


def test_bootstrap_of_equal_systems_is_zero():
    gold, probabilities, _ = random_case(0)
    predicted = probabilities.argmax(axis=1)
    for interval in (
        bootstrap.paired_bootstrap(gold == predicted, gold == predicted),
        bootstrap.paired_bootstrap_macro_f1(gold, predicted, predicted),
    ):
        assert (interval.value, interval.low, interval.high) == (0, 0, 0)
        assert not interval.excludes_zero


def test_bootstrap_is_antisymmetric_in_value_seeded_and_around_its_value():
    rng = np.random.default_rng(0)
    a, b = rng.random(400) < 0.8, rng.random(400) < 0.6
    forward, backward = bootstrap.paired_bootstrap(a, b), bootstrap.paired_bootstrap(b, a)
    assert forward.value == pytest.approx(a.mean() - b.mean()) == pytest.approx(-backward.value)
    assert forward.low < forward.value < forward.high
    assert forward.excludes_zero
    assert forward == bootstrap.paired_bootstrap(a, b)
    assert forward != bootstrap.paired_bootstrap(a, b, random_state=1)
    # the width follows the standard error of a mean
    error = np.std(a.astype(int) - b.astype(int)) / np.sqrt(400)
    assert forward.high - forward.low == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_bootstrap_of_one_system():
    correct = np.array([True] * 70 + [False] * 30)
    interval = bootstrap.bootstrap_interval(correct, resamples=4000)
    assert interval.value == pytest.approx(0.7)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * np.sqrt(0.7 * 0.3 / 100), rel=0.1)
    certain = bootstrap.bootstrap_interval(np.ones(5, dtype=bool))
    assert (certain.low, certain.high) == (1, 1)


def test_macro_f1_of_resamples_is_scikit_learns(monkeypatch):
    gold, probabilities, _ = random_case(1, n=60)
    a, b = probabilities.argmax(axis=1), np.roll(gold, 1)
    b[:30] = gold[:30]
    rng, samples = np.random.default_rng(5), []
    for _ in range(50):  # the same draws, one by one and by scikit-learn
        rows = rng.integers(60, size=60)
        samples.append([f1_score(gold[rows], p[rows], average="macro", zero_division=0) for p in (a, b)])
    differences = np.subtract(*np.transpose(samples))
    value = f1_score(gold, a, average="macro") - f1_score(gold, b, average="macro")
    low, high = np.quantile(differences - differences.mean() + value, [0.025, 0.975])
    for block in (4_000_000, 500):  # in one piece and in blocks
        monkeypatch.setattr(bootstrap, "_BLOCK", block)
        interval = bootstrap.paired_bootstrap_macro_f1(gold, a, b, resamples=50, random_state=5)
        assert (interval.low, interval.high) == (pytest.approx(low), pytest.approx(high))
    own = bootstrap.bootstrap_macro_f1(gold, a, resamples=50, random_state=5)
    assert own.value == pytest.approx(f1_score(gold, a, average="macro"))
    own_samples = np.array(samples)[:, 0]
    assert own.low == pytest.approx(np.quantile(own_samples - own_samples.mean() + own.value, 0.025))


def test_macro_f1_interval_of_rare_labels_holds_its_figure():
    rng = np.random.default_rng(0)
    gold = np.concatenate([np.arange(300), np.zeros(100, dtype=int)])  # most labels have one document
    predicted = np.where(rng.random(400) < 0.5, gold, rng.integers(300, size=400))
    interval = bootstrap.bootstrap_macro_f1(gold, predicted)
    assert interval.low < interval.value < interval.high
    assert interval.value - interval.low == pytest.approx(interval.high - interval.value, rel=0.3)


# --- report ----------------------------------------------------------------------------------------------


def report_with(answer: np.ndarray, **arguments) -> EvaluationReport:
    return compare(evaluate(), "shop test", answers={SVM: answer}, **arguments)


def test_verdict_says_that_flat_wins():
    report = report_with(GOLD)
    assert report.verdict.startswith("Flat wins: tf-idf + linear svm reaches accuracy 1.0000, this model 0.3333")
    assert "-66.7 points for this model (95% interval -100.0 to -33.3)" in report.verdict


def test_verdict_says_when_flat_does_not_win():
    right = evaluate(probabilities=np.eye(4)[GOLD])
    report = compare(right, "shop test", answers={SVM: (GOLD + 1) % 4, LOGISTIC: (GOLD + 2) % 4})
    assert report.verdict.startswith("No flat baseline has a higher accuracy. tf-idf + linear svm reaches")


@pytest.mark.parametrize("answer", [[0, 0, 0, 0, 1, 1], PROBABILITIES.argmax(axis=1), [0, 1, 1, 3, 3, 3]])
def test_an_interval_that_holds_zero_is_level_and_nobody_wins(answer):
    report = report_with(np.array(answer))
    assert report.baselines[SVM].standing == "level"
    assert report.verdict.startswith("No flat baseline wins: tf-idf + linear svm reaches")
    assert "the two are level" in report.verdict
    assert "which holds zero)." in report.verdict
    assert "higher accuracy" not in report.verdict
    [beside] = [value for what, value in key_figures(report) if what == "beside flat models"]
    assert beside.endswith("tf-idf + linear svm, level with this model")


@pytest.mark.parametrize("answers", [{}, {NO_NGRAMS: GOLD}, {NO_TREE: (GOLD + 1) % 4, NEITHER: GOLD, CLASSIC: GOLD}])
def test_without_a_flat_model_nothing_is_claimed_about_one(answers):
    report = compare(evaluate(), "", answers=answers)
    assert report.verdict.startswith(NOT_COMPARED)
    assert "flat baseline" not in report.verdict
    assert "Flat wins" not in report.verdict
    assert ("This model is better without its groups: neither reaches" in report.verdict) == (NEITHER in answers)
    assert ("beside flat models", "not compared: none was fitted") in key_figures(report)
    assert NOT_COMPARED in report_page(report)
    assert "right more often" not in report_page(report)


def test_stored_baselines_name_their_documents():
    earlier = report_with(GOLD).baselines
    report = compare(evaluate(), "new", answers={NO_NGRAMS: GOLD}, stored=earlier)
    assert list(report.baselines) == [SVM, NO_NGRAMS] == [n for n in BASELINES if n in (SVM, NO_NGRAMS)]
    assert (report.baselines[SVM].source, report.baselines[SVM].data) == ("stored", "shop test")
    assert report.verdict.startswith(
        f"{COMPARED_EARLIER} Flat wins: tf-idf + linear svm reaches accuracy 1.0000 on shop"
    )
    assert "tf-idf + linear svm, better than this model (measured earlier, on shop test)" in str(key_figures(report))
    assert "(measured earlier, on other documents)" in report_page(report)
    level = compare(evaluate(), "new", answers={}, stored=report_with(PROBABILITIES.argmax(axis=1)).baselines)
    assert level.verdict.startswith(f"{COMPARED_EARLIER} No flat baseline wins")
    assert "earlier, on shop test" in str(baselines_table(report).rows)
    bare = {SVM: BaselineResult(0.9, 0.9, source="stored", data="old")}
    assert "Flat may win" in compare(evaluate(), "new", answers={}, stored=bare).verdict


def test_report_survives_json(tmp_path):
    report = report_with(GOLD, notes=["one label has no training documents: spade"])
    report.to_json(tmp_path / "report.json")
    again = EvaluationReport.from_dict(json.loads((tmp_path / "report.json").read_text("utf-8")))
    assert again == report
    assert again.as_dict() == report.as_dict()


def test_report_is_shown_on_a_terminal_and_its_tables_as_markdown(capsys):
    from pipelines.cli.console import print_report

    report = compare(
        evaluate(space=replace(TREE["space"], label_ids=("[bold]kettle", "a|b", "hose", "rake"))), "shop test",
        answers=dict.fromkeys(BASELINES, GOLD), notes=["a note"],
    )  # fmt: skip
    print_report(report)
    shown = capsys.readouterr().out
    for words in ("Evaluation on shop test (6 documents)", "[bold]kettle", "Flat wins", "a note", *BASELINES):
        assert words in shown
    lines = [line for table in tables(report) for line in markdown_table(table)]
    markdown = "\n".join(lines)
    assert r"\[bold\]kettle" in markdown
    assert "a\\|b" in markdown
    assert all(line.startswith("|") and line.endswith("|") for line in lines)
