"""Readable group names: one or two phrases that a group's labels share and others lack, or else two label names.

A phrase is judged as a search for the group would be: recall is the share of the group's labels that use it, precision
the share of its users that stand in the group, and F1 their harmonic mean. Where none finds the group, two do together,
if each stands in several names and adds to the other. Else the two labels name it that are nearest to all the others
and farthest from other groups.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import combinations, count

import numpy as np

from hierarchy.building.words import (
    identifier_words,
    ideograph_words,
    is_ideographic,
    is_modifier,
    phrases,
    readable,
    singular,
)
from hierarchy.embedding.label_vectors import unit
from hierarchy.matching import match_key
from hierarchy.nodes import Label

ENOUGH = 0.75  # F1 of a phrase that names a group: benchmarks/group_names.py
PER_WORD = 0.06  # F1 that a phrase may lack for each word that it has more: "Trust Controls" says more than "Controls"
TOGETHER = 0.45  # F1 of two phrases that name a group together: there, too
ADDS = 0.12  # share of the group that each of the two finds and the other does not
RIGHT = 0.4  # precision of each of the two
ELSEWHERE = 0.6  # what nearness to another group counts against nearness to the own one
CENTRAL = 20  # labels that are tried in pairs
LONG = 40  # characters: no longer label name is taken where two shorter ones are there


def group_names(
    groups: Sequence[Sequence[Label]],
    vectors: Sequence[np.ndarray],
    background: Sequence[Sequence[Label]] = (),
    taken: Iterable[str] = (),
) -> list[str]:
    """Name groups after their members.

    Parameters
    ----------
    groups
        The members of each group to be named.
    vectors
        For each group the vectors of its members' names, rows of length 1: shape (members, dimensions).
    background
        Members of groups that have a name: a phrase that they use finds other groups, too.
    taken
        Names that may not be used again.

    Returns
    -------
    list of str
        One name a group; all differ from each other and from `taken`, whatever their case or number.
    """
    style = _Style([label.name for members in (*groups, *background) for label in members])
    shared = _shared_phrases([*groups, *background], style)
    centres = unit(np.array([rows.sum(axis=0) for rows in vectors])) if len(groups) else np.empty((0, 0))
    used = {_folded(name) for name in taken}
    names = []
    for g, members in enumerate(groups):
        shown = [style.label(label.name) for label in members]
        proposals = _proposals(shared[g], shown, vectors[g] @ vectors[g].T, vectors[g] @ centres.T, g, style)
        names.append(next(name for name in proposals if _folded(name) not in used))
        used.add(_folded(names[-1]))
    return names


class _Style:
    """How people write their labels: whether as identifiers, and whether with a capital."""

    def __init__(self, names: Sequence[str]) -> None:
        self._identifiers = sum(identifier_words(name) != name for name in names) > len(names) / 2
        self._capitals = sum(readable(name)[:1].isupper() for name in names) > len(names) / 2

    def words(self, name: str) -> str:
        return identifier_words(name) if self._identifiers else name

    def label(self, name: str) -> str:
        return self._begun(readable(self.words(name)))

    def joined(self, parts: Sequence[str]) -> str:
        return ("、" if all(map(is_ideographic, parts)) else " · ").join(map(self._begun, parts))

    def _begun(self, text: str) -> str:
        return text[:1].upper() + text[1:] if self._capitals and text[1:2].islower() else text


def _shared_phrases(groups: Sequence[Sequence[Label]], style: _Style) -> list[list[list[str]]]:
    """Return for each group the phrases that find it, the best first: single ones, then two together."""
    labels = [label for members in groups for label in members]
    group_of = np.repeat(np.arange(len(groups)), [len(members) for members in groups])
    # 1. Who uses a phrase, and how it is written. Descriptions tell more of its users; names say it first.
    users: dict[str, set[int]] = defaultdict(set)
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    heads: set[str] = set()
    for i, label in enumerate(labels):
        for key, written, is_head in phrases(style.words(label.name)):
            users[key].add(i)
            forms[key][written] += 1
            heads |= {key} if is_head else set()
    named = {key: frozenset(of) for key, of in users.items()}
    for i, label in enumerate(labels):
        for key, written, _ in phrases(label.description):
            if key in named:
                users[key].add(i)
                forms[key][written] += 1
    # 2. Which of them could be a name.
    words = ideograph_words(text for label in labels for text in (label.name, label.description))

    def names_something(key: str) -> bool:
        return key in words if is_ideographic(key) else not is_modifier(key)

    # 3. How well each of them finds each group, alone and with another.
    found: list[list[tuple[float, tuple[str, ...]]]] = [[] for _ in groups]
    halves: list[list[str]] = [[] for _ in groups]
    for key in sorted(key for key, of in users.items() if len(of) > 1 and names_something(key)):
        in_names = Counter(group_of[list(named[key])].tolist())
        for g, hits in Counter(group_of[list(users[key])].tolist()).items():
            score = 2 * hits / (len(users[key]) + len(groups[g])) + PER_WORD * key.count(" ")
            if hits > 1 and round(score, 9) >= ENOUGH:
                found[g].append((-round(score, 9), (key,)))
            often = hits >= ADDS * len(groups[g]) and in_names[g] > 1
            if key in heads and often and hits >= RIGHT * len(users[key]):
                halves[g].append(key)
    members = [set(np.flatnonzero(group_of == g).tolist()) for g in range(len(groups))]
    best = [[*sorted(found[g]), *sorted(_pairs(halves[g], users, of))] for g, of in enumerate(members)]
    return [[[_written(key, forms[key]) for key in keys] for _, keys in of] for of in best]


def _pairs(
    keys: Sequence[str], users: Mapping[str, Set[int]], members: Set[int]
) -> Iterator[tuple[float, tuple[str, str]]]:
    """Yield the pairs of phrases that together find a group, what finds more of it first; the least number is best."""
    for a, b in combinations(sorted(keys, key=lambda key: (-len(users[key] & members), key)), 2):
        both = users[a] | users[b]
        score = 2 * len(both & members) / (len(both) + len(members))
        adds = min(len((users[a] - users[b]) & members), len((users[b] - users[a]) & members))
        if score >= TOGETHER and adds >= ADDS * len(members):
            yield -round(score + PER_WORD * (a + b).count(" "), 9), (a, b)


def _written(key: str, forms: Counter[str]) -> str:
    """Return the usual form of a phrase; in the plural, which is what a group is called, where people write it so."""
    plain = {form for form in forms if not form.endswith(("'", "’", "'s", "’s"))} or set(forms)
    plural = {form for form in plain if match_key(form).split()[-1] != key.split()[-1]}
    return min(plural or plain, key=lambda form: (-forms[form], form))


def _proposals(
    shared: Sequence[Sequence[str]], shown: Sequence[str], alike: np.ndarray, near: np.ndarray, g: int, style: _Style
) -> Iterator[str]:
    """Yield names, the best first, without end.

    `alike` has the cosines of the members, (members, members), and `near` those to the groups, (members, groups).
    """
    yield from (style.joined(keys) for keys in shared)
    order = sorted(range(len(shown)), key=lambda i: (-round(float(near[i, g]), 9), i))
    short = [i for i in order if len(shown[i]) <= LONG]
    order = short if len(short) > 1 else order
    rated: list[tuple[float, int, list[str]]] = []
    for a, b in combinations(order[:CENTRAL], 2):
        if _folded(shown[a]) != _folded(shown[b]):
            both = (near[a] + near[b]) / 2
            elsewhere = np.delete(both, g).max(initial=0.0)
            covers = np.maximum(alike[a], alike[b]).mean()
            rated.append((-round(float(covers + both[g] - ELSEWHERE * elsewhere), 9), len(rated), [shown[a], shown[b]]))
    yield from (style.joined(pair) for _, _, pair in sorted(rated))
    yield shown[order[0]]
    yield from (f"{shown[order[0]]} ({number})" for number in count(2))


def _folded(name: str) -> str:
    return " ".join(map(singular, name.split()))
