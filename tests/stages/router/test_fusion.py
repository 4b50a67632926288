"""Fusion: a convex optimum with weights from 0 up, that drops an expert who only makes noise."""

from dataclasses import asdict

import numpy as np
import pytest
from scipy.special import log_softmax

from stages.router.fusion import fit_fusion, fit_variants
from stages.router.router import FLOOR, Fusion, fuse, log_coarse

CLASSES = 6


@pytest.fixture
def targets():
    return np.random.default_rng(0).integers(0, CLASSES, 400)


def expert(targets, strength, seed):
    scores = np.random.default_rng(seed).normal(size=(len(targets), CLASSES)).astype(np.float32)
    scores[np.arange(len(targets)), targets] += strength
    return scores


def nll(experts, weights, targets):
    logits = sum(w * experts[name].astype(np.float64) for name, w in weights.items())
    return -log_softmax(logits, axis=1)[np.arange(len(targets)), targets].mean()


def test_no_neighbour_is_better(targets):
    experts = {"neural": expert(targets, 1.0, 1), "lexical": expert(targets, 1.5, 2), "coarse": expert(targets, 0.3, 3)}
    found = asdict(fit_fusion(experts, targets))
    best = nll(experts, found, targets)
    for name in found:
        for step in (-0.05, 0.05):
            assert nll(experts, {**found, name: max(0.0, found[name] + step)}, targets) > best
    assert found["neural"] > 0.5
    assert found["lexical"] > found["neural"] > found["coarse"] > 0


def test_weights_do_not_depend_on_the_scale_of_the_scores(targets):
    one, other = expert(targets, 1.0, 1), expert(targets, 1.5, 2)
    plain = fit_fusion({"neural": one, "lexical": other}, targets)
    scaled = fit_fusion({"neural": 30 * one, "lexical": other / 30}, targets)
    assert 30 * scaled.neural == pytest.approx(plain.neural, rel=0.01)
    assert scaled.lexical / 30 == pytest.approx(plain.lexical, rel=0.01)


def test_calibrated_probabilities_come_true(targets):
    scores = expert(targets, 1.5, 1)
    fusion = fit_fusion({"neural": 7 * scores}, targets)
    probabilities = np.exp(log_softmax(fuse({"neural": 7 * scores}, fusion), axis=1))
    sure, right = probabilities.max(1).mean(), (scores.argmax(1) == targets).mean()
    assert sure == pytest.approx(right, abs=0.03)


@pytest.mark.parametrize("documents", [3, 30, 300])
def test_no_error_on_few_documents_is_no_certainty(documents):
    targets = np.arange(documents) % CLASSES
    scores = 10.0 * np.eye(CLASSES)[targets]
    logits = fuse({"lexical": scores}, fit_fusion({"lexical": scores}, targets))
    sure = np.exp(log_softmax(logits, axis=1)).max(1)
    # Smoothing gives the right class its even part of the doubt as well.
    assert sure == pytest.approx((documents + 1 + 1 / CLASSES) / (documents + 2), abs=2e-3)


def test_an_expert_who_misleads_gets_no_weight(targets):
    experts = {"neural": expert(targets, 1.5, 1), "lexical": expert(targets, -0.5, 2)}
    found = fit_fusion(experts, targets)
    assert found.lexical == 0
    assert found.neural == pytest.approx(fit_fusion({"neural": experts["neural"]}, targets).neural, rel=1e-3)


def test_documents_without_a_known_label_do_not_count(targets):
    experts = {"neural": expert(targets, 1.0, 1)}
    hidden = np.where(np.arange(400) < 200, targets, -1)
    assert fit_fusion(experts, hidden) == fit_fusion({"neural": experts["neural"][:200]}, targets[:200])
    assert fit_fusion(experts, np.full(400, -1)) == Fusion(neural=1.0)


def test_separable_scores_do_not_run_away(targets):
    """A small validation part is often answered without a mistake; its best weight would be infinite."""
    scores = expert(targets, 12.0, 1)
    assert (scores.argmax(1) == targets).all()
    found = fit_fusion({"neural": scores}, targets)
    assert 0 < found.neural < 10


@pytest.mark.parametrize(("better", "kept"), [(4, True), (5, True), (6, False)])
def test_full_gives_up_what_costs_more_documents_than_chance_explains(monkeypatch, better, kept):
    """Five right without n-grams alone could be chance (p = 0.0625), six are more (p = 0.031)."""
    targets = np.zeros(100, dtype=int)
    answers = {name: np.repeat([[1.0, 0.0]], 100, axis=0) for name in ("full", "no_tree", "no_ngrams", "neither")}
    for name in set(answers) - {"no_ngrams"}:
        answers[name][:better] = (0, 1)
    answered = iter(answers.values())
    monkeypatch.setattr("stages.router.fusion.fuse", lambda *_: next(answered))
    even = np.zeros((100, 2))
    fitted = fit_variants({"neural": even, "lexical": even, "coarse": even}, targets)
    assert (fitted["full"].lexical > 0) == kept
    assert fitted["full"].coarse > 0


def test_some_documents_that_are_right_without_an_expert_do_not_decide(targets):
    good, bad = expert(targets, 2.0, 1), expert(targets, 0.0, 2)
    wrong = np.random.default_rng(5).random(400) < 0.3
    bad[wrong, (targets[wrong] + 1) % CLASSES] += 1.5
    bad[~wrong, targets[~wrong]] += 1.0
    experts = {"neural": good, "lexical": bad, "coarse": expert(targets, 0.2, 3)}
    fitted = fit_variants(experts, targets)
    assert set(fitted) == {"full", "no_tree", "no_ngrams", "neither"}
    assert fitted["full"] == fit_fusion(experts, targets)
    assert min(asdict(fitted["full"]).values()) > 0
    assert fitted["no_tree"].coarse == fitted["neither"].coarse == 0
    assert fitted["no_ngrams"].lexical == fitted["neither"].lexical == 0

    def right(variant):
        return (fuse(experts, fitted[variant]).argmax(1) == targets).sum()

    assert right("no_ngrams") > right("full")


@pytest.mark.parametrize(
    ("experts", "variants"),
    [
        (("neural", "coarse"), {"full", "no_tree", "no_ngrams", "neither"}),
        (("lexical", "coarse"), {"full", "no_tree"}),
    ],
)
def test_variants_without_any_expert_are_missing(targets, experts, variants):
    fitted = fit_variants({name: expert(targets, 1.0, i) for i, name in enumerate(experts)}, targets)
    assert set(fitted) == variants


def test_log_coarse_is_floored_and_sums_to_one():
    logits = np.array([[0, 50, -50, 3.0], [1, 1, 1, 1]], dtype=np.float32)
    found = np.exp(log_coarse({"neural": logits}, Fusion(neural=1.0)))
    assert np.allclose(found.sum(1), 1, atol=1e-6)
    assert found[0].min() == pytest.approx(FLOOR / 4, rel=0.01)
    assert np.allclose(found[1], 0.25)
