"""Settings into the document model and what reads it: the settings stop here, modules see plain arguments."""

import torch

from pipelines.settings import Settings
from stages.coarse.document_model import Aggregator, DocumentModel, LabelAttention
from stages.coarse.encoder import Encoder


def make_document_model(settings: Settings, hidden: int, group_embeddings: torch.Tensor) -> DocumentModel:
    """Build the untrained document model.

    Parameters
    ----------
    settings
        Aggregator, label attention and dropout are read.
    hidden
        Dimensions of a unit vector.
    group_embeddings
        (groups, label hidden) start values.
    """
    return DocumentModel(
        aggregator=Aggregator(
            hidden=hidden,
            layers=settings.aggregator_layers if settings.aggregator else 0,
            heads=settings.aggregator_heads,
            dropout=settings.dropout,
        ),
        label_attention=LabelAttention(group_embeddings=group_embeddings, hidden=hidden, dropout=settings.dropout)
        if settings.label_attention
        else None,
        hidden=hidden,
        groups=len(group_embeddings),
        dropout=settings.dropout,
    )


def fine_encoders(fine_features: str, *, trained: Encoder, pretrained: Encoder) -> list[Encoder]:
    """Return the encoders whose pooled vectors the neural rows read."""
    return {"trained": [trained], "pretrained": [pretrained], "both": [pretrained, trained]}[fine_features]
