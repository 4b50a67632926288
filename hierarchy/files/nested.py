"""Mappings and lists that are no taxonomy in the format's own form, yet hold a tree → rows.

`{label: group}`; names within names, of any depth; objects with a name and children; a list of paths, or of records.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from typing import TypeGuard

from hierarchy.checks import Problem
from hierarchy.errors import TaxonomyError
from hierarchy.files.lines import tell_uncut, tree_of_lines
from hierarchy.files.mistaken import seems_to_be
from hierarchy.files.reading import LABEL_KEYS, is_long, is_null, read_tree
from hierarchy.files.rows import DEEPEST, Path, Row, tree_of_rows
from hierarchy.files.shape import Shape
from hierarchy.files.sheet import Sheet
from hierarchy.files.syntax import Entry, Items, Pairs, Scalar
from hierarchy.files.tables import read_table
from hierarchy.nodes import Tree
from hierarchy.text.escaping import short_repr
from hierarchy.text.separators import guessed_separator

logger = logging.getLogger(f"coarsefine.{__name__}")

NAMED = 10  # keys that a line of the log names
BELOW = ("children", "groups", "labels")  # keys under which an object has the nodes below it
CUT = ("coarse_level", "inner_nodes")  # what a shape may say of names within names


def read_entries(root: Entry | None, where: str, shape: Shape) -> Tree:
    """Read a tree from the entries of a YAML or JSON file, in whatever shape stands there.

    Parameters
    ----------
    root
        The root of the file; None where it is empty.
    where
        The file's name, for messages.
    shape
        Says where a deeper tree is cut, and what parts the paths of a list.

    Returns
    -------
    Tree
        Without contradictions.

    Raises
    ------
    TaxonomyError
        With all problems, each with its line; or where it cannot be told which of label and group is which.
    """
    if isinstance(root, Items) and _holds_paths(root, shape):
        shape.check_used(where, "a list of paths", "separator", *CUT)
        return tree_of_lines(
            [(item.line, item.value) for item in root.values if isinstance(item, Scalar)], where, shape
        )
    if isinstance(root, Items) and (sheet := _as_sheet(root)) is not None:
        return read_table(sheet, where, shape)
    if _is_deep(root):
        shape.check_used(where, "names within names", *CUT)
        return _tree_of_names(root, where, shape)
    shape.check_used(where, "a file that says itself which are its groups and labels")
    if isinstance(root, Items):
        tell_uncut([item.value for item in root.values if isinstance(item, Scalar)], where)
    if isinstance(root, Pairs) and not is_long(root) and _maps_labels(root):
        return _tree_of_pairs(root, where, shape)
    return read_tree(root, where)


def in_own_form(root: Entry | None) -> bool:
    """Whether the entries of a file hold a tree in the format's own forms, which alone are edited in place."""
    if isinstance(root, Items):
        return not _holds_paths(root, Shape()) and _as_sheet(root) is None and not _is_deep(root)
    return not isinstance(root, Pairs) or is_long(root) or not (_is_deep(root) or _maps_labels(root))


def _tree_of_names(root: Items | Pairs, where: str, shape: Shape) -> Tree:
    walk = _Walk()
    # An object at the root is the tree itself, and no node.
    fields = dict(zip(root.words, root.values, strict=True)) if _is_object(root) else {}
    tops = [fields[word] for word in BELOW if word in fields] or [root]
    rows = [row for top in tops for row in walk.below(top, ())]
    if walk.unread:
        logger.info("%s: keys that are not read: %s", where, ", ".join(sorted(walk.unread)[:NAMED]))
    name = title.value if isinstance(title := fields.get("name"), Scalar) else ""
    return tree_of_rows(rows, shape, where, problems=walk.problems, name=name, hint=seems_to_be(root))


def _holds_paths(root: Items, shape: Shape) -> bool:
    words = [item.value for item in root.values if isinstance(item, Scalar)]
    whole = len(words) == len(root.values) > 0
    return whole and (shape.separator is not None or guessed_separator(words) is not None)


def _maps_labels(root: Pairs) -> bool:
    """Whether texts stand under the keys, and nothing else does."""
    return all(isinstance(value, Scalar) for value in root.values) and not all(map(is_null, root.values))


def _as_sheet(root: Items) -> Sheet | None:
    """Return a list of records as the table that it is; None for labels and all else."""
    records = [item for item in root.values if isinstance(item, Pairs) and _is_record(item)]
    columns = list(dict.fromkeys(word for record in records for word in record.words))
    if len(records) < len(root.values) or {*columns} <= {*LABEL_KEYS}:
        return None
    rows = [(record.line, [_text(record.get(word)) for word in columns]) for record in records]
    return Sheet(columns, rows)


def _is_record(item: Pairs) -> bool:
    return len({*item.words}) == len(item.words) and all(isinstance(value, Scalar) for value in item.values)


def _text(entry: Entry | None) -> str:
    return entry.value.strip() if isinstance(entry, Scalar) and not is_null(entry) else ""


def _is_deep(root: Entry | None) -> TypeGuard[Items | Pairs]:
    """Whether names stand within names, as a taxonomy's own forms never have them."""
    if isinstance(root, Items):
        return any(_has_more(item) for item in root.values)
    if not isinstance(root, Pairs) or is_long(root):
        return False
    if "name" in root.words and "children" in root.words:
        return True
    lists = [value for value in root.values if isinstance(value, Items)]
    return any(isinstance(value, Pairs) for value in root.values) or any(
        _has_more(item) for value in lists for item in value.values
    )


def _has_more(item: Entry) -> bool:
    """Whether an item of a list has nodes below it: `name: [...]`, or an object with children."""
    return isinstance(item, Pairs) and any(
        not isinstance(value, Scalar)
        for word, value in zip(item.words, item.values, strict=True)
        if word not in LABEL_KEYS
    )


def _tree_of_pairs(root: Pairs, where: str, shape: Shape) -> Tree:
    """Read label: group."""
    pairs = [(key, value) for key, value in root.pairs if isinstance(key, Scalar) and isinstance(value, Scalar)]
    groups = Counter(value.value for _, value in pairs if not is_null(value))
    if max(groups.values()) == 1:
        label, group = (short_repr(one.value) for one in pairs[0])
        raise TaxonomyError(
            f"line {root.line}: is {label} the label and {group} the group, or the other way round? No group stands "
            "twice, so nothing tells: write each group with a list, group: [label, label]",
            where,
            seems_to_be(root),
        )
    rows: dict[str, Row] = {}
    problems: list[Problem] = []
    for key, value in pairs:
        if first := rows.get(key.value):
            told = f"key '{key.value}' is used twice (first on line {first.line}); remove or rename one"
            problems.append((key.line, told))
        else:
            rows[key.value] = Row(key.line, ("" if is_null(value) else value.value, key.value))
    return tree_of_rows(rows.values(), shape, where, problems=problems)


class _Walk:
    """Yields the nodes of names within names, and collects what cannot be read."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.unread: set[str] = set()

    def below(self, entry: Entry, path: Path) -> Iterator[Row]:
        """Yield what stands below a node."""
        if len(path) > DEEPEST:
            return  # it is told of the row above
        if isinstance(entry, Items):
            for item in entry.values:
                yield from self.item(item, path)
        elif isinstance(entry, Pairs) and not _is_object(entry):
            for key, value in entry.pairs:
                yield from self.node(key, value, path)
        elif not is_null(entry):
            yield from self.item(entry, path)

    def item(self, entry: Entry, path: Path) -> Iterator[Row]:
        """Yield the nodes of one entry of a list: a name, an object, or names with what stands below them."""
        if isinstance(entry, Items):
            self.problems.append((entry.line, "a list stands in a list; write a name before it"))
        elif isinstance(entry, Pairs) and not _is_object(entry):
            yield from self.below(entry, path)
        else:
            yield from self.node(None, entry, path)

    def node(self, key: Entry | None, entry: Entry, path: Path) -> Iterator[Row]:
        """Yield a node and what stands below it; its name is a key, or its own."""
        fields = dict(zip(entry.words, entry.values, strict=True)) if _is_object(entry) else {}
        own = {word: field.value for word in LABEL_KEYS if isinstance(field := fields.get(word), Scalar)}
        name = key if key is not None else fields.get("name") or fields.get("id") or entry
        if not isinstance(name, Scalar) or not name.value.strip():
            self.problems.append((name.line, "a node has no name; write one, or remove it"))
            return
        if key is not None and isinstance(entry, Scalar) and not is_null(entry):
            self.problems.append(
                (entry.line, f"'{name.value}' holds '{entry.value}'; write what stands below it as a list")
            )
            return
        self.unread |= fields.keys() - {*LABEL_KEYS, *BELOW}
        here = (*path, name.value)
        yield Row(name.line, here, own.get("id", ""), own.get("name", ""), own.get("description", ""))
        nodes = [fields[word] for word in BELOW if word in fields]
        for below in nodes if fields or key is None else [entry]:
            yield from self.below(below, here)


def _is_object(entry: Entry) -> TypeGuard[Pairs]:
    """Whether a mapping says of one node what it is called and what stands below it, and holds no names itself."""
    if not isinstance(entry, Pairs):
        return False
    rest = [value for word, value in zip(entry.words, entry.values, strict=True) if word not in BELOW]
    has_nodes = len(rest) < len(entry.values)
    return "name" in entry.words or (has_nodes and all(isinstance(value, Scalar) for value in rest))
