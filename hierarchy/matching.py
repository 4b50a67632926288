"""What a data file's label string means: which id of the taxonomy it names, and what it may have meant."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from hierarchy.nodes import Node, Tree
from hierarchy.text.characters import UNSEEN
from hierarchy.text.likeness import Likeness


def match_key(text: str) -> str:
    """Return the text as matching sees it: NFKC, case folded, runs of white space as one blank, nothing unseen."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", UNSEEN.sub("", text)).casefold())
    return " ".join(folded.split())


def is_called(node: Node, word: str) -> bool:
    """Whether a word is the id or the name of a label or group, but for case, width and white space."""
    return match_key(word) in (match_key(node.id), match_key(node.name))


class LabelMatcher:
    """Finds the label that a string names. Built once for a taxonomy.

    Parameters
    ----------
    tree
        The taxonomy; its unplaced labels can be named as well.
    """

    def __init__(self, tree: Tree) -> None:
        self._labels = tree.all_labels
        self._index = _Index(self._labels)
        self._groups = _Index(tree.groups)
        self._within = {group.id: _Index(group.labels) for group in tree.groups}
        self._likeness: tuple[Likeness, list[str]] | None = None  # of folded ids and names, and the id of each

    def resolve(self, label: str, group: str | None = None) -> str | None:
        """Find the id of the label that a data file names.

        The pair of group and label decides where the group holds such a label; then an id, a name that only one
        label has, and last the same two without regard to case, width and white space.

        Parameters
        ----------
        label
            An id or a name.
        group
            The id or name of its group, where the data has one. A group that the taxonomy lacks is passed over.

        Returns
        -------
        str or None
            The label's id; None where nothing, or more than one label, fits.
        """
        if group is not None:
            group_id = self._groups.find(group)
            if group_id is not None:
                within = self._within[group_id].find(label)
                if within is not None:
                    return within
        return self._index.find(label)

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

    def find(self, text: str) -> str | None:
        if text in self.ids:
            return text
        for found in (self.names.get(text), self.folded.get(match_key(text))):
            if found:
                return next(iter(found)) if len(found) == 1 else None
        return None
