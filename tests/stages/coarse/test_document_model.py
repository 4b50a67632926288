"""Aggregator, label attention and document model: neighbours mean nothing, order means something."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stages.coarse.document_model import (
    Aggregator,
    DocumentModel,
    LabelAttention,
    group_text_embeddings,
    positions,
    similar_lengths,
)

HIDDEN = 16


@pytest.fixture
def documents():
    """Segment vectors of documents with 1 to 9 segments."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(n, HIDDEN, generator=generator) for n in (3, 1, 9, 2, 9)]


def ragged(documents):
    return torch.cat(documents), torch.tensor([len(d) for d in documents])


def aggregator(layers=2):
    torch.manual_seed(1)
    return Aggregator(hidden=HIDDEN, layers=layers, heads=4).eval()


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_a_document_is_the_same_alone_and_beside_others_in_any_order(documents, layers):
    model = aggregator(layers)
    order = [4, 1, 0, 3, 2]
    with torch.inference_mode():
        together, weights = model(*ragged(documents))
        shuffled, _ = model(*ragged([documents[i] for i in order]))
        alone = [model(*ragged([document])) for document in documents]
    assert torch.allclose(together, torch.cat([v for v, _ in alone]), atol=1e-5)
    assert torch.allclose(shuffled, together[order], atol=1e-5)
    assert torch.allclose(weights, torch.cat([w for _, w in alone]), atol=1e-5)
    sums = [part.sum() for part in weights.split([len(d) for d in documents])]
    assert torch.allclose(torch.stack(sums), torch.ones(len(documents)), atol=1e-6)


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=40))
def test_similar_lengths_take_each_document_once_and_at_most_double_the_work(counts):
    counts = torch.tensor(counts)
    parts = list(similar_lengths(counts))
    assert sorted(torch.cat(parts).tolist()) == list(range(len(counts)))
    for part in parts:
        assert counts[part].max() <= 2 * counts[part].min()


def test_no_layers_is_the_mean(documents):
    found, weights = Aggregator(hidden=HIDDEN, layers=0)(*ragged(documents))
    assert torch.allclose(found, torch.stack([d.mean(0) for d in documents]), atol=1e-6)
    assert torch.allclose(weights, torch.cat([torch.full((len(d),), 1 / len(d)) for d in documents]))


def test_order_of_segments_counts(documents):
    model = aggregator()
    with torch.inference_mode():
        one = model(*ragged([documents[2]]))[0]
        other = model(*ragged([documents[2].flip(0)]))[0]
    assert (one - other).abs().max() > 1e-3


def test_a_segment_moves_its_own_document_only(documents):
    segments, counts = ragged(documents)
    moved = segments.clone()
    moved[5] *= -1  # of the third document
    model = aggregator()
    with torch.inference_mode():
        change = (model(moved, counts)[0] - model(segments, counts)[0]).abs().amax(1)
    assert change[2] > 1e-3
    assert change[[0, 1, 3, 4]].max() < 1e-6


@pytest.mark.parametrize("hidden", [8, 9])
def test_positions_have_no_longest_document(hidden):
    table = positions(5000, hidden)
    assert table.shape == (5000, hidden)
    assert table.abs().max() <= 1
    assert torch.equal(table[:7], positions(7, hidden))
    assert len(torch.unique(table, dim=0)) == 5000


def test_label_attention_starts_from_label_texts_of_any_width(documents):
    torch.manual_seed(0)
    start = torch.randn(6, 24)
    attention = LabelAttention(group_embeddings=start, hidden=HIDDEN).eval()
    assert torch.equal(attention.group_embeddings, start)
    assert attention.group_embeddings.requires_grad
    vectors = torch.stack([d.mean(0) for d in documents])
    with torch.inference_mode():
        enriched, weights = attention(vectors)
        alone = torch.cat([attention(v[None])[0] for v in vectors])
    assert enriched.shape == (5, HIDDEN)
    assert weights.shape == (5, 6)
    assert torch.allclose(weights.sum(1), torch.ones(5), atol=1e-6)
    assert torch.allclose(enriched, alone, atol=1e-6)


def test_group_text_embeddings_are_half_group_half_labels():
    groups = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    labels = torch.tensor([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    found = group_text_embeddings(groups, labels, torch.tensor([0, 0, 1]))
    expected = np.array([[1, 0.5, 0.5], [1, 1, 0], [0, 0, 1.0]])  # the last group has no labels
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.allclose(found.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("attention", [True, False])
def test_document_model_gives_vectors_and_logits(documents, attention):
    torch.manual_seed(0)
    model = DocumentModel(
        aggregator=aggregator(1),
        label_attention=LabelAttention(group_embeddings=torch.randn(4, 8), hidden=HIDDEN) if attention else None,
        hidden=HIDDEN,
        groups=4,
    ).eval()
    found = model(*ragged(documents))
    assert found.logits.shape == (5, 4)
    assert torch.allclose(found.logits, model.head(found.vectors))
    assert found.segment_weights.shape == (24,)
    assert (found.group_weights is None) == (not attention)
    found.logits.logsumexp(1).sum().backward()
    assert {name for name, p in model.named_parameters() if p.grad is None} == set()
