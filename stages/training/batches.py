"""Batches of documents of like length: a short document is not padded to the length of a long one beside it."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from stages.training.imbalance import LabelSampler

BATCHES_SORTED = 50  # together: more pad less, fewer mix the documents better
FEWEST_PARTS = 4  # that an epoch is sorted in, so that few documents are mixed too


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
        drawn, rest = np.split(drawn, [len(drawn) // self.batch * self.batch])
        together = self.batch * max(1, min(BATCHES_SORTED, len(drawn) // (FEWEST_PARTS * self.batch)))
        parts = (drawn[start : start + together] for start in range(0, len(drawn), together))
        order = [part[np.argsort(-self.lengths[part], kind="stable")].reshape(-1, self.batch) for part in parts]
        if order:
            yield from random.permutation(np.concatenate(order)).ravel().tolist()
        yield from rest.tolist()
