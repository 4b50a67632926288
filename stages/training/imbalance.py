"""What a training does about rare labels: weights, shifted logits, or another draw of documents.

All of it comes from the ratio of two frequencies of a label (`stages.training.frequencies.label_ratio`).
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import Sampler


def logit_shifts(ratio: np.ndarray, counts: np.ndarray, group_of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what is added to the logits while training, so that a rare label's own logit must be higher.

    Logit adjustment (Menon et al. 2021): with q even over labels the shift of a label is log p, up to a constant.

    Parameters
    ----------
    ratio
        (labels,) as `label_ratio` gives it.
    counts, group_of
        As for `label_ratio`.

    Returns
    -------
    tuple[numpy.ndarray, numpy.ndarray]
        (groups,) and (labels,) float64 shifts.
    """
    wished = np.bincount(group_of, counts * ratio)
    return np.log(np.bincount(group_of, counts) / wished), -np.log(ratio)


class LabelSampler(Sampler[int]):
    """Draws documents so that labels come as often as `ratio` says; another draw each epoch.

    Parameters
    ----------
    targets
        (documents,) label of each document.
    ratio
        (labels,) as `label_ratio` gives it.
    undersample
        Draw without replacement, so few documents that the rarest labels need no copies: a document of the label
        with the largest ratio stays, others stay with a probability in proportion (systematic sampling over a random
        order). Otherwise as many documents as there are, with replacement.
    random_state
        Of the draws.
    """

    def __init__(self, targets: np.ndarray, ratio: np.ndarray, *, undersample: bool, random_state: int) -> None:
        self.chances = torch.from_numpy(ratio[targets] / ratio[targets].max())
        self.undersample = undersample
        self.random_state = random_state
        self.epoch = 0
        self.size = max(1, int(self.chances.sum() + 1e-6)) if undersample else len(targets)

    def set_epoch(self, epoch: int) -> None:
        """Choose the draw; called before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(1_000_003 * self.random_state + self.epoch)
        if not self.undersample:
            yield from torch.multinomial(self.chances, self.size, replacement=True, generator=generator).tolist()
            return
        order = torch.randperm(len(self.chances), generator=generator)
        reached = self.chances[order].cumsum(0)
        steps = torch.arange(self.size, dtype=reached.dtype) + torch.rand(1, generator=generator, dtype=reached.dtype)
        places = torch.searchsorted(reached, steps * reached[-1] / self.size, right=True)
        yield from order[places.clamp(max=len(order) - 1)].tolist()
