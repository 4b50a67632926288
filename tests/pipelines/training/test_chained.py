"""Chained training from end to end: every kind of encoder training, built groups, seeds, resuming."""

import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from hierarchy.errors import TaxonomyError
from hierarchy.nodes import Group
from hierarchy.taxonomy import Taxonomy
from pipelines.classifier import HierarchicalClassifier
from pipelines.settings import Settings
from pipelines.training import heads as rows
from pipelines.training.heads import fit_heads, probe_confusion
from stages import shards
from stages.fine.negatives import Problem
from stages.fine.rows import SOLVER
from stages.label_space import LabelSpace
from stages.training import trainer

ROOT = Path(__file__).parents[3]
FROZEN = {"num_train_epochs": 1, "learning_rate": 5e-3}
SHORT = {"num_train_epochs": 1, "learning_rate": 5e-3, "encoder_learning_rate": 1e-3}


def arrays(classifier):
    """All numbers of a model, by name."""
    model = classifier.model_
    found = {"group_of": model.space.group_of, "counts": model.train_counts}
    for name in ("neural", "lexical"):
        if getattr(model.router, name) is not None:
            found |= getattr(model.router, name).tensors(name)
    if model.router.group_rows is not None:
        found |= model.router.group_rows.tensors("groups") | {"idf": model.extractor.vectorizer.idf}
    if model.extractor.neural is not None:
        neural = model.extractor.neural
        for place, module in enumerate((neural.document_model, *(e.transformer for e in neural.fine_encoders))):
            found |= {f"{place}.{n}": t.numpy() for n, t in module.state_dict().items()}
    return {name: array.tobytes() for name, array in found.items()}


def same(one, other):
    assert arrays(one) == arrays(other)
    assert one.model_.router.fusions == other.model_.router.fusions
    assert one.model_.router.coarse_fusion == other.model_.router.coarse_fusion


@pytest.mark.parametrize("settings", [{}, {"mode": "joint", "trainable": "all"}], ids=str)
def test_units_of_segments_are_read_in_training_and_by_the_saved_model(tiny_classifier, english, tmp_path, settings):
    classifier = tiny_classifier(unit_tokens=9, lexical=False, training=FROZEN, **settings)
    classifier.fit(*english.train, validation=english.valid)
    classifier.save_pretrained(tmp_path / "model")
    again = HierarchicalClassifier.from_pretrained(tmp_path / "model")
    assert again.unit_tokens == 9
    assert classifier.predict_proba(english.test[0]).tobytes() == again.predict_proba(english.test[0]).tobytes()
    neural = again.model_.extractor.neural
    vectors = neural.unit_vectors(english.test[0])[neural.encoder]
    assert vectors.counts.sum() > 2 * len(neural.segmenter(english.test[0]).input_ids)
    alone = np.concatenate([again.predict_proba([text]) for text in english.test[0][:20]])
    assert np.abs(alone - again.predict_proba(english.test[0])[:20]).max() < 1e-5


@pytest.mark.parametrize(
    ("trainable", "fine_features"),
    [("all", "both"), ("all", "trained"), ("all", "pretrained"), ("top_1", "both"), ("frozen", "both")],
)
def test_encoder_trainings_are_saved_and_read(tiny_classifier, english, tmp_path, trainable, fine_features):
    classifier = tiny_classifier(
        trainable=trainable, fine_features=fine_features, training=FROZEN if trainable == "frozen" else SHORT
    )
    classifier.fit(*english.train, validation=english.valid)
    neural = classifier.model_.extractor.neural
    encoders = {"both": 2, "trained": 1, "pretrained": 1}[fine_features] if trainable != "frozen" else 1
    assert len(neural.fine_encoders) == encoders
    pooled, document = 2 * 32, 32  # of a hidden size of 32: mean and maximum; one vector
    assert classifier.model_.router.neural.weight.shape == (12, encoders * pooled + document)
    classifier.save_pretrained(tmp_path / "model")
    again = HierarchicalClassifier.from_pretrained(tmp_path / "model")
    same(classifier, again)
    texts = english.test[0]
    assert classifier.predict_proba(texts).tobytes() == again.predict_proba(texts).tobytes()


def test_what_is_trained_is_what_was_asked_for(tiny_classifier, english, tiny_encoder):
    from transformers import AutoModel

    before = AutoModel.from_pretrained(tiny_encoder).state_dict()
    moved = {}
    for trainable in ("all", "top_1", "frozen"):
        classifier = tiny_classifier(
            trainable=trainable, training=FROZEN if trainable == "frozen" else SHORT, lexical=False
        )
        classifier.fit(*english.train, validation=english.valid)
        after = classifier.model_.extractor.neural.encoder.transformer.state_dict()
        moved[trainable] = {n.split(".layer.")[-1][:2] for n, t in after.items() if not t.equal(before[n])}
    assert moved["frozen"] == set()
    assert moved["top_1"] == {"1."}
    assert {"0.", "1.", "em"} <= moved["all"]


def test_two_trainings_with_one_seed_give_the_same(tiny_classifier, fitted, english):
    same(tiny_classifier(training=fitted.training).fit(*english.train, validation=english.valid), fitted)
    settings = {"trainable": "all", "training": SHORT}
    one, other = (tiny_classifier(**settings).fit(*english.train) for _ in range(2))
    same(one, other)


def test_auto_is_resolved_and_logged_first(tiny_classifier, english, caplog):
    with caplog.at_level(logging.INFO):
        classifier = tiny_classifier(trainable="auto", training={"num_train_epochs": 1})
        classifier.fit(*english.train, validation=english.valid)
    assert classifier.model_.settings.trainable == "all"
    said = next(i for i, m in enumerate(caplog.messages) if m.startswith("trainable: all (auto;"))
    assert not any("epoch" in message for message in caplog.messages[:said])


@pytest.mark.parametrize(
    "settings",
    [
        {"lexical": False},
        {"attention_queries": 1, "unit_tokens": None},
        {"aggregator_layers": 1, "label_attention": True},
        {"pooling": "cls", "aggregator_layers": 2, "aggregator_heads": 8},
        {"negatives": "candidates"},
        {"negatives": "group", "encoder": "none"},
        {"negatives": "candidates", "encoder": "none"},
    ],
    ids=str,
)
def test_every_switch_trains_saves_and_reads(tiny_classifier, english, tmp_path, settings):
    classifier = tiny_classifier(**settings).fit(*english.train, validation=english.valid)
    assert classifier.score(*english.test) > 0.2  # chance is 0.08
    assert classifier.model_.settings.negatives == settings.get("negatives", "all")
    classifier.save_pretrained(tmp_path / "model")
    again = HierarchicalClassifier.from_pretrained(tmp_path / "model")
    same(classifier, again)
    assert classifier.predict_proba(english.test[0]).tobytes() == again.predict_proba(english.test[0]).tobytes()


def test_a_label_encoder_of_another_width(tiny_classifier, wide_encoder, english, tmp_path):
    classifier = tiny_classifier(label_encoder=wide_encoder, label_attention=True)
    classifier.fit(*english.train, validation=english.valid)
    assert classifier.model_.extractor.neural.document_model.label_attention.group_embeddings.shape == (3, 48)
    classifier.save_pretrained(tmp_path / "model")
    same(classifier, HierarchicalClassifier.from_pretrained(tmp_path / "model"))


def test_max_segments_is_reported(tiny_classifier, english, caplog):
    with caplog.at_level(logging.WARNING):
        tiny_classifier(max_segments=2).fit(*english.train, validation=english.valid)
    (said, _) = [m for m in caplog.messages if "max_segments" in m]
    assert "training documents: max_segments 2 leaves out" in said
    assert "% of the tokens, in" in said


def test_chinese_goes_through_build_train_save_load_predict(tiny_classifier, chinese_encoder, chinese, tmp_path):
    sizes = {"n_groups": 3, "min_group_size": 2, "max_group_size": 4}
    classifier = tiny_classifier(None, encoder=chinese_encoder, **sizes).fit(*chinese.train, validation=chinese.valid)
    assert len(classifier.taxonomy_.groups) == 3
    assert sorted(classifier.taxonomy_.label_ids) == sorted(chinese.taxonomy.label_ids)
    assert not classifier.taxonomy_.unplaced
    assert classifier.score(*chinese.test) > 0.6
    classifier.save_pretrained(tmp_path / "model")
    again = HierarchicalClassifier.from_pretrained(tmp_path / "model")
    assert again.taxonomy_ == classifier.taxonomy_
    assert np.array_equal(again.predict(chinese.test[0]), classifier.predict(chinese.test[0]))
    assert classifier.predict_paths(["冰箱冷藏冻室"])[0][0].path[1] == "冰箱"


def test_placing_labels_moves_no_label_of_a_built_group(english):
    labels = english.taxonomy.labels
    built = (Group("a", "a", labels=(*labels[0:8:2], labels[8]), built=True), Group("b", "b", labels=labels[1:8:2]))
    tree = Taxonomy((built[0], replace(built[1], built=True)), unplaced=labels[9:])
    for settings in ({}, {"n_groups": 2}, {"n_groups": 5}):
        placed = HierarchicalClassifier(tree, encoder="none", n_jobs=1, **settings).fit(*english.train).taxonomy_
        assert not placed.unplaced
        for before, after in zip(tree.groups, placed.groups, strict=False):
            assert after.labels[: len(before.labels)] == before.labels


def test_sizes_that_cannot_be_are_refused_before_an_encoder_is_read(english):
    for sizes, said in (
        ({"n_groups": 13}, "12 labels allow 1 to 12"),
        ({"max_group_size": 4, "n_groups": 2}, "3 to 12"),
    ):
        with pytest.raises(TaxonomyError, match=said):
            HierarchicalClassifier(encoder="no/such-encoder", **sizes).fit(*english.train)


def test_unplaced_labels_are_placed_and_given_groups_stay(english):
    kitchen = english.taxonomy.groups[0]
    rest = tuple(label for group in english.taxonomy.groups[1:] for label in group.labels)
    taxonomy = Taxonomy((kitchen,), unplaced=rest)
    classifier = HierarchicalClassifier(taxonomy, encoder="none", n_jobs=1, min_group_size=2, max_group_size=4)
    classifier.fit(*english.train)
    assert classifier.taxonomy_.groups[0].labels[:4] == kitchen.labels
    assert not classifier.taxonomy_.unplaced
    assert len(classifier.classes_) == 12
    assert classifier.taxonomy is taxonomy


def test_encoder_none_imports_no_torch(english, tmp_path):
    code = """
import sys
from dataclasses import replace
from hierarchy.errors import TaxonomyError
from hierarchy.nodes import Group
from hierarchy.taxonomy import Taxonomy
from pipelines import HierarchicalClassifier
texts = ["red kettle boils", "red kettle steams", "hot kettle", "blue lamp", "blue lamp shines", "a lamp"] * 4
labels = ["kettle", "kettle", "kettle", "lamp", "lamp", "lamp"] * 4
clf = HierarchicalClassifier(Taxonomy.from_data(labels, labels), encoder="none", n_jobs=1).fit(texts, labels)
clf.save_pretrained(sys.argv[1])
assert HierarchicalClassifier.from_pretrained(sys.argv[1]).predict(["blue lamp"]).tolist() == ["lamp"]
clf.predict_paths(texts), clf.refit_groups(["lamp"], texts, labels)
loaded = [name for name in ("torch", "transformers", "sentence_transformers") if name in sys.modules]
assert not loaded, loaded
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model")], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_labels_without_training_documents_stay_in_the_tree_and_are_never_predicted(tiny_classifier, english):
    texts, labels = english.train
    absent = {"hoses", "printers", "chairs", "desks", "lamps"}  # a whole group among them
    some = [i for i, label in enumerate(labels) if label not in absent]
    classifier = tiny_classifier().fit([texts[i] for i in some], [labels[i] for i in some], validation=english.valid)
    assert set(classifier.classes_) == set(labels) - absent
    assert classifier.taxonomy_ == english.taxonomy
    assert classifier.model_.group_ids == ("kitchen", "garden")
    answer = classifier.predict_proba(english.test[0])
    assert answer.shape == (48, 7)
    assert np.abs(answer.sum(1) - 1).max() < 1e-5


def test_one_group_of_all_labels(tiny_classifier, english):
    taxonomy = Taxonomy.from_data(english.train[1], ["all"] * len(english.train[1]))
    classifier = tiny_classifier(taxonomy).fit(*english.train, validation=english.valid)
    assert classifier.score(*english.test) > 0.5
    assert {p[0].coarse_probability for p in classifier.predict_paths(english.test[0])} == {1.0}


# Resuming


def test_a_second_fit_in_the_same_run_folder_does_nothing_twice(tiny_classifier, english, tmp_path, monkeypatch):
    first = tiny_classifier(run_dir=str(tmp_path)).fit(*english.train, validation=english.valid)
    monkeypatch.setattr(trainer, "_Trainer", None)
    monkeypatch.setattr(shards.ShardCache, "_write", None)
    monkeypatch.setattr("pipelines.training.heads.fit_rows", None)
    same(tiny_classifier(run_dir=str(tmp_path)).fit(*english.train, validation=english.valid), first)


def test_another_split_of_the_same_documents_is_another_training(tiny_classifier, english, tmp_path):
    places = np.random.default_rng(0).permutation(len(english.train[0]))
    texts, labels = ([part[i] for i in places] for part in english.train)
    fits = []
    for first in (100, 60):
        classifier = tiny_classifier(label_documents=False, lexical=False, run_dir=str(tmp_path / "run"))
        fits.append(classifier.fit(texts[:first], labels[:first], validation=(texts[first:], labels[first:])))
    assert arrays(fits[0]) != arrays(fits[1])
    assert len([*(tmp_path / "run").glob("chained-*")]) == 2


def test_evaluation_and_refit_read_the_vectors_of_the_run(tiny_classifier, english, tmp_path, monkeypatch):
    classifier = tiny_classifier(run_dir=str(tmp_path)).fit(*english.train, validation=english.valid)
    classifier.save_pretrained(tmp_path / "model")
    again = HierarchicalClassifier.from_pretrained(tmp_path / "model").set_params(run_dir=str(tmp_path), n_jobs=1)
    monkeypatch.setattr(shards.ShardCache, "_write", None)
    for either in (classifier, again):
        assert either.evaluate(*english.valid) is not None
        either.refit_groups(["garden"], *english.train)


@pytest.mark.parametrize("step", ["coarse model", "rows"])
def test_a_stopped_fit_goes_on_to_the_same_model(tiny_classifier, fitted, english, tmp_path, monkeypatch, step):
    classifier = tiny_classifier(run_dir=str(tmp_path), training=fitted.training)
    with monkeypatch.context() as patched:
        if step == "rows":
            patched.setattr("pipelines.training.heads.Rows.stack", None)
        else:

            class Stops(trainer.Evaluations):
                def on_save(self, args, state, control, **kwargs):
                    raise KeyboardInterrupt

            patched.setattr(trainer, "Evaluations", Stops)
        with pytest.raises((KeyboardInterrupt, TypeError)):
            classifier.fit(*english.train, validation=english.valid)
    same(classifier.fit(*english.train, validation=english.valid), fitted)


def test_finished_heads_are_kept(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    rng = np.random.default_rng(0)
    features, targets = rng.normal(size=(60, 5)).astype(np.float32), rng.integers(0, 4, 60)
    problems = [Problem(np.array([0, 1])), Problem(np.array([2])), Problem(np.array([3]))]
    settings = Settings(n_jobs=1)
    whole = fit_heads(features, targets, problems, settings, tmp_path / "whole", "rows")
    fit_heads(features, targets, problems[:2], settings, tmp_path / "parts", "rows")
    asked = []
    real = fit_heads.__globals__["fit_rows"]
    monkeypatch.setitem(fit_heads.__globals__, "fit_rows", lambda f, t, p, **o: asked.extend(p) or real(f, t, p, **o))
    parts = fit_heads(features, targets, problems, settings, tmp_path / "parts", "rows")
    assert [p.labels.tolist() for p in asked] == [[3]]
    assert [told for told in caplog.messages if told.startswith("rows: ")] == [
        "rows: 4 rows",
        "rows: 3 rows",
        "rows: 1 row",
    ]
    for one, other in zip(whole, parts, strict=True):
        assert one.weight.tobytes() == other.weight.tobytes()
    # Another tree: the same labels under other numbers and in other groups.
    other_tree = [Problem(np.array([0, 3])), Problem(np.array([1, 2]))]
    regrouped = fit_heads(features, (targets + 1) % 4, other_tree, settings, tmp_path / "parts", "rows")
    assert len(asked) == 1
    assert regrouped[0].weight.tobytes() == whole[2].weight.tobytes() + whole[1].weight.tobytes()
    fit_heads(features, targets[::-1], problems, settings, tmp_path / "parts", "rows")
    fit_heads(features, targets, problems, Settings(n_jobs=1, neural_C=2.0), tmp_path / "parts", "rows")
    assert len(asked) == 1 + 3 + 3


def test_rows_with_negatives_of_their_group_share_a_file(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    features, targets = rng.normal(size=(60, 5)).astype(np.float32), rng.integers(0, 4, 60)
    some = np.arange(40)
    plan = [Problem(np.array([0, 1]), some), Problem(np.array([2, 3]), some + 20)]
    whole = fit_heads(features, targets, plan, Settings(n_jobs=1), tmp_path / "run", "rows")
    files = sorted((tmp_path / "run").rglob("*.safetensors"))
    assert len(files) == 2
    files[0].write_bytes(b"damaged")
    asked = []
    real = fit_heads.__globals__["fit_rows"]
    monkeypatch.setitem(fit_heads.__globals__, "fit_rows", lambda f, t, p, **o: asked.extend(p) or real(f, t, p, **o))
    again = fit_heads(features, targets, plan, Settings(n_jobs=1), tmp_path / "run", "rows")
    assert len(asked) == 1
    assert [rows.weight.tobytes() for rows in again] == [rows.weight.tobytes() for rows in whole]


@pytest.fixture
def fit_counted(tmp_path, monkeypatch):
    """Fit rows through one run folder; return how many were not there yet."""
    real = rows.fit_rows
    asked = []
    monkeypatch.setattr(rows, "fit_rows", lambda f, t, p, **o: asked.extend(p) or real(f, t, p, **o))
    rng = np.random.default_rng(0)
    features, targets = rng.normal(size=(60, 5)).astype(np.float32), rng.integers(0, 3, 60)

    def fit(features=features, targets=targets, problem=None, **settings):
        problem = Problem(np.arange(3)) if problem is None else problem
        fit_heads(features, targets, [problem], Settings(n_jobs=1, **settings), tmp_path / "run", "rows")
        count = sum(len(p.labels) for p in asked)
        asked.clear()
        return count

    fit.features, fit.targets = features, targets
    assert (fit(), fit()) == (3, 0)
    return fit


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        (rows, "ROWS_VERSION", 99),
        (rows, "version", lambda library: "0"),
        *((rows, "SOLVER", {**SOLVER, name: v}) for name, v in {"tol": 0.1, "max_iter": 5, "random_state": 1}.items()),
    ],
)
def test_rows_of_other_code_or_another_solver_are_not_read(fit_counted, monkeypatch, place, name, value):
    monkeypatch.setattr(place, name, value)
    assert (fit_counted(), fit_counted()) == (3, 0)


def test_rows_of_other_features_or_documents_are_not_read(fit_counted):
    features, targets = fit_counted.features, fit_counted.targets
    documents = np.arange(30)
    others = [
        {"features": features.astype(np.float64)},
        {"features": features.view(np.int32)},
        {"features": features[:, :4]},
        {"features": np.hstack([features, features])},
        {"features": sparse.csr_matrix(features)},
        {"targets": (targets + (np.arange(60) == 7)) % 3},
        {"problem": Problem(np.arange(3), documents)},
        {"problem": Problem(np.arange(3), documents.view(np.float64).astype(np.int64) + 5)},
        {"problem": Problem(np.arange(3), documents, np.full(30, 0.5))},
        {"problem": Problem(np.arange(3), None, np.full(60, 0.5))},
        {"neural_C": 2.0},
    ]
    assert [fit_counted(**other) > 0 for other in others] == [True] * len(others)
    assert [fit_counted(**other) for other in others] == [0] * len(others)
    assert (
        fit_counted(prune=0.5, min_df=1, lexical_C=2.0, n_groups=3, random_state=1) == 0
    )  # none of which dense rows read


# Parts


def test_label_space_leaves_out_what_has_no_documents(english):
    space = LabelSpace.of(english.taxonomy, ["lamps", "kettles", "desks", "lamps"])
    assert space.label_ids == ("kettles", "desks", "lamps")
    assert space.group_ids == ("kitchen", "office")
    assert space.group_of.tolist() == [0, 1, 1]
    assert [space.under(group) for group in (0, 1)] == [slice(0, 1), slice(1, 3)]
    assert space.targets(["lamps", "hoses", "kettles"]).tolist() == [2, -1, 0]


@pytest.mark.parametrize("which", ["vectors", "ngrams"])
def test_the_probe_reads_both_kinds_of_features(fitted, english, which):
    inputs = fitted.model_.extractor(english.train[0])
    space = LabelSpace.of(english.taxonomy, english.train[1])
    targets = space.targets(english.train[1])
    confusion = probe_confusion(getattr(inputs, which), targets, space, Settings())
    assert confusion.shape == (3, 3)
    assert np.allclose(confusion.sum(1), 1)
    assert (confusion.argmax(1) == np.arange(3)).all()


def test_rare_labels_are_given_more_chance_by_their_n_grams(english):
    texts, labels = english.train
    rare = labels[0]
    kept = [i for i, label in enumerate(labels) if label != rare] + [
        i for i, label in enumerate(labels) if label == rare
    ][:4]
    documents = ([texts[i] for i in kept], [labels[i] for i in kept])

    def chances(documents, **settings):
        classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1, **settings)
        model = classifier.fit(*documents, validation=english.valid).model_
        rows = model.router.lexical
        return rows.score(model.extractor(english.test[0]).ngrams) / 2 + 0.5, model.label_ids.index(rare)

    (plain, place), (corrected, _) = (chances(documents, prior_correction=power) for power in (0.0, 0.5))
    factors = np.median(corrected / plain, axis=0)
    np.testing.assert_allclose(corrected, plain * factors, rtol=1e-3, atol=1e-6)
    counts = np.bincount(LabelSpace.of(english.taxonomy, labels).targets(documents[1])) + 1  # the label's text
    np.testing.assert_allclose(factors / factors[place], (counts / counts[place]) ** -0.5, rtol=1e-3)
    assert factors[place] > 1.5 > 1 > np.delete(factors, place).max()
    even = [chances(english.train, prior_correction=power)[0] for power in (0.0, 0.5)]
    np.testing.assert_allclose(*even, rtol=1e-3, atol=1e-6)


def test_labels_that_differ_in_a_lone_character_are_told_apart():
    """Type 1 from type 2, C from C++, thumbs up from thumbs down: by n-grams alone."""
    own = (
        "diabetes type 1", "diabetes type 2", "hepatitis A", "hepatitis B", "C programmer", "C++ programmer",
        "C# programmer", "vitamin C", "vitamin D", "refund 👍", "refund 👎", "grade A+", "grade A-", "用C语言",
        "用R语言",
    )  # fmt: skip
    filler = ["patient", "admitted", "with", "history", "of", "known", "since", "years", "seen", "today", "follow"]
    rng = np.random.default_rng(0)

    def documents(each):
        labels = [text for text in own for _ in range(each)]
        some = [rng.choice(filler, 4).tolist() for _ in labels]
        return [" ".join([*w[:2], text, *w[2:]]) for w, text in zip(some, labels, strict=True)], labels

    classifier = HierarchicalClassifier(encoder="none", n_jobs=1).fit(*documents(20))
    assert classifier.score(*documents(10)) == 1.0
