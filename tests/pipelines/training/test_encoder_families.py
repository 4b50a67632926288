"""Every family of encoders by its name alone: trained, saved, read again, and the same answers."""

import json
import shutil

import numpy as np
import pytest
import torch
from tiny_encoders import FAMILIES, save_tiny
from torch import nn

from hierarchy.errors import EncoderError
from pipelines.classifier import HierarchicalClassifier
from pipelines.training.encoder import freeze
from stages.coarse.encoder import Encoder
from stages.training.arguments import parameter_groups

TWO_STEPS = {"max_steps": 2, "learning_rate": 5e-3}


@pytest.fixture(scope="module", params=FAMILIES)
def named(request, tmp_path_factory, english):
    """A family, and the name of an encoder of it."""
    family = FAMILIES[request.param]
    return family, save_tiny(family, english.train[0], tmp_path_factory.mktemp("family") / request.param)


@pytest.fixture
def encoder(named):
    return Encoder.from_pretrained(named[1], dtype="float32")


@pytest.mark.parametrize(("mode", "trainable"), [("chained", "frozen"), ("chained", "all"), ("joint", "all")])
def test_it_trains_is_saved_and_predicts_the_same(tiny_classifier, english, named, encoder, tmp_path, mode, trainable):
    train, valid = ((texts[::4], labels[::4]) for texts, labels in (english.train, english.valid))
    steps = TWO_STEPS if trainable == "frozen" else {**TWO_STEPS, "encoder_learning_rate": 1e-3}
    settings = {"mode": mode, "trainable": trainable, "segment_tokens": 64, "lexical": False, "training": steps}
    classifier = tiny_classifier(encoder=named[1], **settings).fit(*train, validation=valid)
    classifier.save_pretrained(tmp_path / "model")
    again = HierarchicalClassifier.from_pretrained(tmp_path / "model")
    texts = ["", *english.test[0][:8], " ".join(english.test[0][:8])]
    assert classifier.predict_proba(texts).tobytes() == again.predict_proba(texts).tobytes()
    trained, read = (c.model_.extractor.neural.encoder.fingerprint() for c in (classifier, again))
    assert trained == read
    assert (trained == encoder.fingerprint()) == (trainable == "frozen")


def test_vectors_do_not_depend_on_padding_or_neighbours(named, encoder, english):
    segments = encoder.segmenter(segment_tokens=48, overlap=8)(["", *english.train[0][:12]]).input_ids
    read = []
    encoder.transformer.register_forward_pre_hook(lambda _, __, given: read.append(given), with_kwargs=True)
    together = encoder.encode(segments, tokens_per_chunk=100_000)
    padding = np.concatenate([g["input_ids"][g["attention_mask"] == 0].numpy() for g in read])
    assert len(padding)
    assert set(padding) == {named[0].pad_id}
    alone = np.concatenate([encoder.encode([ids]) for ids in segments])
    assert alone.shape == (len(segments), 32)
    assert np.abs(together - alone).max() < 1e-5


def test_weights_in_bf16_read_alike(named, encoder, english, monkeypatch):
    segments = encoder.segmenter(segment_tokens=48, overlap=8)(["", *english.train[0][:12]]).input_ids
    half = Encoder.from_pretrained(named[1], dtype="bfloat16")
    monkeypatch.setattr(Encoder, "_holds_bf16", lambda self: self is half)  # as on a GPU
    vectors = encoder.encode(segments)
    assert np.abs(half.encode(segments) - vectors).max() / np.abs(vectors).max() < 0.1


def test_the_first_token_sees_the_last(named):
    encoder = Encoder.from_pretrained(named[1], pooling="cls", dtype="float32")
    one, other = encoder.tokenizer(["kettle lid", "kettle ink"])["input_ids"]
    assert np.abs(encoder.encode([one]) - encoder.encode([other])).max() > 1e-4


def test_a_document_may_be_longer_than_the_longest_segment(named, encoder, english):
    most = named[0].max_tokens
    assert encoder.tokenizer.model_max_length > 1e29  # what a tokenizer says that was never told
    assert encoder.max_tokens == most
    segments = encoder.segmenter(segment_tokens=min(most, 512))([" ".join(english.train[0][:60])]).input_ids
    assert len(segments) > 1
    assert max(map(len, segments)) == min(most, 512)
    assert np.isfinite(encoder.encode(segments)).all()
    with pytest.raises(EncoderError, match=rf"segment_tokens {most + 1} is more than this encoder takes \({most}\)"):
        encoder.segmenter(segment_tokens=most + 1)


def test_layers_are_found(named, encoder):
    model = nn.ModuleDict({"encoder": encoder.transformer})
    rates = {"learning_rate": 1.0, "encoder_learning_rate": 0.1, "weight_decay": 0.0, "layer_decay": 0.5}
    assert {group["lr"] for group in parameter_groups(model, **rates)} == {0.1, 0.05, 0.025}
    freeze(encoder, 1)
    names = [name for name, _ in encoder.transformer.named_parameters()]
    moved = {name for name in names if encoder.transformer.get_parameter(name).requires_grad}
    first, last = ({name for name in names if name.startswith(f"{named[0].layers}.{i}.")} for i in (0, 1))
    assert len(first) >= 5  # ModernBERT's first has one norm less than the others
    assert len(last) >= len(first)
    assert last <= moved
    embeddings = {n for n, module in encoder.transformer.named_modules() if isinstance(module, nn.Embedding)}
    assert not moved & (first | {f"{name}.weight" for name in embeddings})


def test_dropout_of_attention_can_be_switched_off(named, tmp_path):
    """Where no other dropout is left, two passes in training differ by that of attention alone."""
    shutil.copytree(named[1], tmp_path / "encoder")
    config = tmp_path / "encoder" / "config.json"
    rates = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps({n: 0.0 if "dropout" in n and v is not None else v for n, v in rates.items()}))
    for rate in (0.0, 0.5):
        encoder = Encoder.from_pretrained(str(tmp_path / "encoder"), dtype="float32", attention_dropout=rate).train()
        ids = encoder.tokenizer(["kettle boil water steam spout"], return_tensors="pt")["input_ids"]
        one, other = (encoder.transformer(input_ids=ids).last_hidden_state for _ in range(2))
        assert torch.equal(one, other) == (rate == 0)


@pytest.mark.parametrize("family", [name for name, family in FAMILIES.items() if family.pooler])
def test_a_checkpoint_without_pooler_is_the_same_in_every_load(english, tmp_path, family):
    name = save_tiny(FAMILIES[family], english.train[0], tmp_path / family, head="ForMaskedLM")
    encoder, again = (Encoder.from_pretrained(name, dtype="float32") for _ in range(2))
    assert encoder.fingerprint() == again.fingerprint()
    encoder.save(tmp_path / "saved")
    assert Encoder.from_pretrained(str(tmp_path / "saved"), dtype="float32").fingerprint() == encoder.fingerprint()


@pytest.mark.parametrize("setting", ["encoder", "label_encoder"])
def test_a_decoder_is_refused_before_any_work(tiny_classifier, english, tmp_path, setting):
    from transformers import GPT2Config

    GPT2Config(n_layer=1, n_embd=8, n_head=1).save_pretrained(tmp_path / "writer")
    named = {setting: str(tmp_path / "writer")}
    classifier = tiny_classifier(**named, label_attention=True, run_dir=str(tmp_path / "run"))
    with pytest.raises(EncoderError, match=r"'.*writer' \(gpt2\) is a decoder.*name an encoder such as"):
        classifier.fit(*english.train, validation=english.valid)
    assert not [*(tmp_path / "run").rglob("*.npy")]
