"""Labels, groups and links as the text that is put into a YAML file: written anew, or taken from where they stood."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hierarchy.editing.series import BlockSeries, Inline, Piece, Series
from hierarchy.files.syntax import Pairs, Scalar
from hierarchy.files.writing import block_lines, group_fields, inline, label_data, scalar
from hierarchy.nodes import Group, Label

Data = str | list[str] | dict[str, Any]


def new_piece(data: Data) -> Piece:
    """Write a label, a link or an id anew: a text, a list of texts, or a mapping."""

    def block(column: int) -> str:
        if isinstance(data, dict):
            return _dashed(data, column)
        return f"{' ' * column}- {scalar(data) if isinstance(data, str) else inline(data)}\n"

    return Piece(block, lambda: Inline(inline(data)))


def moved_piece(series: Series, i: int, label: Label) -> Piece:
    """Take a label's text, with the comments that belong to it, from where it stands."""
    page, entry, (start, end) = series.page, series.entry.values[i], series.spans[i]
    raw = page.written(entry)
    is_line = len(raw.splitlines()) == 1 and raw[0] not in "|>"
    written = inline(label_data(label, isinstance(entry, Pairs) and "id" in entry.words))
    above, beside = list(page.comments(start, end, entry)), ""
    if len(above) > len(list(page.comments(start, entry.end, entry))):
        beside = above.pop()

    def block(column: int) -> str:
        if isinstance(series, BlockSeries):
            return _shifted(page.text[start:end], column - series.column)
        lines = [*above, f"- {raw if is_line else written}  {beside}".rstrip()]
        return "".join(f"{' ' * column}{line}\n" for line in lines)

    def in_brackets() -> Inline:
        is_quoted = not entry.plain if isinstance(entry, Scalar) else entry.flow  # it brings quotes or brackets along
        fits = is_line and (is_quoted or not (set(raw) & set(",[]{}")))
        return Inline(raw if fits else written, tuple(above), beside, label.name)

    return Piece(block, in_brackets)


def listed_piece(key: str, items: Sequence[Piece], step: int | None = 2, brackets: str = "[]") -> Piece:
    """Write a key with a list, or with a mapping.

    Parameters
    ----------
    key
        A key of the long form, or the name of a group.
    items
        The entries of the list, which may come from elsewhere in the file.
    step
        How much deeper than the key their dashes stand; None writes them in brackets.
    brackets
        Which, on one line; those of a mapping are braces.
    """

    def listed() -> Inline:
        parts = [item.inline() for item in items]
        # On one line no comment has room: each says above it what it is about.
        remarks = [(part.name, text) for part in parts for text in (*part.above, part.beside) if text]
        above = tuple(f"# {name}: {text.lstrip('# ')}" for name, text in remarks)
        return Inline(f"{brackets[0]}{', '.join(part.text for part in parts)}{brackets[1]}", above, name=key)

    def block(column: int) -> str:
        head = f"{' ' * column}{scalar(key)}:"
        if step is None and not listed().above:
            return f"{head} {listed().text}\n"
        return f"{head}\n{''.join(item.block(column + (step or 0)) for item in items)}"

    def in_brackets() -> Inline:
        return replace(listed(), text=f"{scalar(key, inside=True)}: {listed().text}")

    return Piece(block, in_brackets)


def group_piece(group: Group, labels: Sequence[Piece], step: int | None) -> Piece:
    """Write a group that is new in the file as a mapping; see `listed_piece`."""
    data = {key: value for key, value in group_fields(group).items() if value and key != "id"}
    listed = listed_piece("labels", labels, step)

    def in_brackets() -> Inline:
        found = listed.inline()
        return replace(found, text=f"{inline(data)[:-1]}, {found.text}}}", name=group.name)

    return Piece(lambda column: _dashed(data, column) + listed.block(column + 2), in_brackets)


def field_piece(key: str, text: str) -> Piece:
    """Write a key of a label or a group with its value, which is ready to be put in."""
    return Piece(lambda column: f"{' ' * column}{key}: {text}\n", lambda: Inline(f"{key}: {text}"))


def _dashed(data: dict[str, Any], column: int) -> str:
    """Write a mapping as an entry of a list."""
    first, *rest = block_lines(data, column + 2)
    return "".join(f"{line}\n" for line in (f"{' ' * column}- {first.lstrip()}", *rest))


def _shifted(text: str, columns: int) -> str:
    """Indent lines by more blanks, or by fewer as far as they have them."""
    lines = text.splitlines(keepends=True)
    if columns >= 0:
        return "".join(" " * columns + line if line.strip() else line for line in lines)
    return "".join(line[min(-columns, len(line) - len(line.lstrip(" "))) :] for line in lines)
