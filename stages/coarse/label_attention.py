"""Label attention: a document looks at the groups' embeddings, and what it finds enriches its vector."""

import math

import torch
from torch import Tensor, nn


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
