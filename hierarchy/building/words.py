"""Words and phrases of short texts, in scripts with spaces and in scripts without: what names are made of."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations, groupby

from hierarchy.matching import match_key

LONGEST = 4  # words of a phrase, grammar included; ideographs of a word
VARIETY = 3  # neighbours on either side that a string of ideographs must have to be a word


@lru_cache(maxsize=100_000)
def singular(word: str) -> str:
    """Fold case, possessive and plural, so that seat and Seats are one word."""
    word = re.sub("['’]s?$", "", match_key(word))
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _listed(words: str) -> frozenset[str]:
    return frozenset(map(singular, words.split()))


# Words of grammar, and those that say as little: no phrase begins or ends with them.
GRAMMAR = _listed(
    "a about above after again against all already also always am an and any are as at away back be because been "
    "before being below between both but by came can cannot come could did do does done down during each enough even "
    "every far few for from gave get given go goes gone got had has have he her here him his how i if in into is it "
    "its just keep keeps kept less let like made make makes many may me more most much must my near never no none nor "
    "not nothing now of off on once one only or other others our out over own per please put said same say says see "
    "she should since so some someone something still such take taken takes than that the their them then there these "
    "they this those through to too took toward under until up upon us use used using very via want was we went were "
    "what when where whether which while who whom whose why will with within without would yet you your"
)
INSIDE = _listed("a and at for in of on or the to with")  # those of them that may stand inside a phrase
JOINS = frozenset("的和与與及或被了是")  # no word is made with them
_INNER = frozenset("'’.-&+")  # marks that may stand within a word
_IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_MODIFIER = re.compile(r"\w{3,}((?<!e)ed|ly)")


def phrases(text: str) -> Iterator[tuple[str, str, bool]]:
    """Yield the phrases of a text: up to four words in a row that begin and end with a word of content.

    Of a script without spaces it is the whole run between two marks, and the strings of two to four ideographs in it.

    Yields
    ------
    tuple
        The phrase folded and in the singular, which tells whether two are one; the phrase as written; and whether it
        may be a noun by its place: the text ends behind it, or a word of grammar or a participle follows.
    """
    for run in _runs(text):
        if is_ideographic(run[0]):
            cuts = combinations(range(len(run[0]) + 1), 2)
            strings = {run[0], *(run[0][start:end] for start, end in cuts if 2 <= end - start <= LONGEST)}
            yield from ((match_key(word), word, run[0].endswith(word)) for word in sorted(strings))
            continue
        keys = ["and" if word == "&" else singular(word) for word in run]
        content = [key not in GRAMMAR and len(key) > 1 for key in keys]
        for start in range(len(run)):
            for end in range(start + 1, min(start + LONGEST, len(run)) + 1):
                inner = all(of or key in INSIDE for key, of in zip(keys[start:end], content[start:end], strict=True))
                if inner and content[start] and content[end - 1]:
                    ends = end == len(run) or keys[end] in GRAMMAR or is_modifier(keys[end])
                    yield " ".join(keys[start:end]), " ".join(run[start:end]), ends


def ideograph_words(texts: Iterable[str]) -> set[str]:
    """Return the strings of ideographs that are words by how they stand in texts.

    A whole run between two marks is one, and so is a string of two to four by its accessor variety (Feng, Chen, Deng
    and Zheng: Accessor variety criteria for Chinese word extraction, 2004): a word has many different neighbours on
    both sides, a fragment few on the side where it was cut. Every end of a run counts as another neighbour.
    """
    runs = [run[0] for text in texts for run in _runs(text) if is_ideographic(run[0])]
    words = set(runs)
    for single in (False, True):  # once words are known, a cut that leaves a single ideograph is evidence, too
        before: dict[str, set[str]] = defaultdict(set)
        after: dict[str, set[str]] = defaultdict(set)
        for place, run in enumerate(runs):
            cuts = [0, *(i for i in range(1, len(run)) if _may_cut(run, i, words, single)), len(run)]
            for start, end in combinations(cuts, 2):
                if 2 <= end - start <= LONGEST:
                    before[run[start:end]].add(run[start - 1 : start] or f"begin {place}")
                    after[run[start:end]].add(run[end : end + 1] or f"end {place}")
        for word in sorted(before, key=len):
            longer = word[1:] in words or word[:-1] in words  # 球用品 is a cut from 足球用品, which ends in 用品
            if not longer and min(len(before[word]), len(after[word])) >= VARIETY:
                words.add(word)
    return words


def _may_cut(run: str, place: int, words: set[str], single: bool) -> bool:
    """Tell whether a run may be cut: not within a known word of two, as 工具箱 after its first."""
    return run[place - 1 : place + 1] not in words and (single or 2 <= place <= len(run) - 2)


def readable(name: str) -> str:
    """Return a name as people read it: the last part of a path, without a code before it, blanks for underscores."""
    last = re.split(r"\s>\s|##", name)[-1].replace("_", " ")
    words = last.split()
    while len(words) > 1 and is_code(words[0].strip(".:()[]-")):
        words.pop(0)
    return " ".join(words).lstrip("-–—:· ") or name


def identifier_words(name: str) -> str:
    """Part the words of an identifier: CardPayment is Card Payment. A name with blanks is none."""
    return name if " " in name else re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)


def is_ideographic(text: str) -> bool:
    """Tell whether a text begins in a script of ideographs, which has no spaces."""
    return _IDEOGRAPH.match(text) is not None


def is_modifier(key: str) -> bool:
    """Tell whether a word is a participle or an adverb of English by its form, which alone names nothing."""
    return _MODIFIER.fullmatch(key) is not None


def is_code(word: str) -> bool:
    """Tell whether a word is a number or a code such as T1059, which names nothing to a reader."""
    return word.isdigit() or sum(character.isdigit() for character in word) > 1


def _runs(text: str) -> Iterator[Sequence[str]]:
    """Cut a text where a mark or a code stands, and between scripts; yield words, or one string of ideographs."""
    text = "".join(_unit(character) for character in text.replace("_", " "))
    for line in text.split("\n"):
        words: list[str] = []
        for piece in line.split():
            for of_ideographs, characters in groupby(piece, is_ideographic):
                part = "".join(characters)
                word = part if of_ideographs or part == "&" else part.strip(".-+&'’")
                if of_ideographs or not word or is_code(word):
                    yield from [words] if words else []
                    words = []
                    yield from ([word] for word in [word] if of_ideographs)
                else:
                    words.append(word)
        yield from [words] if words else []


def _unit(character: str) -> str:
    """Return a character that may stand in a word or between words; a line break for any other, and for 和 (and)."""
    if character in JOINS:
        return "\n"
    kept = character.isalnum() or character in _INNER or unicodedata.category(character)[0] == "M"
    return character if kept else " " if character.isspace() else "\n"
