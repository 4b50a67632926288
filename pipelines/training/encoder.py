"""The encoder of a training: loaded, checked against settings and texts, and how much of it is trained."""

import logging
import os
from collections.abc import Iterable, Sequence

import numpy as np

from hierarchy.errors import ConfigError, EncoderError, UnreadableError
from pipelines.settings import Settings
from stages.coarse.encoder import Encoder
from stages.coarse.segments import UNKNOWN_TOKEN_LIMIT, Segmenter, unknown_token_share
from stages.machine import device_of
from stages.progress import duration
from stages.training.arguments import ENCODER_DEFAULTS, layer_depths

UNKNOWN_TOKEN_SAMPLE = 2000  # documents looked at, spread over all
FULL_TRAINING_LIMIT = 30 * 60  # seconds that `auto` is ready to spend on the encoder
CORE_FLOPS = 28e9  # of training a core is good for: MiniLM-L6 in fp32 trains about 900 tokens a second on two
logger = logging.getLogger(f"coarsefine.{__name__}")


def load_encoder(settings: Settings, texts: Sequence[str], label_texts: Iterable[str]) -> tuple[Encoder, Segmenter]:
    """Load encoder and segmenter, and check that they fit the settings and can read the texts, before any long work.

    Raises
    ------
    ConfigError
        A setting does not fit the encoder's size.
    EncoderError
        The encoder cannot be had or does not fit, or more than 5 % of the tokens are unknown to it.
    """
    device = device_of(settings.device)
    encoder = Encoder.from_pretrained(
        settings.encoder,
        pooling=settings.pooling,
        dtype=settings.dtype,
        attention_dropout=settings.attention_dropout,
    )
    segmenter = encoder.segmenter(
        segment_tokens=settings.segment_tokens, overlap=settings.overlap, max_segments=settings.max_segments
    )
    _check_sizes(settings, encoder)
    some = np.unique(np.linspace(0, len(texts) - 1, UNKNOWN_TOKEN_SAMPLE).astype(int))
    share = unknown_token_share(encoder.tokenizer, [texts[int(i)] for i in some])
    if share > UNKNOWN_TOKEN_LIMIT:
        raise UnreadableError(
            f"{share:.0%} of the tokens of these documents are unknown to the encoder {settings.encoder!r}: it was "
            "made for another language; name one for yours (encoder: bert-base-chinese, xlm-roberta-base, ...), or use "
            "encoder: none, which needs no encoder at all"
        )
    label_texts = list(label_texts)
    reader = encoder
    if settings.label_encoder is not None and label_texts:
        reader = Encoder.from_pretrained(settings.label_encoder)
    check_label_texts(settings, reader, label_texts)
    if settings.mode == "joint" and settings.row_start == "labels":
        share = unknown_token_share(encoder.tokenizer, label_texts)
        if share > UNKNOWN_TOKEN_LIMIT:
            raise EncoderError(
                f"{share:.0%} of the tokens of the label texts are unknown to the encoder {settings.encoder!r}: rows "
                "cannot start from them: set row_start: centroids"
            )
    return encoder.to(device), segmenter


def resolve_trainable(settings: Settings, encoder: Encoder, texts: Sequence[str]) -> str:
    """Turn ``auto`` into ``all`` or ``frozen``, from counts of tokens and parameters, and log the choice."""
    if settings.trainable != "auto":
        return settings.trainable
    some = [texts[int(i)] for i in np.unique(np.linspace(0, len(texts) - 1, 500).astype(int))]
    most = float("inf") if settings.max_segments is None else settings.max_segments * settings.segment_tokens
    lengths = [min(len(ids), most) for ids in encoder.tokenizer(some, verbose=False)["input_ids"]]
    tokens = float(np.mean(lengths)) * len(texts)
    matrices = sum(p.numel() for n, p in encoder.transformer.named_parameters() if p.ndim > 1 and "embedding" not in n)
    epochs = settings.training.get("num_train_epochs", ENCODER_DEFAULTS["num_train_epochs"])
    # 6 operations a parameter and token: forward and backward (Kaplan et al. 2020)
    seconds = 6 * matrices * tokens * epochs / (CORE_FLOPS * (os.cpu_count() or 1))
    on_gpu = encoder.device.type == "cuda"
    choice = "all" if on_gpu or seconds < FULL_TRAINING_LIMIT else "frozen"
    where = "on a GPU" if on_gpu else f"about {duration(seconds)} for a full training on this processor"
    logger.info("trainable: %s (auto; %.2g tokens, %.2g parameters, %s)", choice, tokens, matrices, where)
    return choice


def freeze(encoder: Encoder, top_layers: int | None) -> None:
    """Leave only the last layers trainable; None leaves all."""
    if top_layers is None:
        return
    depths = layer_depths(encoder, "transformer.")
    for name, parameter in encoder.named_parameters():
        parameter.requires_grad_(depths[name] < top_layers)


def _check_sizes(settings: Settings, encoder: Encoder) -> None:
    problems = []
    hidden, depth = encoder.hidden_size, max(layer_depths(encoder, "transformer.").values())
    if settings.aggregator and hidden % settings.aggregator_heads:
        problems.append(
            f"aggregator_heads {settings.aggregator_heads} does not divide the encoder's {hidden} dimensions: "
            f"set it to a divisor of {hidden}"
        )
    if settings.top_layers is not None and settings.top_layers > depth:
        problems.append(
            f"trainable top_{settings.top_layers}: this encoder has {depth} layers: use top_{depth} or less"
        )
    if problems:
        raise ConfigError(problems)


def check_label_texts(settings: Settings, encoder: Encoder, texts: Sequence[str]) -> None:
    """Refuse label texts with more than 5 % unknown tokens, where label attention would read them."""
    share = unknown_token_share(encoder.tokenizer, texts)
    if settings.label_attention and share > UNKNOWN_TOKEN_LIMIT:
        raise EncoderError(
            f"{share:.0%} of the tokens of the label texts are unknown to the encoder: "
            "set label_encoder to one that reads the language of the labels"
        )
