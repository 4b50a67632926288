"""The coarse model: segment vectors → aggregator → label attention → group logits, with or without its encoder."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from stages.coarse.aggregator import Aggregator
from stages.coarse.encoder import Encoder
from stages.coarse.label_attention import LabelAttention
from stages.coarse.segments import Chunk


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

    def documents(self, segments: Tensor, counts: Tensor) -> DocumentOutput:
        """Group logits and what they rest on.

        Parameters
        ----------
        segments
            (segments of all documents, hidden) segment vectors, document after document.
        counts
            (documents,) segments of each document.
        """
        vectors, segment_weights = self.aggregator(segments, counts)
        group_weights = None
        if self.label_attention is not None:
            vectors, group_weights = self.label_attention(vectors)
        return DocumentOutput(self.head(self.dropout(vectors)), vectors, segment_weights, group_weights)

    def forward(self, segments: Tensor, counts: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Loss (where labels are given) and group logits, in the form that Trainer reads.

        Parameters
        ----------
        segments, counts
            As for `documents`.
        labels
            (documents,) group of each document.
        """
        return _with_loss(self.documents(segments, counts).logits, labels)


class CoarseModel(nn.Module):
    """Encoder and document model, trained together.

    Parameters
    ----------
    encoder
        Token ids to segment vectors.
    document_model
        Segment vectors to group logits.
    """

    def __init__(self, *, encoder: Encoder, document_model: DocumentModel) -> None:
        super().__init__()
        self.encoder = encoder
        self.document_model = document_model

    def forward(self, chunks: Sequence[Chunk], counts: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Loss and group logits of a ragged batch.

        Parameters
        ----------
        chunks
            The segments of all documents, as `segments.chunked` cuts them.
        counts
            (documents,) segments of each document.
        labels
            (documents,) group of each document.
        """
        segments = self.encoder(chunks, int(counts.sum()))  # (segments of all documents, hidden)
        return _with_loss(self.document_model.documents(segments, counts).logits, labels)


def _with_loss(logits: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
    if labels is None:
        return {"logits": logits}
    return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}
