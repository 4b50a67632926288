"""Labels, groups and links as the text that is put into a YAML file: written anew, or taken from where they stood."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hierarchy.editing.series import BlockSeries, Inline, Page, Piece, Series
from hierarchy.files.syntax import Entry, Items, Pairs, Scalar
from hierarchy.files.writing import block_lines, group_fields, inline, label_data, scalar
from hierarchy.nodes import Group, Label

Data = str | list[str] | dict[str, Any]


def new_piece(data: Data, newline: str) -> Piece:
    """Write a label, a link or an id anew: a text, a list of texts, or a mapping."""

    def block(column: int) -> str:
        if isinstance(data, dict):
            return _dashed(data, column, newline)
        return f"{' ' * column}- {scalar(data) if isinstance(data, str) else inline(data)}{newline}"

    return Piece(block, lambda: Inline(inline(data)))


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
        if isinstance(series, BlockSeries):
            return _shifted(page.text[start:end], column - series.column)
        above, beside = comments()
        text = raw if _one_line(raw) else inline(_data(entry, label))
        lines = [*above, f"- {text}  {beside}".rstrip()]
        return "".join(f"{' ' * column}{line}{page.newline}" for line in lines)

    def in_brackets() -> Inline:
        above, beside = comments()
        fits = _one_line(raw) and (_in_brackets(entry) or not (set(raw) & set(",[]{}")))
        return Inline(raw if fits else inline(_data(entry, label)), tuple(above), beside, label.name)

    return Piece(block, in_brackets)


def listed_piece(key: str, items: Sequence[Piece], newline: str, step: int | None = 2) -> Piece:
    """Write a key with a list.

    Parameters
    ----------
    key
        A key of the long form, or the name of a group.
    items
        The entries of the list, which may come from elsewhere in the file.
    newline
        The file's.
    step
        How much deeper than the key their dashes stand; None writes them in brackets.
    """

    def listed() -> Inline:
        parts = [item.inline() for item in items]
        return Inline(f"[{', '.join(part.text for part in parts)}]", _remarks(parts), name=key)

    def block(column: int) -> str:
        head = f"{' ' * column}{scalar(key)}:"
        if step is None and not listed().above:
            return f"{head} {listed().text}{newline}"
        return f"{head}{newline}{''.join(item.block(column + (step or 0)) for item in items)}"

    def in_brackets() -> Inline:
        return replace(listed(), text=f"{scalar(key, inside=True)}: {listed().text}")

    return Piece(block, in_brackets)


def group_piece(group: Group, labels: Sequence[Piece], newline: str, step: int | None) -> Piece:
    """Write a group that is new in the file as a mapping; see `listed_piece`."""
    data = {key: value for key, value in group_fields(group).items() if value and key != "id"}
    listed = listed_piece("labels", labels, newline, step)

    def in_brackets() -> Inline:
        found = listed.inline()
        return replace(found, text=f"{inline(data)[:-1]}, {found.text}}}", name=group.name)

    return Piece(lambda column: _dashed(data, column, newline) + listed.block(column + 2), in_brackets)


def field_piece(key: str, text: str, newline: str) -> Piece:
    """Write a key of a label or a group with its value, which is ready to be put in."""
    return Piece(lambda column: f"{' ' * column}{key}: {text}{newline}", lambda: Inline(f"{key}: {text}"))


def _dashed(data: dict[str, Any], column: int, newline: str) -> str:
    """Write a mapping as an entry of a list."""
    first, *rest = block_lines(data, column + 2)
    return "".join(line + newline for line in (f"{' ' * column}- {first.lstrip()}", *rest))


def _remarks(parts: Sequence[Inline]) -> tuple[str, ...]:
    """Return the comments of several entries that are written on one line, each saying what it is about."""
    pairs = [(part, text) for part in parts for text in (*part.above, part.beside) if text]
    return tuple(f"# {part.name}: {text.lstrip('# ')}" for part, text in pairs)


def _data(entry: Entry, label: Label) -> Data:
    return label_data(label, isinstance(entry, Pairs) and "id" in entry.words)


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
