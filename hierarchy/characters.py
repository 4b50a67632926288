"""Half characters: lone surrogates, which a broken escape leaves of an emoji. They cannot be written as UTF-8."""

import re

from hierarchy.errors import DataError

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


def refuse_half(name: str, where: str) -> None:
    """Raise a DataError where a label, group or id holds half a character.

    Parameters
    ----------
    name
        The label, group or id; healed, it might be taken for another.
    where
        It stands, for the message.
    """
    if has_half(name):
        raise DataError(f"{where} holds {name!a}, with half a character, as a broken escape leaves it: write it whole")
