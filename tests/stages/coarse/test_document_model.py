"""The document model and its parts: neighbours mean nothing, each query finds its own units, order means something."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stages.coarse.document_model import (
    Aggregator,
    AttentionPooling,
    DocumentModel,
    LabelAttention,
    group_text_embeddings,
    positions,
    similar_lengths,
)

HIDDEN = 16


@pytest.fixture
def documents():
    """Unit vectors of documents with 1 to 9 units."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(n, HIDDEN, generator=generator) for n in (3, 1, 9, 2, 9)]


def ragged(documents):
    return torch.cat(documents), torch.tensor([len(d) for d in documents])


def document_model(*, aggregator=False, attention=False, queries=3):
    torch.manual_seed(1)
    pooling = AttentionPooling(hidden=HIDDEN, queries=queries)
    with torch.no_grad():
        pooling.queries.normal_()  # apart from each other, as after a training
    return DocumentModel(
        hidden=HIDDEN,
        aggregator=Aggregator(hidden=HIDDEN, layers=2, heads=4) if aggregator else None,
        pooling=pooling,
        label_attention=LabelAttention(group_embeddings=torch.randn(4, 8), width=pooling.width) if attention else None,
        groups=4,
    ).eval()


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("aggregator", [False, True])
def test_a_document_is_the_same_alone_and_beside_others_in_any_order(documents, aggregator, attention):
    model = document_model(aggregator=aggregator, attention=attention)
    order = [4, 1, 0, 3, 2]
    with torch.inference_mode():
        together = model(*ragged(documents))
        shuffled = model(*ragged([documents[i] for i in order]))
        alone = [model(*ragged([document])) for document in documents]
    for name in ("vectors", "logits", "unit_weights"):
        joined = torch.cat([getattr(one, name) for one in alone])
        assert torch.allclose(getattr(together, name), joined, atol=1e-5)
    assert torch.allclose(shuffled.vectors, together.vectors[order], atol=1e-5)
    sums = [part.sum() for part in together.unit_weights.split([len(d) for d in documents])]
    assert torch.allclose(torch.stack(sums), torch.ones(len(documents)), atol=1e-6)


@pytest.mark.parametrize("aggregator", [False, True])
def test_nothing_waits_for_the_device(documents, aggregator):
    units, counts = ragged(documents)
    model = document_model(aggregator=aggregator, attention=True).to(
        "meta"
    )  # which has no values: none can be asked for
    found = model(units.to("meta"), counts.numpy(), torch.ones(len(units), device="meta"))
    assert found.logits.shape == (5, 4)
    assert found.unit_weights.shape == (24,)


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=40))
def test_similar_lengths_take_each_document_once_and_at_most_double_the_work(counts):
    counts = torch.tensor(counts)
    parts = list(similar_lengths(counts))
    assert sorted(torch.cat(parts).tolist()) == list(range(len(counts)))
    for part in parts:
        assert counts[part].max() <= 2 * counts[part].min()


def test_a_query_finds_the_units_that_answer_to_it():
    pooling = AttentionPooling(hidden=HIDDEN, queries=2).eval()
    units = torch.randn(1, 6, HIDDEN, generator=torch.Generator().manual_seed(3))
    mask = torch.ones(1, 6, dtype=torch.bool)
    with torch.no_grad():
        x = pooling.norm(units + pooling.feed_forward(units))[0]
        keys = torch.tanh(pooling.key(x))
        pooling.queries.copy_(torch.stack([100 * keys[2], torch.zeros(HIDDEN)]))
        found, share = pooling(units, mask)
        # A query that knows nothing finds all alike.
        expected = pooling.scale_out(pooling.together(torch.cat([x[2], x.mean(0)])))
    assert torch.allclose(found[0], expected, atol=1e-3)
    assert share[0, 2] == pytest.approx((1 + 1 / 6) / 2, abs=1e-3)


@pytest.mark.parametrize("aggregator", [False, True])
def test_order_of_units_counts_with_the_aggregator_alone(documents, aggregator):
    model = document_model(aggregator=aggregator)
    with torch.inference_mode():
        one = model(*ragged([documents[2]])).vectors
        other = model(*ragged([documents[2].flip(0)])).vectors
    assert ((one - other).abs().max() > 1e-3) == aggregator


@pytest.mark.parametrize("aggregator", [False, True])
def test_a_unit_moves_its_own_document_only(documents, aggregator):
    units, counts = ragged(documents)
    moved = units.clone()
    moved[5] *= -1  # of the third document
    model = document_model(aggregator=aggregator)
    with torch.inference_mode():
        change = (model(moved, counts).vectors - model(units, counts).vectors).abs().amax(1)
    assert change[2] > 1e-3
    assert change[[0, 1, 3, 4]].max() < 1e-6


@pytest.mark.parametrize("hidden", [8, 9])
def test_positions_have_no_longest_document(hidden):
    table = positions(5000, hidden)
    assert table.shape == (5000, hidden)
    assert np.abs(table).max() <= 1
    assert np.array_equal(table[:7], positions(7, hidden))
    assert len(np.unique(table, axis=0)) == 5000


def test_label_attention_starts_from_label_texts_of_any_width(documents):
    torch.manual_seed(0)
    start = torch.randn(6, 24)
    attention = LabelAttention(group_embeddings=start, width=HIDDEN).eval()
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
@pytest.mark.parametrize("aggregator", [True, False])
def test_document_model_gives_vectors_and_logits(documents, aggregator, attention):
    model = document_model(aggregator=aggregator, attention=attention)
    found = model(*ragged(documents))
    assert found.vectors.shape == (5, model.width) == (5, HIDDEN)
    assert torch.allclose(found.logits, model.head(found.vectors))
    assert found.unit_weights.shape == (24,)
    assert (found.group_weights is None) == (not attention)
    found.logits.logsumexp(1).sum().backward()
    assert {name for name, p in model.named_parameters() if p.grad is None} == set()
