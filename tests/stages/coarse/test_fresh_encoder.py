"""A new encoder: its tokenizer is trained on the documents, the same in each process, and reads what they hold."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hierarchy.errors import DataError
from stages.coarse.fresh_encoder import SPECIAL, fresh_modernbert, train_tokenizer
from stages.coarse.segments import unknown_token_share

ROOT = Path(__file__).parents[3]
TRAINED = """
import json, sys
from stages.coarse.fresh_encoder import train_tokenizer
texts, pieces = json.load(sys.stdin)
print(json.dumps(train_tokenizer(texts, pieces).get_vocab(), sort_keys=True))
"""


def test_it_knows_its_documents_in_english_and_chinese(english, chinese):
    for corpus in (english, chinese):
        tokenizer = train_tokenizer(corpus.train[0], 600)
        assert len(tokenizer) <= 600
        assert unknown_token_share(tokenizer, corpus.train[0]) == 0
        assert [tokenizer.convert_tokens_to_ids(token) for token in SPECIAL] == list(range(len(SPECIAL)))


def test_frequent_words_are_pieces_and_chinese_characters_stand_alone(english, chinese):
    assert {"kettle", "printer", "##s"} <= train_tokenizer(english.train[0], 600).get_vocab().keys()
    pieces = train_tokenizer(["冰箱 kettle's 温度" * 5] * 5, 600).get_vocab()
    assert {"冰", "箱", "kettle"} <= pieces.keys()
    assert "冰箱" not in pieces


@pytest.mark.parametrize("case", ["pairs", "characters"])
def test_two_processes_train_the_same_tokenizer(english, case):
    """Among equal pairs, or characters, the trainer of tokenizers takes others in each process, unless it has none."""
    texts, pieces = english.train[0], 300
    if case == "characters":
        texts, pieces = ["".join(map(chr, range(0x4E00, 0x4E00 + 400)))], 200  # a vocabulary that cannot hold them
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [sys.executable, "-c", TRAINED], input=json.dumps([texts, pieces]), env=env, text=True, check=True,
        stdout=subprocess.PIPE, timeout=120,
    ).stdout  # fmt: skip
    vocabulary = train_tokenizer(texts, pieces).get_vocab()
    assert json.loads(told) == vocabulary
    assert len(vocabulary) <= pieces


def test_the_model_has_the_size_asked_for(english):
    model = fresh_modernbert(train_tokenizer(english.train[0], 300), layers=3, hidden=128)
    assert (model.config.num_hidden_layers, model.config.hidden_size, model.config.num_attention_heads) == (3, 128, 2)


def test_documents_that_hold_next_to_nothing_are_refused():
    with pytest.raises(DataError, match="hold 2 pieces of words: give more"):
        train_tokenizer(["a"], 300)
