"""Ragged batches: every segment is encoded once, with little padding, and cut into even units."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.coarse.chunks import chunked, tokens_at_once, unit_bounds

LENGTHS = st.lists(st.integers(1, 256), min_size=1, max_size=200)


@settings(deadline=None)
@given(lengths=LENGTHS, tokens=st.integers(64, 5000))
def test_chunks_hold_every_segment_once(lengths, tokens):
    ids = [list(range(1, n + 1)) for n in lengths]
    seen = []
    for chunk in chunked(ids, tokens_per_chunk=tokens, pad_id=0):
        assert chunk.input_ids.shape == chunk.attention_mask.shape
        assert chunk.input_ids.numel() <= tokens or len(chunk.index) == 1
        for place, row, mask in zip(chunk.index.tolist(), chunk.input_ids, chunk.attention_mask, strict=True):
            assert row[mask.bool()].tolist() == ids[place]
            assert not row[~mask.bool()].any()
            assert mask.sum() == len(ids[place])
            seen.append(place)
    assert sorted(seen) == list(range(len(lengths)))


@pytest.mark.parametrize("seed", range(3))
def test_padding_stays_under_a_tenth(seed):
    rng = np.random.default_rng(seed)
    lengths = np.concatenate([rng.integers(8, 256, 500), np.full(300, 256)])
    chunks = list(chunked([[1] * int(n) for n in rng.permutation(lengths)], tokens_per_chunk=4096, pad_id=0))
    assert 1 - lengths.sum() / sum(chunk.input_ids.numel() for chunk in chunks) < 0.10


def test_longest_chunk_comes_first():
    widths = [c.input_ids.shape[1] for c in chunked([[1] * n for n in (5, 90, 7, 60)], tokens_per_chunk=64, pad_id=0)]
    assert widths == sorted(widths, reverse=True)


@given(lengths=st.lists(st.integers(1, 60), min_size=1, max_size=30), unit=st.integers(1, 70))
def test_units_of_all_chunks_together_are_those_of_the_batch(lengths, unit):
    lengths = np.array(lengths)
    units = -(-lengths // unit)
    seen = []
    for chunk in chunked([[1] * int(n) for n in lengths], units, tokens_per_chunk=200, pad_id=0):
        bounds = chunk.bounds.numpy()
        there = (np.diff(bounds) > 0).ravel()
        assert np.array_equal(np.flatnonzero(there), chunk.slots.numpy())
        assert np.diff(bounds).max() <= unit
        seen += chunk.index.tolist()
    assert sorted(seen) == list(range(units.sum()))


@given(lengths=st.lists(st.integers(1, 600), min_size=1, max_size=30), unit=st.integers(1, 700))
def test_bounds_are_the_formula(lengths, unit):
    lengths = np.array(lengths)
    units = -(-lengths // unit)
    for n, k, bounds in zip(lengths, units, unit_bounds(lengths, units), strict=True):
        assert bounds[: k + 1].tolist() == [int(np.floor(i * n / k + 0.5)) for i in range(k + 1)]
        assert (bounds[k:] == n).all()
        sizes = np.diff(bounds[: k + 1])
        assert 1 <= sizes.min() <= sizes.max() <= min(unit, sizes.min() + 1)


@given(lengths=st.lists(st.integers(1, 30), min_size=2, max_size=30), unit=st.integers(1, 40))
def test_halves_hold_the_segments_and_units_of_the_whole(lengths, unit):
    lengths = np.array(lengths)
    ids = [list(range(1, n + 1)) for n in lengths]
    (whole,) = chunked(ids, -(-lengths // unit), tokens_per_chunk=8 * 30 * len(lengths), pad_id=0)
    parts = whole.halves()
    for name in ("input_ids", "attention_mask", "bounds", "index"):
        assert torch.cat([getattr(part, name) for part in parts]).equal(getattr(whole, name))
    for part in parts:
        assert part.slots.equal((part.bounds.diff() > 0).flatten().nonzero().squeeze(1))
        assert part.is_padded == whole.is_padded == bool((whole.attention_mask == 0).any())


@pytest.mark.parametrize(
    ("free", "total", "hidden", "reading", "training"),
    [
        (140e9, 141e9, 384, 262_144, 65_536),
        (7e9, 8e9, 384, 131_072, 32_768),
        (20e9, 24e9, 768, 131_072, 32_768),
        (1e9, 8e9, 1024, 4096, 8192),
        (0, 2e9, 1024, 4096, 4096),
    ],
)
def test_tokens_at_once_follow_the_memory_of_the_card(monkeypatch, free, total, hidden, reading, training):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (int(free), int(total)))
    card = torch.device("cuda")
    assert tokens_at_once(card, hidden) == reading
    assert tokens_at_once(card, hidden, training=True) == training
    assert tokens_at_once(torch.device("cpu"), hidden) == tokens_at_once(torch.device("cpu"), hidden, training=True)
