"""The encoder: vectors that do not depend on their neighbours, and names that are refused with a remedy."""

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from tiny_encoders import FAMILIES, save_tiny

from hierarchy.errors import EncoderError
from stages.coarse.encoder import Encoder, computes_bf16


@pytest.fixture(scope="module")
def encoder(tiny_encoder):
    return Encoder.from_pretrained(tiny_encoder, dtype="float32")


@pytest.fixture(scope="module")
def segments(encoder, english):
    return encoder.segmenter(segment_tokens=32, overlap=8)(["", *english.train[0][:40]]).input_ids


def test_vectors_do_not_depend_on_chunks_or_order(encoder, segments):
    alone = np.concatenate([encoder.encode([ids]) for ids in segments])
    assert alone.shape == (len(segments), 32)
    assert alone.dtype == np.float32
    order = np.random.default_rng(0).permutation(len(segments))
    for tokens in (64, 500, 100_000):
        assert np.abs(encoder.encode(segments, tokens_per_chunk=tokens) - alone).max() < 1e-5
        shuffled = encoder.encode([segments[i] for i in order], tokens_per_chunk=tokens)
        assert np.abs(shuffled - alone[order]).max() < 1e-5


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_pooling_is_that_of_the_bare_transformer(tiny_encoder, segments, pooling):
    import torch

    encoder = Encoder.from_pretrained(tiny_encoder, pooling=pooling, dtype="float32")
    with torch.inference_mode():
        hidden = encoder.transformer(input_ids=torch.from_numpy(segments[3].astype(np.int64))[None]).last_hidden_state[
            0
        ]
    expected = hidden.mean(0) if pooling == "mean" else hidden[0]
    assert np.allclose(encoder.encode([segments[3]])[0], expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("unit", [5, 9, 31, 32])
def test_units_are_means_of_their_tokens_read_in_the_whole_segment(encoder, english, unit):
    import torch

    parts = encoder.segmenter(segment_tokens=32, overlap=8, unit_tokens=unit)(["", *english.train[0][:12]])
    vectors = encoder.encode(parts.input_ids, parts.units, tokens_per_chunk=500)
    expected = []
    for ids, units in zip(parts.input_ids, parts.units, strict=True):
        with torch.inference_mode():
            hidden = encoder.transformer(input_ids=torch.from_numpy(ids.astype(np.int64))[None]).last_hidden_state[0]
        bounds = [int(i * len(ids) / units + 0.5) for i in range(units + 1)]
        expected += [hidden[start:end].mean(0).numpy() for start, end in pairwise(bounds)]
    assert np.abs(vectors - np.array(expected)).max() < 1e-5
    if unit >= 32:
        assert np.array_equal(vectors, encoder.encode(parts.input_ids, tokens_per_chunk=500))


def test_units_take_gradients_where_segments_have_different_numbers_of_them(encoder):
    from stages.coarse.chunks import chunked

    segments = encoder.segmenter(segment_tokens=32, overlap=8, unit_tokens=6)(["kettle", "kettle boil water " * 5])
    chunks = list(chunked(segments.input_ids, segments.units, tokens_per_chunk=4096, pad_id=encoder.pad_id))
    assert len(chunks) < len(segments.input_ids)
    encoder.zero_grad()
    encoder(chunks).square().sum().backward()
    assert all(p.grad.isfinite().all() for p in encoder.parameters() if p.grad is not None)
    assert max(float(p.grad.abs().max()) for p in encoder.parameters() if p.grad is not None) > 0
    encoder.zero_grad()


def test_the_first_token_stands_for_the_whole_segment(tiny_encoder):
    encoder = Encoder.from_pretrained(tiny_encoder, pooling="cls", dtype="float32")
    segments = encoder.segmenter(segment_tokens=32, overlap=8, unit_tokens=4)(["kettle boil water " * 20])
    assert len(segments.input_ids) == segments.counts[0] == len(encoder.encode(segments.input_ids, segments.units))


def test_bf16_stays_near_fp32(tiny_encoder, encoder, segments):
    half = Encoder.from_pretrained(tiny_encoder, dtype="bfloat16")
    one, other = encoder.encode(segments), half.encode(segments)
    assert (one.dtype, other.dtype) == (np.float32, np.float16)
    assert not np.array_equal(one, other)
    assert np.abs(one - other).max() / np.abs(one).max() < 0.05


def test_vectors_beyond_the_range_of_float16_stay_numbers(tiny_encoder, segments):
    import torch

    half = Encoder.from_pretrained(tiny_encoder, dtype="bfloat16")
    with torch.no_grad():
        half.transformer.encoder.layer[-1].output.LayerNorm.bias[:2] = torch.tensor([1e6, -1e6])
    vectors = half.encode(segments)
    assert vectors[:, 0].tolist() == [65504.0] * len(segments)
    assert vectors[:, 1].tolist() == [-65504.0] * len(segments)


@pytest.mark.parametrize("most", [200, 40])
def test_a_chunk_that_does_not_fit_is_halved(tiny_encoder, encoder, segments, monkeypatch, caplog, most):
    import torch

    limited = Encoder.from_pretrained(tiny_encoder, dtype="float32")
    forward, seen = limited.transformer.forward, []

    def in_little_memory(input_ids, **inputs):
        seen.append(input_ids.numel())
        if input_ids.numel() > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(input_ids=input_ids, **inputs)

    monkeypatch.setattr(limited.transformer, "forward", in_little_memory)
    vectors = limited.encode(segments, tokens_per_chunk=2000)
    assert np.abs(vectors - encoder.encode(segments)).max() < 1e-5
    tried = [tokens for tokens in seen if tokens > most]
    assert len(tried) == len(caplog.messages) <= 6  # and not once a chunk
    assert (
        caplog.messages[0] == f"{tried[0]} tokens at once do not fit in the GPU's memory: {tried[0] // 2} from now on"
    )
    caplog.clear()
    limited.encode(segments, tokens_per_chunk=2000)
    assert not caplog.messages


def test_a_segment_that_does_not_fit_alone_is_an_error(tiny_encoder, monkeypatch):
    import torch

    def no_memory(**_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    encoder = Encoder.from_pretrained(tiny_encoder, dtype="float32")
    monkeypatch.setattr(encoder.transformer, "forward", no_memory)
    with pytest.raises(torch.OutOfMemoryError):
        encoder.encode([[1, 2], [3, 4]])


def test_weights_in_bf16_read_alike_and_leave_those_of_the_encoder(tiny_encoder, segments, monkeypatch, tmp_path):
    half = Encoder.from_pretrained(tiny_encoder, dtype="bfloat16")
    before, as_on_a_processor = half.fingerprint(), half.encode(segments)
    monkeypatch.setattr(Encoder, "_holds_bf16", lambda _: True)  # as on a GPU
    vectors = half.encode(segments)
    assert vectors.dtype == np.float16
    assert not np.array_equal(vectors, as_on_a_processor)
    assert np.abs(vectors - as_on_a_processor).max() / np.abs(vectors).max() < 0.05
    assert half.fingerprint() == before
    half.save(tmp_path / "saved")
    assert {t.dtype for t in load_file(tmp_path / "saved" / "model.safetensors").values()} == {torch_type("float32")}


def torch_type(name):
    import torch

    return getattr(torch, name)


def test_auto_precision_looks_at_the_device(tiny_encoder, encoder):
    auto = Encoder.from_pretrained(tiny_encoder)
    half = Encoder.from_pretrained(tiny_encoder, dtype="bfloat16")
    same = half if computes_bf16(auto.device) else encoder
    assert auto.fingerprint() == same.fingerprint()
    assert half.fingerprint() != encoder.fingerprint()


def test_fingerprint_sees_what_vectors_depend_on(tiny_encoder, encoder, wide_encoder, tmp_path):
    import torch

    before = encoder.fingerprint()
    encoder.segmenter(segment_tokens=20, overlap=3)(["kettle"])
    assert encoder.fingerprint() == before  # and not on what was cut last
    encoder.tokenizer(["kettle", "the printer"], padding=True)
    assert encoder.fingerprint() == before
    assert Encoder.from_pretrained(tiny_encoder, dtype="float32").fingerprint() == before
    other = Encoder.from_pretrained(tiny_encoder, pooling="cls", dtype="float32")
    changed = Encoder.from_pretrained(tiny_encoder, dtype="float32")
    with torch.no_grad():
        next(changed.transformer.parameters())[5, 3] += 1e-6
    wide = Encoder.from_pretrained(wide_encoder, dtype="float32")
    assert len({e.fingerprint() for e in (encoder, other, changed, wide)}) == 4
    encoder.save(tmp_path / "copy")
    assert Encoder.from_pretrained(str(tmp_path / "copy"), dtype="float32").fingerprint() == encoder.fingerprint()


@pytest.mark.parametrize(
    ("name", "value"), [("num_attention_heads", 2), ("layer_norm_eps", 0.1), ("hidden_act", "relu")]
)
def test_fingerprint_sees_the_config(tiny_encoder, encoder, tmp_path, name, value):
    import json
    import shutil

    shutil.copytree(tiny_encoder, tmp_path / "other")
    config = tmp_path / "other" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text(encoding="utf-8")), name: value}), encoding="utf-8")
    other = Encoder.from_pretrained(str(tmp_path / "other"), dtype="float32")
    assert other.fingerprint() != encoder.fingerprint()
    ids = encoder.segmenter(segment_tokens=32, overlap=3)(["kettle boil water steam"]).input_ids
    assert not np.array_equal(other.encode(ids), encoder.encode(ids))


def test_dropout_is_none_of_what_vectors_depend_on(tiny_encoder, encoder):
    other = Encoder.from_pretrained(tiny_encoder, dtype="float32", attention_dropout=0.5)
    assert other.fingerprint() == encoder.fingerprint()
    assert other.dropout_rates() != encoder.dropout_rates()


def test_label_texts_become_unit_vectors_one_by_one(encoder):
    segmenter = encoder.segmenter(segment_tokens=16, overlap=4)
    texts = ["kettle", "printer ink " * 30, ""]
    vectors = encoder.encode_texts(texts, segmenter)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.concatenate([encoder.encode_texts([text], segmenter) for text in texts])
    assert np.abs(vectors - alone).max() < 1e-5
    whole = encoder.encode(segmenter([texts[1]]).input_ids).mean(0)
    assert np.allclose(vectors[1], whole / np.linalg.norm(whole), atol=1e-5)


def test_segments_longer_than_the_encoder_are_refused(encoder):
    assert encoder.max_tokens == 128
    with pytest.raises(EncoderError, match=r"segment_tokens 256 is more than this encoder takes \(128\).*128 or less"):
        encoder.segmenter()


def test_positions_of_roberta_start_after_the_padding(tiny_encoder, tmp_path):
    from transformers import AutoTokenizer, RobertaConfig, RobertaModel

    AutoTokenizer.from_pretrained(tiny_encoder).save_pretrained(tmp_path)
    config = RobertaConfig(
        vocab_size=500, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=66, pad_token_id=1,
    )  # fmt: skip
    RobertaModel(config).save_pretrained(tmp_path)
    encoder = Encoder.from_pretrained(str(tmp_path))
    assert encoder.max_tokens == 64
    assert np.isfinite(encoder.encode([[7] * 64])).all()


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("GPT2", {"n_layer": 1}, r"'.*gpt2' \(gpt2\) is a decoder, whose tokens do not see what follows"),
        ("Llama", {}, r"\(llama\) is a decoder"),
        ("Qwen3", {}, r"\(qwen3\) is a decoder"),
        ("Gemma3Text", {}, r"\(gemma3_text\) is a decoder"),
        ("ModernBertDecoder", {}, r"\(modernbert-decoder\) is a decoder"),
        ("Bert", {"is_decoder": True}, r"\(bert\) is a decoder"),
        ("T5", {"num_layers": 1}, r"'.*t5' \(t5\) is an encoder-decoder"),
        ("Bart", {}, r"\(bart\) is an encoder-decoder"),
        ("ViT", {}, r"\(vit\) is not made for text alone"),
        ("CLIP", {}, r"\(clip\) is not made for text alone"),
    ],
)
def test_other_architectures_are_refused(tmp_path, kind, settings, message):
    import transformers

    folder = tmp_path / kind.lower()
    getattr(transformers, f"{kind}Config")(**settings).save_pretrained(folder)  # no weights: it is not read so far
    with pytest.raises(EncoderError, match=f"{message}.*: name an encoder such as bert-base-uncased"):
        Encoder.from_pretrained(str(folder))


def test_a_folder_that_holds_no_encoder_is_refused_by_name(tmp_path, tiny_encoder):
    with pytest.raises(EncoderError, match=r"'.*nowhere' cannot be loaded"):
        Encoder.from_pretrained(str(tmp_path / "nowhere"))
    shutil.copytree(tiny_encoder, tmp_path / "bare")
    (tmp_path / "bare" / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match=r"'.*bare' cannot be loaded"):
        Encoder.from_pretrained(str(tmp_path / "bare"))


def test_a_misspelt_name_is_told_the_right_one():
    with pytest.raises(EncoderError, match=r"did you mean 'bert-base-chinese'\?"):
        Encoder.from_pretrained("bert-base-chinise")


def test_damaged_weights_are_refused_by_name(tmp_path, tiny_encoder):
    folder = Path(shutil.copytree(tiny_encoder, tmp_path / "cut"))
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(EncoderError, match=r"'.*cut' cannot be loaded"):
        Encoder.from_pretrained(str(folder))


@pytest.mark.parametrize("model", ["FNet", "ConvBert"])
def test_an_encoder_that_reads_padding_is_refused(tmp_path, english, model):
    name = save_tiny(replace(FAMILIES["bert"], model=model), english.train[0], tmp_path / model)
    with pytest.raises(EncoderError, match=rf"\({model.lower()}\) reads padding too.*neighbours: name an encoder"):
        Encoder.from_pretrained(name)


def test_attention_dropout_needs_an_encoder_that_has_it(tmp_path):
    from transformers import FNetConfig

    FNetConfig().save_pretrained(tmp_path)
    with pytest.raises(EncoderError, match=r"\(fnet\) has no dropout rate of attention.*leave attention_dropout out"):
        Encoder.from_pretrained(str(tmp_path), attention_dropout=0.0)


def test_weights_that_would_start_at_random_are_refused(tmp_path, tiny_encoder, wide_encoder):
    narrow = Path(shutil.copytree(tiny_encoder, tmp_path / "narrow"))
    shutil.copy(Path(wide_encoder) / "model.safetensors", narrow)
    with pytest.raises(
        EncoderError, match=r"'.*narrow': \d\d of its weights .*\(embeddings.*, \.\.\.\): save config.json"
    ):
        Encoder.from_pretrained(str(narrow))
    lost = Path(shutil.copytree(tiny_encoder, tmp_path / "lost"))
    weights = load_file(lost / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, lost / "model.safetensors", {"format": "pt"})
    with pytest.raises(EncoderError, match=r"'.*lost': 1 of .* \(encoder\.layer\.1\.output\.dense\.weight\): save"):
        Encoder.from_pretrained(str(lost))


def test_the_tokenizer_of_another_encoder_is_refused(tmp_path, tiny_encoder, chinese_encoder):
    bare = Path(shutil.copytree(tiny_encoder, tmp_path / "bare"))
    for name in ("tokenizer.json", "vocab.txt"):
        (bare / name).unlink()
    with pytest.raises(EncoderError, match=r"'.*bare' knows \d{3} tokens and its tokenizer 5: .* own tokenizer\.json"):
        Encoder.from_pretrained(str(bare))
    other = Path(shutil.copytree(chinese_encoder, tmp_path / "other"))
    shutil.copy(Path(tiny_encoder) / "tokenizer.json", other)
    with pytest.raises(EncoderError, match=r"'.*other' knows \d+ tokens and its tokenizer \d{3}: "):
        Encoder.from_pretrained(str(other))
    (bare / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(EncoderError, match=r"'.*bare' cannot be loaded \("):
        Encoder.from_pretrained(str(bare))


def test_a_tokenizer_may_take_less_than_the_positions(tiny_encoder, tmp_path):
    from transformers import AutoTokenizer

    folder = shutil.copytree(tiny_encoder, tmp_path / "short")
    AutoTokenizer.from_pretrained(tiny_encoder, model_max_length=40).save_pretrained(folder)
    assert Encoder.from_pretrained(str(folder)).max_tokens == 40
