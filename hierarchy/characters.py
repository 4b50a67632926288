"""Half characters: lone surrogates, which a broken escape leaves of an emoji. They cannot be written as UTF-8."""

import re

HALVES = re.compile("[\ud800-\udfff]")
REPLACEMENT = "\ufffd"


def has_half(text: str) -> bool:
    """Tell whether a text holds half a character."""
    try:
        text.encode()  # much faster than a search
    except UnicodeEncodeError:
        return True
    return False


def healed(text: str) -> str:
    """Return the text with U+FFFD, which stands for what cannot be shown, in place of each half."""
    return HALVES.sub(REPLACEMENT, text) if has_half(text) else text
