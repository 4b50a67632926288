"""Labels, groups and links as the text that is put into a YAML file: written anew, or taken from where they stood."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hierarchy.editing.layout import value_of
from hierarchy.editing.series import Block, Inline, Page, Piece, Series
from hierarchy.files.syntax import Entry, Items, Pairs, Scalar
from hierarchy.files.writing import block_lines, scalar
from hierarchy.nodes import Group, Label

Data = str | list[str] | dict[str, Any]


def new_piece(data: Data, newline: str) -> Piece:
    """Write a label, a link or an id anew: a text, a list of texts, or a mapping."""

    def block(column: int) -> str:
        blank = " " * column
        if not isinstance(data, dict):
            return f"{blank}- {scalar(data) if isinstance(data, str) else _inline(data)}{newline}"
        first, *rest = block_lines(data, column + 2)
        return "".join(line + newline for line in (f"{blank}- {first.lstrip()}", *rest))

    return Piece(block, lambda: Inline(_inline(data)))


def label_data(label: Label, with_id: bool) -> str | dict[str, str]:
    """Return a label as it is written: its name alone where that is enough."""
    if not with_id and not label.description:
        return label.name
    fields = {"id": label.id if with_id else "", "name": label.name, "description": label.description}
    return {key: value for key, value in fields.items() if value}


def moved_piece(page: Page, series: Series, i: int, label: Label) -> Piece:
    """Take a label's text, with the comments that belong to it, from where it stands."""
    start, end = series.span(i)
    entry = series.entry.items[i] if isinstance(series.entry, Items) else series.entry.pairs[i][1]
    raw = page.text[entry.start : page.content_end(entry)]

    def comments() -> tuple[list[str], str]:
        found = list(page.comments(start, end, entry))
        above = list(page.comments(start, entry.end, entry))
        beside = found[len(above) :]
        return [*above, *beside[:-1]], (beside or [""])[-1]

    def block(column: int) -> str:
        if isinstance(series, Block):
            return _shifted(page.text[start:end], column - series.column)
        above, beside = comments()
        text = raw if _one_line(raw) else _inline(_data(entry, label))
        lines = [*above, f"- {text}  {beside}".rstrip()]
        return "".join(f"{' ' * column}{line}{page.newline}" for line in lines)

    def inline() -> Inline:
        above, beside = comments()
        fits = _one_line(raw) and (_in_brackets(entry) or not (set(raw) & set(",[]{}")))
        return Inline(raw if fits else _inline(_data(entry, label)), tuple(above), beside, label.name)

    return Piece(block, inline)


def group_piece(group: Group, labels: Sequence[Piece], newline: str, *, short: bool, step: int | None) -> Piece:
    """Write a group that is new in the file.

    Parameters
    ----------
    group
        Its name and settings.
    labels
        The labels, which may come from elsewhere in the file.
    newline
        The file's.
    short
        As a key with a list, not as a mapping with a name.
    step
        How much deeper than `labels:` (or the key) the dashes of labels stand; None writes the labels in brackets.
    """
    settings = {key: getattr(group, key) for key in ("description", "built", "frozen_name", "min_size", "max_size")}
    data = {"name": group.name} | {key: value for key, value in settings.items() if value}

    def listed() -> Inline:
        parts = [label.inline() for label in labels]
        return Inline(f"[{', '.join(part.text for part in parts)}]", _remarks(parts), name=group.name)

    def block(column: int) -> str:
        deeper = column + (0 if short else 2)
        lines = [f"{' ' * column}{scalar(group.name)}:"]
        if not short:
            first, *rest = block_lines(data, deeper)
            lines = [f"{' ' * column}- {first.lstrip()}", *rest, f"{' ' * deeper}labels:"]
        head = newline.join(lines)
        if step is None and not listed().above:
            return f"{head} {listed().text}{newline}"
        return f"{head}{newline}{''.join(label.block(deeper + (step or 0)) for label in labels)}"

    def inline() -> Inline:
        fields = ", ".join(f"{key}: {scalar(value, inside=True)}" for key, value in data.items())
        found = listed()
        text = f"{scalar(group.name, inside=True)}: {found.text}" if short else f"{{{fields}, labels: {found.text}}}"
        return replace(found, text=text)

    return Piece(block, inline)


def key_piece(key: str, items: Sequence[Piece], newline: str) -> Piece:
    """Write a key of the long form with a list."""

    def block(column: int) -> str:
        return f"{' ' * column}{key}:{newline}{''.join(item.block(column + 2) for item in items)}"

    def inline() -> Inline:
        parts = [item.inline() for item in items]
        return Inline(f"{key}: [{', '.join(part.text for part in parts)}]", _remarks(parts), name=key)

    return Piece(block, inline)


def field_piece(key: str, text: str, newline: str) -> Piece:
    """Write a key of a label or a group with its value, which is ready to be put in."""
    return Piece(lambda column: f"{' ' * column}{key}: {text}{newline}", lambda: Inline(f"{key}: {text}"))


def _remarks(parts: Sequence[Inline]) -> tuple[str, ...]:
    """Return the comments of several entries that are written on one line, each saying what it is about."""
    pairs = [(part, text) for part in parts for text in (*part.above, part.beside) if text]
    return tuple(f"# {part.name}: {text.lstrip('# ')}" for part, text in pairs)


def _data(entry: Entry, label: Label) -> Data:
    return label_data(label, isinstance(entry, Pairs) and value_of(entry, "id") is not None)


def _inline(data: Data) -> str:
    if isinstance(data, str):
        return scalar(data, inside=True)
    if isinstance(data, list):
        return f"[{', '.join(scalar(part, inside=True) for part in data)}]"
    return f"{{{', '.join(f'{key}: {scalar(value, inside=True)}' for key, value in data.items())}}}"


def _one_line(raw: str) -> bool:
    return len(raw.splitlines()) == 1 and raw[0] not in "|>"


def _in_brackets(entry: Entry) -> bool:
    """Tell whether an entry brings its own brackets or quotes along."""
    return not entry.plain if isinstance(entry, Scalar) else entry.flow


def _shifted(text: str, columns: int) -> str:
    """Indent lines by more blanks, or by fewer as far as they have them."""
    lines = text.splitlines(keepends=True)
    if columns >= 0:
        return "".join(" " * columns + line if line.strip() else line for line in lines)
    return "".join(line[min(-columns, len(line) - len(line.lstrip(" "))) :] for line in lines)
