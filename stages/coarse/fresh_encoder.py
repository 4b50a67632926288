"""A small encoder with random weights, and a tokenizer of its own: where no encoder of their language can be had."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from hierarchy.errors import DataError

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
HEAD_SIZE = 64  # dimensions of an attention head, as in BERT and ModernBERT
POSITIONS = 512
LEAST_SEEN = 5  # times that a piece of several characters stands in the documents: what is rarer is not learned
FEWEST_PIECES = 16  # without the special ones


def train_tokenizer(texts: Sequence[str], vocabulary: int) -> Any:
    """Train a WordPiece tokenizer in the manner of BERT: lower case, without accents, Chinese characters one by one.

    The same texts give the same vocabulary.

    Parameters
    ----------
    texts
        Documents.
    vocabulary
        Pieces that it has at most, unless single characters alone are more: they may be as many as half of it, and
        again those that stand inside a word. What is rarer than these is unknown.

    Returns
    -------
    transformers.PreTrainedTokenizerFast
        Saved and read like that of any encoder.

    Raises
    ------
    DataError
        The texts hold next to nothing.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import BertTokenizerFast

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106 - no password
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    # The library would choose among equally frequent characters otherwise in each process, and number pieces that go on
    # a word as it meets them: among equally frequent pairs the numbers decide which becomes a piece.
    alphabet = _alphabet(texts, tokenizer, most=vocabulary // 2)
    inner = [f"##{character}" for character in alphabet if _is_inside(character, tokenizer)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary, min_frequency=LEAST_SEEN, initial_alphabet=alphabet, limit_alphabet=len(alphabet),
        special_tokens=[*SPECIAL, *inner], show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    pieces = tokenizer.get_vocab()
    if len(pieces) < len(SPECIAL) + FEWEST_PIECES:
        raise DataError(f"the documents hold {len(pieces) - len(SPECIAL)} pieces of words: give more of them")
    inputs = ["input_ids", "attention_mask"]  # a ModernBERT takes no other
    return BertTokenizerFast(vocab=pieces, do_lower_case=True, model_max_length=POSITIONS, model_input_names=inputs)


def _alphabet(texts: Iterable[str], tokenizer: Any, *, most: int) -> list[str]:
    """Return the most frequent characters of texts, as a tokenizer normalises them, by their code points."""
    written: Counter[str] = Counter()
    for text in texts:
        written.update(text)
    seen: Counter[str] = Counter()
    for character, times in written.items():
        for plain in tokenizer.normalizer.normalize_str(character):
            seen[plain] += times
    kept = sorted((character for character in seen if not character.isspace()), key=lambda one: (-seen[one], one))
    return sorted(kept[:most])


def _is_inside(character: str, tokenizer: Any) -> bool:
    """Whether a character can stand inside a word, as a tokenizer cuts them."""
    whole = tokenizer.normalizer.normalize_str(f"a{character}a")
    return len(tokenizer.pre_tokenizer.pre_tokenize_str(whole)) == 1


def fresh_modernbert(tokenizer: Any, *, layers: int, hidden: int) -> Any:
    """Make a ModernBERT (Warner et al. 2024) with random weights and a head for masked words.

    It normalises before each layer and tells positions by rotation. A BERT, which does neither, learned little more
    than how frequent each word is in the time that a processor has.

    Parameters
    ----------
    tokenizer
        As `train_tokenizer` gives it.
    layers, hidden
        Its size; `hidden` is a multiple of `HEAD_SIZE`.
    """
    from transformers import ModernBertConfig, ModernBertForMaskedLM

    config = ModernBertConfig(
        vocab_size=len(tokenizer), hidden_size=hidden, num_hidden_layers=layers, intermediate_size=2 * hidden,
        num_attention_heads=hidden // HEAD_SIZE, max_position_embeddings=POSITIONS,
        pad_token_id=tokenizer.pad_token_id, cls_token_id=tokenizer.cls_token_id, sep_token_id=tokenizer.sep_token_id,
        bos_token_id=tokenizer.cls_token_id, eos_token_id=tokenizer.sep_token_id,
    )  # fmt: skip
    return ModernBertForMaskedLM(config)
