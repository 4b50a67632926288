"""YAML or JSON text → entries that keep what the person wrote and the place where it stands.

Nothing is converted: `no`, `1.0` and `2024-01-01` stay text, and a key that is used twice can still be seen.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

from hierarchy.errors import TaxonomyError
from hierarchy.text.characters import has_half

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times as fast
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]|[^\s\[\]{},:"]+')
_MAX_DEPTH = 20  # a taxonomy needs five


@dataclass
class Scalar:
    """One text, as written; `plain` means without quotes."""

    value: str
    line: int
    plain: bool = True
    start: int = 0  # characters from the start of a YAML text; not known for JSON
    end: int = 0


@dataclass
class _Collection:
    """Entries that stand together; `flow` means in brackets or braces."""

    line: int
    start: int = 0
    end: int = 0
    flow: bool = False
    parts: list["Entry"] = field(default_factory=list)  # in the order of the text: of a mapping keys and values


class Items(_Collection):
    """A list."""

    @property
    def values(self) -> list["Entry"]:
        """Its items."""
        return self.parts


class Pairs(_Collection):
    """A mapping; a key may stand in it more than once."""

    @property
    def pairs(self) -> list[tuple["Entry", "Entry"]]:
        """Its keys, each with what stands under it."""
        return list(zip(self.parts[::2], self.values, strict=True))

    @property
    def words(self) -> list[str]:
        """Its keys; empty for one that is no text."""
        return [key.value if isinstance(key, Scalar) else "" for key in self.parts[::2]]

    @property
    def values(self) -> list["Entry"]:
        """What stands under its keys."""
        return self.parts[1::2]

    def get(self, word: str) -> "Entry | None":
        """Return what stands under a key; None where the key is missing."""
        return dict(zip(self.words, self.values, strict=True)).get(word)


Entry = Scalar | Items | Pairs


def compose_yaml(text: str, where: str) -> Entry | None:
    """Read YAML into entries.

    Parameters
    ----------
    text
        What the file holds.
    where
        The file's name, for messages.

    Returns
    -------
    Entry or None
        The root; None for an empty file.

    Raises
    ------
    TaxonomyError
        With line, column and remedy, where this is no YAML, or uses aliases.
    """
    if has_half(text):
        raise TaxonomyError("the text holds half a character, which YAML cannot; write it whole", where)
    try:
        # Events, not yaml.compose: its recursion in C ends the process on deeply nested input.
        return _entries(yaml.parse(text, Loader=_Loader), where)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line if mark else 0
        column = mark.column + 1 if mark else 1
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        raise TaxonomyError(
            f"line {line + 1}, column {column}: this is no valid YAML ({problem}); {_remedy(text, line)}",
            where,
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        code = error.character if isinstance(error.character, int) else ord(error.character)
        raise TaxonomyError(
            f"line {line}: the character #x{code:04x} may not stand in YAML; remove it", where
        ) from None


def compose_json(text: str, where: str) -> Entry:
    """Read JSON into the same entries as YAML gives.

    Parameters
    ----------
    text
        What the file holds.
    where
        The file's name, for messages.

    Returns
    -------
    Entry
        The root.

    Raises
    ------
    TaxonomyError
        With line, column and remedy, where this is no strict JSON.
    """
    try:
        json.loads(text, parse_int=str, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise TaxonomyError(
            f"line {error.lineno}, column {error.colno}: this is no valid JSON ({error.msg.removesuffix(' at')}); "
            "look for a missing comma, quote or bracket at this place or on the line before it",
            where,
        ) from None
    except RecursionError:
        raise TaxonomyError("brackets are nested too deep; a taxonomy has groups and labels", where) from None
    except ValueError as error:
        raise TaxonomyError(str(error), where) from None
    return _json_entries(text)


def _entries(events: Iterable[Any], where: str) -> Entry | None:
    tree = _Growing()
    for event in events:
        line, start, end = event.start_mark.line + 1, event.start_mark.index, event.end_mark.index
        problem = ""
        if isinstance(event, yaml.AliasEvent):
            problem = f"the alias *{event.anchor} is not read; write the entry out"
        elif len(tree.unfinished) > _MAX_DEPTH:
            problem = f"entries are nested deeper than {_MAX_DEPTH} levels; a taxonomy has groups and labels"
        elif isinstance(event, yaml.DocumentStartEvent) and tree.root is not None:
            problem = "a second document begins with '---'; keep one taxonomy in a file"
        if problem:
            raise TaxonomyError(f"line {line}: {problem}", where)
        if isinstance(event, yaml.ScalarEvent):
            tree.add(Scalar(event.value, line, not event.style, start, end))
        elif isinstance(event, yaml.MappingStartEvent):
            tree.open(Pairs(line, start=start, flow=bool(event.flow_style)))
        elif isinstance(event, yaml.SequenceStartEvent):
            tree.open(Items(line, start=start, flow=bool(event.flow_style)))
        elif isinstance(event, yaml.CollectionEndEvent):
            tree.close(end)
    return tree.root


class _Growing:
    """Entries that are put together from their beginnings and ends."""

    def __init__(self) -> None:
        self.root: Entry | None = None
        self.unfinished: list[Items | Pairs] = []

    def open(self, entry: Items | Pairs) -> None:
        self.add(entry)
        self.unfinished.append(entry)

    def close(self, end: int = 0) -> None:
        done = self.unfinished.pop()
        # YAML notices the end of an indented collection only at what comes after it.
        done.end = end if done.flow or not done.parts else done.parts[-1].end

    def add(self, entry: Entry) -> None:
        if self.unfinished:
            self.unfinished[-1].parts.append(entry)
        else:
            self.root = entry


def _json_entries(text: str) -> Entry:
    """Read JSON that is known to be valid; entries know their lines."""
    tree, line, counted = _Growing(), 1, 0
    for token in _JSON_TOKEN.finditer(text):
        line += text.count("\n", counted, token.start())
        counted, word = token.start(), token.group()
        if word in "[{":
            tree.open(Items(line) if word == "[" else Pairs(line))
        elif word in "]}":
            tree.close()
        elif word[0] == '"':
            tree.add(Scalar(json.loads(word), line, plain=False))
        else:
            tree.add(Scalar("" if word == "null" else word, line))
    assert tree.root is not None  # noqa: S101  (json.loads accepted the text)
    return tree.root


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON value; write it in quotes")


def _remedy(text: str, line: int) -> str:
    lines = text.splitlines()
    shown = lines[line] if line < len(lines) else ""
    if "\t" in shown[: len(shown) - len(shown.lstrip())]:
        return "indent with blanks, not with tabs"
    if ": " in shown.strip().removeprefix("- ").partition(": ")[2]:
        return "put a name that holds ': ' in quotes"
    if re.search(r"(^|[:\-] )[&*@`%!|>{\[\"']", shown):
        return "put a name that begins with a special character in quotes, and close each quote and bracket"
    return "check the indentation of this line and of the one before it"
