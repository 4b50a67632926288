"""What a data file's label string means: which id of the taxonomy it names, and what it may have meant.

Strings that differ in case, width or white space alone are one, and get one spelling.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from hierarchy.nodes import Node, Tree
from hierarchy.text.characters import UNSEEN
from hierarchy.text.likeness import Likeness
from hierarchy.text.separators import PATH_CUT
from hierarchy.text.wording import count

Pair: TypeAlias = tuple[str, str | None]  # a label and its group, as the data has them
SHOWN = 10  # spellings of one string that a line names, and lines; the rest is counted


def match_key(text: str) -> str:
    """Return the text as matching sees it: NFKC, case folded, runs of white space as one blank, nothing unseen."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", UNSEEN.sub("", text)).casefold())
    return " ".join(folded.split())


def is_called(node: Node, word: str) -> bool:
    """Whether a word is the id or the name of a label or group, but for case, width and white space."""
    return match_key(word) in (match_key(node.id), match_key(node.name))


@dataclass(frozen=True)
class Match:
    """What the label of a document means in a taxonomy as it is today.

    Attributes
    ----------
    id
        The label that the document counts for; None where nothing, or more than one label, fits.
    merged
        The document's own label was merged into that one.
    retired
        The document's label was retired: the document is left out.
    by_path
        The document names the label by its path from the top.
    """

    id: str | None = None
    merged: bool = False
    retired: bool = False
    by_path: bool = False


class LabelMatcher:
    """Finds the label that a string names. Built once for a taxonomy.

    Parameters
    ----------
    tree
        The taxonomy; its unplaced labels can be named as well, and what was merged or retired.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._labels = tree.all_labels
        self._retired = frozenset(tree.retired)
        self._gone = _Index(Node(word, word) for word in (*tree.merged_into, *tree.retired))
        self._index = _Index(self._labels)
        self._groups = _Index(tree.groups)
        self._within = {group.id: _Index(group.labels) for group in tree.groups}
        self._likeness: tuple[Likeness, list[str]] | None = None  # of folded ids and names, and the id of each

    def match(self, label: str, group: str | None = None) -> Match:
        """Find the label that a data file names.

        The pair of group and label decides where the group holds such a label, or held it before it was merged or
        retired; then an id, a name that only one label has, or what was merged or retired, the same without regard to
        case, width and white space, and last the path from the group down (`Kitchen > Kettles`), as a deeper tree has
        it.

        Parameters
        ----------
        label
            An id or a name.
        group
            The id or name of its group, where the data has one. A group that the taxonomy lacks is passed over.

        Returns
        -------
        Match
            Merged labels are followed to their heir.
        """
        if group is not None and (pair := self._in_group(group, label)) != Match():
            return pair
        found = self._index.exact(label)
        if not found and self._gone.exact(label):
            return self._followed(label)
        if only := _only(found or self._index.alike(label)):
            return Match(only)
        trace = None if found else _only(self._gone.alike(label))
        return self._at_path(label) if trace is None else self._followed(trace)

    def _followed(self, word: str) -> Match:
        heir = self._tree.heir(word)
        return Match(retired=True) if heir in self._retired else Match(heir, merged=True)

    def _at_path(self, path: str) -> Match:
        cuts = [(cut.start(), cut.end()) for cut in PATH_CUT.finditer(path)][::-1]
        # The longest path of a group first, since a group may be called as one above it; and the whole path before,
        # for a label that stands at the place of its group.
        places = [*((len(path), end) for _, end in cuts), *cuts]
        pairs = [(path[:above], path[below:]) for above, below in places]
        for group, label in pairs:
            if (match := self._in_group(group, label)) != Match():
                return replace(match, by_path=True)
        for group, label in pairs:
            if self._groups.find(group) and (trace := _only(self._gone.find(label))):
                return self._followed(trace)
        return Match()

    def _in_group(self, group: str, label: str) -> Match:
        group_id = _only(self._groups.find(group))
        words = (label, f"{group_id}/{label}")  # see `with_default_ids`
        within = () if group_id is None else map(_only, map(self._within[group_id].find, words))
        if found := next(filter(None, within), None):
            return Match(found)
        trace = _only(self._gone.find(f"{group_id or group}/{label}"))
        return Match() if trace is None else self._followed(trace)

    def nearest(self, label: str, n: int = 3) -> list[str]:
        """List the ids of the labels whose id or name is most like a string, the nearest first.

        Parameters
        ----------
        label
            What the data says.
        n
            How many ids at most.

        Returns
        -------
        list of str
            Fewer than `n`, or none, where nothing is alike.
        """
        if self._likeness is None:
            seen = dict.fromkeys(
                (match_key(text), label.id) for label in self._labels for text in (label.id, label.name)
            )
            self._likeness = Likeness(text for text, _ in seen), [label_id for _, label_id in seen]
        likeness, ids = self._likeness
        return list(dict.fromkeys(ids[place] for place, _ in likeness.nearest(match_key(label))))[:n]


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
            said = "is also written" if taken in counts else "is written"
            lines.append(f"{what} {taken!r} ({count(number, 'document')}) {said} {also}: taken for one")
    return lines


def capped(lines: Sequence[str], what: str) -> list[str]:
    """Return the first lines, and how many labels or groups, `what`, have one more."""
    more = len(lines) - SHOWN
    rest = [f"and {count(more, f'more {what}')} written in several ways"] if more > 0 else []
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


class _Index:
    """Exact ids, unique names and unique folded forms of some labels or groups."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.ids: set[str] = set()
        self.names: dict[str, set[str]] = defaultdict(set)
        self.folded: dict[str, set[str]] = defaultdict(set)
        for node in nodes:
            self.ids.add(node.id)
            self.names[node.name].add(node.id)
            self.folded[match_key(node.id)].add(node.id)
            self.folded[match_key(node.name)].add(node.id)

    def find(self, text: str) -> set[str]:
        return self.exact(text) or self.alike(text)

    def exact(self, text: str) -> set[str]:
        return {text} if text in self.ids else self.names.get(text, set())

    def alike(self, text: str) -> set[str]:
        return self.folded.get(match_key(text), set())


def _only(found: Collection[str]) -> str | None:
    return next(iter(found)) if len(found) == 1 else None
