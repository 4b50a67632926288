"""Encoders of a training: each is loaded once, whatever reads with it."""

from collections import Counter

import numpy as np
import pytest
from edited_trees import edited

from hierarchy.embedding import label_vectors
from hierarchy.embedding.label_vectors import embed_texts
from pipelines.cross_validation.validate import cross_validate
from pipelines.settings import Settings
from pipelines.training.encoders import Encoders
from stages.coarse import encoder as coarse_encoder
from stages.coarse.encoder import Encoder

WORDS = ["kettles for tea", "floor lamps", "toasters"]


@pytest.fixture
def loads(monkeypatch):
    """How often each encoder was loaded, by whatever loads one."""
    counted = Counter()

    def counting(load):
        def counted_load(name, *args, **settings):
            counted[name] += 1
            return load(name, *args, **settings)

        return counted_load

    for module, name in ((coarse_encoder, "load_transformer"), (label_vectors, "load_sentence_encoder")):
        monkeypatch.setattr(module, name, counting(getattr(module, name)))
    return counted


@pytest.fixture
def named(tiny_encoder, wide_encoder):
    return {"none": None, "another": wide_encoder, "the same": tiny_encoder}


@pytest.mark.parametrize("mode", ["chained", "joint"])
@pytest.mark.parametrize("label_encoder", ["none", "another", "the same"])
@pytest.mark.parametrize("built", [False, True])
def test_a_fit_loads_each_encoder_once(loads, named, tiny_classifier, english, mode, label_encoder, built):
    settings = {"mode": mode, "label_encoder": named[label_encoder], "label_attention": True}
    classifier = tiny_classifier(None, min_group_size=2, **settings) if built else tiny_classifier(**settings)
    classifier.fit(*english.train, validation=english.valid)
    assert loads == dict.fromkeys({classifier.encoder, named[label_encoder]} - {None}, 1)


def test_a_label_encoder_that_nothing_reads_is_not_loaded(loads, tiny_classifier, wide_encoder, english):
    classifier = tiny_classifier(label_encoder=wide_encoder).fit(*english.train, validation=english.valid)
    assert loads == {classifier.encoder: 1}
    moved = edited(english.taxonomy, move={"hoses": "office"})
    classifier.set_params(label_encoder=None)  # nor has a refit to be told which it was
    classifier.refit_groups(None, *english.train, moved, validation=english.valid)
    assert loads == {classifier.encoder: 1}


@pytest.mark.parametrize("trainable", ["frozen", "all"])
def test_a_cross_validation_loads_the_encoder_once(loads, tiny_classifier, english, trainable):
    classifier = tiny_classifier(trainable=trainable)
    cross_validate(classifier, *english.train, folds=2, baselines=False)
    assert loads == {classifier.encoder: 1}


def test_a_fit_without_an_encoder_loads_that_of_the_labels_alone(loads, wide_encoder, tiny_classifier, english):
    from pipelines.classifier import HierarchicalClassifier

    HierarchicalClassifier(encoder="none", label_encoder=wide_encoder, n_jobs=1).fit(*english.train)
    assert loads == {wide_encoder: 1}
    HierarchicalClassifier(encoder="none", n_jobs=1).fit(*english.train)
    assert loads == {wide_encoder: 1}


@pytest.mark.parametrize("what", ["build", "check", "show"])
def test_a_command_loads_each_encoder_once(loads, cli, tiny_encoder, english, tmp_path, what):
    import json

    rows = (json.dumps({"text": text, "label": label}) for text, label in zip(*english.train, strict=True))
    (tmp_path / "train.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    english.taxonomy.to_yaml(tmp_path / "tree.yaml")
    values = {"data.train": tmp_path / "train.jsonl", "run_dir": tmp_path / "run", "classifier.encoder": tiny_encoder}
    values |= {"classifier.segment_tokens": 32, "classifier.overlap": 8, "classifier.min_group_size": 2}
    asked = {
        "build": ("build", "-o", tmp_path / "built.yaml"),
        "check": ("check", tmp_path / "tree.yaml"),
        "show": ("show", tmp_path / "tree.yaml", "--html", tmp_path / "tree.html"),
    }
    answer = cli(
        "taxonomy", *asked[what], *(part for name, one in values.items() for part in ("--set", f"{name}={one}"))
    )
    assert answer.exit_code == 0, answer.output
    assert loads == {tiny_encoder: 1}


@pytest.mark.parametrize("label_encoder", ["none", "another"])
def test_label_texts_are_pooled_as_the_settings_say(named, tiny_encoder, label_encoder):
    vectors = {}
    for pooling in ("mean", "cls"):
        settings = Settings(
            encoder=tiny_encoder, label_encoder=named[label_encoder], pooling=pooling, segment_tokens=32, overlap=8
        )
        vectors[pooling] = Encoders(settings)(WORDS)
        encoder = Encoder.from_pretrained(named[label_encoder] or tiny_encoder, pooling=pooling, dtype="float32")
        ids = encoder.tokenizer(WORDS)["input_ids"]
        expected = np.concatenate([encoder.encode([one]) for one in ids])
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        assert np.allclose(vectors[pooling], expected, atol=1e-6)
    assert not np.allclose(vectors["mean"], vectors["cls"], atol=1e-2)


def test_mean_pooling_reads_label_texts_as_sentence_transformers_does(tiny_encoder):
    ours = Encoders(Settings(encoder=tiny_encoder, segment_tokens=128))
    assert np.allclose(embed_texts(WORDS, ours), embed_texts(WORDS, encoder=tiny_encoder), atol=1e-6)


def test_label_texts_are_read_alike_whatever_the_arithmetic_of_documents(tiny_encoder):
    settings = Settings(encoder=tiny_encoder, segment_tokens=32, overlap=8)
    single, half = (Encoders(settings.model_copy(update={"dtype": dtype})) for dtype in ("float32", "bfloat16"))
    assert np.array_equal(single(WORDS), half(WORDS))
    assert half.of_documents[0].dtype == "bfloat16"
