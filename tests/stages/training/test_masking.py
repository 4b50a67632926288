"""Masking: every token stands in a window, whole words are masked, and the same seed gives the same masks."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from stages.coarse.segments import Segmenter
from stages.training.masking import MaskedWindows, MaskWords, cached_marked_tokens, marked_tokens

UNKNOWN = {"unk_token": "[UNK]"}


def plain(marked):
    return np.where(marked < 0, ~marked, marked)


@pytest.fixture
def windows(tiny_encoder, english, tmp_path):
    segmenter = Segmenter(AutoTokenizer.from_pretrained(tiny_encoder), segment_tokens=16, overlap=0)
    texts = ["", *english.train[0][:20]]
    return texts, MaskedWindows(cached_marked_tokens(texts, segmenter, tmp_path, what="t"), segmenter, random_state=0)


def words_of(tokenizer, text):
    """The tokens of each word, as they are read back from their marks."""
    (marked,) = marked_tokens(tokenizer, [text])
    starts = np.flatnonzero(marked >= 0)
    return [tokenizer.convert_ids_to_tokens(part.tolist()) for part in np.split(plain(marked), starts[1:])]


def test_pieces_of_a_word_go_together(tiny_encoder):
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    assert words_of(tokenizer, "kettleproof kettle xq.") == [["kettle", "##proof"], ["kettle"], ["x", "##q"], ["."]]


def test_a_chinese_character_is_a_word(chinese_encoder):
    tokenizer = AutoTokenizer.from_pretrained(chinese_encoder)
    assert words_of(tokenizer, "冰箱温度") == [["冰"], ["箱"], ["温"], ["度"]]


def test_in_a_script_without_spaces_each_token_is_a_word_and_bytes_of_a_character_stay_together():
    pieces = {piece: place for place, piece in enumerate(["[UNK]", "▁", "温度", "箱", "a", "b", "▁a"])}
    tokenizer = Tokenizer(models.WordPiece(pieces, **UNKNOWN, continuing_subword_prefix=""))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    whole = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **UNKNOWN)
    assert words_of(whole, "温度箱箱 ab") == [["▁", "温度"], ["箱"], ["箱"], ["▁a", "b"]]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: place for place, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    assert [len(word) for word in words_of(PreTrainedTokenizerFast(tokenizer_object=tokenizer), "温度 ab")] == [3, 3, 3]


def test_beside_a_character_of_a_script_without_spaces_no_token_goes_on():
    pieces = {piece: place for place, piece in enumerate(["[UNK]", "▁", "温", "，", "3", "a"])}
    tokenizer = Tokenizer(models.WordPiece(pieces, **UNKNOWN, continuing_subword_prefix=""))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    words = words_of(PreTrainedTokenizerFast(tokenizer_object=tokenizer), "aa温，3aa")
    assert words == [["▁", "a", "a"], ["温"], ["，", "3", "a", "a"]]


@pytest.mark.parametrize("rule", [None, pre_tokenizers.Split(" ", "merged_with_previous")], ids=["none", "split"])
def test_white_space_ends_a_word_where_a_tokenizer_does_not(rule):
    """As those of Gemma: their normalizer takes all spaces away before anything could be split at them."""
    pieces = {piece: place for place, piece in enumerate(["[UNK]", "▁", "▁a", "a", "b", "\n"])}
    tokenizer = Tokenizer(models.BPE(pieces, [("▁", "a")]))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    if rule is not None:
        tokenizer.pre_tokenizer = rule
    words = words_of(PreTrainedTokenizerFast(tokenizer_object=tokenizer), "ab ab ba\nab")
    assert words == [["a", "b"], ["▁a", "b"], ["▁", "b", "a"], ["\n", "a", "b"]]


def test_every_token_stands_in_one_window(windows):
    texts, parts = windows
    tokenizer = parts.segmenter.tokenizer
    read = np.concatenate([parts[place][0][1:-1] for place in range(len(parts))])
    expected = np.concatenate(marked_tokens(tokenizer, texts)).tolist()
    assert read.tolist() == expected
    assert parts.lengths.sum() == len(expected)


def test_words_are_masked_whole_and_nothing_else_is(windows):
    _, parts = windows
    tokenizer = parts.segmenter.tokenizer
    items = [parts[place] for place in range(12)] + [(parts[0][0][:4], 1)]
    batch = MaskWords(tokenizer, 0.3)(items)
    assert batch["labels"].shape == (13, 16)
    several = 0
    for row, (marked, _) in enumerate(items):
        masked = (batch["labels"][row] != -100).numpy()
        ids = plain(marked)
        assert not masked[len(ids) :].any()
        assert batch["attention_mask"][row].sum() == len(ids)
        assert not masked[: len(ids)][np.isin(ids, tokenizer.all_special_ids)].any()
        assert (batch["labels"][row].numpy()[masked] == ids[masked[: len(ids)]]).all()
        read = np.where(masked[: len(ids)], tokenizer.mask_token_id, ids)
        assert batch["input_ids"][row, : len(ids)].tolist() == read.tolist()
        goes_on = np.flatnonzero(marked < 0)
        goes_on = goes_on[goes_on > 1]  # a window may begin within a word
        assert (masked[goes_on] == masked[goes_on - 1]).all()
        several += int(masked[goes_on].sum())
    assert several  # words of several pieces were among them


def test_the_share_of_words_is_that_asked_for(windows):
    _, parts = windows
    masks = MaskWords(parts.segmenter.tokenizer, 0.15)
    masked = words = 0
    for epoch in range(5):
        parts.begin_epoch(epoch)
        batch = masks([parts[place] for place in range(len(parts))])
        first = np.concatenate([[False, *(parts[place][0][1:-1] >= 0), False] for place in range(len(parts))])
        inside = batch["attention_mask"].bool()
        masked += int(((batch["labels"] != -100)[inside].numpy() & first).sum())
        words += int(first.sum())
    assert masked / words == pytest.approx(0.15, abs=4 * (0.15 * 0.85 / words) ** 0.5)


def test_an_epoch_has_masks_of_its_own_which_come_again(windows):
    _, parts = windows
    masks = MaskWords(parts.segmenter.tokenizer, 0.15)

    def masked(epoch):
        parts.begin_epoch(epoch)
        return masks([parts[place] for place in (3, 1, 4)])["labels"]

    assert torch.equal(masked(1), masked(1))
    alone = masks([parts[1]])["labels"][0]
    assert torch.equal(masked(1)[1, : len(alone)], alone)  # whatever stands beside it
    assert not torch.equal(masked(1), masked(2))
