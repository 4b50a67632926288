"""Readable group names: the words that a group's members share and other groups lack.

A score after class TF-IDF (Grootendorst, BERTopic, 2022): how much of the group a term covers, times how much of the
term belongs to the group. Terms are words and runs of words where the script has spaces, and character n-grams where
it has none.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from hierarchy.matching import fold
from hierarchy.nodes import Label

_CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_PIECE = re.compile(rf"[{_CJK}]+|(?:(?![{_CJK}])[^\W_])+(?:['’-](?:(?![{_CJK}])[^\W_])+)*|[^\w\s]")
_IDEOGRAPHS = re.compile(rf"[{_CJK}]+")
_STOP = frozenset(
    re.findall(
        r"\S+",
        "a an and are as at be by do does for from have how i in is it its me my no not of on or other others "
        "per s that the their this to up use used using via was what when where which who why will with without "
        "you your",
    )
)
# Words that stand at the end of half of all names: they complete a name, but tell nothing alone.
_WEAK = frozenset(
    re.findall(
        r"\S+",
        "accessory component device equipment good instrument item kit machine manual material part piece product "
        "replacement service set stuff supply system type unit",
    )
)
_WEAK_SUFFIXES = re.compile("(用品|配件|产品|附件|设备|器材|用具|服务|其他|其它|系统|组件|及|和|与|或|的|类)+")
_MAX_WORDS, _MAX_CHARACTERS = 3, 6
_ENOUGH = 0.6  # a term that covers this much of a group names it alone
_HALF = 0.5
_SHARED = 0.3  # below this cover, names of central members say more than shared words


@dataclass
class _Term:
    """A run of words, or of characters, that may name a group."""

    units: int = 0
    surfaces: Counter[str] = field(default_factory=Counter)
    members: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))  # group → positions in it
    whole: bool = False  # some name consists of it, or has it between punctuation

    @property
    def everywhere(self) -> int:
        return sum(len(members) for members in self.members.values())


def group_names(
    groups: Sequence[Sequence[Label]],
    centrality: Sequence[np.ndarray],
    background: Sequence[Sequence[Label]] = (),
    taken: Iterable[str] = (),
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

    Returns
    -------
    list of str
        One name a group; all differ from each other and from `taken`, whatever their case.
    """
    terms = _terms([*groups, *background])
    used = {fold(name) for name in taken}
    names = []
    for g, members in enumerate(groups):
        name = next(name for name in _proposals(g, members, centrality[g], terms) if fold(name) not in used)
        used.add(fold(name))
        names.append(name)
    return names


def _terms(groups: Sequence[Sequence[Label]]) -> dict[str, _Term]:
    terms: dict[str, _Term] = defaultdict(_Term)
    for g, members in enumerate(groups):
        for i, label in enumerate(members):
            for key, surface, units in _runs(label.name):
                term = terms[key]
                term.units = units
                term.whole |= surface in _PIECE.findall(label.name)
                term.surfaces[surface] += 1
                term.members[g].add(i)
    # A description supports a term that some name holds; it makes none of its own, since they read badly as names.
    for g, members in enumerate(groups):
        for i, label in enumerate(members):
            for key, _, _ in _runs(label.description):
                if key in terms and g in terms[key].members:
                    terms[key].members[g].add(i)
    return dict(terms)


def _runs(text: str) -> Iterable[tuple[str, str, int]]:
    """Yield (key, as written, length) of each run of words or characters that could stand as a name."""
    words: list[tuple[str, str]] = []
    for piece in [*_PIECE.findall(text.replace("_", " ")), ""]:
        if piece and not _IDEOGRAPHS.match(piece) and piece[0].isalnum():
            words.append((_stem(piece), piece))
            continue
        yield from _word_runs(words)  # punctuation ends a run
        words = []
        for core in _WEAK_SUFFIXES.split(piece)[::2] if _IDEOGRAPHS.match(piece) else ():
            for length in range(1, min(_MAX_CHARACTERS, len(core)) + 1):
                for start in range(len(core) - length + 1):
                    yield core[start : start + length], core[start : start + length], length - 1


def _word_runs(words: list[tuple[str, str]]) -> Iterable[tuple[str, str, int]]:
    for start in range(len(words)):
        for end in range(start + 1, min(start + _MAX_WORDS, len(words)) + 1):
            stems = [stem for stem, _ in words[start:end]]
            if stems[0] in _STOP or stems[-1] in _STOP or (len(stems) == 1 and len(stems[0]) < 2):
                continue
            if not any(stem.isdigit() for stem in stems):
                yield " ".join(stems), " ".join(word for _, word in words[start:end]), end - start


def _stem(word: str) -> str:
    """Fold case and the plural, so that seat and seats are one term."""
    word = fold(word)
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _proposals(g: int, members: Sequence[Label], centrality: np.ndarray, terms: dict[str, _Term]) -> Iterable[str]:
    """Yield names, the best first; the last ones are sure to be new."""
    if len(members) == 1:
        yield _clean(members[0].name)
    weight = np.clip(centrality, 0.05, None)
    weight = weight / weight.sum()
    mine = {key: term for key, term in terms.items() if g in term.members}
    order = sorted(range(len(members)), key=lambda i: (-round(float(weight[i]), 9), i))
    chosen: list[str] = []
    covered: set[int] = set()
    while len(chosen) < 4 and (best := _best_term(g, mine, weight, covered, chosen)) is not None:
        chosen.append(best)
        covered |= mine[best].members[g]
    names = [_clean(members[i].name) for i in order]  # the most central first
    shown = [_surface(key, mine[key], names) for key in chosen]
    central = [_short(name) for name in names]
    head = _common_head(names)
    if head:
        yield from _under(head, [*shown[:2], *central])
    if chosen and weight[sorted(mine[chosen[0]].members[g])].sum() >= _ENOUGH:
        yield _joined(shown[:1])
    if len(chosen) > 1 and weight[sorted(covered)].sum() >= _SHARED:
        yield _joined(shown[:2])
    if chosen:
        yield _joined([shown[0], next((name for name in central if not _alike(shown[0], name)), central[0])])
    yield _joined(list(dict.fromkeys(central))[:2])
    for count in range(3, len(members) + 1):
        yield _joined(list(dict.fromkeys([*shown, *central]))[:count])
    number = 2
    while True:  # groups whose members bear the same names
        yield f"{_joined(list(dict.fromkeys(central))[:2])} ({number})"
        number += 1


def _best_term(g: int, terms: dict[str, _Term], weight: np.ndarray, covered: set[int], chosen: list[str]) -> str | None:
    best, best_score = None, 0.0
    words_used = {word for key in chosen for word in key.split()}
    for key in sorted(terms):
        term = terms[key]
        fresh = term.members[g] - covered
        if len(term.members[g]) < 2 or not fresh or words_used & set(key.split()):
            continue
        if any(key in other or other in key for other in chosen):
            continue
        if len(key) == 1 and not term.whole and (chosen or weight[sorted(fresh)].sum() < _HALF):
            continue  # one ideograph that is no word names a group only where most members share it
        purity = len(term.members[g]) / term.everywhere
        score = float(weight[sorted(fresh)].sum()) * purity**0.75 * _worth(key, term)
        if round(score, 9) > best_score:
            best, best_score = key, round(score, 9)
    return best


def _worth(key: str, term: _Term) -> float:
    """Rate a term by its form: longer ones say more, half words say little, and words like "supplies" nothing alone."""
    if _IDEOGRAPHS.match(key):
        return (0.5 if len(key) == 1 else 1 + 0.3 * (len(key) - 2)) * (1.5 if term.whole else 1.0)
    words = key.split()
    if len(words) == 1 and words[0] in _WEAK:
        return 0.0
    return 1 + 0.35 * (len(words) - 1)


def _surface(key: str, term: _Term, names: Sequence[str]) -> str:
    """Write a term as the group's members do, and complete one that only ever stands before another word."""
    if _IDEOGRAPHS.match(key):
        after = Counter(
            match.group(1)
            for name in names
            if (match := re.search(f"{re.escape(key)}({_WEAK_SUFFIXES.pattern[:-2]}))", name))
        )
        suffix, count = max(sorted(after.items()), key=lambda item: item[1], default=("", 0))
        if count >= 2 and suffix not in "及和与或的":
            return key + suffix
        return key if len(key) > 1 or term.whole else f"{key}类"
    heads: Counter[str] = Counter()
    modified = []
    for name in names:
        for run in re.split(r"[^\w\s'’-]|\b(?:and|for|of)\b", name):
            words = run.split()
            stems = [_stem(word) for word in words]
            for start in range(len(words) - term.units + 1):
                if " ".join(stems[start : start + term.units]) == key:
                    rest = words[start + term.units :]
                    heads[rest[-1] if rest else ""] += 1
                    modified += [" ".join(words[start:])] if 0 < len(rest) < 3 else []
    commonest = max(sorted(term.surfaces), key=lambda surface: term.surfaces[surface])
    if heads[""] or not heads:
        # The plural, where anybody writes it, is how a group of such things is called.
        return max(sorted(term.surfaces), key=lambda surface: (len(surface), term.surfaces[surface]))
    head, count = max(sorted(heads.items()), key=lambda item: item[1])
    if count >= 2:
        return f"{commonest} {head}"
    return modified[0] if modified and heads.total() <= 2 else commonest


def _common_head(names: Sequence[str]) -> str:
    """Return the weak word with which most names end, such as "Supplies"; empty where there is none."""
    ends = Counter(name.split()[-1] for name in names if _stem(name.split()[-1]) in _WEAK)
    head, count = max(sorted(ends.items()), key=lambda item: item[1], default=("", 0))
    return head if count >= _HALF * len(names) else ""


def _under(head: str, parts: Sequence[str]) -> list[str]:
    """Put what tells members apart before the word they share: "Bird & Cat Supplies"; none without such words."""
    bare: list[str] = []
    for part in parts:
        words = part.split()
        while words and _stem(words[-1]) in _WEAK:
            words.pop()
        if words and not any(_alike(" ".join(words), other) for other in bare):
            bare.append(" ".join(words))
    return [f"{_joined(bare[:count])} {head}" for count in (2, 3) if len(bare) >= count]


def _alike(one: str, other: str) -> bool:
    return bool({_stem(word) for word in one.split()} & {_stem(word) for word in other.split()}) or one in other


def _short(name: str) -> str:
    """Return a member's name without what stands in brackets or after the first comma."""
    cut = re.split(r"\s*[(（,，:：/／]", _clean(name))[0].strip()
    return cut or _clean(name)


def _clean(name: str) -> str:
    return " ".join(name.replace("_", " ").split())


def _joined(parts: Sequence[str]) -> str:
    """Join with commas and a last "&" (in Chinese 、 and 与); a part that has an "&" of its own comes last."""
    parts = sorted(parts, key=lambda part: "&" in part)
    parts = [
        part[0].upper() + part[1:] if i == 0 and part.split()[0].islower() else part for i, part in enumerate(parts)
    ]
    if parts and all(_IDEOGRAPHS.search(part) for part in parts):
        return "、".join(parts[:-1]) + "与" + parts[-1] if len(parts) > 1 else parts[0]
    if "&" in parts[-1]:
        return ", ".join(parts)
    return ", ".join(parts[:-1]) + " & " + parts[-1] if len(parts) > 1 else parts[0]
