"""Documents as masked language modelling reads them: windows over all their tokens, in which whole words are masked.

A word is what the tokenizer's own rules cut a text into before it looks for pieces, and white space ends it where these
rules do not. Scripts without spaces have no such words, so each of their tokens counts as one: a character for BERT's
tokenizers, a word where the vocabulary has it.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import DataCollatorForLanguageModeling

from hierarchy.embedding.pretrained import whole_tokens
from stages.arrays import Array
from stages.coarse.segments import TOKEN_TYPE, Segmenter
from stages.features import token_key
from stages.fine.ngrams import UNSPACED
from stages.run_folder import cache_key
from stages.shards import DocumentArrays, ShardCache

_SPACE, _UNSPACED = re.compile(r"\s"), re.compile(f"[{UNSPACED}]")
MARKS_VERSION = 2  # of the code that tells where words begin


def marked_tokens(tokenizer: Any, texts: Sequence[str]) -> list[np.ndarray]:
    """Token ids of texts, without special tokens; one that goes on a word stands as its complement (``~id``).

    Parameters
    ----------
    tokenizer
        A fast tokenizer of transformers.
    texts
        Of any length.

    Returns
    -------
    list[numpy.ndarray]
        (tokens,) int32 of each text.
    """
    read = whole_tokens(tokenizer, list(texts)).encodings
    marked = []
    for text, encoding in zip(texts, read, strict=True):
        ids = np.array(encoding.ids, dtype=TOKEN_TYPE)
        if len(ids):
            goes_on = _goes_on(text, encoding)
            ids[goes_on] = ~ids[goes_on]
        marked.append(ids)
    return marked


def _goes_on(text: str, encoding: Any) -> np.ndarray:
    """Places of the tokens that go on the word of the token before them."""
    words = np.array([-1 if word is None else word for word in encoding.word_ids])
    places = 1 + np.flatnonzero((words[1:] == words[:-1]) & (words[1:] >= 0))
    spans = np.array(encoding.offsets)  # (tokens, 2): characters of the text
    starts, (before, ends) = spans[places, 0], spans[places - 1].T
    space, unspaced = _found(_SPACE, text), _found(_UNSPACED, text)
    # Tokens for white space alone go with what follows.
    after_space = space[starts] | (space[starts - 1] & ((starts > ends) | ~space[before]))
    beside_unspaced = unspaced[starts] | unspaced[starts - 1] | unspaced[ends - 1]
    # Several tokens of one character, its bytes, stay together.
    return places[~((starts >= ends) & (after_space | beside_unspaced))]


def _found(characters: re.Pattern[str], text: str) -> np.ndarray:
    """(characters of the text and one,) where some stand."""
    found = np.zeros(len(text) + 1, dtype=bool)
    found[[match.start() for match in characters.finditer(text)]] = True
    return found


def cached_marked_tokens(texts: Sequence[str], segmenter: Segmenter, folder: Path, *, what: str) -> DocumentArrays:
    """Return `marked_tokens` of documents through the cache of a run folder.

    Parameters
    ----------
    texts
        Documents.
    segmenter
        Its tokenizer reads them.
    folder
        Run folder.
    what
        Name of the work in the progress shown.
    """

    def joined(marked: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        return np.concatenate(marked), np.array([len(ids) for ids in marked])

    cache = ShardCache(
        folder / "tokens",
        key=cache_key(marks=MARKS_VERSION, tokens=token_key(segmenter)),
        rows=Array("int32", ("rows",)),
        sizes={},
        least=0,
        tokens_a_row=1,
    )
    tokenizer = segmenter.tokenizer
    return DocumentArrays(cache.shards(texts, joined, read=lambda some: marked_tokens(tokenizer, some), what=what))


class MaskedWindows(Dataset):
    """The windows of some documents, one by one, each with the seed of its masks: other masks each epoch.

    Parameters
    ----------
    tokens
        `marked_tokens` of each document.
    segmenter
        Cuts the windows; with no overlap every token stands in one.
    random_state
        Of the masks.
    """

    def __init__(self, tokens: DocumentArrays, segmenter: Segmenter, *, random_state: int) -> None:
        self.tokens = tokens
        self.segmenter = segmenter
        self.random_state = random_state
        self.epoch = 0
        bounds = segmenter.windows([""] * len(tokens), tokens.counts)
        places = [(document, *window) for document, windows in enumerate(bounds) for window in windows]
        kept = np.array(places, dtype=np.int64).reshape(-1, 3)
        self.places = kept[kept[:, 2] > kept[:, 1]]  # a document without tokens has nothing to learn from

    def begin_epoch(self, epoch: int) -> None:
        """Choose the masks; not called `set_epoch`, since accelerate calls that of documents held out too."""
        self.epoch = epoch

    @property
    def lengths(self) -> np.ndarray:
        """(windows,) tokens of each, special tokens aside."""
        lengths: np.ndarray = self.places[:, 2] - self.places[:, 1]
        return lengths

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, place: int) -> tuple[np.ndarray, int]:
        document, first, end = self.places[place].tolist()
        window = self.segmenter.cut([self.tokens[document]], [[(first, end)]]).input_ids[0]
        seed = np.random.SeedSequence([self.random_state, self.epoch, place]).generate_state(1)[0]
        return window, int(seed)


class MaskWords:
    """Windows into a batch in which words are masked, by transformers' own collator.

    The masks of a window come from its own seed, so that a training which was stopped goes on with the same ones.

    Parameters
    ----------
    tokenizer
        Has a token that masks.
    share
        Of the words that are masked.
    """

    def __init__(self, tokenizer: Any, share: float) -> None:
        # Every masked word becomes the token that masks: with whole words the collator knows no other way.
        self.masks = DataCollatorForLanguageModeling(
            tokenizer, whole_word_mask=True, mlm_probability=share, mask_replace_prob=1.0, random_replace_prob=0.0
        )
        self.pad_id = tokenizer.pad_token_id or 0
        self.special = np.array(tokenizer.all_special_ids)

    def __call__(self, items: Sequence[tuple[np.ndarray, int]]) -> dict[str, torch.Tensor]:
        """Return ``labels``, -100 where nothing is masked, ``input_ids`` and ``attention_mask``, (windows, tokens)."""
        lengths = np.array([len(window) for window, _ in items])
        inside = torch.arange(int(lengths.max())) < torch.from_numpy(lengths)[:, None]  # (windows, tokens)
        masked = [self._masked(*item) for item in items]  # one by one: the collator compares each token with each
        batch = {"labels": torch.full(inside.shape, -100), "input_ids": torch.full(inside.shape, self.pad_id)}
        for name, windows in zip(("input_ids", "labels"), zip(*masked, strict=True), strict=True):
            batch[name][inside] = torch.cat(windows)
        return {**batch, "attention_mask": inside.long()}

    def _masked(self, marked: np.ndarray, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(tokens,) input ids and labels of a window."""
        ids = np.where(marked < 0, ~marked, marked).astype(np.int64)
        # The collator takes tokens for one word whose characters touch: between words we leave one out.
        starts = np.arange(len(ids)) + np.cumsum(marked >= 0)
        self.masks.generator = torch.Generator().manual_seed(seed)
        input_ids, labels = self.masks.torch_mask_tokens(
            torch.from_numpy(ids)[None],
            special_tokens_mask=torch.from_numpy(np.isin(ids, self.special))[None],
            offset_mapping=np.stack([starts, starts + 1], axis=-1)[None],
        )
        return input_ids[0], labels[0]
