"""Long texts in overlapping windows of tokens: every token stands in one.

Tokenizers can cut windows themselves, and some of their versions lose tokens over it: 0.23.1 and 0.23.2 give two of a
text, however long it is. So texts are tokenized whole, and windows are cut here.
"""

from collections.abc import Iterator
from typing import Any

TEXTS_PER_CALL = 256  # of the tokenizer: enough to keep its threads busy, little memory


def whole_tokens(tokenizer: Any, texts: list[str], **wanted: bool) -> Any:
    """Tokenize texts from their first to their last character, whatever length the tokenizer was saved with.

    Parameters
    ----------
    tokenizer
        A tokenizer of transformers.
    texts
        Of any length; special tokens are left out.
    wanted
        What is returned beside ``input_ids``, by the tokenizer's own names.
    """
    return tokenizer(
        texts,
        add_special_tokens=False,
        truncation=False,
        padding=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,  # it warns of texts that are longer than what its model takes
        **wanted,
    )


def window_bounds(tokens: int, size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Yield (first, end) of each window over a text; a text without tokens has one window, which is empty.

    Parameters
    ----------
    tokens
        Of the text.
    size
        Tokens of a window; the last one of a text may have fewer.
    overlap
        Tokens that a window shares with the one before it, fewer than `size`.
    """
    for first in range(0, max(tokens - overlap, 1), size - overlap):
        yield first, min(first + size, tokens)
