"""The encoder of a training: loaded, checked against settings and texts, and how much of it is trained."""

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from hierarchy.errors import ConfigError, EncoderError, UnreadableError
from hierarchy.taxonomy import Taxonomy
from pipelines.settings import Settings
from stages.coarse.document_model import group_text_embeddings
from stages.coarse.encoder import Encoder
from stages.coarse.segments import UNKNOWN_TOKEN_LIMIT, Segmenter, unknown_token_share
from stages.label_space import LabelSpace
from stages.progress import duration
from stages.training.arguments import ENCODER_DEFAULTS, layer_depths

if TYPE_CHECKING:
    from pipelines.training.encoders import Encoders

UNKNOWN_TOKEN_SAMPLE = 2000  # documents looked at, spread over all
FULL_TRAINING_LIMIT = 30 * 60  # seconds that `auto` is ready to spend on the encoder
CORE_FLOPS = 28e9  # of training a core is good for: MiniLM-L6 in fp32 trains about 900 tokens a second on two
logger = logging.getLogger(f"coarsefine.{__name__}")


def load_encoder(encoders: "Encoders", texts: Sequence[str], label_texts: Iterable[str]) -> tuple[Encoder, Segmenter]:
    """Load encoder and segmenter, and check that they fit the settings and can read the texts, before any long work.

    Raises
    ------
    ConfigError
        A setting does not fit the encoder's size.
    EncoderError
        The encoder cannot be had or does not fit, or more than 5 % of the tokens are unknown to it.
    """
    settings = encoders.settings
    encoder, segmenter = encoders.of_documents
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
    if label_texts and settings.label_attention:
        check_label_texts(encoders.of_labels[0], label_texts)
    if settings.row_start == "labels":
        share = unknown_token_share(encoder.tokenizer, label_texts)
        if share > UNKNOWN_TOKEN_LIMIT:
            raise EncoderError(
                f"{share:.0%} of the tokens of the label texts are unknown to the encoder {settings.encoder!r}: rows "
                "cannot start from them: set row_start: centroids"
            )
    return encoder, segmenter


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
    if settings.aggregator_layers and hidden % settings.aggregator_heads:
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


def check_label_texts(encoder: Encoder, texts: Sequence[str]) -> None:
    """Refuse label texts with more than 5 % unknown tokens: label attention could not read them."""
    share = unknown_token_share(encoder.tokenizer, texts)
    if share > UNKNOWN_TOKEN_LIMIT:
        raise EncoderError(
            f"{share:.0%} of the tokens of the label texts are unknown to the encoder: "
            "set label_encoder to one that reads the language of the labels"
        )


def group_embeddings(
    settings: Settings, taxonomy: Taxonomy, space: LabelSpace, reader: Callable[[], tuple[Encoder, Segmenter]]
) -> torch.Tensor:
    """Vectors of the groups, from their texts and those of their labels, at which the label attention starts.

    Parameters
    ----------
    settings
        ``label_attention`` is read.
    taxonomy, space
        Labels, groups and their texts.
    reader
        Gives the encoder of the label texts, and what cuts them; it is not asked where there is no label attention.

    Returns
    -------
    torch.Tensor
        (groups, label hidden); without label attention there is nothing in them.

    Raises
    ------
    EncoderError
        The label texts have more than 5 % unknown tokens.
    """
    if not settings.label_attention:
        return torch.zeros(len(space.group_ids), 0)
    encoder, segmenter = reader()
    groups = [taxonomy.groups[taxonomy.group_index(g)] for g in space.group_ids]
    group_texts = [g.text for g in groups]
    label_texts = [label.text for g in groups for label in g.labels]
    check_label_texts(encoder, label_texts)
    group_of = torch.tensor([i for i, g in enumerate(groups) for _ in g.labels])
    return group_text_embeddings(
        torch.from_numpy(encoder.encode_texts(group_texts, segmenter)),
        torch.from_numpy(encoder.encode_texts(label_texts, segmenter)),
        group_of,
    )
