"""Entries of a YAML or JSON file → a tree, in every form that the file format allows; all problems at once."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from hierarchy.checks import Key, Problem, find_problems, in_words
from hierarchy.errors import TaxonomyError
from hierarchy.files.mistaken import seems_to_be
from hierarchy.files.syntax import Entry, Items, Pairs, Scalar
from hierarchy.nodes import Group, Label, Tree, with_default_ids
from hierarchy.text.likeness import nearest_hint

FORMAT = "coarsefine/taxonomy/1"

TOP_KEYS = ("format", "name", "groups", "labels", "must_link", "cannot_link", "merged_into", "retired")
GROUP_KEYS = ("id", "name", "description", "built", "frozen_name", "min_size", "max_size", "labels")
LABEL_KEYS = ("id", "name", "description", "pinned")
_MARK = re.compile("[a-p]{8}")  # see `Group.mark`
MOST_DIGITS = 9  # of a number of labels
T = TypeVar("T")
TRUE, FALSE = ("true", "yes", "on"), ("false", "no", "off")


def read_tree(root: Entry | None, where: str) -> Tree:
    """Read a tree from nodes.

    Parameters
    ----------
    root
        The root of the file; None where it is empty.
    where
        The file's name, for messages.

    Returns
    -------
    Tree
        Without contradictions.

    Raises
    ------
    TaxonomyError
        With all problems, each with its line.
    """
    if root is None:
        raise TaxonomyError("the file is empty; write groups with labels, or a list of labels", where)
    reader = _Reader()
    tree = reader.tree(root)
    if problems := all_problems(tree, reader.problems, reader.lines):
        raise TaxonomyError(problems, where, seems_to_be(root))
    return tree


def all_problems(tree: Tree, unread: list[Problem], lines: Mapping[Key, int]) -> list[str]:
    """Return what could not be read of a file, and what is wrong with the tree that was, in the order of the file."""
    # An unreadable entry is missing from the tree; "no labels at all" would only repeat that.
    return in_words([*unread, *(found for found in find_problems(tree, lines) if not (unread and found[0] is None))])


class _Reader:
    """Collects problems and lines while it walks over the nodes."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.lines: dict[Key, int] = {}

    def tree(self, root: Entry) -> Tree:
        entries: dict[str, Entry] = {}
        if isinstance(root, Items):
            entries = {"labels": root}
        elif isinstance(root, Pairs):
            entries = self.mapping(root, TOP_KEYS, "a taxonomy") if is_long(root) else {"groups": root}
        else:
            what = f"the file holds one value, {_shown(root)}"
            self.problem(root, f"{what}; write groups with labels, or a list of labels")
        self.check_format(entries.get("format"))
        groups, unplaced = self.groups(entries.get("groups")), self.labels(entries.get("labels"), ("unplaced",))
        return Tree(
            *with_default_ids(groups, unplaced),
            name=self.text(entries.get("name"), "the taxonomy's name"),
            must_link=self.links(entries.get("must_link"), "must_link"),
            cannot_link=self.links(entries.get("cannot_link"), "cannot_link"),
            merged_into=self.merged(entries.get("merged_into")),
            retired=self.words(entries.get("retired"), "retired", ("retired",)),
        )

    def check_format(self, node: Entry | None) -> None:
        if node is not None and (not isinstance(node, Scalar) or node.value != FORMAT):
            self.problem(node, f"format is {_shown(node)}; this version reads '{FORMAT}'")

    def groups(self, node: Entry | None) -> list[Group]:
        if isinstance(node, Pairs):  # `groups:` with the short form below it
            return self.short_groups(node)
        return list(self.each(node, "groups", ("group",), self.group))

    def short_groups(self, node: Pairs) -> list[Group]:
        found = []
        for i, (key, value) in enumerate(self.pairs(node)):
            self.lines["group", i], name = key.line, key.value
            is_list = isinstance(value, Items) or is_null(value)
            if not is_list:
                hint = (
                    "; for a taxonomy with a name, use 'groups:'" if name in TOP_KEYS else nearest_hint(name, TOP_KEYS)
                )
                self.problem(key, f"'{name}' should hold a list of labels, but holds {_shown(value)}{hint}")
                self.lines["dropped", i] = key.line
            found.append(Group("", name, labels=self.group_labels(value if is_list else None, i)))
        return found

    def group(self, node: Entry, i: int) -> Group | None:
        if not isinstance(node, Pairs):
            self.problem(node, f"group {_shown(node)} has no labels; write 'name:' and 'labels:', or 'group: [labels]'")
            return None
        entries = self.mapping(node, GROUP_KEYS, "a group")
        name = self.name(entries, node, "group")
        if name is None:
            self.group_labels(entries.get("labels"), i)  # for their problems
            self.lines.pop(("dropped", i), None)
            return None
        return Group(
            id=self.given_id(entries, f"group '{name}'"),
            name=name,
            description=self.text(entries.get("description"), f"the description of group '{name}'"),
            labels=self.group_labels(entries.get("labels"), i),
            built=self.mark(entries.get("built")),
            frozen_name=self.flag(entries.get("frozen_name"), "frozen_name"),
            min_size=self.number(entries.get("min_size"), "min_size"),
            max_size=self.number(entries.get("max_size"), "max_size"),
        )

    def group_labels(self, node: Entry | None, i: int) -> tuple[Label, ...]:
        before = len(self.problems)
        labels = self.labels(node, ("label", i))
        if node is not None and not labels and len(self.problems) > before:
            self.lines["dropped", i] = node.line
        return labels

    def labels(self, node: Entry | None, key: Key) -> tuple[Label, ...]:
        return self.each(node, "labels", key, lambda item, _: self.label(item))

    def label(self, node: Entry) -> Label | None:
        if isinstance(node, Scalar):
            if not _is_blank(node):
                return Label("", node.value)
            self.problem(node, "this label is empty; write its name or remove the line")
            return None
        if isinstance(node, Items):
            self.problem(node, "a label is a list here; write one name a line")
            return None
        keys = list(filter(None, node.words))
        if len(keys) == 1 and keys[0] not in LABEL_KEYS and not nearest_hint(keys[0], LABEL_KEYS):
            self.problem(
                node,
                f"label {keys[0]!r} is read as a key with a value; put a name that holds ': ' in quotes, "
                "or write 'name:' and 'description:'",
            )
            return None
        entries = self.mapping(node, LABEL_KEYS, "a label")
        name = self.name(entries, node, "label")
        if name is None:
            return None
        description = self.text(entries.get("description"), f"the description of label '{name}'")
        pinned = self.flag(entries.get("pinned"), "pinned")
        return Label(self.given_id(entries, f"label '{name}'"), name, description, pinned)

    def name(self, entries: dict[str, Entry], node: Entry, what: str) -> str | None:
        """Read the name, or take the id where only that is given."""
        given = entries.get("name", entries.get("id"))
        if given is None:
            self.problem(node, f"this {what} has no name; add 'name:'")
        elif not isinstance(given, Scalar):
            self.problem(given, f"the name of a {what} is {_shown(given)}; write it as one text")
        elif _is_blank(given):
            self.problem(given, f"this {what} has an empty name; write one or remove the entry")
        else:
            return given.value
        return None

    def given_id(self, entries: dict[str, Entry], what: str) -> str:
        node = entries.get("id")
        if node is not None and _is_blank(node):
            self.problem(node, f"the id of {what} is empty; write one, or leave the key out to use the name")
        return self.text(node, f"the id of {what}")

    def links(self, node: Entry | None, field: str) -> tuple[tuple[str, ...], ...]:
        def link(item: Entry, i: int) -> tuple[str, ...] | None:
            if isinstance(item, Items):
                return self.words(item, field, (field, i))
            self.problem(item, f"{field} holds {_shown(item)}; each entry is a list of label ids: - [first, second]")
            return None

        return self.each(node, field, (field,), link)

    def merged(self, node: Entry | None) -> dict[str, str]:
        if node is not None and not is_null(node) and not isinstance(node, Pairs):
            self.problem(node, f"merged_into holds {_shown(node)}; write 'old id: id of the label that took it in'")
        found: dict[str, str] = {}
        for key, value in self.pairs(node) if isinstance(node, Pairs) else ():
            if _is_blank(key) or _is_blank(value) or not isinstance(value, Scalar):
                self.problem(value, f"merged_into holds {_shown(key)}: {_shown(value)}; write one id behind another")
            else:
                self.lines["merged_into", key.value] = key.line
                found[key.value] = value.value
        return found

    def words(self, node: Entry | None, field: str, key: Key) -> tuple[str, ...]:
        def word(item: Entry, _: int) -> str | None:
            if isinstance(item, Scalar) and not _is_blank(item):
                return item.value
            self.problem(item, f"{field} holds {_shown(item)} where a label id should stand")
            return None

        return self.each(node, field, key, word)

    def each(self, node: Entry | None, what: str, key: Key, read: Callable[[Entry, int], T | None]) -> tuple[T, ...]:
        """Read the entries of a list, each with its place among those that can be read; the others are left out."""
        found: list[T] = []
        if isinstance(node, Items):
            for item in node.values:
                value = read(item, len(found))
                if value is not None:
                    self.lines[*key, len(found)] = item.line
                    found.append(value)
        elif node is not None and not is_null(node):
            self.problem(node, f"'{what}' should hold a list, but holds {_shown(node)}; write '- ' before each entry")
        return tuple(found)

    def mapping(self, node: Pairs, known: Sequence[str], what: str) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for key, value in self.pairs(node):
            word = key.value
            if word == "<<":
                self.problem(key, "the merge key '<<' is not read; write the entries out")
            elif word not in known:
                hint = nearest_hint(word, known) or f"; {what} may have {', '.join(known)}"
                self.problem(key, f"unknown key '{word}' in {what}{hint}")
            else:
                entries[word] = value
        return entries

    def pairs(self, node: Pairs) -> list[tuple[Scalar, Entry]]:
        """Return key and value nodes; a key that comes again is a problem and left out."""
        first: dict[str, int] = {}
        found: list[tuple[Scalar, Entry]] = []
        for key, value in node.pairs:
            if not isinstance(key, Scalar):
                self.problem(key, f"a key is {_shown(key)}; write it as one text")
            elif key.value in first:
                word = key.value
                self.problem(key, f"key '{word}' is used twice (first on line {first[word]}); merge or rename one")
            else:
                first[key.value] = key.line
                found.append((key, value))
        return found

    def text(self, node: Entry | None, what: str) -> str:
        if node is None or is_null(node):
            return ""
        if isinstance(node, Scalar):
            return node.value
        self.problem(node, f"{what} is {_shown(node)}; write it as one text")
        return ""

    def flag(self, node: Entry | None, field: str) -> bool:
        word = node.value.lower() if isinstance(node, Scalar) else ""
        if node is not None and not is_null(node) and word not in TRUE + FALSE:
            self.problem(node, f"{field} is {_shown(node)}; write true or false")
        return word in TRUE

    def mark(self, node: Entry | None) -> bool | str:
        """Read what says that the builder made a group: its mark, or a truth value."""
        if isinstance(node, Scalar) and _MARK.fullmatch(node.value):
            return node.value
        return self.flag(node, "built")

    def number(self, node: Entry | None, field: str) -> int | None:
        if node is None or is_null(node):
            return None
        digits = node.value if isinstance(node, Scalar) and node.value.isascii() and node.value.isdigit() else ""
        if 0 < len(digits) <= MOST_DIGITS:
            return int(digits)
        wanted = f"a number of at most {MOST_DIGITS} digits" if digits else "a whole number"
        self.problem(node, f"{field} is {_shown(node)}; write {wanted}")
        return None

    def problem(self, node: Entry, text: str) -> None:
        self.problems.append((node.line, text))


def is_long(root: Entry) -> bool:
    """Whether a file is in the long form, whose keys are `TOP_KEYS`, and not one of `group: [labels]`."""
    return isinstance(root, Pairs) and not {"format", "groups", "labels"}.isdisjoint(root.words)


def is_null(node: Entry) -> bool:
    """Whether nothing stands here."""
    return isinstance(node, Scalar) and node.plain and node.value in ("", "~", "null", "Null", "NULL")


def _is_blank(node: Entry) -> bool:
    """Tell whether there is no name here. A bare `null` may well be meant as a name; JSON's null may not."""
    return isinstance(node, Scalar) and (not node.value.strip() or (node.plain and node.value == "~"))


def _shown(node: Entry) -> str:
    if isinstance(node, Scalar):
        return f"'{node.value}'" if len(node.value) < 60 else f"'{node.value[:57]}...'"
    return "a list" if isinstance(node, Items) else "a mapping"
