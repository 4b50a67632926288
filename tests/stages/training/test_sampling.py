"""Batches of like length: every document as often as before, and little padding."""

from itertools import combinations

import numpy as np
import pytest

from stages.training.sampling import LabelSampler, LengthSampler

RANDOM = np.random.default_rng(0)
LENGTHS = RANDOM.lognormal(4, 1, 1003).astype(int)


def epoch_of(sampler, epoch):
    sampler.set_epoch(epoch)
    return list(sampler)


def padded(lengths, batch):
    return sum(len(lengths[i : i + batch]) * lengths[i : i + batch].max() for i in range(0, len(lengths), batch))


@pytest.mark.parametrize("batch", [1, 16, 64, 5000])
def test_each_epoch_has_every_document_once_in_another_order(batch):
    sampler = LengthSampler(LENGTHS, batch=batch, draw=None, random_state=3)
    epochs = [epoch_of(sampler, epoch) for epoch in range(3)]
    assert all(sorted(order) == list(range(len(LENGTHS))) for order in epochs)
    assert len({tuple(order) for order in epochs}) == 3
    assert len(sampler) == len(LENGTHS)
    assert epoch_of(LengthSampler(LENGTHS, batch=batch, draw=None, random_state=3), 1) == epochs[1]
    assert epoch_of(LengthSampler(LENGTHS, batch=batch, draw=None, random_state=4), 1) != epochs[1]


def test_batches_pad_little_and_come_in_any_order_of_length():
    many = RANDOM.lognormal(4, 1, 8003).astype(int)
    assert padded(many, 16) > 2 * many.sum()
    lengths = many[epoch_of(LengthSampler(many, batch=16, draw=None, random_state=0), 0)]
    assert padded(lengths, 16) < 1.3 * many.sum()
    longest = [lengths[i : i + 16].max() for i in range(0, len(lengths) - 16, 16)]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.4  # sorted it would be near 1


@pytest.mark.parametrize("documents", [100, 403, 3000])
def test_documents_meet_others_in_the_next_epoch(documents):
    sampler = LengthSampler(np.arange(documents), batch=10, draw=None, random_state=0)
    orders = [epoch_of(sampler, epoch) for epoch in (0, 1)]
    first, second = (
        {pair for i in range(0, documents, 10) for pair in combinations(sorted(order[i : i + 10]), 2)}
        for order in orders
    )
    assert len(first & second) < 0.3 * len(first)
    for order in orders:  # the last batch is no shorter than the others
        rest = order[documents // 10 * 10 :]
        assert not rest or documents / 5 < np.mean(rest) < documents * 4 / 5


@pytest.mark.parametrize("undersample", [False, True])
def test_a_draw_keeps_its_documents(undersample):
    targets = np.repeat(np.arange(4), [600, 300, 100, 3])
    draw = LabelSampler(targets, np.array([0.4, 0.8, 2.4, 80.0]), undersample=undersample, random_state=0)
    sampler = LengthSampler(LENGTHS, batch=16, draw=draw, random_state=0)
    for epoch in (0, 1):
        drawn = epoch_of(draw, epoch)
        assert sorted(epoch_of(sampler, epoch)) == sorted(drawn)
        assert len(sampler) == len(drawn)
