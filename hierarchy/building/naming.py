"""Readable group names: a few words that cover the group's members, and few members of other groups.

A name is a small set cover. Its parts are chosen greedily: the next part is the word with the greatest weight over
the members that no part covers yet. A word weighs by class TF-IDF (Grootendorst, BERTopic, 2022) and by its form:
words that stand at the head of names make names. Each word is then written as the longest run of words that stands in
nearly all members it covers: "brute" becomes "Brute Force". Where words of names cover little, telling words of the
group's documents and names of central members stand in.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hierarchy.building.lexicon import Lexicon, word_keys
from hierarchy.building.words import GENERIC, is_code, stem, traditional, unspaced
from hierarchy.matching import match_key
from hierarchy.nodes import Label

_ENOUGH = 0.6  # parts that cover this share of a group name it
_FAIR = 0.4  # two parts that cover less are joined by a third
_LITTLE = 0.2  # one part that covers less is joined by the most central member's name
_WORTH_ADDING = 0.1  # no part covers less afresh
_DOCUMENTS = 0.25  # what the most telling word of the documents counts beside a perfect word of the names
_SAMPLE, _EXCERPT = 100, 1000  # documents a group, and characters of each, that tell a group's words


class _Part(NamedTuple):
    """A piece of a name: its word, how it is written, and the members that it covers."""

    key: str
    text: str
    members: frozenset[int]


def group_names(
    groups: Sequence[Sequence[Label]],
    centrality: Sequence[np.ndarray],
    background: Sequence[Sequence[Label]] = (),
    taken: Iterable[str] = (),
    words: Sequence[Mapping[str, float]] | None = None,
) -> list[str]:
    """Name groups after their members.

    Parameters
    ----------
    groups
        The members of each group to be named.
    centrality
        For each group, how near each member is to its centre, shape (members,).
    background
        Members of groups that have a name; what is telling is judged against them, too.
    taken
        Names that may not be used again.
    words
        For each group the telling words of its documents, as `telling_words` gives them. They support words of the
        members' names, and stand in where those cover little.

    Returns
    -------
    list of str
        One name a group; all differ from each other and from `taken`, whatever their case.
    """
    lexicon = Lexicon([*groups, *background])
    script = str.maketrans("类与", "類與") if traditional(label.name for of in groups for label in of) else {}
    used = {match_key(name) for name in taken}
    names = []
    for g, members in enumerate(groups):
        proposals = _proposals(g, members, np.asarray(centrality[g]), lexicon, words[g] if words is not None else {})
        name = next(name for proposal in proposals if match_key(name := proposal.translate(script)) not in used)
        used.add(match_key(name))
        names.append(name)
    return names


def telling_words(
    texts: Sequence[str], owner_group: Sequence[int] | np.ndarray, n_groups: int, most: int = 30
) -> list[dict[str, float]]:
    """Find the words that tell the documents of a group from those of others.

    As in class TF-IDF (Grootendorst, BERTopic, 2022) a word weighs by how much of the group it stands in and by how
    rare it is elsewhere: `share · log(share / mean share)`, with the share of a group's documents that hold it. Words
    that all documents hold alike weigh nothing, so no list of them is needed.

    Parameters
    ----------
    texts
        The documents. An even sample of 100 a group, and the first 1,000 characters of each, are read.
    owner_group
        The group of each document, -1 for none, shape (documents,).
    n_groups
        How many groups there are.
    most
        Words a group at most.

    Returns
    -------
    list of dict
        For each group its words, folded and in the singular, with weights; the greatest is 1.
    """
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import CountVectorizer

    # 1. An even sample of each group's documents.
    owner = np.asarray(owner_group, dtype=np.int64)
    sample: list[int] = []
    for g in range(n_groups):
        mine = np.flatnonzero(owner == g)
        sample += mine[np.unique(np.linspace(0, len(mine) - 1, min(len(mine), _SAMPLE)).astype(np.int64))].tolist()
    # 2. Which words each of them holds, however often.
    vectorizer = CountVectorizer(analyzer=lambda text: word_keys(text[:_EXCERPT]), binary=True, dtype=np.float64)
    found: list[dict[str, float]] = [{} for _ in range(n_groups)]
    try:
        holds = vectorizer.fit_transform(str(texts[i]) for i in sample)  # (sample, vocabulary)
    except ValueError:  # no document holds a word
        return found
    # 3. The share of each group's documents that hold a word, and the mean of these shares over groups.
    vocabulary = vectorizer.get_feature_names_out()
    sizes = np.bincount(owner[sample], minlength=n_groups)
    of_group = csr_array((1 / sizes[owner[sample]], (owner[sample], np.arange(len(sample)))), (n_groups, len(sample)))
    shares = csr_array(of_group @ holds)  # (groups, vocabulary)
    mean = np.asarray(shares.sum(axis=0)).ravel() / (sizes > 0).sum()
    # 4. What weighs most in each group; rounded, so that ties are ties on every machine and go by the alphabet.
    for g in range(n_groups):
        row = shares[[g]]
        weight = row.data * np.log(row.data / mean[row.indices])
        weight[row.data * sizes[g] < 1.5] = 0.0  # what one document says tells nothing of a group
        rated = [(-round(float(value), 9), str(vocabulary[j])) for j, value in zip(row.indices, weight, strict=True)]
        best = sorted(item for item in rated if item[0] < 0)[:most]
        found[g] = {word: value / best[0][0] for value, word in best}
    return found


def _proposals(
    g: int, members: Sequence[Label], centrality: np.ndarray, lexicon: Lexicon, telling: Mapping[str, float]
) -> Iterator[str]:
    """Yield names, the best first; the last ones are sure to be new."""
    weight = np.clip(centrality, 0.05, None)
    weight = weight / weight.sum()
    order = sorted(range(len(members)), key=lambda i: (-round(float(weight[i]), 9), i))
    central = [_short(members[i].name) for i in order]
    if len(members) == 1:
        yield _joined(central)
    parts = _cover(g, weight, lexicon, telling)
    shown = [part.text for part in parts]
    if parts and parts[0].key in GENERIC:
        yield from _under(parts[0], g, order, lexicon)
    if len(parts) == 1 and 0 < _share(parts[0].members, weight) < _LITTLE:
        others = [name for name in central if not any(_alike(key, shown[0]) for key in word_keys(name))]
        yield _joined([*shown, *map(lexicon.as_in_names, others[:1])])
    for count in range(_count(parts, weight), len(parts) + 1):
        yield _joined(shown[:count])
    far = [central[0], *(name for name in central[1:] if not set(word_keys(name)) & set(word_keys(central[0])))]
    yield _joined(far[: 2 if all(len(name) <= (8 if unspaced(name) else 30) for name in far[:2]) else 1])
    different = list(dict.fromkeys([*shown, *far, *central]))
    for count in range(2, len(different) + 1):
        yield _joined(different[:count])
    number = 2
    while True:  # groups whose members bear the same names
        yield f"{_joined(far[:2])} ({number})"
        number += 1


def _cover(g: int, weight: np.ndarray, lexicon: Lexicon, telling: Mapping[str, float]) -> list[_Part]:
    """Choose up to four words, each for the members that the words before it leave."""
    # 1. What words of the members' names are worth, the more where documents tell them too.
    worth = {key: lexicon.worth(key, g) * (1 + telling.get(key, 0.0)) for key in lexicon.shared_words(g)}
    # 2. What words of the documents are worth beside them.
    # Running text is full of words that name nothing ("came", "him"): those that some label uses go before all others.
    # Pairs of ideographs from it are often no words at all: they name only what has no other name.
    known = {key: value for key, value in telling.items() if key in lexicon.members}
    others = {
        key: _DOCUMENTS * value
        for key, value in sorted((known or telling).items())
        if key not in worth and not (worth and unspaced(key))
    }
    parts: list[_Part] = []
    covered: frozenset[int] = frozenset()
    # 3. The word that adds most comes next: a name's word by the members that it covers afresh, a document's word by
    #    all that are not covered yet. None that says again what a part says.
    while len(parts) < 4:
        scores = {}
        for key, value in worth.items():
            gain = _share(lexicon.members[key][g] - covered, weight)
            if gain >= _WORTH_ADDING and not any(_alike(key, part.text) for part in parts):
                scores[key] = round(gain * value, 9)
        for key, value in others.items():
            if not any(_alike(key, part.text) for part in parts):
                scores[key] = round(value * (1 - _share(covered, weight)), 9)
        best = max(scores, key=lambda key: scores[key], default="")
        if not best or not scores[best]:
            break
        if best in worth:
            text, members = lexicon.written(best, g, [part.key for part in parts]), lexicon.members[best][g]
        else:
            text, members = lexicon.as_in_names(best), set()
        parts.append(_Part(best, text, frozenset(members)))
        covered |= parts[-1].members
    return parts


def _share(members: Iterable[int], weight: np.ndarray) -> float:
    return float(weight[sorted(members)].sum())


def _alike(key: str, text: str) -> bool:
    """Whether a word says again what a part says: "lubrication" after "lubricants"."""
    if unspaced(key):
        return bool(set(key) & set(text))
    words = [stem(word) for word in re.split(r"[\s-]", text)]
    return any(_same_root(one, other) for one in key.split("-") for other in words)


def _same_root(one: str, other: str) -> bool:
    common = min(len(one), len(other), 5)
    return one == other or (common > 3 and (one[:common] in other or other[:common] in one))


def _count(parts: Sequence[_Part], weight: np.ndarray) -> int:
    """Return how many parts make a name: one that covers the group, else two, or three where two cover little."""
    covers = [_share(frozenset().union(*(part.members for part in parts[:n])), weight) for n in (1, 2)]
    return min(max(1, len(parts)), 1 if covers[0] >= _ENOUGH else 2 if covers[1] >= _FAIR else 3)


def _under(head: _Part, g: int, order: Sequence[int], lexicon: Lexicon) -> Iterator[str]:
    """Put what tells members apart before the generic word they share, where two or three cover enough of them."""
    before = lexicon.before(head.key, g)
    found = list(dict.fromkeys(before[i] for i in order if i in before))
    glue = "" if unspaced(head.text) else " "
    for count in (2, 3):
        if len(found) >= count >= _FAIR * len(order):
            yield f"{_joined(found[:count])}{glue}{head.text}"


def _short(name: str) -> str:
    """Return a member's name without a code before it, and without what stands in brackets or after a comma."""
    words = name.replace("_", " ").split()
    name = " ".join(words)
    while len(words) > 1 and is_code(match_key(words[0])):
        words.pop(0)
    return re.split(r"\s*[(（,，:：/／]", " ".join(words))[0].strip() or name


def _joined(parts: Sequence[str]) -> str:
    """Join with commas and a last "&" (in Chinese 、 and 与); a part that has an "&" of its own comes last."""
    first, *rest = sorted(parts, key=lambda part: "&" in part)
    parts = [first[:1].upper() + first[1:] if first.split()[:1] and first.split()[0].islower() else first, *rest]
    if all(map(unspaced, parts)):
        return "、".join(parts[:-1]) + "与" + parts[-1] if len(parts) > 1 else parts[0]
    if "&" in parts[-1]:
        return ", ".join(parts)
    return ", ".join(parts[:-1]) + " & " + parts[-1] if len(parts) > 1 else parts[0]
