"""The neural model as it is trained, encoder → document model → group logits with fine logits beside them; its loss.

Chained and joint training share it: both levels are always learned, since what tells the labels of a group apart also
tells which units of a document matter. A joint training keeps the rows; a chained one fits others on what it read.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from stages.coarse.chunks import Chunk
from stages.coarse.document_model import DocumentModel
from stages.coarse.encoder import Encoder
from stages.label_space import LabelSpace

START_SCALE = 20.0  # of cosines, so that a softmax over hundreds of labels can be sure


class TwoStageModel(nn.Module):
    """What moves in a training, with its loss.

    Parameters
    ----------
    encoder
        Token ids to unit vectors; None where these come from a cache.
    document_model
        Unit vectors to document vectors and group logits.
    rows
        Document vectors to fine logits.
    loss
        Of both levels.
    """

    accepts_loss_kwargs = False  # the loss is a mean over a batch: Trainer divides it by the batches of a step

    def __init__(
        self,
        *,
        encoder: Encoder | None,
        document_model: DocumentModel,
        rows: nn.Linear,
        loss: "HierarchicalLoss",
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.document_model = document_model
        self.rows = rows
        self.loss = loss

    def forward(
        self,
        counts: np.ndarray,
        labels: Tensor | None = None,
        units: Tensor | None = None,
        chunks: Sequence[Chunk] | None = None,
    ) -> dict[str, Any]:
        """Logits of both levels, and the loss where labels are given, in the form that Trainer reads.

        Parameters
        ----------
        counts
            (documents,) units of each document.
        labels
            (documents,) fine label of each document.
        units
            (units of all documents, hidden) cached unit vectors, document after document.
        chunks
            The segments of all documents, as `stages.coarse.chunks.chunked` cuts them, where there is an encoder.
        """
        if self.encoder is not None and chunks is not None:
            units = self.encoder(chunks)
        output = self.document_model(units, counts)
        fine = self.rows(self.document_model.dropout(output.vectors))  # (documents, labels)
        logits = output.logits, fine
        answer: dict[str, Any] = {"logits": logits}
        return answer if labels is None else {"loss": self.loss(*logits, labels), **answer}

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
        (labels, width) in the space of the document vectors. What all share is taken out: it tells nothing apart.

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
        rows.weight.copy_(normalize(apart, dim=1) * START_SCALE / apart.norm(dim=1).mean().clamp_min(1e-6))
        rows.bias.copy_(-rows.weight @ shared)
    return rows


class HierarchicalLoss(nn.Module):
    """``w_c · CE(group) + w_f · CE(fine)``.

    Parameters
    ----------
    space
        The labels and their groups.
    fine_loss
        The softmax of the fine term: ``all`` over all labels; ``path`` over all labels, with the group's
        log-probability added to each label's logit; ``group`` over the labels of the document's own group, the classic
        local classifier.
    weights
        w_c and w_f; None learns them by homoscedastic uncertainty (Kendall et al. 2018):
        ``exp(-s) · CE + s / 2`` for each level, s learned.
    label_weights
        (labels,) weight of a document of each label in both terms.
    group_shifts, label_shifts
        (groups,) and (labels,) added to the logits in the loss only (`logit_shifts`).
    smoothing
        Share of a target that goes to the other labels (and groups).
    """

    group_of: Tensor
    label_weights: Tensor | None
    group_shifts: Tensor | None
    label_shifts: Tensor | None

    def __init__(
        self,
        *,
        space: LabelSpace,
        fine_loss: str = "all",
        weights: tuple[float, float] | None = (1.0, 0.8),
        label_weights: np.ndarray | None = None,
        group_shifts: np.ndarray | None = None,
        label_shifts: np.ndarray | None = None,
        smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.space = space
        self.fine_loss = fine_loss
        self.weights = weights
        self.smoothing = smoothing
        self.log_variances = nn.Parameter(torch.zeros(2)) if weights is None else None
        self.register_buffer("group_of", torch.from_numpy(space.group_of), persistent=False)
        for name, values in (
            ("label_weights", label_weights),
            ("group_shifts", group_shifts),
            ("label_shifts", label_shifts),
        ):
            tensor = None if values is None else torch.from_numpy(np.asarray(values, dtype=np.float32))
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, group_logits: Tensor, fine_logits: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of a batch; in evaluation mode the plain sum of both cross-entropies.

        Parameters
        ----------
        group_logits
            (documents, groups).
        fine_logits
            (documents, labels).
        targets
            (documents,) fine label of each document.
        """
        group_logits = group_logits.float()
        if not self.training:  # what validation says must not depend on weights, shifts or smoothing
            coarse = cross_entropy(group_logits, self.group_of[targets])
            return coarse + self._fine(group_logits, fine_logits.float(), targets).mean()
        document_weights = None if self.label_weights is None else self.label_weights[targets]
        shifted = group_logits if self.group_shifts is None else group_logits + self.group_shifts
        coarse = self._mean(cross_entropy(
            shifted, self.group_of[targets], label_smoothing=self.smoothing, reduction="none"
        ), document_weights)  # fmt: skip
        fine = self._mean(self._fine(group_logits, fine_logits.float(), targets), document_weights)
        if self.log_variances is None:
            assert self.weights is not None  # noqa: S101 - one of the two is there; this tells the type checker
            coarse_weight, fine_weight = self.weights
            return coarse_weight * coarse + fine_weight * fine
        precision = torch.exp(-self.log_variances)
        levels = precision * torch.stack([coarse, fine]) + self.log_variances / 2
        return levels[0] + levels[1]

    def _fine(self, group_logits: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
        smoothing = self.smoothing if self.training else 0.0
        if self.label_shifts is not None and self.training:
            logits = logits + self.label_shifts  # these hold the groups' shifts too
        if self.fine_loss == "path":
            logits = logits + group_logits.log_softmax(1)[:, self.group_of]  # (documents, labels)
        if self.fine_loss in ("all", "path"):
            return cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
        # ``group``: a softmax over the labels of the document's own group; the smoothed share goes to them evenly.
        siblings = self.group_of == self.group_of[targets].unsqueeze(1)  # (documents, labels)
        log_p = logits.masked_fill(~siblings, -torch.inf).log_softmax(1)  # (documents, labels)
        gold = log_p.gather(1, targets.unsqueeze(1)).squeeze(1)
        even = log_p.masked_fill(~siblings, 0.0).sum(1) / siblings.sum(1)  # (documents,)
        return -(1 - smoothing) * gold - smoothing * even

    @staticmethod
    def _mean(losses: Tensor, weights: Tensor | None) -> Tensor:
        # Weights have mean 1 over the training documents: a batch of heavy ones counts more, however it is cut.
        return losses.mean() if weights is None else (weights * losses).mean()


def logit_shifts(ratio: np.ndarray, counts: np.ndarray, space: LabelSpace) -> tuple[np.ndarray, np.ndarray]:
    """Return what is added to the logits while training, so that a rare label's own logit must be higher.

    Logit adjustment (Menon et al. 2021): with q even over labels the shift of a label is log p, up to a constant.

    Parameters
    ----------
    ratio
        (labels,) as `stages.label_space.label_ratio` gives it.
    counts, space
        As for that function.

    Returns
    -------
    tuple[numpy.ndarray, numpy.ndarray]
        (groups,) and (labels,) float64 shifts.
    """
    wished = np.bincount(space.group_of, counts * ratio)
    return np.log(np.bincount(space.group_of, counts) / wished), -np.log(ratio)
