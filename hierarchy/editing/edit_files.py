r"""Files of edits, one a line in the words of the commands, and how they are made: all, or none.

    # tree: 5f1c09a2b7e4
    move "Close the account" Newsletter --to Privacy
    rename --kind group Order Orders

A line that begins with `#` is a comment; one of them tells for which tree the edits were made. Words are quoted as for
a shell; within quotation marks a name may break over lines.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hierarchy.editing.draft import Edited
from hierarchy.errors import TaxonomyError
from hierarchy.files.taxonomy_files import read_text
from hierarchy.files.writing import json_text
from hierarchy.nodes import Tree
from hierarchy.taxonomy import Taxonomy

MARK = "# tree: "
_LINES = re.compile(
    r"""
      [ \t\r]* (?P<comment> \#[^\n]* )? (?:\n|\Z)
    | (?P<edit> (?: [^"'\\\n] | \\. | "(?:[^"\\]|\\.)*" | '[^']*' )++ ) (?:\n|\Z)
    | (?P<unclosed> [^\n]+ ) (?:\n|\Z)  # a quotation mark, which shlex will tell
    """,
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True)
class EditFile:
    """What a file of edits holds.

    Attributes
    ----------
    lines
        Number of the line on which each edit begins → the edit as it is written.
    mark
        Of the tree for which they were made (`tree_mark`); empty where the file does not tell.
    """

    lines: Mapping[int, str]
    mark: str = ""


def read_edits(path: str | Path) -> EditFile:
    """Read a file of edits; what its words mean is for those who make them.

    Raises
    ------
    TaxonomyError
        Where it cannot be read, or holds no edit.
    """
    lines, marks, number = {}, [], 1
    for found in _LINES.finditer(read_text(path)):
        comment, *edits = found.groups(default="")
        if comment.startswith(MARK):
            marks.append(comment.removeprefix(MARK).strip())
        if edit := "".join(edits):
            lines[number] = edit
        number += found[0].count("\n")
    if not lines:
        raise TaxonomyError('there is no edit in it; write one a line, such as: move "LABEL" --to "GROUP"', str(path))
    return EditFile(lines, marks[0] if marks else "")


def tree_mark(tree: Tree) -> str:
    """Return what tells a tree from every other, in twelve letters: the beginning of the SHA-256 of its JSON."""
    return hashlib.sha256(json_text(tree).encode()).hexdigest()[:12]


def all_or_none(taxonomy: Taxonomy, edits: Mapping[int, Callable[[Taxonomy], Edited]]) -> Edited:
    """Make edits one after the other, each in the tree that the last one left.

    One that the tree does not take yet (a group is full, a linked label stands elsewhere) is tried again after the
    others.

    Parameters
    ----------
    taxonomy
        Is not changed.
    edits
        Line of each → what makes it.

    Returns
    -------
    Edited
        All of them in one.

    Raises
    ------
    TaxonomyError
        With every line that cannot be made; then none is.
    """
    now, waiting = taxonomy, dict(edits)
    notes: dict[str, None] = {}  # in their order
    while waiting:
        refused: dict[int, TaxonomyError] = {}
        for line, edit in waiting.items():
            try:
                edited = edit(now)
            except TaxonomyError as error:
                refused[line] = error
            else:
                now = edited.new
                notes |= dict.fromkeys(edited.notes)
        if len(refused) == len(waiting):
            raise TaxonomyError([f"line {line}: {said}" for line, error in refused.items() for said in error.problems])
        waiting = {line: edit for line, edit in waiting.items() if line in refused}
    return Edited(taxonomy, _in_order(taxonomy, now), tuple(notes))


def _in_order(old: Taxonomy, new: Taxonomy) -> Taxonomy:
    """Let labels that left their group and came back stand where they stood, as their entries in the file do."""
    before, order = old.homes, {label_id: i for i, label_id in enumerate(old.homes)}
    groups = []
    for group in new.groups:
        own = {label.id: label for label in group.labels if before.get(label.id) == group.id}
        ordered = iter(sorted(own.values(), key=lambda label: order[label.id]))
        groups.append(replace(group, labels=tuple(next(ordered) if x.id in own else x for x in group.labels)))
    return replace(new, groups=tuple(groups))
