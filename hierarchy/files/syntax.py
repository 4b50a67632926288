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
_WHITE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_BARE = re.compile(r"[^,\]}\s]+")
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
class Items:
    """A list; `flow` means in brackets."""

    line: int
    items: list["Entry"] = field(default_factory=list)
    start: int = 0
    end: int = 0
    flow: bool = False


@dataclass
class Pairs:
    """A mapping; a key may stand in it more than once. `flow` means in braces."""

    line: int
    pairs: list[tuple["Entry", "Entry"]] = field(default_factory=list)
    start: int = 0
    end: int = 0
    flow: bool = False


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
            f"line {error.lineno}, column {error.colno}: this is no valid JSON ({error.msg}); "
            "look for a missing comma, quote or bracket at this place or on the line before it",
            where,
        ) from None
    except RecursionError:
        raise TaxonomyError("brackets are nested too deep; a taxonomy has groups and labels", where) from None
    except ValueError as error:
        raise TaxonomyError(str(error), where) from None
    return _JsonWalk(text).entry()


def _entries(events: Iterable[Any], where: str) -> Entry | None:
    root: Entry | None = None
    unfinished: list[tuple[Items | Pairs, list[Entry]]] = []  # each with its children so far
    for event in events:
        line, start, end = event.start_mark.line + 1, event.start_mark.index, event.end_mark.index
        problem = ""
        if isinstance(event, yaml.AliasEvent):
            problem = f"the alias *{event.anchor} is not read; write the entry out"
        elif len(unfinished) > _MAX_DEPTH:
            problem = f"entries are nested deeper than {_MAX_DEPTH} levels; a taxonomy has groups and labels"
        elif isinstance(event, yaml.DocumentStartEvent) and root is not None:
            problem = "a second document begins with '---'; keep one taxonomy in a file"
        if problem:
            raise TaxonomyError(f"line {line}: {problem}", where)
        done: Entry | None = None
        if isinstance(event, yaml.ScalarEvent):
            done = Scalar(event.value, line, not event.style, start, end)
        elif isinstance(event, yaml.MappingStartEvent):
            unfinished.append((Pairs(line, start=start, flow=bool(event.flow_style)), []))
        elif isinstance(event, yaml.SequenceStartEvent):
            unfinished.append((Items(line, start=start, flow=bool(event.flow_style)), []))
        elif isinstance(event, yaml.CollectionEndEvent):
            done, children = unfinished.pop()
            # YAML notices the end of an indented collection only at what comes after it.
            done.end = end if done.flow or not children else children[-1].end
            if isinstance(done, Pairs):
                done.pairs = list(zip(children[::2], children[1::2], strict=True))
            else:
                done.items = children
        if done is not None:
            if unfinished:
                unfinished[-1][1].append(done)
            else:
                root = done
    return root


class _JsonWalk:
    """Walks over JSON that is known to be valid and notes where things stand."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.counted = 0

    def entry(self) -> Entry:
        self.step()
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted, line = self.at, self.line
        opening = self.text[self.at]
        if opening == "{":
            pairs = Pairs(line)
            while self.more("}"):
                key = self.entry()
                self.step(":")
                pairs.pairs.append((key, self.entry()))
            return pairs
        if opening == "[":
            items = Items(line)
            while self.more("]"):
                items.items.append(self.entry())
            return items
        match = (_STRING if opening == '"' else _BARE).match(self.text, self.at)
        assert match is not None  # noqa: S101  (json.loads accepted the text)
        self.at = match.end()
        word = match.group()
        if opening == '"':
            return Scalar(json.loads(word), line, plain=False)
        return Scalar("" if word == "null" else word, line)

    def step(self, character: str = "") -> None:
        """Step over white space, and over one character with the white space after it."""
        self.at = _past_white(self.text, self.at)
        if character:
            self.at = _past_white(self.text, self.at + 1)

    def more(self, closing: str) -> bool:
        """Step over the opening bracket, or a comma; False, and past it, at the closing bracket."""
        self.step()
        if self.text[self.at] != closing:
            self.step(self.text[self.at])
        if self.text[self.at] != closing:
            return True
        self.at += 1
        return False


def _past_white(text: str, at: int) -> int:
    white = _WHITE.match(text, at)
    return white.end() if white else at


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
