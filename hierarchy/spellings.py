"""One way to write what is written in several: strings that differ in case, width or white space alone."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeAlias

from hierarchy.matching import match_key

Pair: TypeAlias = tuple[str, str | None]  # a label and its group, as the data has them
SHOWN = 10  # spellings of one string that a line names, and lines; the rest is counted


def one_spelling(counts: Mapping[str, int], known: Collection[str] = ()) -> dict[str, str]:
    """Choose a spelling for each string.

    Parameters
    ----------
    counts
        How often each string is written.
    known
        Spellings that are chosen already; a string that folds like one of these gets it.

    Returns
    -------
    dict[str, str]
        String -> the commonest spelling of all that fold alike, without blanks around it; of equally common ones the
        first in sorted order.
    """
    chosen = {match_key(spelling): spelling for spelling in sorted(known, reverse=True)}
    bare: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for text, number in counts.items():
        bare[match_key(text)][text.strip()] += number
    for folded, spellings in bare.items():
        chosen.setdefault(folded, min(spellings, key=lambda spelling: (-spellings[spelling], spelling)))
    return {text: text if text in known else chosen[match_key(text)] for text in counts}


def spelling_lines(what: str, written: Iterable[tuple[str, str, int]]) -> list[str]:
    """Say which spellings were taken for one, a line each, the commonest first.

    Parameters
    ----------
    what
        ``label`` or ``group``.
    written
        (what it was taken for, as it is written, documents); what nothing else was taken for is passed over.
    """
    ways: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for taken, text, number in written:
        ways[taken][text] += number
    lines = []
    for taken, counts in sorted(ways.items(), key=lambda item: -sum(item[1].values())):
        others = sorted((text for text in counts if text != taken), key=lambda text: -counts[text])
        if others:
            number = sum(counts.values())
            also = ", ".join(f"{text!r} ({counts[text]:,})" for text in others[:SHOWN])
            also += f" and in {len(others) - SHOWN:,} more ways" if len(others) > SHOWN else ""
            documents = f"{number:,} document{'' if number == 1 else 's'}"
            lines.append(f"{what} {taken!r} ({documents}) is also written {also}: taken for one")
    return lines


def capped(lines: Sequence[str], what: str) -> list[str]:
    """Return the first lines, and how many labels or groups, `what`, have one more."""
    more = len(lines) - SHOWN
    rest = [f"and {more:,} more {what}{'' if more == 1 else 's'} written in several ways"] if more > 0 else []
    return [*lines[:SHOWN], *rest]


def merged_pairs(pairs: Mapping[Pair, int]) -> tuple[set[Pair], list[str], list[str]]:
    """Give labels and groups one spelling each.

    Parameters
    ----------
    pairs
        (label, its group or None) -> documents.

    Returns
    -------
    tuple
        The pairs that are left, and what `spelling_lines` says of labels, and of groups; of many the first.
    """
    labels: Counter[str] = Counter()
    groups: Counter[str] = Counter()
    for (label, group), documents in pairs.items():
        labels[label] += documents
        if group is not None:
            groups[group] += documents
    label_of, group_of = one_spelling(labels), one_spelling(groups)
    left = {(label_of[label], None if group is None else group_of[group]) for label, group in pairs}
    return left, _lines("label", labels, label_of), _lines("group", groups, group_of)


def _lines(what: str, counts: Mapping[str, int], spelling: Mapping[str, str]) -> list[str]:
    written = ((spelling[text], text, documents) for text, documents in counts.items())
    return capped(spelling_lines(what, written), what)
