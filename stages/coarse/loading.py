"""A pretrained encoder and its tokenizer by name, or one clear reason why the name gives none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hierarchy.disk.paths import path_exists
from hierarchy.embedding.embedded import embedded_encoder_path
from hierarchy.embedding.hub_names import hub_refusal
from hierarchy.embedding.pretrained import is_panic, quiet_transformers
from hierarchy.errors import EncoderError, first_line
from hierarchy.text.likeness import most_like
from stages.coarse.encoder_files import check_growth, check_model_size, check_sizes

EMBEDDED = "embedded"
KNOWN = ("bert-base-uncased", "bert-base-chinese", "xlm-roberta-base", "answerdotai/ModernBERT-base")
OTHERS = f"name an encoder such as {', '.join(KNOWN[:-1])} or {KNOWN[-1]}"
# What a config.json may say that acts: other files, fused or foreign kernels, more processes, classes from elsewhere.
ACTS = ("transformers_weights", "fusion_config", "distributed_config", "auto_map")
ADAPTER = "adapter_config.json"
LONGEST = 1e31  # tokens, more than what transformers writes for "without limit"


def load_transformer(
    name: str, *, source: str | None = None, attention_dropout: float | None = None
) -> tuple[nn.Module, Any]:
    """Load an encoder and its tokenizer: weights from safetensors alone, no code but that of transformers.

    Of a local folder nothing is looked for on the hub.

    Parameters
    ----------
    name
        ``embedded``, a local folder, or a Hugging Face id; messages call it so.
    source
        Folder to read it from, where that is not what its name says.
    attention_dropout
        Dropout rate of its attention weights in training; None keeps its own.

    Returns
    -------
    tuple
        The transformer in evaluation mode, float32, and its tokenizer.

    Raises
    ------
    EncoderError
        It cannot be found or loaded, weights are missing, no numbers, or a pickle, or the config asks for a larger
        model than they are; the tokenizer is another model's; it is no encoder of text, an adapter, or quantized; a
        segment's vector would depend on the segments beside it; or its config has no dropout rate of attention.
    """
    source = source or (str(embedded_encoder_path()) if name == EMBEDDED else name)
    if not path_exists(source):
        if near := most_like(name, (EMBEDDED, "none"), least=0.75):  # before the hub is asked in vain
            raise EncoderError(f"encoder {name!r} is unknown: did you mean {near[0]!r}?")
        if (refusal := hub_refusal(source)) is not None:
            raise _cannot_be_loaded(name, refusal)
    try:
        transformer, tokenizer = _read(name, source, attention_dropout)
    except (EncoderError, MemoryError):
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        raise _cannot_be_loaded(name, first_line(error).replace(source, name)) from error
    return transformer.eval(), tokenizer


def _cannot_be_loaded(name: str, cause: str) -> EncoderError:
    meant = [known for known in most_like(name, KNOWN, least=0.85) if known != name]
    return EncoderError(
        f"encoder {name!r} cannot be loaded ({cause}): name a Hugging Face id that this "
        "machine can reach, a local folder with config.json, weights and tokenizer, 'embedded', or 'none'"
        + "".join(f" (did you mean {known!r}?)" for known in meant)
    )


def _read(name: str, source: str, attention_dropout: float | None) -> tuple[nn.Module, Any]:
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    folder = Path(source) if Path(source).is_dir() else None
    where: dict[str, Any] = {"trust_remote_code": False, "local_files_only": folder is not None}
    _refuse_adapter(name, source, folder)
    stored = None if folder is None or not (folder / "config.json").is_file() else check_sizes(name, folder)
    config = AutoConfig.from_pretrained(source, **where)
    _refuse_other_architectures(name, config)
    if attention_dropout is not None:
        setattr(config, _attention_dropout_of(name, config), attention_dropout)
    _leave_out_what_acts(name, config)
    if folder is not None and stored is not None:
        check_model_size(name, folder, config, stored)
    _refuse_slow_tokenizer(name, source, config, where)
    if folder is not None:
        check_growth(name, folder)
    tokenizer = AutoTokenizer.from_pretrained(source, config=config, **where)
    with quiet_transformers():
        transformer, report = AutoModel.from_pretrained(
            source,
            config=config,
            use_safetensors=True,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # the report names them
            output_loading_info=True,
            **where,
        )
    _refuse_missing_weights(name, transformer, report)
    _refuse_other_tokenizer(name, transformer, tokenizer)
    _refuse_influence_of_padding(name, transformer, tokenizer)
    return transformer, tokenizer


def _refuse_adapter(name: str, source: str, folder: Path | None) -> None:
    """Refuse what names another encoder as its base: with peft installed, that one would be fetched."""
    from transformers.utils import find_adapter_config_file, is_peft_available

    if folder is not None:
        found = (folder / ADAPTER).exists()
    else:
        found = is_peft_available() and find_adapter_config_file(source) is not None
    if found:
        raise EncoderError(
            f"encoder {name!r} is an adapter of another encoder ({ADAPTER}): merge the two (merge_and_unload of peft) "
            "and save them as one"
        )


def _leave_out_what_acts(name: str, config: Any) -> None:
    if getattr(config, "quantization_config", None) is not None:
        raise EncoderError(
            f"encoder {name!r} is quantized (quantization_config in its config.json): name the one that it was made of"
        )
    for setting in ACTS:
        vars(config).pop(setting, None)
    config._attn_implementation = config._experts_implementation = None  # torch's own, and no kernel from the hub
    config.output_attentions = config.output_hidden_states = False
    config.return_dict = True


def _refuse_slow_tokenizer(name: str, source: str, config: Any, where: Mapping[str, Any]) -> None:
    """Refuse a tokenizer in Python before it is made: it could not cut windows, and some open whatever they name."""
    from transformers import PreTrainedTokenizerFast
    from transformers.models.auto.tokenization_auto import get_tokenizer_config, tokenizer_class_from_name

    named = get_tokenizer_config(source, **where).get("tokenizer_class") or getattr(config, "tokenizer_class", None)
    kind = None
    if named is not None:  # PreTrainedTokenizerFast is one of its own, others are the fast kind of a name
        kind = tokenizer_class_from_name(str(named)) or tokenizer_class_from_name(str(named).removesuffix("Fast"))
    if kind is not None and not issubclass(kind, PreTrainedTokenizerFast):
        raise EncoderError(
            f"encoder {name!r}: its tokenizer {named} is not a fast one, so it cannot cut windows: name an encoder "
            "with a tokenizer.json"
        )


def _refuse_other_architectures(name: str, config: Any) -> None:
    if config.is_encoder_decoder:
        kind = "an encoder-decoder"
    elif _is_decoder(config):
        kind = "a decoder, whose tokens do not see what follows"
    elif not _reads_text_alone(config):
        kind = "not made for text alone"
    else:
        return
    raise EncoderError(f"encoder {name!r} ({config.model_type}) is {kind}: {OTHERS}")


def _attention_dropout_of(name: str, config: Any) -> str:
    known = ("attention_probs_dropout_prob", "attention_dropout")  # in all families of transformers
    found = next((field for field in known if hasattr(config, field)), None)
    if found is None:
        raise EncoderError(
            f"encoder {name!r} ({config.model_type}) has no dropout rate of attention weights ({' or '.join(known)}) "
            "in its config: leave attention_dropout out"
        )
    return found


def _is_decoder(config: Any) -> bool:
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    if getattr(config, "is_decoder", False):  # of a family that has both, such as BERT
        return True
    if getattr(config, "use_bidirectional_attention", None) is True:  # an encoder made of a decoder: EmbeddingGemma
        return False
    writes, fills_in = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return config.model_type in writes and config.model_type not in fills_in


def _reads_text_alone(config: Any) -> bool:
    from transformers import MODEL_MAPPING

    model = MODEL_MAPPING.get(type(config), None)
    if model is None:  # AutoModel says what it thinks of that
        return True
    model = model[0] if isinstance(model, tuple) else model
    return model.main_input_name == "input_ids" and model.input_modalities in ("text", ("text",))


def _refuse_missing_weights(name: str, transformer: nn.Module, report: Mapping[str, Any]) -> None:
    """Refuse weights that would start at random."""
    absent = {*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])}
    pooler = {key for key in absent if key.startswith("pooler.")}
    for key in pooler:  # checkpoints of RoBERTa have none, and nothing reads it: the same in every load
        nn.init.zeros_(transformer.get_parameter(key))
    lost = sorted(absent - pooler)
    if lost:
        raise EncoderError(
            f"encoder {name!r}: {len(lost)} of its weights are missing or do not have the size that config.json says "
            f"({lost[0]}{', ...' if lost[1:] else ''}): save config.json and weights of the same model together"
        )
    # A sum is finite where all are, and costs a fraction of looking at each.
    broken = next((key for key, tensor in transformer.state_dict().items() if not tensor.sum().isfinite()), None)
    if broken is not None:
        raise EncoderError(f"encoder {name!r}: its weights {broken} are not all finite numbers: copy or save it again")


def _refuse_other_tokenizer(name: str, transformer: Any, tokenizer: Any) -> None:
    """Refuse a tokenizer that lost its vocabulary, or has ids that the embeddings do not have."""
    known = transformer.get_input_embeddings().weight.shape[0]
    tokens = max(len(tokenizer), 1 + max(tokenizer.get_vocab().values(), default=0))
    if not known / 2 <= len(tokenizer) <= tokens <= known:
        raise EncoderError(
            f"encoder {name!r} knows {known} tokens and its tokenizer {tokens}: save the encoder with its own "
            "tokenizer.json"
        )
    longest = tokenizer.model_max_length
    if isinstance(longest, bool) or not isinstance(longest, int | float) or not 1 <= longest <= LONGEST:
        raise EncoderError(
            f"encoder {name!r}: model_max_length {longest!r} in tokenizer_config.json is no number of tokens: save the "
            "encoder with its own tokenizer_config.json"
        )


def _refuse_influence_of_padding(name: str, transformer: Any, tokenizer: Any) -> None:
    """Refuse an encoder that has no eyes for the attention mask, as Fourier transforms and convolutions have none."""
    ids = torch.tensor([tokenizer("a")["input_ids"]])  # (1, tokens)
    padded = nn.functional.pad(ids, (0, 16), value=tokenizer.pad_token_id or 0)
    mask = nn.functional.pad(torch.ones_like(ids), (0, 16))
    with torch.inference_mode():
        alone = transformer(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        beside = transformer(input_ids=padded, attention_mask=mask).last_hidden_state[:, : ids.shape[1]]
    if (alone - beside).abs().max() > 1e-3 * alone.abs().max():
        raise EncoderError(
            f"encoder {name!r} ({transformer.config.model_type}) reads padding too, so that a document's prediction "
            f"would depend on its neighbours: {OTHERS}"
        )
