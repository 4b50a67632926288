"""Settings into the document model and what reads it: the settings stop here, modules see plain arguments."""

import torch

from pipelines.settings import Settings
from stages.coarse.document_model import Aggregator, AttentionPooling, DocumentModel, LabelAttention


def make_document_model(settings: Settings, hidden: int, group_embeddings: torch.Tensor) -> DocumentModel:
    """Build the untrained document model.

    Parameters
    ----------
    settings
        Those of the document model are read.
    hidden
        Dimensions of a unit vector.
    group_embeddings
        (groups, label hidden) start values of the label attention; without it their number alone counts.
    """
    dropout = settings.dropout
    aggregator = label_attention = None
    if layers := settings.aggregator_layers:
        aggregator = Aggregator(hidden=hidden, layers=layers, heads=settings.aggregator_heads, dropout=dropout)
    pooling = AttentionPooling(hidden=hidden, queries=settings.attention_queries, dropout=dropout)
    if settings.label_attention:
        label_attention = LabelAttention(group_embeddings=group_embeddings, width=pooling.width, dropout=dropout)
    return DocumentModel(
        hidden=hidden,
        aggregator=aggregator,
        pooling=pooling,
        label_attention=label_attention,
        groups=len(group_embeddings),
        dropout=dropout,
    )
