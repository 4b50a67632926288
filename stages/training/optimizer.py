"""What the optimizer is told: learning rates of their own for the encoder and for what is new above it."""

from typing import Any

from torch import nn


def parameter_groups(
    model: nn.Module,
    *,
    learning_rate: float,
    encoder_learning_rate: float,
    weight_decay: float,
    layer_decay: float = 1.0,
    encoder_prefix: str = "encoder.",
) -> list[dict[str, Any]]:
    """Group the trainable parameters by learning rate and by weight decay, as torch optimizers take them.

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
    return [{"params": p, "lr": rate, "weight_decay": decay} for (rate, decay), p in groups.items()]


def layer_depths(model: nn.Module, encoder_prefix: str) -> dict[str, int]:
    """Layers between each encoder parameter and the encoder's output, by name.

    The layers are the longest list of modules in the encoder. What comes before it (embeddings) lies below the first
    layer, and so do embeddings that all layers read (relative positions); what else comes after it (a last norm, a
    pooler) lies at the output.
    """
    embeddings = {name for name, module in model.named_modules() if isinstance(module, nn.Embedding)}
    names = [name for name, _ in model.named_parameters() if name.startswith(encoder_prefix)]
    layers, count = _layers(model, encoder_prefix)
    depths, reached = {}, False
    for name in names:
        if layers and name.startswith(f"{layers}."):
            reached = True
            depths[name] = count - 1 - int(name.removeprefix(f"{layers}.").split(".")[0])
        else:
            depths[name] = 0 if reached and name.rpartition(".")[0] not in embeddings else count
    return depths


def _layers(model: nn.Module, prefix: str) -> tuple[str, int]:
    """Name and length of the longest list of modules."""
    lists = {n: len(m) for n, m in model.named_modules() if n.startswith(prefix) and isinstance(m, nn.ModuleList)}
    return max(lists.items(), key=lambda entry: entry[1], default=("", 0))
