"""An encoder with its head for masked words, as masked language modelling trains it."""

import logging
from typing import Any

from hierarchy.embedding.embedded import embedded_encoder_path
from hierarchy.embedding.pretrained import quiet_transformers
from hierarchy.errors import EncoderError
from stages.coarse.loading import EMBEDDED, load_transformer

SENTENCES = "modules.json"  # a file that every encoder of sentence-transformers has
logger = logging.getLogger(f"coarsefine.{__name__}")


def load_masked_encoder(name: str) -> tuple[Any, Any]:
    """Load an encoder by name, with its head where it was saved with one; else the head begins with random weights.

    Parameters
    ----------
    name
        As for `load_transformer`, which checks it.

    Returns
    -------
    tuple
        The model in float32, and its tokenizer.

    Raises
    ------
    EncoderError
        As `load_transformer` says; or its family has no such head, or its tokenizer no token that masks.
    """
    from transformers import AutoModelForMaskedLM

    transformer, tokenizer = load_transformer(name)
    if tokenizer.mask_token is None:
        raise EncoderError(f"encoder {name!r} has no token that masks words: name one that was trained as BERT was")
    try:
        with quiet_transformers():
            model, report = AutoModelForMaskedLM.from_pretrained(
                _source(name), config=transformer.config, use_safetensors=True, dtype=transformer.dtype,
                output_loading_info=True, trust_remote_code=False,
            )  # fmt: skip
    except ValueError as error:
        kind = transformer.config.model_type
        raise EncoderError(
            f"encoder {name!r} ({kind}) has no head for masked words in transformers: name another"
        ) from error
    if model.base_model is model:
        raise EncoderError(f"encoder {name!r} ({transformer.config.model_type}) is one with its head: name another")
    head = [key for key in report["missing_keys"] if not key.startswith(f"{model.base_model_prefix}.")]
    logger.info("%s: its head for masked words %s", name, "begins with random weights" if head else "goes on as it is")
    return model, tokenizer


def is_sentence_encoder(name: str) -> bool:
    """Whether an encoder was trained so that near texts have near vectors: what sentence-transformers saved."""
    from transformers.utils import cached_file

    lenient = {"_raise_exceptions_for_missing_entries": False, "_raise_exceptions_for_connection_errors": False}
    return cached_file(_source(name), SENTENCES, **lenient) is not None


def _source(name: str) -> str:
    return str(embedded_encoder_path()) if name == EMBEDDED else name
