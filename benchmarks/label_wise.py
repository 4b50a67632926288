"""The label-wise attention BERT of LibMultiLabel, as a model that `flat.py` trains; it has one label a document here.

Its `BERTAttention` reads every token of a document, in windows of 512. Each label has a query of its own over all of
them (multi-head attention, the package's default) and a linear layer of its own over what it finds (Vu et al. 2020, A
label attention model for ICD coding from clinical text; Huang et al. 2022, PLM-ICD). The softmax over the labels is
ours: the package has a sigmoid for each, since its documents bear several labels.
"""

import sys

from torch import Tensor, nn
from transformers import AutoConfig


class LabelWiseBert(nn.Module):
    """LibMultiLabel's network with a cross-entropy over the labels.

    Parameters
    ----------
    encoder
        Folder of the pretrained encoder.
    labels
        How many.
    """

    base_model_prefix = "network.lm"

    def __init__(self, encoder: str, labels: int) -> None:
        super().__init__()
        try:
            from libmultilabel.nn.networks import BERTAttention
        except ImportError as error:
            sys.exit(f"the label-wise attention is LibMultiLabel's: pip install libmultilabel ({error})")
        config = AutoConfig.from_pretrained(encoder)
        if config.pad_token_id != 0:
            sys.exit(f"{encoder} pads with the id {config.pad_token_id}: LibMultiLabel's windows are padded with 0")
        self.network = BERTAttention(
            labels,
            encoder_hidden_dropout=config.hidden_dropout_prob,
            encoder_attention_dropout=config.attention_probs_dropout_prob,
            lm_weight=encoder,
            lm_window=min(512, config.max_position_embeddings),
        )
        self.config = self.network.lm.config  # Trainer looks into it

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return logits (documents, labels), and the loss where labels are given.

        Parameters
        ----------
        input_ids
            (documents, tokens) of whole documents.
        attention_mask
            Comes with them and is not read: the network tells padding by its id.
        labels
            (documents,) the right ones.
        """
        logits = self.network({"text": input_ids})["logits"]
        if labels is None:
            return {"logits": logits}
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}
