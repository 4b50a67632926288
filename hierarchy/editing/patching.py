"""A taxonomy's YAML text → the same text with an edit in it: all that the edit does not touch stays byte for byte.

First names, ids and settings are set where they stand, then entries are cut, moved and put in. The result is read
back: a text that would say anything else than the edited taxonomy is never given out.
"""

import codecs
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import nullcontext
from pathlib import Path
from shlex import quote

from hierarchy.disk.locks import held
from hierarchy.disk.manifests import model_of
from hierarchy.disk.paths import local_path
from hierarchy.disk.whole_files import write_output
from hierarchy.editing.draft import Edited
from hierarchy.editing.fields import explicit_ids, set_fields
from hierarchy.editing.layout import Layout, to_long_form
from hierarchy.editing.pieces import field_piece, group_piece, listed_piece, moved_piece, new_piece
from hierarchy.editing.series import CannotPatch, Page, Piece, position_of, series_of
from hierarchy.errors import TaxonomyError
from hierarchy.files.nested import in_own_form
from hierarchy.files.reading import TOP_KEYS, read_tree
from hierarchy.files.syntax import Items, Pairs, compose_yaml
from hierarchy.files.taxonomy_files import read_text
from hierarchy.files.writing import group_fields, label_data, label_fields, scalar
from hierarchy.nodes import Label, Tree
from hierarchy.taxonomy import Taxonomy

TURN = 10.0  # seconds to wait for those who edit the same file; an edit takes milliseconds
Plan = list[int | Piece]
Link = tuple[str, ...]


def patched(text: str, new: Taxonomy, where: str = "taxonomy.yaml") -> str:
    """Change a taxonomy's text so that it says what an edited taxonomy is.

    Parameters
    ----------
    text
        A valid taxonomy in YAML, in any form. A short form becomes the long one where it cannot hold the edit.
    new
        The taxonomy after an edit of `hierarchy.editing.edits`.
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
    old = _read(text, where)
    newline = "\r\n" if text.count("\r\n") == text.count("\n") > 0 else "\n"
    work = text.replace(newline, "\n")
    ends = work.endswith(("\n", "\r"))
    try:
        work = to_long_form(work if ends else f"{work}\n", new)
        ids = explicit_ids(Layout(Page(work)), old, new)
        work = _with_fields(work, old, new, ids)
        work = _arranged(work, old, new, ids)
        work = (work if ends else work.removesuffix("\n")).replace("\n", newline)
        if _read(work, where) != new:
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
        command = f"coarsefine taxonomy show {quote(str(path))} -o {quote(str(path.with_suffix('.yaml')))}"
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
        What is done with the taxonomy, of `hierarchy.editing.edits`.
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
    file = local_path(path)
    with held(file, wait=TURN) if write else nullcontext():
        edited = edit(Taxonomy.from_yaml(path))
        text = read_text(file)
        if _read(text, file.name) != edited.old:
            raise TaxonomyError(
                "the file was changed while the edit was made: nothing is written; try again", str(path)
            )
        changed = patched(text, edited.new, file.name)
        if write and changed != text:
            mark = codecs.BOM_UTF8.decode() if file.read_bytes().startswith(codecs.BOM_UTF8) else ""
            write_output(file, mark + changed)
    return edited, text, changed


def _read(text: str, where: str) -> Taxonomy:
    root = compose_yaml(text, where)
    if not in_own_form(root):
        command = f"coarsefine taxonomy show {quote(where)} -o tree.yaml"
        raise TaxonomyError(f"a tree of this shape is not edited in place: write it in our own with {command!r}", where)
    return Taxonomy(**vars(read_tree(root, where)))


def _with_fields(text: str, old: Tree, new: Tree, ids: Set[str]) -> str:
    """Set what all that stays says; which entry is which is known by its position."""
    page = Page(text)
    layout = Layout(page)
    labels = {label.id: label for label in new.all_labels}
    for was, (entry, inside) in zip(old.all_labels, layout.labels, strict=True):
        if was.id in labels:
            label = labels[was.id]
            set_fields(page, entry, {"id": label.id if label.id in ids else ""} | label_fields(label), inside=inside)
    groups = {group.id: group for group in new.groups}
    for before, place in zip(old.groups, layout.groups, strict=True):
        if before.id in groups and place.entry is not None:
            set_fields(page, place.entry, group_fields(groups[before.id]), inside=place.entry.flow)
    return page.changed()


def _arranged(text: str, old: Tree, new: Tree, ids: Set[str]) -> str:
    """Cut, move and put in labels, groups, links and retired ids."""
    page = Page(text)
    layout = Layout(page)
    lists: list[tuple[Items | None, Sequence[Label]]] = [
        *((place.labels, group.labels) for place, group in zip(layout.groups, old.groups, strict=True)),
        (layout.unplaced, old.unplaced),
    ]
    series = [None if entry is None else series_of(page, entry) for entry, _ in lists]
    home = {label.id: (n, i) for n, (_, labels) in enumerate(lists) for i, label in enumerate(labels)}

    def piece(label: Label) -> Piece:
        n, i = home.get(label.id, (-1, 0))
        source = series[n] if n >= 0 else None
        return new_piece(label_data(label, label.id in ids)) if source is None else moved_piece(source, i, label)

    def plan(n: int, labels: Sequence[Label]) -> Plan:
        """Return what becomes of the n-th list of labels."""
        here = [home.get(label.id, (-1, 0)) for label in labels]
        return [place[1] if place[0] == n else piece(x) for x, place in zip(labels, here, strict=True)]

    step, position = _step(page, layout), {group.id: i for i, group in enumerate(old.groups)}
    groups: Plan = []
    for group in new.groups:
        place = position.get(group.id)
        if place is not None:
            groups.append(place)
            if (found := series[place]) is not None:
                found.arrange(plan(place, group.labels))
        elif isinstance(layout.groups_entry, Pairs):
            groups.append(listed_piece(group.name, list(map(piece, group.labels)), step))
        else:
            groups.append(group_piece(group, list(map(piece, group.labels)), step))
    top = {
        "groups": groups,
        "labels": plan(len(old.groups), new.unplaced),
        "must_link": _links(page, layout.top.get("must_link"), old.must_link, new.must_link),
        "cannot_link": _links(page, layout.top.get("cannot_link"), old.cannot_link, new.cannot_link),
        "merged_into": _traces(old.merged_into, new.merged_into),
        "retired": _words(old.retired, new.retired),
    }
    if layout.is_long:
        _arrange_top(page, layout, top)
    else:
        series_of(page, layout.root).arrange(top["labels" if isinstance(layout.root, Items) else "groups"])
    return page.changed()


def _arrange_top(page: Page, layout: Layout, lists: dict[str, Plan]) -> None:
    """Arrange the lists of the long form; a key whose list would be empty goes, one that is missing comes."""
    keys = list(layout.top)
    plan: Plan = list(range(len(keys)))
    for key, items in lists.items():
        entry = layout.top.get(key)
        has_entries = isinstance(entry, (Items, Pairs)) and bool(entry.values)
        if isinstance(entry, (Items, Pairs)) and has_entries and items:
            series_of(page, entry).arrange(items)
            continue
        if key in keys and (items or has_entries):
            plan.remove(keys.index(key))
        if items:
            words = [keys[x] if isinstance(x, int) else "" for x in plan]
            brackets = "{}" if key == "merged_into" else "[]"
            new = listed_piece(key, [x for x in items if isinstance(x, Piece)], brackets=brackets)
            plan.insert(position_of(key, words, TOP_KEYS), new)
    series_of(page, layout.root).arrange(plan)


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
            item = entry.values[i]
            if isinstance(item, Items):
                series_of(page, item).arrange(_words(old[i], link))
        return list(range(len(old)))
    return [x if isinstance(x, int) else new_piece(list(x)) for x in plan]


def _words(old: Sequence[str], new: Sequence[str]) -> Plan:
    places = {word: i for i, word in enumerate(old)}
    return [places[word] if word in places else new_piece(word) for word in new]


def _traces(old: Mapping[str, str], new: Mapping[str, str]) -> Plan:
    places = {word: i for i, word in enumerate(old)}
    added = {word: field_piece(scalar(word, inside=True), scalar(heir, inside=True)) for word, heir in new.items()}
    return [places.get(word, added[word]) for word in new]


def _step(page: Page, layout: Layout) -> int | None:
    """Return how much deeper than its key the labels of a group stand here, for new groups; None is in brackets."""
    for place in layout.groups:
        key = place.entry or layout.groups_entry
        if key is not None and not place.labels.flow:
            return max(0, page.column(place.labels.start) - page.column(key.start))
    return None if layout.groups else 2
