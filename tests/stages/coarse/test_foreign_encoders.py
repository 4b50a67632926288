"""An encoder that comes from elsewhere: no pickle, no code, no kernel, no other repository, no larger than it is."""

import base64
import json
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from hierarchy.embedding.pretrained import whole_tokens
from hierarchy.errors import EncoderError
from stages.coarse.encoder import Encoder

CODE = {"AutoModel": "evil/code--modeling.Evil", "AutoConfig": "evil/code--config.Evil"}


@pytest.fixture
def folder(tiny_encoder, tmp_path):
    return Path(shutil.copytree(tiny_encoder, tmp_path / "encoder"))


@pytest.fixture(scope="module")
def vectors(tiny_encoder):
    return Encoder.from_pretrained(tiny_encoder, dtype="float32").encode([[2, 7, 9, 3]])


def edit(folder, name="config.json", **changes):
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    (folder / name).write_text(json.dumps({**content, **changes}), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("config.json", {"_attn_implementation": "evil/kernel"}),
        ("config.json", {"attn_implementation": "evil/kernel:forward"}),
        ("config.json", {"attn_implementation": {"": "evil/kernel"}}),
        ("config.json", {"_attn_implementation_internal": "evil/kernel", "experts_implementation": "evil/kernel"}),
        ("config.json", {"attn_implementation": "flash_attention_2", "output_attentions": False}),
        ("config.json", {"auto_map": CODE}),
        ("config.json", {"transformers_weights": "other.safetensors"}),
        ("config.json", {"fusion_config": {"patch_embeddings": True}, "distributed_config": {"tp_size": 8}}),
        ("config.json", {"_name_or_path": "evil/encoder", "dtype": "float16", "torch_dtype": "bfloat16"}),
        ("config.json", {"output_hidden_states": True, "return_dict": False}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": [None, "evil/code--tokenizer.Evil"]}}),
        ("tokenizer_config.json", {"name_or_path": "evil/tokenizer", "tokenizer_file": "/proc/kmsg"}),
        ("tokenizer_config.json", {"vocab_file": "/proc/kmsg", "special_tokens_map_file": "/proc/kmsg"}),
        ("tokenizer_config.json", {"chat_template": "{{ x.__class__ }}"}),
    ],
)
def test_what_acts_is_not_followed(hub, folder, vectors, name, changes):
    edit(folder, name, **changes)
    encoder = Encoder.from_pretrained(str(folder), dtype="float32")
    assert np.array_equal(encoder.encode([[2, 7, 9, 3]]), vectors)
    assert encoder.transformer.config._attn_implementation in ("sdpa", "eager")
    encoder.save(folder.with_name("saved"))
    assert "evil" not in (folder.with_name("saved") / "config.json").read_text(encoding="utf-8").replace(
        "_name_or_path", ""
    )
    assert hub.requests == []


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("config.json", {"quantization_config": {"quant_method": "gptq", "bits": 4}}, "is quantized"),
        ("config.json", {"model_type": "evil", "auto_map": CODE}, "cannot be loaded"),
        ("config.json", {"vocab_size": 10**9}, r"vocab_size 1000000000 in config\.json is more"),
        ("config.json", {"hidden_size": 10**6, "num_attention_heads": 4}, "asks for|is more"),
        ("config.json", {"intermediate_size": 10**6}, "asks for"),
        ("config.json", {"num_hidden_layers": 10**6}, "num_hidden_layers 1000000 .*at most 39"),
        ("config.json", {"num_hidden_layers": 10**400}, "cannot be loaded|is more"),
        ("config.json", {"max_position_embeddings": 10**9}, "max_position_embeddings"),
        ("config.json", {"max_position_embeddings": 10**6}, "asks for"),
        ("config.json", {"num_labels": 10**9}, "num_labels"),
        ("config.json", {"inner": {"deep": [10**9]}}, "deep 1000000000"),
        ("config.json", {"hidden_size": -1}, "cannot be loaded|is more"),
        ("config.json", {"hidden_act": "evil"}, "cannot be loaded"),
        ("tokenizer_config.json", {"tokenizer_class": "BertJapaneseTokenizer"}, "not a fast one"),
        ("tokenizer_config.json", {"tokenizer_class": "RagTokenizer"}, "not a fast one"),
        ("tokenizer_config.json", {"tokenizer_class": ["x"]}, "cannot be loaded"),
        ("tokenizer_config.json", {"model_max_length": "long"}, "model_max_length 'long'"),
        ("tokenizer_config.json", {"model_max_length": float("inf")}, "model_max_length inf"),
        ("tokenizer_config.json", {"model_max_length": -5}, "model_max_length -5"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_one_error_at_once(hub, folder, name, changes, message):
    edit(folder, name, **changes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(EncoderError, match=message):
        Encoder.from_pretrained(str(folder))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KiB
    assert hub.requests == []


def replacing(pattern, content):
    return {"type": "Replace", "pattern": pattern, "content": content}


def after_each_other(*rules):
    return {"type": "Sequence", "normalizers": rules}


BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
TABLE = base64.b64encode(bytes(4) + b"x\0" + b"y" * 3000 + b"\0").decode()


@pytest.mark.parametrize(
    "rules",
    [
        {"normalizer": after_each_other(*[replacing({"String": "a"}, "a" * 1000)] * 4)},
        {"normalizer": after_each_other(*[replacing({"Regex": "x*"}, "y")] * 40)},
        {"normalizer": after_each_other(*[replacing({"String": ""}, "y")] * 40)},
        {"normalizer": after_each_other(*[replacing({"String": " "}, "\ufdfa"), {"type": "NFKD"}] * 9)},
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": TABLE}},
        {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [BYTES] * 30}},
        {
            "normalizer": after_each_other(*[after_each_other({"type": "NFKC"})] * 2),
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [BYTES, BYTES]},
        },
    ],
)  # fmt: skip
def test_a_tokenizer_that_blows_texts_up_is_given_none(folder, rules):
    edit(folder, "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    edit(folder, "tokenizer.json", **rules)
    with pytest.raises(EncoderError, match=r"tokenizer\.json .* more than 2,000 times as long"):
        Encoder.from_pretrained(str(folder))


def test_the_rules_of_known_tokenizers_are_taken(folder, vectors):
    of_albert = [
        replacing({"String": "``"}, '"'), replacing({"String": "''"}, '"'), {"type": "NFKD"}, {"type": "StripAccents"},
        {"type": "Lowercase"}, replacing({"Regex": " {2,}"}, " "), replacing({"String": "\u2581"}, " "),
    ]  # fmt: skip
    edit(folder, "tokenizer.json", normalizer=after_each_other(*of_albert))
    for kind in ("PreTrainedTokenizerFast", "TokenizersBackend", "BertTokenizerFast", "NobodyKnowsFast"):
        edit(folder, "tokenizer_config.json", tokenizer_class=kind)  # the first one is that of ModernBERT
        assert np.array_equal(Encoder.from_pretrained(str(folder), dtype="float32").encode([[2, 7, 9, 3]]), vectors)


def test_a_tokenizer_without_a_token_for_the_unknown_says_so(folder):
    tokens = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    edit(folder, "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    edit(folder, "tokenizer.json", model={"type": "WordLevel", "vocab": tokens | {"a": 7}, "unk_token": "[NONE]"})
    segmenter = Encoder.from_pretrained(str(folder)).segmenter(segment_tokens=32, overlap=8, max_segments=None)
    with pytest.raises(EncoderError, match="the encoder's tokenizer gave up"):
        segmenter(["unheard of"])


def test_a_family_that_lists_its_layers_is_bounded_before_the_list_is_made(tmp_path):
    from transformers import ModernBertConfig

    ModernBertConfig().save_pretrained(tmp_path)
    edit(tmp_path, num_hidden_layers=10**9, layer_types=None)
    with pytest.raises(EncoderError, match="num_hidden_layers 1000000000"):
        Encoder.from_pretrained(str(tmp_path))


def test_a_pickle_is_never_read(folder, vectors, monkeypatch):
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("a pickle is read"))
    for name in ("pytorch_model.bin", "training_args.bin", "adapter_model.bin"):
        (folder / name).write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert np.array_equal(Encoder.from_pretrained(str(folder), dtype="float32").encode([[2, 7, 9, 3]]), vectors)
    (folder / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match=r"weights are a pickle \(adapter_model.bin\).*safetensors"):
        Encoder.from_pretrained(str(folder))


def test_an_adapter_is_refused(hub, folder):
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "evil/base"}', encoding="utf-8")
    with pytest.raises(EncoderError, match=r"is an adapter of another encoder.*merge"):
        Encoder.from_pretrained(str(folder))
    assert hub.requests == []


def test_weights_in_parts_stay_in_their_folder(folder, tiny_encoder, vectors):
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").rename(folder / "one.safetensors")
    index = {"metadata": {}, "weight_map": dict.fromkeys(weights, "one.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert np.array_equal(Encoder.from_pretrained(str(folder), dtype="float32").encode([[2, 7, 9, 3]]), vectors)
    index["weight_map"] = dict.fromkeys(weights, f"{tiny_encoder}/model.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(EncoderError, match=r"index\.json names '.*', which lies in another folder"):
        Encoder.from_pretrained(str(folder))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(folder, value):
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][50, 3] = value
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(EncoderError, match=r"embeddings\.word_embeddings\.weight are not all finite"):
        Encoder.from_pretrained(str(folder))


def test_token_ids_beyond_the_embeddings_are_refused(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    last = max(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].get)
    tokenizer["model"]["vocab"][last] = 100_000
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    with pytest.raises(EncoderError, match="and its tokenizer 100001"):
        Encoder.from_pretrained(str(folder))


class PanicException(BaseException):
    """As pyo3 raises it, which is no `Exception`."""


def _panic(*_, **__):
    raise PanicException("index out of bounds")


def test_a_panic_of_the_tokenizer_is_one_error(folder, monkeypatch):
    with pytest.raises(EncoderError, match=r"tokenizer gave up \(index out of bounds\)"):
        whole_tokens(_panic, ["x"])
    from transformers import AutoTokenizer

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", _panic)
    with pytest.raises(EncoderError, match=r"cannot be loaded \(index out of bounds\)"):
        Encoder.from_pretrained(str(folder))
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        Encoder.from_pretrained(str(folder))
