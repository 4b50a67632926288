"""Which documents an epoch of a training has, and in which order: rare labels more often, like lengths together."""

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import Sampler

BATCHES_SORTED = 50  # together: more pad less, fewer mix the documents better
FEWEST_PARTS = 4  # that an epoch is sorted in, so that few documents are mixed too


class LabelSampler(Sampler[int]):
    """Draws documents so that labels come as often as `ratio` says; another draw each epoch.

    Parameters
    ----------
    targets
        (documents,) label of each document.
    ratio
        (labels,) as `stages.label_space.label_ratio` gives it.
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
        # 1. Lay the documents in a random order on a line, each as long as its chance.
        order = torch.randperm(len(self.chances), generator=generator)
        reached = self.chances[order].cumsum(0)
        # 2. Walk it in equal steps from a random start, and take each document that a step falls on.
        steps = torch.arange(self.size, dtype=reached.dtype) + torch.rand(1, generator=generator, dtype=reached.dtype)
        places = torch.searchsorted(reached, steps * reached[-1] / self.size, right=True)
        yield from order[places.clamp(max=len(order) - 1)].tolist()


class LengthSampler(Sampler[int]):
    """Gives an epoch's documents in an order in which those of a batch are of like length.

    The documents are drawn at random, sorted by length within each `BATCHES_SORTED` batches (fewer where that would be
    more than a quarter of them), and the batches shuffled. The rest, a smaller last batch, has documents of any length.

    Parameters
    ----------
    lengths
        (documents,) length of each, in any unit.
    batch
        Documents that are trained on together, on all processes.
    draw
        Which documents an epoch has; None takes each once.
    random_state
        Of the order.
    """

    def __init__(self, lengths: np.ndarray, *, batch: int, draw: LabelSampler | None, random_state: int) -> None:
        self.lengths = lengths
        self.batch = batch
        self.draw = draw
        self.random_state = random_state
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the draw; called before each epoch."""
        self.epoch = epoch
        if self.draw is not None:
            self.draw.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.lengths) if self.draw is None else len(self.draw)

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self.random_state, self.epoch])
        drawn = random.permutation(len(self.lengths)) if self.draw is None else np.array(list(self.draw))
        # 1. Leave the documents that fill no batch for the end.
        drawn, rest = np.split(drawn, [len(drawn) // self.batch * self.batch])
        # 2. Sort by length within some batches, and cut these: (batches, documents of a batch) each.
        together = self.batch * max(1, min(BATCHES_SORTED, len(drawn) // (FEWEST_PARTS * self.batch)))
        parts = (drawn[start : start + together] for start in range(0, len(drawn), together))
        order = [part[np.argsort(-self.lengths[part], kind="stable")].reshape(-1, self.batch) for part in parts]
        # 3. Shuffle the batches.
        if order:
            yield from random.permutation(np.concatenate(order)).ravel().tolist()
        yield from rest.tolist()
