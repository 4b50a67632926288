"""The document model: segment vectors → aggregator → label attention → group logits."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
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

    def forward(self, segments: Tensor, counts: Tensor, presence: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Pool segments to documents.

        Documents of similar length go through the layers together, so a long one does not pad the short ones.

        Parameters
        ----------
        segments
            (segments of all documents, hidden), document after document.
        counts
            (documents,) segments of each document, at least 1.
        presence
            (segments of all documents,) how much each segment counts in every attention: 1 as it is, towards 0 as if
            it were not there. None is 1 for all; its gradient at 1 tells what each segment does. Gradients must be
            enabled where it is given.

        Returns
        -------
        tuple[Tensor, Tensor]
            (documents, hidden) document vectors, and (segments of all documents,) the share of each segment in
            the vector of its document, which sum to 1 over a document.
        """
        counts = counts.to(segments.device)
        starts = counts.cumsum(0) - counts
        documents, places, vectors, weights = [], [], [], []
        for alike in similar_lengths(counts):
            # 1. Where each segment of these documents stands; a shorter document repeats its last one, masked out.
            steps = torch.arange(int(counts[alike].max()), device=segments.device)
            mask = steps < counts[alike].unsqueeze(1)  # (documents alike, segments)
            place = starts[alike].unsqueeze(1) + steps.minimum(counts[alike].unsqueeze(1) - 1)  # as `mask`
            # 2. Pool them; what is kept of the padding is nothing.
            pooled, share = self._pool(segments[place], mask, None if presence is None else presence[place])
            documents.append(alike)
            vectors.append(pooled)
            places.append(place[mask])
            weights.append(share[mask])
        # 3. Back into the order of the batch.
        together, shares = torch.cat(vectors), torch.cat(weights)
        return (
            torch.zeros_like(together).index_copy(0, torch.cat(documents), together),  # (documents, hidden)
            torch.zeros_like(shares).index_copy(0, torch.cat(places), shares),  # (segments of all documents,)
        )

    def _pool(self, segments: Tensor, mask: Tensor, presence: Tensor | None) -> tuple[Tensor, Tensor]:
        # segments (documents, segments, hidden), mask and presence (documents, segments)
        if not self.layers:
            counted = mask if presence is None else mask * presence
            weights = counted / counted.sum(1, keepdim=True)
            return torch.einsum("ds,dsh->dh", weights, segments), weights
        # 1. Segments on one scale, with their places in the document.
        x = self.scale_in(segments)
        x = x + self.position_strength * positions(x.shape[1], x.shape[2]).to(x)
        # 2. The layers; a segment that is absent in part has the log of its presence added in every attention.
        if presence is not None:  # torch's fused layers know no such mask, and are not taken where a gradient is asked
            x.requires_grad_()
        absent = ~mask if presence is None else presence.log().masked_fill(~mask, -torch.inf)  # bool, or added
        x = self.transformer(x, src_key_padding_mask=absent)  # (documents, segments, hidden)
        # 3. Attention pooling: one softmax over the segments of a document.
        salience = self.salience(x).squeeze(-1).masked_fill(~mask, -torch.inf)  # (documents, segments)
        if presence is not None:
            salience = salience + presence.log()
        weights = salience.softmax(dim=1)
        return torch.einsum("ds,dsh->dh", weights, x), weights


class LabelAttention(nn.Module):
    """Attention from a document over group embeddings that start from label texts.

    Parameters
    ----------
    group_embeddings
        (groups, label hidden) start values, from the texts of each group and its labels; they are trained further.
    hidden
        Dimensions of a document vector.
    dropout
        Dropout rate of what the attention adds.
    """

    def __init__(self, *, group_embeddings: Tensor, hidden: int, dropout: float = 0.1) -> None:
        super().__init__()
        label_hidden = group_embeddings.shape[1]
        self.group_embeddings = nn.Parameter(group_embeddings.clone())
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(label_hidden, hidden)
        self.value = nn.Linear(label_hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, documents: Tensor) -> tuple[Tensor, Tensor]:
        """Enrich document vectors.

        Parameters
        ----------
        documents
            (documents, hidden).

        Returns
        -------
        tuple[Tensor, Tensor]
            (documents, hidden) enriched vectors and (documents, groups) attention weights that sum to 1.
        """
        keys = self.key(self.group_embeddings)  # (groups, hidden)
        match = self.query(documents) @ keys.T / math.sqrt(keys.shape[1])  # (documents, groups)
        weights = match.softmax(dim=1)
        found = weights @ self.value(self.group_embeddings)  # (documents, hidden)
        return self.norm(documents + self.dropout(found)), weights


@dataclass(frozen=True)
class DocumentOutput:
    """What the document model says of some documents.

    Attributes
    ----------
    logits
        (documents, groups).
    vectors
        (documents, hidden) document vectors.
    segment_weights
        (segments of all documents,) share of each segment in its document's vector.
    group_weights
        (documents, groups) label attention, or None where it is switched off.
    """

    logits: Tensor
    vectors: Tensor
    segment_weights: Tensor
    group_weights: Tensor | None


class DocumentModel(nn.Module):
    """Everything above the encoder.

    Parameters
    ----------
    aggregator
        Segment vectors to document vector.
    label_attention
        Enriches the document vector; None for the ablation without it.
    hidden
        Dimensions of a document vector.
    groups
        Number of groups.
    dropout
        Dropout rate before the group logits.
    """

    def __init__(
        self,
        *,
        aggregator: Aggregator,
        label_attention: LabelAttention | None,
        hidden: int,
        groups: int,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.aggregator = aggregator
        self.label_attention = label_attention
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, groups)

    def forward(self, segments: Tensor, counts: Tensor, presence: Tensor | None = None) -> DocumentOutput:
        """Group logits and what they rest on.

        Parameters
        ----------
        segments
            (segments of all documents, hidden) segment vectors, document after document.
        counts
            (documents,) segments of each document.
        presence
            As the aggregator takes it.
        """
        vectors, segment_weights = self.aggregator(segments, counts, presence)
        group_weights = None
        if self.label_attention is not None:
            vectors, group_weights = self.label_attention(vectors)
        return DocumentOutput(self.head(self.dropout(vectors)), vectors, segment_weights, group_weights)


def presence_effects(
    model: DocumentModel, segments: np.ndarray, *, on_vector: np.ndarray | None, on_logits: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First-order effect of each segment of one document, through all attention that it is in.

    A segment's presence scales its weight in every softmax over segments; at 0 the segment is not there. Gradient x
    input over the segment vectors themselves says nothing here: a layer norm reads them first, which does not see
    their length, so that product is 0 for every segment whatever it holds.

    Parameters
    ----------
    model
        In evaluation mode.
    segments
        (segments, hidden) segment vectors of the document.
    on_vector
        (hidden,) direction in the document vector; None where nobody reads it.
    on_logits
        (groups,) direction in the group logits.

    Returns
    -------
    attention, of_vector, of_logits : numpy.ndarray
        (segments,) float64 each: the aggregator's weights, which sum to 1, and the effects on ``vector @ on_vector``
        and ``logits @ on_logits``.
    """
    device = next(model.parameters()).device
    presence = torch.ones(len(segments), device=device, requires_grad=True)
    with torch.enable_grad():
        output = model(torch.from_numpy(segments).to(device), torch.tensor([len(segments)]), presence)

    def effect(answer: torch.Tensor, direction: np.ndarray | None) -> np.ndarray:
        if direction is None or not direction.any():
            return np.zeros(len(segments))
        along = answer[0] @ torch.from_numpy(direction).to(answer)
        (gradient,) = torch.autograd.grad(along, presence, retain_graph=True)
        return gradient.cpu().numpy().astype(np.float64)

    attention = output.segment_weights.detach().cpu().numpy().astype(np.float64)
    return attention, effect(output.vectors, on_vector), effect(output.logits, on_logits)


def group_text_embeddings(group_vectors: Tensor, label_vectors: Tensor, group_of: Tensor) -> Tensor:
    """Start values of the group embeddings.

    Parameters
    ----------
    group_vectors
        (groups, hidden) of the groups' own texts.
    label_vectors
        (labels, hidden) of the labels' texts.
    group_of
        (labels,) group of each label.

    Returns
    -------
    Tensor
        (groups, hidden): the group's text and the mean of its labels' texts, half and half, of unit length.
    """
    groups = len(group_vectors)
    total = torch.zeros_like(group_vectors).index_add_(0, group_of, label_vectors)
    count = torch.bincount(group_of, minlength=groups).clamp(min=1).unsqueeze(1)
    return nn.functional.normalize(group_vectors + total / count, dim=1)


def similar_lengths(counts: Tensor) -> Iterator[Tensor]:
    """Yield the places of documents with 1, 2, 3-4, 5-8, ... segments: padding at most doubles the work."""
    order = counts.float().log2().ceil().long()
    for size in order.unique():
        yield (order == size).nonzero().squeeze(1)


def positions(length: int, hidden: int) -> Tensor:
    """Sinusoidal positions (Vaswani et al. 2017), (length, hidden): no longest document."""
    place = torch.arange(length).unsqueeze(1)
    rate = torch.exp(torch.arange(0, hidden, 2) * (-math.log(10_000.0) / hidden))
    table = torch.zeros(length, hidden)
    table[:, 0::2] = torch.sin(place * rate)
    table[:, 1::2] = torch.cos(place * rate)[:, : hidden // 2]
    return table
