"""Windows over documents, and units of windows: every token is covered, and places in the text are theirs."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_encoders import FAMILIES
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

from hierarchy.errors import EncoderError
from stages.coarse.segments import Segmenter, unknown_token_share

# Tokens that stand before and after a text, in families without an encoder of their own among the tests.
AROUND = {"t5": ([], ["</s>"]), "xlnet": ([], ["</s>", "<s>"]), "llama": (["<s>"], []), "gpt": ([], [])}


def of_documents(segments):
    """Yield the segments of one document after the other."""
    start = 0
    for count in segments.counts:
        yield ids_of(segments)[start : start + count]
        start += count


def ids_of(segments):
    return [ids.tolist() for ids in segments.input_ids]


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_encoder)


@pytest.fixture(scope="module", params=[*FAMILIES, *AROUND])
def of_family(request, english):
    """A tokenizer of each family, with the ids that it puts before and after a text."""
    tokenizer = FAMILIES.get(request.param, FAMILIES["roberta"]).tokenizer(english.train[0])
    if request.param in FAMILIES:
        return tokenizer, [tokenizer.cls_token_id], [tokenizer.sep_token_id]
    before, after = AROUND[request.param]
    backend = tokenizer.backend_tokenizer
    special = [(token, backend.token_to_id(token)) for token in {*before, *after}]
    backend.post_processor = TemplateProcessing(single=[*before, "$A", *after], special_tokens=special)
    return tokenizer, *(tokenizer.convert_tokens_to_ids(tokens) for tokens in (before, after))


@settings(deadline=None, max_examples=20)
@given(words=st.lists(st.integers(0, 400), min_size=1, max_size=60), size=st.integers(9, 40), overlap=st.integers(0, 6))
def test_windows_hold_every_token_and_overlap_as_stated(of_family, english, words, size, overlap):
    tokenizer, before, after = of_family
    known = " ".join(english.train[0]).split()
    texts = [" ".join(known[w] for w in words) + "?" * len(words), "kettle"]
    segmenter = Segmenter(tokenizer, segment_tokens=size, overlap=overlap)
    segments = segmenter(texts)
    assert segments.counts.sum() == len(segments.input_ids)
    assert segments.counts.min() >= 1
    lengths = [len(whole(tokenizer, text)["input_ids"]) for text in texts]
    left_out = segmenter.left_out(lengths, segmenter.windows(texts, lengths))
    assert left_out.tolist() == [sum(map(len, segments.input_ids)), 0, 0]
    for text, windows in zip(texts, of_documents(segments), strict=True):
        bare = []
        for window in windows:
            assert len(window) <= size
            assert window[: len(before)] == before
            assert window[len(window) - len(after) :] == after
            bare.append(window[len(before) : len(window) - len(after)])
        for one, following in pairwise(bare):
            assert len(one) == size - len(before) - len(after)
            assert one[len(one) - overlap :] == following[:overlap]
            assert len(following) > overlap
        joined = bare[0] + [token for window in bare[1:] for token in window[overlap:]]
        assert joined == whole(tokenizer, text)["input_ids"]


def test_an_empty_text_is_one_window_that_can_be_read(of_family):
    tokenizer, before, after = of_family
    segments = Segmenter(tokenizer)(["", "kettle"])
    assert ids_of(segments)[0] == (before + after or [tokenizer.pad_token_id])
    assert segments.counts.tolist() == [1, 1]
    assert Segmenter(tokenizer).spans("") == [(0, 0)]


@settings(deadline=None, max_examples=10)
@given(words=st.lists(st.integers(0, 400), min_size=1, max_size=60), overlap=st.integers(0, 6))
def test_spans_are_those_of_the_windows(of_family, english, words, overlap):
    tokenizer, before, after = of_family
    known = " ".join(english.train[0]).split()
    text = "  " + "  ".join(known[w] for w in words).title()
    segmenter = Segmenter(tokenizer, segment_tokens=12, overlap=overlap)
    windows, spans = ids_of(segmenter([text])), segmenter.spans(text)
    read = whole(tokenizer, text)
    first, ends = 0, []
    for window in windows:
        tokens = len(window) - len(before) - len(after)
        ends.append((read["offset_mapping"][first][0], read["offset_mapping"][first + tokens - 1][1]))
        first += tokens - overlap
    assert spans == ends
    assert spans[-1][1] == len(text)


@pytest.mark.parametrize("words", [1, 3, 300])  # as many words as one can count, or one that never ends
def test_windows_do_not_depend_on_how_a_tokenizer_was_saved_or_called(of_family, words):
    tokenizer, *_ = of_family
    text = " ".join(["kettle" * (900 // words)] * words)
    segmenter = Segmenter(tokenizer, segment_tokens=24, overlap=4)
    windows = ids_of(segmenter([text, ""]))
    tokenizer.backend_tokenizer.enable_truncation(8)
    tokenizer.backend_tokenizer.enable_padding(length=64)
    tokenizer.truncation_side = "left"
    assert ids_of(Segmenter(tokenizer, segment_tokens=24, overlap=4)([text, ""])) == windows
    tokenizer([text, "kettle"], truncation=True, max_length=5, padding=True)
    assert ids_of(segmenter([text, ""])) == windows
    assert len(segmenter.spans(text)) == len(windows) - 1
    tokenizer.truncation_side = "right"


def whole(tokenizer, text):
    """What the tokenizer makes of a text with nothing around it, without any call that could cut it."""
    read = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    read.no_truncation()
    read.no_padding()
    encoded = read.encode(text, add_special_tokens=False)
    return {"input_ids": encoded.ids, "offset_mapping": encoded.offsets}


@pytest.mark.parametrize("kept", [1, 2, 3, 7])
def test_max_segments_spreads_over_the_whole_document(tokenizer, kept):
    text = " ".join(["kettle", *["the"] * 500, "printer"])
    whole = Segmenter(tokenizer, segment_tokens=16, overlap=4)([text, "kettle"])
    segmenter = Segmenter(tokenizer, segment_tokens=16, overlap=4, max_segments=kept)
    some = segmenter([text, "kettle"])
    windows, picked = next(of_documents(whole)), next(of_documents(some))
    assert len(picked) == kept
    assert picked[0] == windows[0]
    assert kept == 1 or picked[-1] == windows[-1]
    assert some.counts.tolist() == [kept, 1]
    lengths = [len(ids) for ids in segmenter.tokens([text, "kettle"])]
    left_out = segmenter.left_out(lengths, segmenter.windows([text, "kettle"], lengths))
    read, kept_of_it = sum(map(len, windows)), sum(map(len, picked))
    assert left_out.tolist() == [sum(map(len, whole.input_ids)), read - kept_of_it, 1]


class Counting:
    """An opinion: a text tells as much as a word stands in it."""

    key = "counting"

    def __init__(self, word):
        self.word = word

    def __call__(self, texts):
        return np.array([text.count(self.word) for text in texts])


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_an_opinion_chooses_the_windows_and_their_order_stays(tokenizer, kept):
    words = ["the"] * 400
    for place, times in ((30, 2), (150, 4), (380, 3)):
        words[place : place + times] = ["kettle"] * times
    text = " ".join(words)
    plain = Segmenter(tokenizer, segment_tokens=16, overlap=4)
    some = Segmenter(tokenizer, segment_tokens=16, overlap=4, max_segments=kept)
    asking = some.asking(Counting("kettle"))
    every = [text[start:end] for start, end in plain.spans(text)]
    chosen = [text[start:end] for start, end in asking.spans(text)]
    counts = sorted((part.count("kettle") for part in every), reverse=True)
    assert sorted((part.count("kettle") for part in chosen), reverse=True) == counts[:kept]
    assert [every.index(part) for part in chosen] == sorted(every.index(part) for part in chosen)
    picked = [ids_of(plain([text])).index(ids) for ids in ids_of(asking([text]))]
    assert [every[pick] for pick in picked] == chosen
    assert ids_of(asking(["kettle", text, ""]))[1:-1] == ids_of(asking([text]))  # whatever stands beside it
    assert ids_of(some([text])) != ids_of(asking([text]))  # the one that it was made of still spreads
    assert ids_of(asking(["the kettle"])) == ids_of(plain(["the kettle"]))


def test_windows_that_tell_the_same_are_spread(tokenizer):
    words = ["the"] * 200
    plain = Segmenter(tokenizer, segment_tokens=16, overlap=4)
    spread = Segmenter(tokenizer, segment_tokens=16, overlap=4, max_segments=3)
    asking = spread.asking(Counting("kettle"))
    assert asking.spans(" ".join(words)) == spread.spans(" ".join(words))
    words[65] = "kettle"  # not where two windows overlap
    text = " ".join(words)
    first, told, last = asking.spans(text)
    every = plain.spans(text)
    assert (first, last) == (every[0], every[-1])
    assert "kettle" in text[slice(*told)]


def test_spans_of_chinese_are_characters(chinese_encoder):
    from transformers import AutoTokenizer

    segmenter = Segmenter(AutoTokenizer.from_pretrained(chinese_encoder), segment_tokens=12, overlap=2)
    text = "冰箱冷藏室的温度，空调外机的风和热都看得见，电视的屏幕"
    spans = segmenter.spans(text)
    assert spans[0] == (0, 10)
    assert spans[1][0] == 8
    assert spans[-1][1] == len(text)
    assert segmenter.spans("") == [(0, 0)]


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_spans_are_those_of_the_segments_kept(tokenizer, kept):
    text = " ".join(["kettle", *["the"] * 500, "printer"])
    whole = Segmenter(tokenizer, segment_tokens=16, overlap=4)
    some = Segmenter(tokenizer, segment_tokens=16, overlap=4, max_segments=kept)
    picked = [ids_of(whole([text])).index(ids) for ids in ids_of(some([text]))]
    assert len(some.spans(text)) == kept
    assert some.spans(text)[0] == whole.spans(text)[picked[0]]
    assert kept == 1 or some.spans(text)[-1] == whole.spans(text)[-1]


@settings(deadline=None, max_examples=25)
@given(words=st.lists(st.integers(0, 400), max_size=60), size=st.integers(9, 40), unit=st.integers(1, 50))
def test_units_are_even_parts_of_segments(tokenizer, english, words, size, unit):
    known = " ".join(english.train[0]).split()
    texts = [" ".join(known[w] for w in words), "kettle"]
    whole = Segmenter(tokenizer, segment_tokens=size, overlap=4)
    cut = Segmenter(tokenizer, segment_tokens=size, overlap=4, unit_tokens=unit)
    segments, parts = whole(texts), cut(texts)
    assert ids_of(parts) == ids_of(segments)
    assert segments.units.tolist() == [1] * len(segments.input_ids)
    assert parts.units.tolist() == [-(-len(ids) // unit) for ids in parts.input_ids]
    assert parts.counts.sum() == parts.units.sum()
    assert parts.counts[-1] == -(-len(parts.input_ids[-1]) // unit)
    for text, count in zip(texts, parts.counts, strict=True):
        spans = cut.spans(text)
        assert len(spans) == (count if text else 1)
        assert min(start for start, _ in spans) == whole.spans(text)[0][0]
        assert max(end for _, end in spans) == whole.spans(text)[-1][1]
        covered = np.zeros(len(text), dtype=bool)
        for start, end in spans:
            covered[start:end] = True
        assert all(covered[i] for i, character in enumerate(text) if not character.isspace())


def test_units_of_special_tokens_alone_have_a_place_and_no_characters(tokenizer):
    spans = Segmenter(tokenizer, segment_tokens=16, overlap=0, unit_tokens=1).spans("kettle lid")
    assert spans[0] == (0, 0)
    assert spans[-1][0] == spans[-1][1]


def test_more_texts_than_one_call_of_the_tokenizer_takes(tokenizer, english, monkeypatch):
    segmenter = Segmenter(tokenizer, segment_tokens=16, overlap=4)
    whole = segmenter(english.train[0][:30])
    monkeypatch.setattr("stages.coarse.segments.TEXTS_PER_CALL", 7)
    parts = segmenter(english.train[0][:30])
    assert ids_of(parts) == ids_of(whole)
    assert np.array_equal(parts.counts, whole.counts)


def test_no_step_forward_is_refused(tokenizer):
    with pytest.raises(EncoderError, match=r"overlap 14 leaves no step forward in segments of 16 tokens \(14 without"):
        Segmenter(tokenizer, segment_tokens=16, overlap=14)


def test_a_slow_tokenizer_is_refused():
    with pytest.raises(EncoderError, match=r"not a fast one.*tokenizer\.json"):
        Segmenter(SimpleNamespace(is_fast=False))


def test_unknown_token_share(tokenizer, english, chinese):
    assert unknown_token_share(tokenizer, english.train[0]) == 0
    assert unknown_token_share(tokenizer, chinese.train[0]) > 0.9
    half = unknown_token_share(tokenizer, ["kettle 中", "the 文"])
    assert half == pytest.approx(2 / len(tokenizer("kettle 中 the 文", add_special_tokens=False)["input_ids"]))
    assert unknown_token_share(tokenizer, []) == 0
    assert unknown_token_share(tokenizer, [""]) == 0
    assert unknown_token_share(SimpleNamespace(unk_token_id=None), ["中"]) == 0
