"""One optimizer factory: AdamW with learning rates of their own for the encoder and for what is new above it."""

import torch
from torch import nn


def make_optimizer(
    model: nn.Module,
    *,
    learning_rate: float,
    encoder_learning_rate: float,
    weight_decay: float,
    encoder_prefix: str = "encoder.",
) -> torch.optim.AdamW:
    """Group the trainable parameters by learning rate and by weight decay.

    Parameters
    ----------
    model
        Parameters whose names start with `encoder_prefix` belong to the pretrained encoder.
    learning_rate
        Of everything that starts untrained.
    encoder_learning_rate
        Of the encoder, usually 10 to 100 times smaller.
    weight_decay
        Of matrices; biases, norms and other vectors have none.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            rate = encoder_learning_rate if name.startswith(encoder_prefix) else learning_rate
            decay = weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": p, "lr": rate, "weight_decay": decay} for (rate, decay), p in groups.items()],
        lr=learning_rate,
    )
