"""Words of short texts: what names are made of, in scripts with spaces and in scripts without.

A text is cut into runs. A run is a row of words that no punctuation parts; in scripts without spaces, a row of single
ideographs, after which a generic ending such as 用品 (supplies) counts as one.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from hierarchy.matching import match_key

_CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_PIECE = re.compile(rf"[{_CJK}]+|(?:(?![{_CJK}])[^\W_])+(?:['’.-](?:(?![{_CJK}])[^\W_])+)*|[^\w\s]")
_IDEOGRAPHS = re.compile(rf"[{_CJK}]")
_JOINS = re.compile("[及和与與或的]")


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Words of grammar: no name is made of them.
STOP = _listed(
    "a about above after again all am an and any are as at away back be because been before being below between by can "
    "cannot could do does down during for from had has have how i if in into is it its just like me more most my need "
    "no nor not of off on once only or other others our out over per please she should so some such than that the "
    "their them then there these they this those through to too under until up us use used using very via want was we "
    "were what when where which while who whose why will with within without would you your"
)
# Those of them that may stand inside a name, and those that may end one ("top up").
INSIDE = _listed("a and at for in of on or the to with")
PARTICLES = _listed("away back down in off out up")
# A head stands before the first of these ("card" in "card with a chip"), and not after the second ("was refused").
AFTER_HEAD = _listed("at by for from in of on over with")
BEFORE_STATE = _listed("are be been being is not was were")
# Words that complete half of all names and tell little alone.
GENERIC = _listed(
    "accessory component device equipment general good instrument item kit machine manual material miscellaneous part "
    "piece product replacement service set stuff supply system thing type unit "
    "用品 配件 产品 產品 附件 设备 設備 器材 用具 服务 服務 系统 系統 组件 其他 其它"
)
_ENDING = re.compile(f"(?<=.)(?:{'|'.join(sorted(word for word in GENERIC if _IDEOGRAPHS.match(word)))})$")


class Run(NamedTuple):
    """A row of words without punctuation.

    Parameters
    ----------
    keys
        Each word folded and in the singular; ideographs as they are.
    texts
        The same words as written.
    glue
        What stands between the words: a blank, or nothing.
    """

    keys: tuple[str, ...]
    texts: tuple[str, ...]
    glue: str


def runs(text: str) -> list[Run]:
    """Cut a text into runs.

    Parameters
    ----------
    text
        A name, a description or a document.

    Returns
    -------
    list of Run
        In the order of the text.
    """
    found: list[Run] = []
    words: list[str] = []
    for piece in [*_PIECE.findall(text.replace("_", " ")), ""]:
        if piece and piece[0].isalnum() and not unspaced(piece):
            words.append(piece)
            continue
        if words:
            found.append(Run(tuple(map(stem, words)), tuple(words), " "))
            words = []
        for part in filter(None, _JOINS.split(piece)) if unspaced(piece) else ():
            ending = _ENDING.search(part)
            units = (*part[: ending.start()], ending.group()) if ending else tuple(part)
            found.append(Run(units, units, ""))
    return found


def unspaced(text: str) -> bool:
    """Tell whether a text begins in a script without spaces."""
    return _IDEOGRAPHS.match(text) is not None


def traditional(texts: Iterable[str]) -> bool:
    """Tell whether texts are written in traditional characters: GB 2312 holds the simplified ones."""
    ideographs = "".join(character for text in texts for character in text if unspaced(character))
    return len(ideographs.encode("gb2312", "ignore")) < 2 * 0.9 * len(ideographs)


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Fold case, possessive and plural, so that seat and seats are one word."""
    word = re.sub("['’]s?$", "", match_key(word))
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


@lru_cache(maxsize=100_000)
def is_code(key: str) -> bool:
    """Tell whether a word is a number or a code such as T1059, which names nothing to a reader."""
    return key.isdigit() or sum(character.isdigit() for character in key) > 1
