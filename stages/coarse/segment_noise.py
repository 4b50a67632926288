"""Noise on the segments of documents in training: some are left out, some documents lose their order."""

import torch
from torch import Tensor, nn


class SegmentNoise(nn.Module):
    """Leaves out segments and shuffles them while the model is trained; else it changes nothing, like dropout.

    Parameters
    ----------
    dropout
        Share of segments that is left out; a document keeps one at least.
    shuffling
        Share of documents whose segments change places.
    """

    def __init__(self, *, dropout: float, shuffling: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.shuffling = shuffling

    @property
    def active(self) -> bool:
        """Whether there is noise at all."""
        return bool(self.dropout or self.shuffling)

    def forward(self, segments: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Return other segments and counts, in the same form.

        Parameters
        ----------
        segments
            (segments of all documents, hidden) segment vectors, document after document.
        counts
            (documents,) segments of each document.
        """
        if not (self.training and self.active):
            return segments, counts
        device = segments.device
        counts = counts.to(device)
        document = torch.repeat_interleave(torch.arange(len(counts), device=device), counts)
        first = counts.cumsum(0) - counts
        place = torch.arange(len(document), device=device) - first[document]

        shuffled = torch.rand(len(counts), device=device) < self.shuffling
        within = torch.where(
            shuffled[document], torch.rand(len(document), device=device), place / counts[document]
        )  # from 0 to below 1
        draws = torch.rand(len(document), device=device)
        highest = torch.zeros(len(counts), device=device).scatter_reduce(0, document, draws, "amax")
        kept = (draws >= self.dropout) | (draws == highest[document])

        order = torch.argsort(document + within.double())
        order = order[kept[order]]
        return segments[order], torch.bincount(document[kept], minlength=len(counts))
