"""Characters that are none to a reader: those that nobody sees, and halves, which cannot be written as UTF-8.

A half is a lone surrogate, which a broken escape leaves of an emoji.
"""

import re

# Nobody sees these: soft hyphen, blank without width, word joiner, marks of direction, mark of byte order, and which of
# two pictures a symbol has. Joiners that letters and emoji are made with stay.
_UNSEEN = "\u00ad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufe0e\ufe0f\ufeff"
UNSEEN = re.compile(f"[{_UNSEEN}]")
_SEEN = re.compile(rf"[^\s{_UNSEEN}]")
HALVES = re.compile("[\ud800-\udfff]")
REPLACEMENT = "\ufffd"


def is_blank(text: str) -> bool:
    """Tell whether a text holds nothing that can be seen."""
    return _SEEN.search(text) is None


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
