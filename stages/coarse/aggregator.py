"""The aggregator: the segment vectors of a document, in their order, into one document vector."""

import math

import torch
from torch import Tensor, nn


class Aggregator(nn.Module):
    """A small transformer over segments, then attention pooling.

    With no layers it is the mean of the segment vectors, the plain way that it is compared with.

    Parameters
    ----------
    hidden
        Dimensions of a segment vector.
    layers
        Transformer layers over the segments.
    heads
        Attention heads of a layer.
    dropout
        Dropout rate within the layers.
    """

    def __init__(self, *, hidden: int, layers: int = 1, heads: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        self.layers = layers
        if layers:
            self.scale_in = nn.LayerNorm(hidden)
            self.position_strength = nn.Parameter(torch.tensor(0.1))
            layer = nn.TransformerEncoderLayer(
                hidden, heads, 2 * hidden, dropout, activation="gelu", batch_first=True, norm_first=True
            )
            self.transformer = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
            self.salience = nn.Linear(hidden, 1)

    def forward(self, segments: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Pool segments to documents.

        Parameters
        ----------
        segments
            (documents, segments, hidden) padded segment vectors.
        mask
            (documents, segments) True where there is a segment.

        Returns
        -------
        tuple[Tensor, Tensor]
            (documents, hidden) document vectors and (documents, segments) weights that sum to 1.
        """
        if not self.layers:
            weights = mask / mask.sum(1, keepdim=True)  # (documents, segments)
            return torch.einsum("ds,dsh->dh", weights, segments), weights
        x = self.scale_in(segments)
        x = x + self.position_strength * positions(x.shape[1], x.shape[2]).to(x)
        x = self.transformer(x, src_key_padding_mask=~mask)  # (documents, segments, hidden)
        salience = self.salience(x).squeeze(-1).masked_fill(~mask, -torch.inf)  # (documents, segments)
        weights = salience.softmax(dim=1)
        return torch.einsum("ds,dsh->dh", weights, x), weights


def positions(length: int, hidden: int) -> Tensor:
    """Sinusoidal positions (Vaswani et al. 2017), (length, hidden): no longest document."""
    place = torch.arange(length).unsqueeze(1)
    rate = torch.exp(torch.arange(0, hidden, 2) * (-math.log(10_000.0) / hidden))
    table = torch.zeros(length, hidden)
    table[:, 0::2] = torch.sin(place * rate)
    table[:, 1::2] = torch.cos(place * rate)[:, : hidden // 2]
    return table
