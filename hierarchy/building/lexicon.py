"""What label names tell of their words: who uses a word, where it stands, and how it is written."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from hierarchy.building.words import (
    AFTER_HEAD,
    BEFORE_STATE,
    GENERIC,
    INSIDE,
    PARTICLES,
    STOP,
    Run,
    is_code,
    runs,
    unspaced,
)
from hierarchy.matching import match_key
from hierarchy.nodes import Label

_NEARLY = 0.75  # a longer run is written for a word where it stands in this share of the word's members,
_HALF = 0.5  # or in this one where the word is never at the head: "mental" needs its "health"
_LONGEST = {" ": 3, "": 6}  # words, ideographs


class _Use(NamedTuple):
    """A place where a member's name holds a word."""

    member: int
    run: Run
    start: int
    end: int

    @property
    def head(self) -> bool:
        """Whether the name is about the word, as far as places tell: "card" in "lost card with a chip"."""
        keys, after = self.run.keys, self.run.keys[self.end : self.end + 1]
        if not self.run.glue:
            return self.start == 0 or not after or after[0] in GENERIC
        return (not after or after[0] in AFTER_HEAD) and not (self.start and keys[self.start - 1] in BEFORE_STATE)


class Lexicon:
    """The words of all label names.

    Parameters
    ----------
    groups
        The members of each group.

    Attributes
    ----------
    members : dict
        word → group → positions of the group's members that use it.
    """

    def __init__(self, groups: Sequence[Sequence[Label]]) -> None:
        names = [(g, i, run) for g, of in enumerate(groups) for i, label in enumerate(of) for run in runs(label.name)]
        self._n_labels = sum(map(len, groups))
        self._whole = {run.keys for _, _, run in names}
        later = [text.islower() for _, _, run in names if run.glue for text in run.texts[1:]]
        self._sentences = sum(later) > len(later) / 2
        vocabulary = {key for keys in self._whole for key in keys}
        self._uses: dict[str, dict[int, list[_Use]]] = defaultdict(lambda: defaultdict(list))
        self._forms: dict[str, Counter[str]] = defaultdict(Counter)  # how a word is written at the head of names
        self._heads: Counter[str] = Counter()
        for g, i, run in names:
            run = run._replace(keys=tuple(_without_ed(key, vocabulary) for key in run.keys))
            for key, start, end in _words(run):
                use = _Use(i, run, start, end)
                self._uses[key][g].append(use)
                if use.head:
                    self._heads[key] += 1
                    self._forms[key][self._cased(run, start)] += 1
        self.members = {
            key: {g: {use.member for use in uses} for g, uses in of.items()} for key, of in self._uses.items()
        }
        # A description supports a word that some name of the group holds; it makes none, since they read badly.
        for g, of in enumerate(groups):
            for i, label in enumerate(of):
                for key in {_without_ed(key, vocabulary) for key in word_keys(label.description)}:
                    if g in self.members.get(key, ()):
                        self.members[key][g].add(i)
        self._count = {key: sum(map(len, of.values())) for key, of in self._uses.items()}
        self._total = {key: sum(map(len, of.values())) for key, of in self.members.items()}
        self._mean = sum(self._total.values()) / max(1, len(groups))

    def shared_words(self, g: int) -> list[str]:
        """Return the words that at least two members of a group use."""
        return sorted(key for key, of in self.members.items() if len(of.get(g, ())) > 1)

    def worth(self, key: str, g: int) -> float:
        """Rate a word as a name of a group, between 0 and 1: its rarity elsewhere, times its form.

        The rarity is the second factor of class TF-IDF, log(1 + A / f): A is the number of words in a group on
        average, f how often other groups use this one, so that a word is not rare where its own group is full of it.
        """
        total = self._total[key]
        if total > self._n_labels / 2 and len(self.members[key]) > 1:
            return 0.0  # "目" (item) at the end of every label
        elsewhere = 1 + total - len(self.members[key][g])
        return self._form(key) * float(np.log1p(self._mean / elsewhere) / np.log1p(self._mean))

    def _form(self, key: str) -> float:
        """Rate a word by its form: things that have names stand at the head of names, or are one."""
        heads = self._heads[key] / self._count[key]
        whole = tuple(key) in self._whole
        if key in GENERIC:
            return 0.2
        if unspaced(key):
            return min(1.0, 0.4 + 0.4 * heads + 0.4 * whole) if len(key) > 1 else 0.8 if whole else 0.4
        if re.search(".{3}((?<!e)ed|ly)$", key):  # participles and adverbs of English
            return 0.4
        return 0.6 + 0.4 * min(1.0, 2 * heads)

    def written(self, key: str, g: int, said: Iterable[str] = ()) -> str:
        """Write a word as the longest run of words that stands in nearly all members of the group that use it.

        Words that were `said` before are left out of it.
        """
        members: dict[tuple[str, ...], set[int]] = defaultdict(set)
        texts: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        uses = self._uses[key][g]
        for use in uses:
            for start, end in _around(use):
                keys = use.run.keys[start:end]
                if not set(said).isdisjoint(keys):
                    continue
                members[keys].add(use.member)
                texts[keys][use.run.glue.join([self._cased(use.run, start), *use.run.texts[start + 1 : end]])] += 1
        own = uses[0].run.keys[uses[0].start : uses[0].end]
        bound = bool(uses[0].run.glue) and not any(use.head for use in uses)
        enough = max(2.0, (_HALF if bound else _NEARLY) * len(members[own]))
        longest = max(
            (keys for keys in sorted(members) if len(members[keys]) >= enough or keys == own),
            key=lambda keys: (len(keys), len(members[keys])),
        )
        if not uses[0].run.glue:
            first, *ending = longest
            bare = len(first) == 1 and longest not in self._whole and all(key in GENERIC for key in ending)
            return f"{first}类{''.join(ending)}" if bare else "".join(longest)
        *before, last = max(sorted(texts[longest]), key=lambda text: texts[longest][text]).split(" ")
        return " ".join([*before, self._as_noun(last, longest[-1])])

    def as_in_names(self, text: str) -> str:
        """Write a text within a name: with a capital where names have them on every word, without in sentences."""
        if not self._sentences:
            return text[:1].upper() + text[1:]
        return text[:1].lower() + text[1:] if text[1:2].islower() else text

    def before(self, key: str, g: int) -> dict[int, str]:
        """Return what stands before a word that ends a name, for each member of the group where it is short."""
        return {
            use.member: use.run.glue.join([self._cased(use.run, 0), *use.run.texts[1 : use.start]])
            for use in self._uses[key][g]
            if 0 < use.start <= _LONGEST[use.run.glue] and use.end == len(use.run.keys)
        }

    def _as_noun(self, text: str, key: str) -> str:
        """Return the plural where people write it: that is how a group of such things is called."""
        forms = {form: n for form, n in self._forms[key].items() if key.endswith("ed") or not form.endswith("ed")}
        plurals = {form: n for form, n in forms.items() if match_key(form) != key and not re.search("['’]", form)}
        usual = max(sorted(forms), key=lambda form: forms[form], default=text)
        best = max(sorted(plurals), key=lambda form: plurals[form], default=usual)
        if best != usual and plurals[best] * 4 < sum(forms.values()):
            best = usual
        best = re.sub("['’]s?$", "", best)
        return best[:1].upper() + best[1:] if text[:1].isupper() else best

    def _cased(self, run: Run, position: int) -> str:
        """Return a word as written; the capital that begins a sentence is no part of it."""
        text = run.texts[position]
        return text.lower() if self._sentences and position == 0 and text[1:].islower() else text


def word_keys(text: str) -> list[str]:
    """Return the words of a text that could tell something, folded and in the singular; pairs of ideographs."""
    return [key for run in runs(text) for key, start, end in _words(run) if run.glue or end - start > 1]


def _words(run: Run) -> Iterator[tuple[str, int, int]]:
    """Yield (word, start, end): words; pairs of ideographs, the last one alone, and a generic ending."""
    if run.glue:
        for i, key in enumerate(run.keys):
            if key not in STOP and not is_code(key) and len(key) > 1:
                yield key, i, i + 1
        return
    core = len(run.keys) - (len(run.keys) > 1 and run.keys[-1] in GENERIC)
    for i in range(core - 1):
        yield "".join(run.keys[i : i + 2]), i, i + 2
    for i in range(core - 1, len(run.keys)):
        yield run.keys[i], i, i + 1


def _around(use: _Use) -> Iterator[tuple[int, int]]:
    """Yield the spans around a word that could stand as a name."""
    keys, glue = use.run.keys, use.run.glue
    for start in range(use.start + 1):
        for end in range(use.end, len(keys) + 1):
            span = keys[start:end]
            content = [not glue or (key not in STOP and not is_code(key)) for key in span]
            inside = all(key in INSIDE or of for key, of in list(zip(span, content, strict=True))[1:-1])
            if content[0] and sum(content) <= _LONGEST[glue] and inside and (content[-1] or span[-1] in PARTICLES):
                yield start, end


def _without_ed(key: str, vocabulary: set[str]) -> str:
    """Take "delayed" for "delay" where people use both."""
    if len(key) > 4 and key.endswith("ed"):
        return next((base for base in (key[:-2], key[:-1], key[:-3]) if len(base) > 2 and base in vocabulary), key)
    return key
