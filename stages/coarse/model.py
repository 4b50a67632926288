"""The document model: segment vectors → aggregator → label attention → group logits."""

from dataclasses import dataclass

from torch import Tensor, nn

from stages.coarse.aggregator import Aggregator
from stages.coarse.label_attention import LabelAttention


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
