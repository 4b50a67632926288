"""A taxonomy's YAML text → the same text with an edit in it: all that the edit does not touch stays byte for byte.

First names, ids and settings are set where they stand, then entries are cut, moved and put in. The result is read
back: a text that would say anything else than the edited taxonomy is never given out.
"""

import codecs
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from shlex import quote

from hierarchy.disk.locks import held
from hierarchy.disk.manifests import model_of
from hierarchy.disk.paths import local_path
from hierarchy.disk.whole_files import write_output
from hierarchy.editing.draft import Edited
from hierarchy.editing.fields import explicit_ids, set_fields
from hierarchy.editing.layout import Layout, to_long_form
from hierarchy.editing.pieces import group_piece, listed_piece, moved_piece, new_piece
from hierarchy.editing.series import CannotPatch, Page, Piece, Series, position_of
from hierarchy.errors import TaxonomyError
from hierarchy.files.reading import TOP_KEYS, read_tree
from hierarchy.files.syntax import Items, Pairs, compose_yaml
from hierarchy.files.taxonomy_files import read_text
from hierarchy.files.writing import group_fields, label_data
from hierarchy.nodes import Group, Label, Tree
from hierarchy.taxonomy import Taxonomy

TURN = 10.0  # seconds to wait for those who edit the same file; an edit takes milliseconds
Plan = list[int | Piece]
Link = tuple[str, ...]


def patched(text: str, new: Tree, where: str = "taxonomy.yaml") -> str:
    """Change a taxonomy's text so that it says what an edited taxonomy is.

    Parameters
    ----------
    text
        A valid taxonomy in YAML, in any form. A short form becomes the long one where it cannot hold the edit.
    new
        The taxonomy after an edit of `hierarchy.editing`.
    where
        The file's name, for messages.

    Returns
    -------
    str
        Comments, order, quotes, blank lines and line ends of what was not edited are as before.

    Raises
    ------
    TaxonomyError
        Where the file is broken, or written in a way that cannot be edited in place.
    """
    old = read_tree(compose_yaml(text, where), where)
    ends = text.endswith(("\n", "\r"))
    try:
        work = text if ends else text + Page(text).newline
        work = to_long_form(work, new)
        work = _with_fields(work, old, new)
        work = _arranged(work, old, new)
        if not ends:
            work = work.removesuffix("\n").removesuffix("\r")
        if _read(work) != _bare(new):
            raise CannotPatch("the result would read differently")
    except (CannotPatch, ValueError) as error:  # ValueError: a step gave a text that is no taxonomy
        reason = error if isinstance(error, CannotPatch) else "a step would break it"
        raise TaxonomyError(
            f"some part of this file is written in a way that cannot be edited in place ({reason}); edit it by hand "
            f"or write it anew, which loses its comments: Taxonomy.from_file({where!r}).to_yaml({where!r})",
            where,
        ) from None
    return work


def check_editable(path: str | Path) -> None:
    """Refuse a file that is not edited in place; raises TaxonomyError with the remedy."""
    path = local_path(path)
    if path.is_dir():
        raise TaxonomyError(f"{str(path)!r} is a folder; edit the taxonomy file that the model was trained with")
    if (model := model_of(path)) is not None:
        raise TaxonomyError(
            f"{str(path)!r} is a file of the model {str(model)!r}, which would be damaged; edit the taxonomy file that "
            "the model was trained with, or a copy"
        )
    if path.suffix.lower() not in (".yaml", ".yml"):
        command = f"coarsefine taxonomy build {quote(str(path))} -o {quote(str(path.with_suffix('.yaml')))}"
        raise TaxonomyError(
            f"{str(path)!r} is no YAML file, and only YAML is edited in place: make one of it with "
            f"{command!r}, which keeps the groups"
        )
    if not path.exists():
        raise TaxonomyError(f"there is no taxonomy file {str(path)!r} (paths start at the working directory)")


def edit_file(path: str | Path, edit: Callable[[Taxonomy], Edited], *, write: bool = True) -> tuple[Edited, str, str]:
    """Read a taxonomy from a YAML file, edit it, and bring the edit into the file.

    Where others edit the file at the same moment, each waits for its turn, so that no edit is lost.

    Parameters
    ----------
    path
        The file; a link to it stays a link.
    edit
        What is done with the taxonomy, of `hierarchy.editing`.
    write
        Whether the file is changed, or only what would be is returned.

    Returns
    -------
    tuple
        What `edit` gave, and the text before and after.

    Raises
    ------
    TaxonomyError
        Where the file is no YAML, holds something else than `edit` says, or cannot be edited in place.
    DataError
        Where it cannot be written.
    BusyError
        Where another process keeps it for long.
    """
    check_editable(path)
    with held(local_path(path), wait=TURN) if write else nullcontext():
        edited = edit(Taxonomy.from_yaml(path))
        return edited, *_patched_file(path, edited, write=write)


def _patched_file(path: str | Path, edited: Edited, *, write: bool) -> tuple[str, str]:
    file = local_path(path).resolve()
    text = read_text(file)
    if read_tree(compose_yaml(text, file.name), file.name) != _bare(edited.old):
        raise TaxonomyError("the file was changed while the edit was made: nothing is written; try again", str(path))
    changed = patched(text, edited.new, file.name)
    if write and changed != text:
        mark = codecs.BOM_UTF8.decode() if file.read_bytes().startswith(codecs.BOM_UTF8) else ""
        write_output(file, mark + changed)
    return text, changed


def _with_fields(text: str, old: Tree, new: Tree) -> str:
    """Set what all that stays says; which entry is which is known by its position."""
    page = Page(text)
    layout = Layout(page)
    ids = explicit_ids(layout, old, new)
    labels = {label.id: label for label in new.all_labels}
    for was, (entry, inside) in zip(old.all_labels, layout.labels, strict=True):
        if was.id in labels:
            label = labels[was.id]
            given = label.id if label.id in ids else ""
            set_fields(page, entry, {"id": given, "name": label.name, "description": label.description}, inside=inside)
    groups = {group.id: group for group in new.groups}
    for before, place in zip(old.groups, layout.groups, strict=True):
        if before.id in groups and place.entry is not None:
            set_fields(page, place.entry, group_fields(groups[before.id]), inside=place.entry.flow)
    return page.changed()


def _arranged(text: str, old: Tree, new: Tree) -> str:
    """Cut, move and put in labels, groups, links and retired ids."""
    page = Page(text)
    layout = Layout(page)
    ids = explicit_ids(layout, old, new)
    lists: list[tuple[Items | None, Sequence[Label]]] = [
        *((place.labels, group.labels) for place, group in zip(layout.groups, old.groups, strict=True)),
        (layout.unplaced, old.unplaced),
    ]
    series = [None if entry is None else Series.of(page, entry) for entry, _ in lists]
    home = {label.id: (n, i) for n, (_, labels) in enumerate(lists) for i, label in enumerate(labels)}

    def piece(label: Label) -> Piece:
        n, i = home.get(label.id, (-1, 0))
        source = series[n] if n >= 0 else None
        if source is None:
            return new_piece(label_data(label, label.id in ids), page.newline)
        return moved_piece(page, source, i, label)

    def plan(n: int, labels: Sequence[Label]) -> Plan:
        """Return what becomes of the n-th list of labels."""
        here = [home.get(label.id, (-1, 0)) for label in labels]
        return [place[1] if place[0] == n else piece(x) for x, place in zip(labels, here, strict=True)]

    position = {group.id: i for i, group in enumerate(old.groups)}
    for group in new.groups:
        found = series[position[group.id]] if group.id in position else None
        if found is not None:
            found.arrange(plan(position[group.id], group.labels))

    def group_text(group: Group) -> Piece:
        labels, step = [piece(x) for x in group.labels], _step(page, layout)
        if isinstance(layout.groups_entry, Pairs):
            return listed_piece(group.name, labels, page.newline, step)
        return group_piece(group, labels, page.newline, step)

    groups: Plan = [position[group.id] if group.id in position else group_text(group) for group in new.groups]
    top = {
        "groups": groups,
        "labels": plan(len(old.groups), new.unplaced),
        "must_link": _links(page, layout.top.get("must_link"), old.must_link, new.must_link),
        "cannot_link": _links(page, layout.top.get("cannot_link"), old.cannot_link, new.cannot_link),
        "retired": _words(old.retired, new.retired, page.newline),
    }
    if layout.top:
        _arrange_top(page, layout, top)
    else:
        root = Series.of(page, layout.root)
        root.arrange(top["labels"] if isinstance(layout.root, Items) else groups)
    return page.changed()


def _arrange_top(page: Page, layout: Layout, lists: dict[str, Plan]) -> None:
    """Arrange the lists of the long form; a key whose list would be empty goes, one that is missing comes."""
    keys = list(layout.top)
    plan: Plan = list(range(len(keys)))
    for key, items in lists.items():
        entry = layout.top.get(key)
        if isinstance(entry, (Items, Pairs)) and entry.values and items:
            Series.of(page, entry).arrange(items)
        elif isinstance(entry, (Items, Pairs)) and entry.values:
            plan.remove(keys.index(key))
        elif items:
            if key in keys:
                plan.remove(keys.index(key))
            words = [keys[x] if isinstance(x, int) else "" for x in plan]
            new = listed_piece(key, [x for x in items if isinstance(x, Piece)], page.newline)
            plan.insert(position_of(key, words, TOP_KEYS), new)
    Series.of(page, layout.root).arrange(plan)


def _links(page: Page, entry: object, old: Sequence[Link], new: Sequence[Link]) -> Plan:
    """Plan the entries of must_link or cannot_link; one that got another member keeps its place and its comments."""
    waiting: dict[Link, list[int]] = {}
    for i, link in enumerate(old):
        waiting.setdefault(link, []).append(i)
    plan = [waiting[link].pop(0) if waiting.get(link) else link for link in new]
    fresh = [link for link in plan if not isinstance(link, int)]
    gone = sorted(i for places in waiting.values() for i in places)
    if isinstance(entry, Items) and len(gone) == len(fresh):
        for i, link in zip(gone, fresh, strict=True):
            item = entry.items[i]
            if isinstance(item, Items):
                Series.of(page, item).arrange(_words(old[i], link, page.newline))
        return list(range(len(old)))
    return [x if isinstance(x, int) else new_piece(list(x), page.newline) for x in plan]


def _words(old: Sequence[str], new: Sequence[str], newline: str) -> Plan:
    places = {word: i for i, word in enumerate(old)}
    return [places[word] if word in places else new_piece(word, newline) for word in new]


def _step(page: Page, layout: Layout) -> int | None:
    """Return how much deeper than its key the labels of a group stand here, for new groups; None is in brackets."""
    lists = [(place.labels, place.entry) for place in layout.groups]
    if lists and all(labels.flow for labels, _ in lists):
        return None
    short = isinstance(layout.groups_entry, Pairs)
    for labels, entry in lists:
        if not labels.flow and layout.groups_entry is not None:
            key = layout.groups_entry.start if short or entry is None else entry.start
            return max(0, page.column(labels.start) - page.column(key))
    return 2


def _read(text: str) -> Tree | None:
    try:
        return read_tree(compose_yaml(text, ""), "")
    except TaxonomyError:
        return None


def _bare(tree: Tree) -> Tree:
    return Tree(**{field.name: getattr(tree, field.name) for field in fields(Tree)})
