"""The optimizer's groups: rates of their own for the encoder and its layers, no decay for vectors."""

import pytest
from torch import nn
from transformers import BertConfig, BertModel

from stages.training.arguments import layer_depths, parameter_groups


def rates(model, **settings):
    return {id(p): (g["lr"], g["weight_decay"]) for g in parameter_groups(model, **settings) for p in g["params"]}


def test_the_encoder_has_its_own_rate_and_vectors_no_decay():
    model = nn.ModuleDict({"encoder": nn.Linear(3, 3), "head": nn.Linear(3, 2), "still": nn.Linear(2, 2)})
    model["still"].requires_grad_(False)
    assert rates(model, learning_rate=1e-3, encoder_learning_rate=1e-5, weight_decay=0.1) == {
        id(model["encoder"].weight): (1e-5, 0.1),
        id(model["encoder"].bias): (1e-5, 0.0),
        id(model["head"].weight): (1e-3, 0.1),
        id(model["head"].bias): (1e-3, 0.0),
    }


def test_each_layer_has_a_share_of_the_rate_above_it():
    config = BertConfig(vocab_size=30, hidden_size=8, num_hidden_layers=3, num_attention_heads=2, intermediate_size=8)
    model = nn.ModuleDict({"encoder": BertModel(config), "head": nn.Linear(8, 2)})
    depths = layer_depths(model, "encoder.")
    assert depths["encoder.embeddings.word_embeddings.weight"] == 3
    assert depths["encoder.encoder.layer.0.output.dense.weight"] == 2
    assert depths["encoder.encoder.layer.2.output.dense.weight"] == 0
    assert depths["encoder.pooler.dense.weight"] == 0
    found = rates(model, learning_rate=1.0, encoder_learning_rate=0.1, weight_decay=0.0, layer_decay=0.5)
    assert found[id(model["encoder"].embeddings.word_embeddings.weight)][0] == pytest.approx(0.1 / 8)
    assert found[id(model["encoder"].encoder.layer[2].output.dense.weight)][0] == pytest.approx(0.1)
    assert found[id(model["head"].weight)][0] == 1.0
