"""Names, ids and settings of labels and groups, set where they stand in a YAML text."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from hierarchy.editing.layout import Layout
from hierarchy.editing.pieces import field_piece
from hierarchy.editing.series import BlockSeries, Page, Piece, position_of, series_of
from hierarchy.files.reading import FALSE, GROUP_KEYS, LABEL_KEYS, TRUE, is_null
from hierarchy.files.syntax import Entry, Pairs, Scalar
from hierarchy.files.writing import quoted, scalar
from hierarchy.nodes import Label, Tree, with_default_ids

_FLAGS = ("built", "frozen_name", "pinned")


def set_fields(page: Page, entry: Entry, wanted: Mapping[str, Any], *, inside: bool) -> None:
    """Make an entry say some values; what it says already stays as it is written.

    Parameters
    ----------
    page
        The text.
    entry
        A label or group: a bare name, or a mapping.
    wanted
        Key → value; the key is left out where the value is empty, False or None.
    inside
        The entry stands in brackets.
    """
    if isinstance(entry, Scalar):
        _set_bare(page, entry, wanted, inside)
        return
    if not isinstance(entry, Pairs):
        return
    keys = entry.words
    values = dict(zip(keys, entry.values, strict=True))
    now = {key: _read(value, wanted[key]) for key, value in values.items() if key in wanted}
    now.setdefault("name", now.get("id"))
    changes = {key: value for key, value in wanted.items() if (now.get(key) or "") != (value or "")}
    if not changes:
        return
    bare = [key for key, value in wanted.items() if value] == ["name"]
    if keys in (["id", "name"], ["name", "pinned"]) and bare and _collapse(page, entry, wanted):
        return
    for key, value in changes.items():
        if value and key in values:
            _set_value(page, values[key], value, inside=entry.flow)
    _set_keys(page, entry, changes)


def explicit_ids(layout: Layout, old: Tree, new: Tree) -> set[str]:
    """Return the ids of the labels of an edited tree that must be written out: their names would not give them.

    Parameters
    ----------
    layout
        Tells which ids are written out now; they stay, but for a label that was renamed to what its id says.
    old, new
        Before and after the edit.
    """
    names = {label.id: label.name for label in old.all_labels}
    written = {
        label.id
        for label, (entry, _) in zip(old.all_labels, layout.labels, strict=True)
        if isinstance(entry, Pairs) and "id" in entry.words
    }
    needless = {x.id for x in new.all_labels if x.id in written and x.name == x.id != names.get(x.id)}
    fewer = _needed(new, written - needless)
    return fewer if fewer <= written else _needed(new, written)


def _needed(tree: Tree, written: Set[str]) -> set[str]:
    """Return the ids to be written out so that the others follow from the names; an id that is may change others."""
    found = set(written)

    def bare(labels: Sequence[Label]) -> tuple[Label, ...]:
        return tuple(label if label.id in found else replace(label, id="") for label in labels)

    while True:
        groups = [replace(group, labels=bare(group.labels)) for group in tree.groups]
        filled = Tree(*with_default_ids(groups, bare(tree.unplaced)))
        wrong = {x.id for x, made in zip(tree.all_labels, filled.all_labels, strict=True) if x.id != made.id}
        if not wrong:
            return found
        found |= wrong


def _read(value: Entry, like: Any) -> Any:
    if not isinstance(value, Scalar) or is_null(value):
        return None
    word = value.value.lower()
    if isinstance(like, bool):
        return word in TRUE if word in TRUE + FALSE else value.value  # which is the builder's mark
    return int(value.value) if isinstance(like, int) else value.value


def _set_bare(page: Page, entry: Scalar, wanted: Mapping[str, Any], inside: bool) -> None:
    name = wanted["name"]
    texts = {key: scalar(value, inside) for key, value in wanted.items() if value}
    texts["name"] = page.written(entry) if entry.value == name else _like(page, entry, name, inside)
    fields = [f"{key}: {texts[key]}" for key in LABEL_KEYS if key in texts]
    if len(fields) == 1:
        page.rewrite(entry, texts["name"])
    elif inside:
        page.rewrite(entry, f"{{{', '.join(fields)}}}")
    else:
        page.rewrite(entry, ("\n" + " " * page.column(entry.start)).join(fields))


def _collapse(page: Page, entry: Pairs, wanted: Mapping[str, Any]) -> bool:
    """Write a label as a bare name, which is what it was before it got its first other name, or was pinned."""
    name = entry.get("name")
    if not isinstance(name, Scalar) or list(page.comments(entry.start, page.content_end(entry), entry)):
        return False
    page.rewrite(entry, _like(page, name, wanted["name"], entry.flow))
    return True


def _set_value(page: Page, entry: Entry, value: Any, *, inside: bool) -> None:
    is_empty = not page.written(entry)
    if isinstance(entry, Scalar) and isinstance(value, str) and not is_empty:
        page.rewrite(entry, _like(page, entry, value, inside))
    else:
        page.rewrite(entry, f"{' ' if is_empty else ''}{scalar(value, inside)}")


def _like(page: Page, old: Scalar, new: str, inside: bool) -> str:
    """Write a text with the quotes that another one has, if its writer chose them."""
    raw = page.written(old)
    if raw != scalar(old.value, inside) and new.isprintable():
        if raw.startswith("'"):
            return "'" + new.replace("'", "''") + "'"
        if raw.startswith('"'):
            return quoted(new)
    return scalar(new, inside)


def _set_keys(page: Page, entry: Pairs, changes: Mapping[str, Any]) -> None:
    """Take keys without a value out of a mapping and put new ones in, behind the last that usually stands before."""
    keys, series = entry.words, series_of(page, entry)
    gone = {i for i, key in enumerate(keys) if not changes.get(key, True)}
    for i in sorted(gone):
        value, said = entry.values[i], Pairs(entry.line, parts=entry.parts[2 * i : 2 * i + 2])
        if keys[i] in _FLAGS and any(page.comments(*series.spans[i], said)):
            page.rewrite(value, "false")  # what a person wrote beside it stays
            gone.remove(i)
    plan: list[int | Piece] = [i for i in range(len(keys)) if i not in gone]
    words = [key for i, key in enumerate(keys) if i not in gone]
    on_dash = isinstance(series, BlockSeries) and page.indent(page.line(entry.start)) != series.column
    if on_dash and keys[0] not in words:
        page.replace(entry.start, entry.parts[2].start, "")
        plan.insert(0, 0)
        words.insert(0, keys[0])
    order = LABEL_KEYS if "pinned" in changes else GROUP_KEYS
    for key in sorted((key for key in changes if changes[key] and key not in keys), key=order.index):
        text = scalar(changes[key], entry.flow)
        at = position_of(key, words, order)
        if on_dash and at == 0:
            page.replace(entry.start, entry.start, f"{key}: {text}\n{' ' * page.column(entry.start)}")
        else:
            plan.insert(at, field_piece(key, text))
            words.insert(at, key)
    series.arrange(plan)
