"""The router on random scores: the beam keeps its groups, all groups are the exhaustive answer, rows sum to 1."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from stages.fine.rows import CHANCE_FLOOR, Rows
from stages.label_space import LabelSpace
from stages.router import fusion
from stages.router.fusion import fit_router
from stages.router.router import AUTO_LIMIT, FLOOR, Fusion, Inputs, Router, best_groups, resolve_routing

KINDS = ("both", "neural", "lexical")
FEATURES = 5


def random_case(seed, kind="both", ties=False):
    """A router with random rows and weights, and what it reads of 20 documents."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, rng.integers(2, 9))
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    groups, labels = len(sizes), int(offsets[-1])

    def draw(*shape):
        values = rng.normal(size=shape) * 2
        return (np.round(values) if ties else values).astype(np.float32)

    def csr(*shape):
        return sparse.csr_matrix(draw(*shape) * (rng.random(shape) < 0.5), dtype=np.float32)

    neural, lexical = kind != "lexical", kind != "neural"
    router = Router(
        space=LabelSpace(tuple(range(labels)), tuple(range(groups)), np.repeat(np.arange(groups), sizes)),
        neural=Rows(draw(labels, FEATURES), draw(labels)) if neural else None,
        lexical=Rows(csr(labels, FEATURES), draw(labels)) if lexical else None,
        group_rows=Rows(csr(groups, FEATURES), draw(groups)) if lexical else None,
        coarse_fusion=Fusion(neural=0.5 * neural, lexical=0.7 * lexical),
        fusions={
            "full": Fusion(neural=0.8 * neural, lexical=1.3 * lexical, coarse=0.6),
            "no_tree": Fusion(neural=0.8 * neural, lexical=1.3 * lexical),
            "zero": Fusion(),
        },
        neural_margins=seed % 2 == 0,
    )
    documents = 20
    return router, Inputs(
        vectors=draw(documents, FEATURES) if neural else None,
        group_logits=draw(documents, groups) if neural else None,
        ngrams=csr(documents, FEATURES) if lexical else None,
    )


CASES = st.builds(random_case, st.integers(0, 10_000), st.sampled_from(KINDS), st.booleans())


@pytest.mark.parametrize("routing", ["exhaustive", "beam"])
@pytest.mark.parametrize(
    ("fusion", "of_groups", "heard"),
    [
        (Fusion(neural=1.0, lexical=1.0, coarse=1.0), Fusion(neural=1.0, lexical=1.0), {"neural", "lexical"}),
        (Fusion(lexical=1.0, coarse=1.0), Fusion(lexical=1.0), {"lexical"}),
        (Fusion(neural=1.0, coarse=1.0), Fusion(neural=1.0), {"neural"}),
        (Fusion(lexical=1.0, coarse=1.0), Fusion(neural=1.0), {"neural", "lexical"}),
        (Fusion(lexical=1.0), Fusion(neural=1.0), {"lexical"}),  # in a beam the groups decide, too
        (Fusion(neural=1.0), Fusion(lexical=1.0), {"neural"}),
    ],
)
def test_a_document_is_known_to_an_expert_that_counts(fusion, of_groups, heard, routing):
    router, inputs = random_case(0, "both", True)
    router = replace(router, coarse_fusion=of_groups, fusions={"full": fusion})
    ngrams = inputs.ngrams.toarray()
    ngrams[:5] = 0.0
    blank = np.arange(len(inputs)) % 2 == 0
    some = replace(inputs, ngrams=sparse.csr_matrix(ngrams), blank=blank)
    if routing == "beam" and not fusion.coarse:
        heard |= {name for name in ("neural", "lexical") if getattr(of_groups, name)}
    known = np.zeros(len(inputs), dtype=bool)
    if "neural" in heard:
        known |= ~blank
    if "lexical" in heard:
        known |= ngrams.any(1)
    routed = router.route(some, routing=routing, beam=1)
    assert routed.known.tolist() == known.tolist()


@settings(deadline=None)
@given(CASES, st.integers(1, 9))
def test_beam_answers_lie_in_the_k_best_groups(case, k):
    router, inputs = case
    routed = router.route(inputs, routing="beam", beam=k)
    coarse = router.log_coarse(inputs)
    k = min(k, coarse.shape[1])
    worst_kept = np.sort(coarse, axis=1)[:, -k]
    group = router.space.group_of[routed.probabilities.argmax(1)]
    assert (coarse[np.arange(len(coarse)), group] >= worst_kept).all()
    assert (routed.in_beam.sum(1) == k).all()
    assert not routed.probabilities[~routed.in_beam[:, router.space.group_of]].any()
    expected = np.exp(np.sort(coarse, axis=1)[:, -k:]).sum(1)
    assert np.allclose(routed.beam_mass, expected, atol=1e-6)


@settings(deadline=None)
@given(CASES)
def test_a_beam_of_one_is_the_hard_route(case):
    router, inputs = case
    routed = router.route(inputs, routing="beam", beam=1)
    assert np.array_equal(router.space.group_of[routed.probabilities.argmax(1)], routed.coarse.argmax(1))


@settings(deadline=None)
@given(CASES, st.sampled_from(["full", "no_tree", "zero"]))
def test_a_beam_of_all_groups_is_the_exhaustive_answer(case, variant):
    router, inputs = case
    groups = int(router.space.group_of[-1]) + 1
    whole = router.route(inputs, variant=variant)
    for k in (groups, groups + 5):
        beam = router.route(inputs, routing="beam", beam=k, variant=variant)
        # Scores around 20 are rounded to 1e-6 in float32, and the exponential hands that on.
        assert np.allclose(beam.probabilities, whole.probabilities, rtol=1e-5, atol=1e-7)
        assert beam.in_beam.all()
    assert np.allclose(whole.beam_mass, 1, atol=1e-6)


@settings(deadline=None)
@given(CASES, st.sampled_from([("exhaustive", 1), ("beam", 1), ("beam", 2), ("beam", 3), ("auto", 1)]))
def test_rows_sum_to_one_and_do_not_depend_on_the_batch(case, how):
    router, inputs = case
    routing, k = how
    whole = router.route(inputs, routing=routing, beam=k)
    assert np.abs(whole.probabilities.sum(1) - 1).max() < 1e-5
    assert np.abs(whole.coarse.sum(1) - 1).max() < 1e-5
    assert whole.probabilities.min() >= 0
    order = np.random.default_rng(0).permutation(len(inputs))
    shuffled = router.route(inputs[order], routing=routing, beam=k)
    assert np.abs(shuffled.probabilities - whole.probabilities[order]).max() < 1e-5
    for document in range(0, len(inputs), 7):
        alone = router.route(inputs[document : document + 1], routing=routing, beam=k)
        assert np.abs(alone.probabilities[0] - whole.probabilities[document]).max() < 1e-5


@settings(deadline=None)
@given(CASES)
def test_exhaustive_scores_are_the_formula(case):
    router, inputs = case
    fusion = router.fusions["full"]
    scores = fusion.coarse * router.log_coarse(inputs)[:, router.space.group_of].astype(np.float64)
    if router.neural is not None:
        neural = inputs.vectors @ router.neural.weight.T + router.neural.bias
        scores += fusion.neural * (chance(neural) if router.neural_margins else neural)
    if router.lexical is not None:
        lexical = (inputs.ngrams @ router.lexical.weight.T).toarray() + router.lexical.bias
        scores += fusion.lexical * chance(lexical)
    expected = np.exp(scores - scores.max(1, keepdims=True))
    expected /= expected.sum(1, keepdims=True)
    assert np.abs(router.route(inputs).probabilities - expected).max() < 1e-5


def chance(margins):
    return np.log(np.clip((1 + margins.astype(np.float64)) / 2, CHANCE_FLOOR, None))


def test_a_confident_wrong_turn_stays_repairable():
    router, inputs = random_case(3)
    sure = Inputs(inputs.vectors, inputs.group_logits * 1e4, inputs.ngrams)
    coarse = np.exp(router.log_coarse(sure))
    groups = coarse.shape[1]
    assert coarse.min() > 0.99 * FLOOR / groups
    assert np.allclose(coarse.sum(1), 1, atol=1e-6)


def test_of_equal_groups_the_first_are_kept():
    marked = best_groups(np.array([[1.0, 3, 3, 2, 3], [0, 0, 0, 0, 0]]), 2)
    assert marked.tolist() == [[False, True, True, False, False], [True, True, False, False, False]]
    assert best_groups(np.zeros((1, 3)), 9).all()


def test_auto_goes_by_the_number_of_labels():
    assert resolve_routing("auto", AUTO_LIMIT) == "exhaustive"
    assert resolve_routing("auto", AUTO_LIMIT + 1) == "beam"
    assert resolve_routing("beam", 2) == "beam"
    assert resolve_routing("exhaustive", 10**6) == "exhaustive"


def test_a_routing_or_beam_that_does_not_exist_is_refused():
    router, inputs = random_case(0)
    with pytest.raises(ValueError, match=r"routing 'bem'.*auto, exhaustive, beam"):
        router.route(inputs, routing="bem")
    for beam in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match=f"beam is {beam}: give a whole number from 1 up"):
            router.route(inputs, routing="beam", beam=beam)


def test_inputs_are_cut_together():
    _, inputs = random_case(1)
    some = inputs[np.array([4, 2])]
    assert len(inputs) == 20
    assert len(some) == 2
    assert np.array_equal(some.vectors, inputs.vectors[[4, 2]])
    assert np.array_equal(some.ngrams.toarray(), inputs.ngrams.toarray()[[4, 2]])
    assert Inputs(ngrams=inputs.ngrams)[:3].vectors is None


def test_the_fusion_of_very_many_labels_is_fitted_on_a_part_of_the_documents(monkeypatch):
    router, inputs = random_case(3)
    labels = len(router.space.label_ids)
    targets = np.arange(20) % labels
    targets[3] = -1
    whole = fit_router(router, inputs, targets)
    monkeypatch.setattr(fusion, "SCORES", 20 * labels)
    assert fit_router(router, inputs, targets) == whole
    monkeypatch.setattr(fusion, "SCORES", 5 * labels)
    known = np.flatnonzero(targets >= 0)
    part = known[[0, 4, 9, 13, 18]]  # evenly from the first to the last
    fitted = fit_router(router, inputs, targets)
    assert fitted.coarse_fusion == whole.coarse_fusion
    on_part = fit_router(fitted, inputs[part], targets[part], coarse=False)
    assert fitted.fusions == on_part.fusions != whole.fusions
