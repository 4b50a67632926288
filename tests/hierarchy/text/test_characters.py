"""What a reader cannot see, and halves of characters."""

import pytest

from hierarchy.matching import match_key
from hierarchy.text.characters import is_blank


@pytest.mark.parametrize("text", ["", " \n\t", "\u00a0\u3000", "\u200b", "\ufeff \u00ad", "\u200e\u2060\ufe0f"])
def test_what_nobody_sees_is_blank(text):
    assert is_blank(text)
    assert match_key(text) == ""


@pytest.mark.parametrize("text", [".", "\u200ba", "👍", "\ufeff一", "\ud83d"])
def test_what_can_be_seen_is_not(text):
    assert not is_blank(text)
    assert match_key(text) != ""
