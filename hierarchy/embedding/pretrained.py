"""Pretrained encoders as all use them: loaded without noise, long texts cut into windows so that every token is in one.

Tokenizers can cut windows themselves, and some of their versions lose tokens over it: 0.23.1 and 0.23.2 give two of a
text, however long it is. So texts are tokenized whole, and windows are cut here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hierarchy.errors import EncoderError

TEXTS_PER_CALL = 256  # of the tokenizer: enough to keep its threads busy, little memory


@contextmanager
def only_errors() -> Iterator[None]:
    """Hide what transformers says in the block, but its errors and its bars."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Hide its bars about weights and its reports on them in the block; downloads, which take long, keep their bars."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, enable_progress_bars
    from transformers.utils import logging

    bars, downloads = logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    logging.disable_progress_bar()
    if downloads:
        enable_progress_bars()
    try:
        with only_errors():
            yield
    finally:
        if bars:
            logging.enable_progress_bar()


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

    Raises
    ------
    EncoderError
        The tokenizer gave up.
    """
    try:
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
    except BaseException as error:
        if not is_panic(error) and type(error) is not Exception:  # as tokenizers says that it lacks an unknown token
            raise
        raise EncoderError(
            f"the encoder's tokenizer gave up ({error}): save the encoder with its own tokenizer.json, or name another"
        ) from error


def is_panic(error: BaseException) -> bool:
    """Whether it is how the Rust code of tokenizers gives up, which is no `Exception`."""
    return type(error).__name__ == "PanicException"


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
