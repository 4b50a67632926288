"""The neural model as it is trained: encoder → document model → group logits, and the fine logits beside them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stages.coarse.document_model import DocumentModel
from stages.coarse.encoder import Encoder
from stages.coarse.segments import Chunk
from stages.training.losses import HierarchicalLoss

START_SCALE = 20.0  # of cosines, so that a softmax over hundreds of labels can be sure


class TwoStageModel(nn.Module):
    """What moves in a training, with its loss.

    Parameters
    ----------
    encoder
        Token ids to segment vectors; None where these come from a cache.
    document_model
        Segment vectors to document vectors and group logits.
    rows
        Document vectors to fine logits (joint training); None trains the coarse stage alone.
    loss
        Of both levels.
    """

    accepts_loss_kwargs = False  # the loss is a mean over a batch: Trainer divides it by the batches of a step

    def __init__(
        self,
        *,
        encoder: Encoder | None,
        document_model: DocumentModel,
        rows: nn.Linear | None,
        loss: HierarchicalLoss,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.document_model = document_model
        self.rows = rows
        self.loss = loss

    def forward(
        self,
        counts: Tensor,
        labels: Tensor | None = None,
        segments: Tensor | None = None,
        chunks: Sequence[Chunk] | None = None,
    ) -> dict[str, Any]:
        """Logits of both levels, and the loss where labels are given, in the form that Trainer reads.

        Parameters
        ----------
        counts
            (documents,) segments of each document.
        labels
            (documents,) fine label of each document.
        segments
            (segments of all documents, hidden) cached segment vectors, document after document.
        chunks
            The segments of all documents, as `segments.chunked` cuts them, where there is an encoder.
        """
        if self.encoder is not None and chunks is not None:
            segments = self.encoder(chunks, int(counts.sum()))
        output = self.document_model(segments, counts)
        logits = [output.logits]  # (documents, groups)
        if self.rows is not None:
            logits.append(self.rows(self.document_model.dropout(output.vectors)))  # (documents, labels)
        answer: dict[str, Any] = {"logits": tuple(logits)}
        if labels is not None:
            answer = {"loss": self.loss(logits[0], logits[1] if self.rows is not None else None, labels), **answer}
        return answer

    def gradient_checkpointing_enable(self, **how: Any) -> None:
        """Trade time for memory in the encoder; Trainer calls it for ``gradient_checkpointing: true``."""
        if self.encoder is not None:
            self.encoder.transformer.gradient_checkpointing_enable(**how)

    def activation_checkpointing_enable(self, **how: Any) -> None:
        """Do the same under the name that later versions of transformers use."""
        if self.encoder is not None:
            self.encoder.transformer.activation_checkpointing_enable(**how)


def rows_from_vectors(vectors: Tensor) -> nn.Linear:
    """Rows that start from one vector a label: a document's logits are its cosines with them, scaled.

    Parameters
    ----------
    vectors
        (labels, hidden) in the space of the document vectors. What all share is taken out: it tells nothing apart.

    Returns
    -------
    torch.nn.Linear
        Document vectors to (documents, labels).
    """
    rows = nn.Linear(vectors.shape[1], len(vectors))
    shared = vectors.mean(0)  # (hidden,)
    apart = vectors - shared  # (labels, hidden)
    # w · (x - shared) is the cosine with a label's own direction, times the scale over the usual length of `apart`.
    with torch.no_grad():
        rows.weight.copy_(
            nn.functional.normalize(apart, dim=1) * START_SCALE / apart.norm(dim=1).mean().clamp_min(1e-6)
        )
        rows.bias.copy_(-rows.weight @ shared)
    return rows
