"""One optimizer factory: AdamW with learning rates of their own for the encoder and for what is new above it."""

import torch
from torch import nn


def make_optimizer(
    model: nn.Module,
    *,
    learning_rate: float,
    encoder_learning_rate: float,
    weight_decay: float,
    layer_decay: float = 1.0,
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
        Of the encoder's last layer, usually 10 to 100 times smaller.
    weight_decay
        Of matrices; biases, norms and other vectors have none.
    layer_decay
        Each layer of the encoder has this share of the rate of the layer above it, the embeddings the smallest
        (Howard and Ruder 2018); 1 for one rate.
    """
    depths = layer_depths(model, encoder_prefix)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            rate = learning_rate
            if name.startswith(encoder_prefix):
                rate = encoder_learning_rate * layer_decay ** depths[name]
            decay = weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": p, "lr": rate, "weight_decay": decay} for (rate, decay), p in groups.items()],
        lr=learning_rate,
    )


def layer_depths(model: nn.Module, encoder_prefix: str) -> dict[str, int]:
    """Layers between each encoder parameter and the encoder's output, by name.

    The layers are the longest list of modules in the encoder. What comes before it (embeddings) lies below the first
    layer, what comes after it (a last norm, a pooler) at the output.
    """
    names = [name for name, _ in model.named_parameters() if name.startswith(encoder_prefix)]
    lists = {
        name: module
        for name, module in model.named_modules()
        if name.startswith(encoder_prefix) and isinstance(module, nn.ModuleList)
    }
    if not lists:
        return dict.fromkeys(names, 0)
    layers = max(lists, key=lambda name: len(lists[name]))
    count = len(lists[layers])
    depths, reached = {}, False
    for name in names:
        if name.startswith(f"{layers}."):
            reached = True
            depths[name] = count - 1 - int(name.removeprefix(f"{layers}.").split(".")[0])
        else:
            depths[name] = 0 if reached else count
    return depths
