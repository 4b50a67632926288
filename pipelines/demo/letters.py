"""Composes the letters of the demonstration corpus: telling passages among neutral sentences and distractors."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

FIRST_WINDOW = 512  # tokens that most encoders read at most; a late letter tells its label only after them
_ALTERNATIVES = re.compile(r"\[([^\]]*)\]")
_TOKEN = re.compile(r"[^\W_]+|[!-/:-@\[-`{-~]")  # word-piece tokenizers split at every ASCII mark, but not at £
_FILLER_ROLES = ("background", "contact", "feelings", "advice")


@dataclass(frozen=True)
class Style:
    """How the letters of a language are written.

    Parameters
    ----------
    unit
        What the lengths below count: ``words`` or ``characters``.
    joint
        What stands between two sentences.
    quotes
        Opening and closing quotation mark, and the mark that replaces them inside a quotation.
    tells
        Weights of 1, 2, 3 ... telling passages in a letter.
    terms
        Weights of 0, 1, 2 ... sentences with one of the label's terms.
    asides
        Weights of 0, 1, 2 ... asides in a letter that is not long.
    aside_every
        A long letter has one aside for so many units.
    sibling_share
        The part of the asides that quote a label of the same group.
    """

    unit: str
    joint: str
    quotes: tuple[str, str, str]
    tells: tuple[float, ...]
    terms: tuple[float, ...]
    asides: tuple[float, ...]
    aside_every: int
    sibling_share: float

    def length(self, text: str) -> int:
        """Return the length of a text in this style's unit."""
        return len(text.split()) if self.unit == "words" else len(text)


@dataclass(frozen=True)
class Sources:
    """What the letters of one split are made from.

    Parameters
    ----------
    frames
        Role → sentences of this split.
    passages
        Label → sentences of this split that tell it.
    terms
        Label → its terms.
    groups
        Label → its group.
    """

    frames: dict[str, list[str]]
    passages: dict[str, list[str]]
    terms: dict[str, list[str]]
    groups: dict[str, str]


def least_tokens(text: str) -> int:
    """Count words and marks: a lower bound of the tokens that a word-piece tokenizer makes of a text."""
    return len(_TOKEN.findall(text))


@dataclass
class Letter:
    """Writes one letter.

    Parameters
    ----------
    label
        The label of the letter.
    sources
        What it is made from.
    style
        How it is written.
    rng
        Every choice comes from it.
    """

    label: str
    sources: Sources
    style: Style
    rng: random.Random
    used: set[str] = field(default_factory=set)

    def write(self, length: int, long: bool = False, late: bool = False) -> str:
        """Return the text.

        Parameters
        ----------
        length
            The wished length, in the style's unit; a letter comes out a sentence longer or shorter.
        long
            Whether the letter exceeds the first window of 512 tokens.
        late
            Whether everything that tells the label stands behind this window. Before it, asides quote other
            groups only, so that nothing there hints at the group either.

        Returns
        -------
        str
            Paragraphs, separated by an empty line.
        """
        opening, closing = [self._frame("opening")], [self._frame("closing")]
        telling = self._telling()
        total = length // self.style.aside_every if long else self._draw(self.style.asides)
        free = length - sum(map(self.style.length, (*opening, *telling, *closing)))
        share = self.rng.uniform(0.3, 0.8) if late else self.rng.uniform(0.05, 0.25 if long else 0.6)
        early = sum(self.rng.random() < share for _ in range(total))
        before = self._filling(int(free * share), early, siblings=not late)
        while late and least_tokens("\n".join(opening + before)) <= FIRST_WINDOW:
            before.append(self._frame(self.rng.choice(_FILLER_ROLES)))
        rest = free - sum(map(self.style.length, before))
        after = self._filling(rest, total - early, siblings=True)
        return self._paragraphs(opening + before + self._spread(telling, after) + closing)

    def _draw(self, weights: Sequence[float]) -> int:
        return self.rng.choices(range(len(weights)), weights)[0]

    def _frame(self, role: str) -> str:
        """Take a sentence of a role that this letter does not have yet (any where all are used)."""
        sentences = self.sources.frames[role]
        fresh = [sentence for sentence in sentences if sentence not in self.used]
        chosen = self.rng.choice(fresh or sentences)
        self.used.add(chosen)
        return _ALTERNATIVES.sub(lambda match: self.rng.choice(match[1].split("|")), chosen)

    def _telling(self) -> list[str]:
        """Return what tells the label: passages, each with words that lead to it, and sentences with terms."""
        own = self.sources.passages[self.label]
        first, *others = self.rng.sample(own, min(1 + self._draw(self.style.tells), len(own)))
        lead = [self._joined("lead", first, 0.5)]
        terms = self.sources.terms[self.label]
        chosen = self.rng.sample(terms, min(self._draw(self.style.terms), len(terms)))
        more = [self._frame("term").replace("{term}", term) for term in chosen]
        if more and self.rng.random() < 0.3:
            lead.insert(0, more.pop())
        more += [self._joined("link", passage, 0.3) for passage in others]
        self.rng.shuffle(more)
        return lead + more

    def _joined(self, role: str, passage: str, probability: float) -> str:
        """Return a passage, by some probability with a sentence before it that leads to it."""
        return f"{self._frame(role)}{self.style.joint}{passage}" if self.rng.random() < probability else passage

    def _filling(self, length: int, asides: int, siblings: bool) -> list[str]:
        """Return asides, and neutral sentences around them up to a length; life comes first, questions last."""
        units = [(self.rng.random(), self._aside(siblings)) for _ in range(asides)]
        left = length - sum(self.style.length(text) for _, text in units)
        while left > 0:
            role = self.rng.choices(_FILLER_ROLES, (5, 4, 3, 2))[0]
            text = self._frame(role)
            units.append((self.rng.random() + 0.25 * _FILLER_ROLES.index(role), text))
            left -= self.style.length(text)
        return [text for _, text in sorted(units)]

    def _aside(self, siblings: bool) -> str:
        """Return somebody else's problem as a side remark."""
        group = self.sources.groups[self.label]
        near = siblings and self.rng.random() < self.style.sibling_share
        labels = [
            label
            for label in self.sources.passages
            if label != self.label and (self.sources.groups[label] == group) == near
        ]
        passage = self.rng.choice(self.sources.passages[self.rng.choice(labels)])
        left, right, inner = self.style.quotes
        quoted = passage.replace(left, inner).replace(right, inner)
        return self._frame("aside").replace("{passage}", f"{left}{quoted}{right}")

    def _spread(self, telling: list[str], filling: list[str]) -> list[str]:
        """Put the telling units before the filling, some of the later ones at any place in it."""
        units = telling[:2]
        moved: list[str] = []
        for unit in telling[2:]:
            (moved if self.rng.random() < 0.5 else units).append(unit)
        filling = list(filling)
        for unit in moved:
            filling.insert(self.rng.randint(0, len(filling)), unit)
        return units + filling

    def _paragraphs(self, units: list[str]) -> str:
        paragraphs = []
        while units:
            size = self.rng.randint(2, 6)
            paragraphs.append(self.style.joint.join(units[:size]))
            units = units[size:]
        return "\n\n".join(paragraphs)
