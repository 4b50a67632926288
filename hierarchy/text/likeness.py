"""Which of many texts are most like a string: the "did you mean" of every message, in bounded work."""

import difflib
from collections.abc import Iterable, Sequence

import numpy as np

# Arguments and settings that had another name.
RENAMED = {"seed": "random_state", "precision": "dtype", "run": "run_dir", "groups": "sources", "move_labels": "force"}
OF_LABELS = "groups are groups of labels"
# Settings of a classifier that are gone.
REMOVED = {
    **dict.fromkeys(
        ("loss_schedule", "segment_shuffling", "segment_dropout", "imbalance_strength", "warm_up_epochs"),
        "it is gone, since it was not shown to pay (docs/ablations.md)",
    ),
    "aggregator": "it is aggregator_layers now: 0, the default, for none, 1 or more for such layers",
    "balance": "it is gone, and stays at 0.25, the best on validation data",
}
LONGEST = 200  # characters of a text that are compared
CANDIDATES = 60  # texts that are compared in full


class Likeness:
    """Finds the texts that are most like a string. Built once for many strings.

    Parameters
    ----------
    texts
        What a string may have meant.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = [text[:LONGEST] for text in texts]
        self._lengths = np.array([len(text) for text in self._texts], dtype=np.int64)
        places: dict[str, list[int]] = {}
        for place, text in enumerate(self._texts):
            for gram in _grams(text):
                places.setdefault(gram, []).append(place)
        self._places = {gram: np.array(found) for gram, found in places.items()}

    def nearest(self, wanted: str, least: float = 0.5) -> list[tuple[int, float]]:
        """List places of texts and how alike they are, from 0 to 1, the nearest first.

        Parameters
        ----------
        wanted
            What was written.
        least
            Of the likeness of what is listed.
        """
        wanted = wanted[:LONGEST]
        matcher = difflib.SequenceMatcher(autojunk=False)
        matcher.set_seq2(wanted)
        found = []
        for place in self._candidates(wanted):
            matcher.set_seq1(self._texts[place])
            ratio = matcher.ratio()
            if ratio >= least:
                found.append((place, ratio))
        return sorted(found, key=lambda one: -one[1])

    def _candidates(self, wanted: str) -> list[int]:
        lists = [self._places[gram] for gram in sorted(_grams(wanted)) if gram in self._places]
        if not lists:
            return []
        shared = np.bincount(np.concatenate(lists), minlength=len(self._texts))
        # Ties go to the shorter text, so that the shortlist does not depend on the order of texts alone.
        order = np.argsort(-shared / (self._lengths + 2), kind="stable")[:CANDIDATES]
        return [int(place) for place in order if shared[place]]


def most_like(word: str, known: Sequence[str], n: int = 1, least: float = 0.6) -> list[str]:
    """Return the texts most like a word, the nearest first.

    Parameters
    ----------
    word
        What was written.
    known
        What it may have meant.
    n
        How many at most.
    least
        Of their likeness, from 0 to 1.
    """
    return [known[place] for place, _ in Likeness(known).nearest(word, least)[:n]]


def suggestion(word: str, known: Sequence[str]) -> str:
    """Say what an unknown name was meant to be: its name of today, or the nearest that is known; else all that are.

    Parameters
    ----------
    word
        What was written.
    known
        What it may have meant.
    """
    if RENAMED.get(word) in known:
        return f"{word} is {RENAMED[word]} now{f', since {OF_LABELS}' if word == 'groups' else ''}"
    if word in REMOVED and "imbalance" in known:
        return f"{REMOVED[word]}: leave it out"
    near = most_like(word, known)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"


def nearest_hint(word: str, known: Sequence[str]) -> str:
    """Return `; did you mean 'x'?` for a word that is close to a known one, else an empty string."""
    return nearest_hints([word], known)[word]


def nearest_hints(words: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Return what `nearest_hint` says of each of several words."""
    likeness = Likeness(known if words else ())
    nearest = {word: likeness.nearest(word, least=0.6) for word in words}
    return {word: f"; did you mean '{known[near[0][0]]}'?" if near else "" for word, near in nearest.items()}


def _grams(text: str) -> set[str]:
    padded = f" {text} "
    return {padded[i : i + 2] for i in range(len(padded) - 1)}
