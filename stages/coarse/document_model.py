"""The document model: unit vectors (→ aggregator) → attention pooling (→ label attention) → group logits."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from stages.coarse.array_document_model import positions

QUERY_SCALE = 0.03  # of the queries at the start: all units count nearly alike then


class Aggregator(nn.Module):
    """A small transformer over the units of a document, so that each is read in the light of all others.

    Parameters
    ----------
    hidden
        Dimensions of a unit vector.
    layers
        Transformer layers.
    heads
        Attention heads of a layer.
    dropout
        Dropout rate within the layers.
    """

    def __init__(self, *, hidden: int, layers: int = 1, heads: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        self.position_strength = nn.Parameter(torch.tensor(0.1))
        layer = nn.TransformerEncoderLayer(
            hidden, heads, 2 * hidden, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.transformer = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, units: Tensor, mask: Tensor, presence: Tensor | None = None) -> Tensor:
        """Read each unit beside the others.

        Parameters
        ----------
        units
            (documents, units, hidden), padded.
        mask
            (documents, units) bool, False for padding.
        presence
            (documents, units), as `DocumentModel` takes it.

        Returns
        -------
        Tensor
            (documents, units, hidden).
        """
        places = torch.from_numpy(positions(*units.shape[1:]))
        x = units + self.position_strength * places.to(units)
        if presence is not None:  # torch's fused layers know no such mask, and are not taken where a gradient is asked
            x.requires_grad_()
        # A unit that is absent in part has the log of its presence added in every attention.
        absent = ~mask if presence is None else presence.log().masked_fill(~mask, -torch.inf)  # bool, or added
        return self.transformer(x, src_key_padding_mask=absent)


class AttentionPooling(nn.Module):
    """Several trained queries, each with an attention of its own over the units of a document (Lin et al. 2017).

    The mean of hundreds of units hides the few that matter, and one attention finds one kind of them; what several
    queries find is put together by a linear layer. Each unit goes through a feed-forward layer first, which linear rows
    over the units of a frozen encoder cannot make up for.

    Parameters
    ----------
    hidden
        Dimensions of a unit vector.
    queries
        How many.
    dropout
        Dropout rate within the feed-forward layer.
    """

    def __init__(self, *, hidden: int, queries: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
        self.feed_forward = nn.Sequential(
            nn.Linear(hidden, 2 * hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * hidden, hidden)
        )
        self.norm = nn.LayerNorm(hidden)
        self.key = nn.Linear(hidden, hidden)
        self.queries = nn.Parameter(torch.randn(queries, hidden) * QUERY_SCALE)
        self.together = nn.Linear(queries * hidden, hidden)
        self.scale_out = nn.LayerNorm(hidden)

    @property
    def width(self) -> int:
        """Dimensions of a document vector."""
        return self.together.out_features

    def forward(self, units: Tensor, mask: Tensor, presence: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Pool units to documents.

        Parameters
        ----------
        units, mask, presence
            As the aggregator takes them.

        Returns
        -------
        tuple[Tensor, Tensor]
            (documents, width) document vectors, and (documents, units) the share of each unit, the mean of the queries'
            attentions, which sum to 1 over a document.
        """
        x = self.norm(units + self.feed_forward(units))
        match = torch.tanh(self.key(x)) @ self.queries.T  # (documents, units, queries)
        match = match.masked_fill(~mask.unsqueeze(-1), -torch.inf)
        if presence is not None:
            match = match + presence.log().unsqueeze(-1)
        weights = match.softmax(dim=1)
        found = (weights.transpose(1, 2) @ x).flatten(1)  # (documents, queries x hidden)
        return self.scale_out(self.together(found)), weights.mean(2)


class LabelAttention(nn.Module):
    """Attention from a document over group embeddings that start from label texts.

    Parameters
    ----------
    group_embeddings
        (groups, label hidden) start values, from the texts of each group and its labels; they are trained further.
    width
        Dimensions of a document vector.
    dropout
        Dropout rate of what the attention adds.
    """

    def __init__(self, *, group_embeddings: Tensor, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        label_hidden = group_embeddings.shape[1]
        self.group_embeddings = nn.Parameter(group_embeddings.clone())
        self.query = nn.Linear(width, label_hidden)
        self.value = nn.Linear(label_hidden, width)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, documents: Tensor) -> tuple[Tensor, Tensor]:
        """Enrich document vectors.

        Parameters
        ----------
        documents
            (documents, width).

        Returns
        -------
        tuple[Tensor, Tensor]
            (documents, width) enriched vectors and (documents, groups) attention weights that sum to 1.
        """
        match = self.query(documents) @ self.group_embeddings.T / math.sqrt(self.group_embeddings.shape[1])
        weights = match.softmax(dim=1)  # (documents, groups)
        found = weights @ self.value(self.group_embeddings)  # (documents, width)
        return self.norm(documents + self.dropout(found)), weights


@dataclass(frozen=True)
class DocumentOutput:
    """What the document model says of some documents.

    Attributes
    ----------
    logits
        (documents, groups).
    vectors
        (documents, width) document vectors.
    unit_weights
        (units of all documents,) share of each unit in its document's vector, the mean over the queries.
    group_weights
        (documents, groups) label attention, or None where it is switched off.
    """

    logits: Tensor
    vectors: Tensor
    unit_weights: Tensor
    group_weights: Tensor | None


class DocumentModel(nn.Module):
    """Everything above the encoder.

    Parameters
    ----------
    hidden
        Dimensions of a unit vector.
    aggregator
        Lets the units of a document see each other first; None goes without.
    pooling
        Units to document vector.
    label_attention
        Enriches the document vector; None leaves it as it is.
    groups
        Number of groups.
    dropout
        Dropout rate before the logits.

    Attributes
    ----------
    has_gradients
        True: `unit_effects` follows a unit through all attention; else its attention is all that is known.
    """

    has_gradients = True

    def __init__(
        self,
        *,
        hidden: int,
        aggregator: Aggregator | None,
        pooling: AttentionPooling,
        label_attention: LabelAttention | None,
        groups: int,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.scale_in = nn.LayerNorm(hidden)
        self.aggregator = aggregator
        self.pooling = pooling
        self.label_attention = label_attention
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(pooling.width, groups)

    @property
    def width(self) -> int:
        """Dimensions of a document vector."""
        return self.head.in_features

    @property
    def heads(self) -> int:
        """Attention heads of a layer of the aggregator; 1 without one."""
        return 1 if self.aggregator is None else int(self.aggregator.transformer.layers[0].self_attn.num_heads)

    @property
    def head_bias(self) -> np.ndarray:
        """(groups,) what each group logit starts from."""
        bias: np.ndarray = self.head.bias.detach().cpu().numpy()
        return bias

    def state(self) -> dict[str, np.ndarray]:
        """Return the weights by their names."""
        return {name: tensor.detach().cpu().numpy() for name, tensor in self.state_dict().items()}

    def answer(self, units: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read documents without gradients.

        Parameters
        ----------
        units
            (units of all documents, hidden) float32 unit vectors, document after document.
        counts
            (documents,) units of each document, at least 1.

        Returns
        -------
        vectors, logits, shares : numpy.ndarray
            As `DocumentOutput` has them: (documents, width), (documents, groups), (units of all documents,).
        """
        with torch.inference_mode():
            output = self(torch.from_numpy(units).to(self.head.bias.device), counts)
            vectors, logits, shares = (t.cpu().numpy() for t in (output.vectors, output.logits, output.unit_weights))
        return vectors, logits, shares

    def forward(self, units: Tensor, counts: Tensor | np.ndarray, presence: Tensor | None = None) -> DocumentOutput:
        """Group logits and what they rest on.

        Documents of similar length go through together, so a long one does not pad the short ones. What stands where is
        worked out on the processor, so that nothing waits for a GPU.

        Parameters
        ----------
        units
            (units of all documents, hidden) unit vectors, document after document.
        counts
            (documents,) units of each document, at least 1; a tensor on a GPU would be waited for.
        presence
            (units of all documents,) how much each unit counts in every attention: 1 as it is, towards 0 as if it were
            not there. None is 1 for all; its gradient at 1 tells what each unit does. Gradients must be enabled where
            it is given.
        """
        counts = torch.as_tensor(counts, device="cpu")
        starts = counts.cumsum(0) - counts
        documents, places, vectors, shares = [], [], [], []
        for alike in similar_lengths(counts):
            # 1. Where each unit of these documents stands; a shorter document repeats its last one, masked out.
            length = counts[alike].unsqueeze(1)  # (documents alike, 1)
            steps = torch.arange(int(length.max()))
            mask = (steps < length).to(units.device, non_blocking=True)  # (documents alike, units)
            place = (starts[alike].unsqueeze(1) + steps.minimum(length - 1)).to(units.device, non_blocking=True)
            # 2. Read and pool them.
            there = None if presence is None else presence[place]
            x = self.scale_in(units[place])
            if self.aggregator is not None:
                x = self.aggregator(x, mask, there)
            pooled, share = self.pooling(x, mask, there)
            documents.append(alike)
            vectors.append(pooled)
            places.append(place.flatten())
            shares.append(share.flatten())
        # 3. Back into the order of the batch; the share of padding is 0.
        together, order = torch.cat(vectors), torch.cat(documents).to(units.device, non_blocking=True)
        ordered = torch.zeros_like(together).index_copy(0, order, together)  # (documents, width)
        share = torch.cat(shares)
        of_units = share.new_zeros(len(units)).index_add(0, torch.cat(places), share)  # (units of all documents,)
        group_weights = None
        if self.label_attention is not None:
            ordered, group_weights = self.label_attention(ordered)
        return DocumentOutput(self.head(self.dropout(ordered)), ordered, of_units, group_weights)

    def unit_effects(
        self, units: np.ndarray, *, on_vector: np.ndarray, on_logits: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """First-order effect of each unit of one document, through all attention that it is in.

        A unit's presence scales its weight in every softmax over units; at 0 the unit is not there. Gradient x input
        over the unit vectors themselves says nothing here: a layer norm reads them first, which does not see their
        length, so that product is 0 for every unit whatever it holds.

        Parameters
        ----------
        units
            (units, hidden) unit vectors of the document.
        on_vector
            (width,) direction in the document vector.
        on_logits
            (groups,) direction in the group logits.

        Returns
        -------
        attention, of_vector, of_logits : numpy.ndarray
            (units,) float64 each: the mean attention of the queries, which sums to 1, and the effects on
            ``vector @ on_vector`` and ``logits @ on_logits``.
        """
        device = self.head.bias.device
        presence = torch.ones(len(units), device=device, requires_grad=True)
        with torch.enable_grad():
            output = self(torch.from_numpy(units).to(device), torch.tensor([len(units)]), presence)

        def effect(answer: torch.Tensor, direction: np.ndarray) -> np.ndarray:
            if not direction.any():
                return np.zeros(len(units))
            along = answer[0] @ torch.from_numpy(direction).to(answer)
            (gradient,) = torch.autograd.grad(along, presence, retain_graph=True)
            return gradient.cpu().numpy().astype(np.float64)

        attention = output.unit_weights.detach().cpu().numpy().astype(np.float64)
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
    """Yield the places of documents with 1, 2, 3-4, 5-8, ... units: padding at most doubles the work."""
    order = counts.float().log2().ceil().long()
    for size in order.unique():
        yield (order == size).nonzero().squeeze(1)
