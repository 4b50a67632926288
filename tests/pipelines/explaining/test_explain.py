"""Evidence: all shares sum to the score difference, places slice to the words, what has the largest share matters."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from hierarchy.errors import DataError
from hierarchy.nodes import Group, Label
from hierarchy.taxonomy import Taxonomy
from pipelines.classifier import HierarchicalClassifier
from pipelines.explaining.explain import explain
from pipelines.explaining.explanation import GRADIENT, RESCALED, UNDIVIDED
from pipelines.explaining.shares import divide_over_units, pooled_shares
from stages.fine.ngrams import ngrams
from stages.router.router import Fusion, Inputs
from stages.shards import Shard
from stages.vectors import UnitVectors, pool_units

ROOT = Path(__file__).parents[3]
KINDS = ("both", "units", "neural", "all attention", "both encoders", "lexical", "joint")


@pytest.fixture(scope="module")
def models(fitted, fitted_lexical, tiny_classifier, english):
    """A model of each kind, with weights under which every part has something to say."""
    few = {"num_train_epochs": 1, "learning_rate": 5e-3}

    def fit(**changes):
        return tiny_classifier(**{"training": few, **changes}).fit(*english.train, validation=english.valid)

    classifiers = {
        "both": fitted,
        "units": fit(unit_tokens=5),
        "neural": fit(lexical=False),
        "all attention": fit(aggregator_layers=1, label_attention=True),
        "both encoders": fit(trainable="all", lexical=False, training={**few, "encoder_learning_rate": 1e-3}),
        "lexical": fitted_lexical,
        "joint": fit(mode="joint"),
    }
    return {kind: loud(classifier.model_) for kind, classifier in classifiers.items()}


def loud(model, **coarse):
    """Give all experts that a model has a weight above 0."""
    lexical, neural = model.router.lexical is not None, model.router.neural is not None
    loudest = 1.4 if model.router.neural_margins else 0.2  # logits are larger than margins
    router = replace(
        model.router,
        coarse_fusion=Fusion(**{"neural": 0.8 * neural, "lexical": 1.3 * lexical, **coarse}),
        fusions={**model.router.fusions, "full": Fusion(loudest * neural, 2.1 * lexical, 0.7)},
    )
    return replace(model, router=router)


def long_texts(corpus):
    return [text for text in corpus.test[0] if len(text) > 300]


def total(explanation):
    """Everything that has a share, and everything that is not divided."""
    alone = sum(part.value for part in explanation.parts if part.method == UNDIVIDED)
    return alone + sum(segment.share for segment in explanation.units) + explanation.outside


def log_ratio(model, text, explanation):
    """The score difference as the probabilities of all labels tell it."""
    probabilities = model.router.route(model.extractor([text])).probabilities[0].astype(np.float64)
    one, other = (model.label_ids.index(label) for label in (explanation.label, explanation.against))
    return np.log(probabilities[one] / probabilities[other])


@pytest.mark.parametrize("kind", KINDS)
def test_all_shares_sum_to_the_score_difference(models, english, kind):
    model = models[kind]
    for text in [*long_texts(english)[:3], "kettle", "nothing known 👍"]:
        best = explain(model, text).label
        for against in (None, *(label for label in model.label_ids if label != best)):  # of its group, and of others
            explanation = explain(model, text, against=against)
            assert explanation.label == best
            assert against in (None, explanation.against)
            expected = pytest.approx(explanation.margin, rel=1e-5, abs=1e-4)
            assert log_ratio(model, text, explanation) == expected
            assert sum(part.value for part in explanation.parts) == expected
            assert total(explanation) == expected
            for segment in explanation.units:
                assert segment.share == pytest.approx(segment.neural + segment.ngrams)


@pytest.mark.parametrize("kind", KINDS)
def test_each_part_says_how_it_is_divided(models, english, kind):
    explanation = explain(models[kind], long_texts(english)[0])
    methods = {part.name: part.method for part in explanation.parts}
    neural = {"neural rows, document vector": GRADIENT, "coarse stage, neural": GRADIENT}
    if kind != "joint":
        neural["neural rows, pooled vectors"] = RESCALED
    lexical = {"n-gram rows": RESCALED, "coarse stage, n-grams": RESCALED}
    expected = (neural if kind != "lexical" else {}) | (
        lexical if kind in ("both", "units", "all attention", "lexical", "joint") else {}
    )
    assert {name: method for name, method in methods.items() if method != UNDIVIDED} == expected
    assert bool(explanation.units) == (kind != "lexical")
    if explanation.units:
        assert sum(segment.attention for segment in explanation.units) == pytest.approx(1, abs=1e-5)


def test_the_runner_up_is_compared_and_the_paths_are_those_of_predict(fitted, english):
    text = long_texts(english)[0]
    explanation = fitted.explain(text, top_k=4)
    assert list(explanation.paths) == fitted.predict_paths([text], top_k=4)[0]
    assert [explanation.label, explanation.against] == [path.path[1] for path in explanation.paths[:2]]


def test_a_group_at_the_floor_sums_up_too(models, english):
    model = loud(models["both"], neural=40.0, lexical=40.0)
    floors = []
    for against in model.label_ids[::4]:  # one of each group
        text = long_texts(english)[0]
        if against == explain(model, text).label:
            continue
        explanation = explain(model, text, against=against)
        floors += [part.value for part in explanation.parts if part.name == "floor of P_c"]
        assert total(explanation) == pytest.approx(explanation.margin, rel=1e-5, abs=1e-4)
    assert min(floors) < -1  # the floor holds back what the logits would say


@pytest.mark.parametrize("k", [1, 2])
def test_in_a_beam_the_paths_are_the_beams_and_the_scores_the_same(models, english, k):
    text = long_texts(english)[0]
    for kind in ("both", "lexical", "joint"):
        explanation = explain(models[kind], text, routing="beam", beam=k, top_k=12)
        assert len({path.path[0] for path in explanation.paths}) <= k
        assert explanation.against == explanation.paths[1].path[1]
        assert total(explanation) == pytest.approx(explanation.margin, rel=1e-5, abs=1e-4)
        whole = explain(models[kind], text, against=explanation.against)
        if whole.label == explanation.label:
            assert whole.margin == pytest.approx(explanation.margin, abs=1e-5)


def test_a_beam_with_one_label_is_compared_with_the_best_of_all_others(english):
    lone = Taxonomy((Group("one", "one", labels=(Label("a", "a"),)), Group("two", "two", labels=(Label("b", "b"),))))
    classifier = HierarchicalClassifier(lone, encoder="none", n_jobs=1, routing="beam", beam=1)
    classifier.fit(["red stone"] * 5 + ["blue water"] * 5, ["a"] * 5 + ["b"] * 5)
    explanation = classifier.explain("red stone")
    assert (explanation.label, explanation.against, len(explanation.paths)) == ("a", "b", 1)
    assert total(explanation) == pytest.approx(explanation.margin, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("kept", [1, 2])
def test_with_max_segments_only_the_kept_ones_are_listed(tiny_classifier, english, kept):
    few = {"num_train_epochs": 1}
    classifier = tiny_classifier(max_segments=kept, training=few).fit(*english.train, validation=english.valid)
    model = loud(classifier.model_)
    explanation = explain(model, long_texts(english)[0])
    assert len(explanation.units) == kept
    assert abs(explanation.outside) > 1e-3
    assert total(explanation) == pytest.approx(explanation.margin, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("language", ["english", "chinese"])
def test_places_slice_to_the_words(request, language, tiny_encoder, chinese_encoder, tiny_classifier):
    corpus = request.getfixturevalue(language)
    encoder = {"english": tiny_encoder, "chinese": chinese_encoder}[language]
    classifier = tiny_classifier(corpus.taxonomy, encoder=encoder, training={"num_train_epochs": 1})
    classifier.fit(*corpus.train, validation=corpus.valid)
    text = long_texts(corpus)[0] if language == "english" else max(corpus.test[0], key=len)
    strange = text.upper().replace("KETTLE", "ＫＥＴＴＬＥ") + " ﬁne STRASSE ① ｶﾞ"
    for written in (text, strange):
        explanation = classifier.explain(written)
        assert explanation.ngrams
        for ngram in explanation.ngrams:
            assert ngram.spans
            for start, end in ngram.spans:
                assert ngram.ngram in ngrams(written[start:end])
        assert explanation.units[0].start == 0
        assert explanation.units[-1].end == len(written)
        assert len(explanation.units) > 1


def test_what_has_the_largest_share_matters_most(fitted, english):
    model, top, others = fitted.model_, [], []
    neural = model.extractor.neural
    for text in [t for t in (*english.test[0], *english.valid[0]) if len(t) > 300]:
        explanation = explain(model, text)
        vectors = neural.unit_vectors([text])[neural.encoder][0]
        spans = [(segment.start, segment.end) for segment in explanation.units]
        without = [vectors, *(np.delete(vectors, i, 0) for i in range(len(vectors)))]
        counts = np.array([len(own) for own in without])
        read, logits = neural.read({neural.encoder: UnitVectors([Shard(np.concatenate(without), counts)])})
        rest = [text, *(f"{text[:start]}\n{text[end:]}" for start, end in spans)]
        routed = model.router.route(Inputs(read, logits, model.extractor.vectorizer.transform(rest)))
        probability = routed.probabilities[:, model.label_ids.index(explanation.label)]
        drops = probability[0] - probability[1:]
        largest = int(np.argmax([segment.share for segment in explanation.units]))
        top.append(drops[largest])
        others.append(np.delete(drops, largest).mean())
    assert len(top) > 20
    assert np.mean(top) > 2 * np.mean(others)


@example(seed=571, n=3, ties=True)  # no dimension has a maximum above 0
@given(seed=st.integers(0, 10_000), n=st.integers(1, 7), ties=st.booleans())
def test_shares_of_a_pooled_vector_are_exact_and_know_no_order(seed, n, ties):
    rng = np.random.default_rng(seed)
    vectors = np.round(rng.normal(size=(n, 6)), 0 if ties else 6).astype(np.float32)
    weights = rng.normal(size=12)
    shares = pooled_shares(weights, vectors)
    assert shares.sum() == pytest.approx(float(pool_units(vectors, np.array([len(vectors)]))[0] @ weights), abs=1e-5)
    order = rng.permutation(len(vectors))
    assert np.allclose(pooled_shares(weights, vectors[order]), shares[order])


def test_equal_segments_have_equal_shares_and_a_lone_peak_is_its_own():
    weights = np.r_[np.zeros(2), 1.0, 0.0]
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [3.0, 0.0]], dtype=np.float32)
    # 1 is reached by three of four, the first step by all (it has no height), and 3 by the last alone.
    assert np.allclose(pooled_shares(weights, vectors), np.array([1 / 3, 1 / 3, 0, 1 / 3 + 2]) / 3)


def test_places_are_divided_over_the_segments_that_hold_them():
    segments = [(0, 10), (8, 20), (20, 30)]
    spans = [(0, 3), (8, 10), (18, 22), (40, 45), (20, 30)]
    found = divide_over_units(spans, [1.0, 2.0, 4.0, 8.0, 16.0], segments)
    # In one; in the overlap of two; across a border, where both hold a part; outside; a whole segment.
    assert found.tolist() == [1 + 1, 1 + 2, 2 + 16]
    assert divide_over_units([], [], segments).tolist() == [0, 0, 0]
    assert divide_over_units(spans, [1.0] * 5, []).tolist() == []


def test_places_are_divided_over_units_of_any_order_and_size():
    units = [(0, 30), (20, 30), (24, 28), (28, 40), (28, 28)]
    found = divide_over_units([(25, 27), (21, 23), (29, 33), (0, 60)], [3.0, 2.0, 1.0, 8.0], units)
    # In three; in two; in one alone, though others hold a part; in none, so over all that hold a part.
    assert found.tolist() == [1 + 1 + 8 / 5, 1 + 1 + 8 / 5, 1 + 8 / 5, 1 + 8 / 5, 8 / 5]


def random_units(model, n=4):
    return torch.randn(n, *model.scale_in.normalized_shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", ["both", "all attention", "joint"])
def test_without_presence_a_unit_is_not_there(models, kind):
    model = models[kind].extractor.neural.document_model
    units = random_units(model)
    absent = model(units, torch.tensor([4]), torch.tensor([1.0, 1.0, 1.0, 1e-30]))
    shorter = model(units[:3], torch.tensor([3]))
    whole = model(units, torch.tensor([4]), torch.ones(4))
    usual = model(units, torch.tensor([4]))
    assert torch.allclose(absent.logits, shorter.logits, atol=1e-5)
    assert torch.allclose(absent.vectors, shorter.vectors, atol=1e-5)
    assert torch.allclose(whole.logits, usual.logits, atol=1e-5)


@pytest.mark.parametrize("kind", ["both", "all attention", "joint"])
def test_effects_of_presence_are_differences_to_first_order(models, kind):
    model = models[kind].extractor.neural.document_model
    units = random_units(model)
    rng = np.random.default_rng(0)
    on_logits, on_vector = rng.normal(size=model.head.out_features), rng.normal(size=model.width)
    attention, of_vector, of_logits = model.unit_effects(units.numpy(), on_vector=on_vector, on_logits=on_logits)
    assert attention.sum() == pytest.approx(1, abs=1e-5)
    for place in range(4):
        step = 0.01
        ends = []
        for sign in (1, -1):
            presence = torch.ones(4)
            presence[place] += sign * step
            output = model(units, torch.tensor([4]), presence)
            ends.append((output.vectors[0].detach().numpy() @ on_vector, output.logits[0].detach().numpy() @ on_logits))
        slope = (np.array(ends[0]) - np.array(ends[1])) / (2 * step)
        assert np.allclose(slope, [of_vector[place], of_logits[place]], atol=1e-3)


def test_the_coarse_stage_is_divided_as_its_formula_has_it(models, english):
    model = replace(models["units"], router=replace(models["units"].router, lexical=None, group_rows=None))
    fusions = {"full": Fusion(neural=0.0, coarse=1.0)}
    model = replace(model, router=replace(model.router, coarse_fusion=Fusion(neural=1.0), fusions=fusions))
    text = long_texts(english)[0]
    best = explain(model, text)
    groups = dict(zip(model.label_ids, model.space.group_of.tolist(), strict=True))
    other = next(label for label in model.label_ids if groups[label] != groups[best.label])
    explanation = explain(model, text, against=other)
    neural = model.extractor.neural
    units = torch.from_numpy(neural.unit_vectors([text])[neural.encoder][0])
    pooling, head = neural.document_model.pooling, neural.document_model.head.weight
    u = neural.document_model.scale_in(units)
    x = pooling.norm(u + pooling.feed_forward(u))  # (units, hidden)
    attention = (torch.tanh(pooling.key(x)) @ pooling.queries.T).softmax(0)  # (units, queries)
    found = (attention.T @ x).requires_grad_()  # (queries, hidden)
    part = pooling.scale_out(pooling.together(found.flatten())) @ (head[groups[best.label]] - head[groups[other]])
    (slope,) = torch.autograd.grad(part, found)
    # Evenly the whole; then to a unit what lies above that which a query finds, as far as the query attends to it.
    above = ((x.unsqueeze(1) - found) * slope).sum(2)  # (units, queries)
    shares = part / len(units) + (attention * above).sum(1)
    assert np.allclose([unit.neural for unit in explanation.units], shares.detach().numpy(), atol=1e-5)


def test_it_is_json_ready(fitted, fitted_lexical, english):
    for classifier in (fitted, fitted_lexical):
        explanation = classifier.explain(long_texts(english)[0])
        again = json.loads(json.dumps(explanation.as_dict()))
        assert again["label"] == explanation.label
        assert again["paths"][0]["path"] == list(explanation.paths[0].path)
        assert len(again["ngrams"]) == len(explanation.ngrams)


def test_what_cannot_be_explained_is_told(fitted, english):
    text = english.test[0][0]
    with pytest.raises(DataError, match="the text is empty"):
        fitted.explain("  \n")
    with pytest.raises(DataError, match=r"text is 3 \(int\): give one document, a string"):
        fitted.explain(3)
    with pytest.raises(DataError, match=r"label 'kettle' is not in the taxonomy; nearest: 'kettles'"):
        fitted.explain(text, against="kettle")
    with pytest.raises(DataError, match="is the best label of this document"):
        fitted.explain(text, against=fitted.predict([text])[0])
    wider = Taxonomy((*fitted.taxonomy_.groups, Group("x", "x", labels=(Label("y", "y"),))))
    with pytest.raises(DataError, match="label 'y' had no training documents"):
        explain(replace(fitted.model_, taxonomy=wider), text, against="y")
    with pytest.raises(ValueError, match="not fitted"):
        HierarchicalClassifier().explain(text)


def test_the_command_shows_and_writes_it(cli, saved, fitted, english, tmp_path):
    text = long_texts(english)[0]
    shown = cli("explain", saved, "--text", text)
    assert shown.exit_code == 0, shown.stderr
    explanation = fitted.explain(text)
    for told in (
        "Paths",
        f"{explanation.label} against {explanation.against}",
        "Units",
        "N-grams",
        "exact margins, rescaled",
    ):
        assert told in shown.stdout
    assert f"{explanation.margin:+.3f}" in shown.stdout
    against = next(i for i in reversed(fitted.model_.label_ids) if i != explanation.label)
    (tmp_path / "some.jsonl").write_text(
        "".join(json.dumps({"text": line}) + "\n" for line in ("a kettle", text)), encoding="utf-8"
    )
    told = cli("explain", saved, tmp_path / "some.jsonl", "--row", 2, "--against", against, "--json")
    assert told.exit_code == 0, told.stderr
    figures = json.loads(told.stdout)
    assert (figures["label"], figures["against"]) == (explanation.label, against)
    assert len(figures["units"]) == len(explanation.units)


def test_bad_input_of_the_command(cli, saved, tmp_path):
    def message(*arguments):
        result = cli("explain", saved, *arguments)
        assert result.exit_code == 2, result.stdout
        assert result.stdout == ""
        return result.stderr

    some = tmp_path / "some.jsonl"
    some.write_text('{"text": "a kettle"}\n{"text": "a hose"}\n', encoding="utf-8")
    assert "give a file with documents and --row, or --text" in message()
    assert "and not both" in message(some, "--row", 1, "--text", "x")
    assert "--row says which document" in message(some)
    assert "--row says which document" in message("--row", 1, "--text", "x")
    assert "no document in row 3: the rows go from 1 to 2" in message(some, "--row", 3)
    assert "the text is empty" in message("--text", " ")
    assert "label 'kettel' is not in the taxonomy; nearest: 'kettles'" in message("--text", "x", "--against", "kettel")
    assert "--set data.text=..." in message(some, "--row", 1, "--set", "data.text=body")


def test_without_an_encoder_torch_is_not_imported(fitted_lexical, tmp_path):
    fitted_lexical.save_pretrained(tmp_path / "model")
    code = (
        "import sys; from pipelines import HierarchicalClassifier; "
        "e = HierarchicalClassifier.from_pretrained(sys.argv[1]).explain('boil water in the kettle'); "
        "print(e.label, len(e.units), len(e.ngrams) > 0, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["kettles", "0", "True", "False"], done.stderr
