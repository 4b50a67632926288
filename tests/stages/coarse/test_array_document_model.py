"""The document model in NumPy answers as the one of torch does, whatever parts it has."""

import numpy as np
import pytest
import torch

from stages.coarse.array_document_model import ArrayDocumentModel, weight_shapes
from stages.coarse.document_model import Aggregator, AttentionPooling, DocumentModel, LabelAttention

HIDDEN, GROUPS = 16, 4
COUNTS = np.array([3, 1, 40, 2, 9])
PARTS = [(layers, attention) for layers in (0, 2) for attention in (False, True)]


def of_torch(layers, attention):
    torch.manual_seed(1)
    pooling = AttentionPooling(hidden=HIDDEN, queries=3)
    model = DocumentModel(
        hidden=HIDDEN,
        aggregator=Aggregator(hidden=HIDDEN, layers=layers, heads=4) if layers else None,
        pooling=pooling,
        label_attention=(
            LabelAttention(group_embeddings=torch.randn(GROUPS, 8), width=pooling.width) if attention else None
        ),
        groups=GROUPS,
    )
    with torch.no_grad():
        for weight in model.parameters():  # biases and norms apart from where they start
            weight.add_(torch.randn_like(weight) * 0.3)
    return model.eval()


@pytest.fixture
def units():
    return np.random.default_rng(0).normal(size=(int(COUNTS.sum()), HIDDEN)).astype(np.float32)


@pytest.mark.parametrize(("layers", "attention"), PARTS)
def test_it_answers_as_torch_does(units, layers, attention):
    model = of_torch(layers, attention)
    there, here = model.answer(units, COUNTS), ArrayDocumentModel(model.state(), heads=4).answer(units, COUNTS)
    for one, other in zip(there, here, strict=True):
        assert one.shape == other.shape
        assert other.dtype == np.float32
        assert np.abs(one - other).max() < 1e-5
    assert np.allclose(np.add.reduceat(here[2], np.cumsum(COUNTS) - COUNTS), 1, atol=1e-6)


@pytest.mark.parametrize(("layers", "attention"), PARTS)
def test_its_weights_are_those_of_torch(layers, attention):
    model = of_torch(layers, attention)
    expected = {name: array.shape or (1,) for name, array in model.state().items()}
    label_hidden = 8 if attention else None
    assert weight_shapes(HIDDEN, GROUPS, queries=3, layers=layers, label_hidden=label_hidden) == expected


def test_a_document_is_the_same_alone_and_beside_others(units):
    model = ArrayDocumentModel(of_torch(2, True).state(), heads=4)
    together = model.answer(units, COUNTS)
    for document, own in enumerate(np.split(units, np.cumsum(COUNTS)[:-1])):
        alone = model.answer(own, np.array([len(own)]))
        assert np.abs(alone[0] - together[0][document]).max() < 1e-5
        assert np.abs(alone[1] - together[1][document]).max() < 1e-5


def test_of_a_unit_its_attention_is_known(units):
    model = ArrayDocumentModel(of_torch(0, False).state(), heads=4)
    attention, of_vector, of_logits = model.unit_effects(units, on_vector=np.ones(HIDDEN), on_logits=np.ones(GROUPS))
    assert attention.sum() == pytest.approx(1, abs=1e-6)
    assert not of_vector.any()
    assert not of_logits.any()
