"""The text of a YAML file, and the lists and mappings in it whose entries can be cut out and put in.

Nothing here knows what a taxonomy is. Changes are gathered and made at once; all that they do not name stays as it is,
byte for byte. What a person wrote about an entry goes with it: comments on its own lines, comment lines directly above
it, and those directly below that are indented deeper than it.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass

from hierarchy.files.syntax import Entry, Items, Pairs, Scalar

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML 1.1 takes for the end of a line
_BLANK, _WHITE = " \t", " \t\r\n\x85\u2028\u2029"
_COMMENT = re.compile("(?:(?<=^)|(?<=[ \t\r\n]))#[^\r\n\x85\u2028\u2029]*")


class CannotPatch(Exception):  # noqa: N818  (never leaves the package: hierarchy.editing.patching turns it into words)
    """The text is written in a way that these rules do not cover."""


@dataclass(frozen=True)
class Inline:
    """An entry as it stands in brackets, and the comments that belong to it, each with its `#`."""

    text: str
    above: tuple[str, ...] = ()
    beside: str = ""
    name: str = ""  # of what the comments are about, where they must stand elsewhere


@dataclass(frozen=True)
class Piece:
    """An entry that is to be put in: as lines for a dash or key in some column, or in brackets."""

    block: Callable[[int], str]
    inline: Callable[[], Inline]


class Page:
    """A text whose last line ends in a line break, with the changes that are to be made."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0, *(match.end() for match in _BREAK.finditer(text))][: -1 if text else None]
        first = _BREAK.search(text)
        self.newline = first.group() if first else "\n"
        self._changes: list[tuple[int, int, str]] = []

    def replace(self, start: int, end: int, text: str) -> None:
        """Put a text in the place of another; what is put at one place comes in the order of the calls."""
        if (start, end) != (end, start) or text:
            self._changes.append((start, end, text))

    def changed(self) -> str:
        """Return the text with all changes made."""
        parts, at = [], 0
        for start, end, text in sorted(self._changes, key=lambda change: change[:2]):
            if start < at:
                raise CannotPatch("two changes meet in one place")
            parts += [self.text[at:start], text]
            at = end
        return "".join([*parts, self.text[at:]])

    def line(self, at: int) -> int:
        """Return the number of a line, from 0."""
        return bisect_right(self.starts, at) - 1

    def start(self, line: int) -> int:
        """Return where a line starts; the end of the text for the one after the last."""
        return self.starts[line] if line < len(self.starts) else len(self.text)

    def column(self, at: int) -> int:
        """Return how many characters stand before a place on its line."""
        return at - self.start(self.line(at))

    def shown(self, line: int) -> str:
        """Return a line without white space around it."""
        return self.text[self.start(line) : self.start(line + 1)].strip(_WHITE)

    def indent(self, line: int) -> int:
        """Return how many blanks a line begins with."""
        text = self.text[self.start(line) : self.start(line + 1)]
        return len(text) - len(text.lstrip(" "))

    def content_end(self, entry: Entry) -> int:
        """Return where what an entry says ends; a folded text has its blank lines in it."""
        end = entry.end
        while end > entry.start and self.text[end - 1] in _WHITE:
            end -= 1
        return end

    def comments(self, start: int, end: int, entry: Entry) -> Iterator[str]:
        """Yield the comments in a part of the text that holds one entry."""
        edges = [start, *(edge for leaf in _leaves(entry) for edge in (leaf.start, self.content_end(leaf))), end]
        for left, right in zip(edges[::2], edges[1::2], strict=True):
            for match in _COMMENT.finditer(self.text, left, right):
                yield match.group().rstrip()


def _leaves(entry: Entry) -> list[Scalar]:
    found, waiting = [], [entry]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, Scalar):
            found.append(entry)
        else:
            waiting += entry.values if isinstance(entry, Items) else [part for pair in entry.pairs for part in pair]
    return sorted((leaf for leaf in found if leaf.end > leaf.start), key=lambda leaf: leaf.start)


def position_of(key: str, words: Sequence[str], order: Sequence[str]) -> int:
    """Return where a key goes among others: behind the last one that usually stands before it."""
    before = [i for i, word in enumerate(words) if word in order and order.index(word) < order.index(key)]
    return before[-1] + 1 if before else 0


class Series:
    """The entries of one list or mapping."""

    def __init__(self, page: Page, entry: Items | Pairs) -> None:
        self.page = page
        self.entry = entry
        first = entry.items if isinstance(entry, Items) else [key for key, _ in entry.pairs]
        self.places = [(a.start, page.content_end(b)) for a, b in zip(first, entry.values, strict=True)]

    @classmethod
    def of(cls, page: Page, entry: Items | Pairs) -> "Series":
        """Return the entries of a list or mapping in brackets or in lines."""
        return (FlowSeries if entry.flow else BlockSeries)(page, entry)

    def arrange(self, plan: Sequence[int | Piece]) -> None:
        """Cut out the entries that a plan leaves out, and put in its new ones.

        Parameters
        ----------
        plan
            Positions of entries that stay, in their old order, and new ones where they shall stand. Not empty.
        """
        kept = [x for x in plan if isinstance(x, int)]
        if kept != sorted(kept):
            raise CannotPatch("entries would change their order")
        self._arrange(plan, set(kept))

    def _arrange(self, plan: Sequence[int | Piece], kept: Set[int]) -> None:
        raise NotImplementedError

    def span(self, i: int) -> tuple[int, int]:
        """Return the part of the text that goes with an entry."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.places)


class BlockSeries(Series):
    """Entries that stand on lines of their own, after a dash or as `key: value`."""

    def __init__(self, page: Page, entry: Items | Pairs) -> None:
        super().__init__(page, entry)
        self.column = page.column(entry.start)
        self._spans: list[tuple[int, int]] = []
        for place in self.places:
            self._spans.append(self._find(place, self._spans[-1][1] if self._spans else 0))

    def _find(self, place: tuple[int, int], limit: int) -> tuple[int, int]:
        page = self.page
        line, least = page.line(place[0]), page.line(max(limit, self.entry.start))
        if isinstance(self.entry, Items):  # the dash may stand lines above what it begins
            while line > least and not (page.indent(line) == self.column and page.shown(line).startswith("-")):
                line -= 1
        first = line
        while first > page.line(limit) and page.shown(first - 1).startswith("#"):
            if page.indent(first - 1) > self.column:
                break
            first -= 1
        if first == 0 and self.column == 0 and page.shown(0).startswith("#"):
            first = line  # comments at the start of a file are about the file
        after = page.line(max(place[0], place[1] - 1)) + 1
        while page.shown(after).startswith("#") and page.indent(after) > self.column:
            after += 1
        return page.start(first), page.start(after)

    def span(self, i: int) -> tuple[int, int]:  # noqa: D102
        return self._spans[i]

    def _arrange(self, plan: Sequence[int | Piece], kept: Set[int]) -> None:
        for i in range(len(self)):
            if i not in kept:
                self._cut(i, next_stays=i + 1 in kept)
        page, spaced = self.page, len(self) > 1 and all(self._blank_above(i) for i in range(1, len(self)))
        after = -1
        for x in plan:
            if isinstance(x, int):
                after = x
                continue
            text, gap = x.block(self.column), page.newline if spaced else ""
            at = self._spans[after][1] if after >= 0 else self._spans[0][0]
            page.replace(at, at, gap + text if after >= 0 else text + gap)

    def _cut(self, i: int, *, next_stays: bool) -> None:
        page = self.page
        start, end = self._spans[i]
        if page.text[page.start(page.line(self.places[i][0])) : self.places[i][0]].strip(" -") or (
            i == 0 and page.indent(page.line(self.entry.start)) != self.column
        ):
            raise CannotPatch("an entry begins on a line that says something else as well")
        # Of the blank lines around it one part goes, or they would pile up: those below the first, above the others.
        if self._blank_above(i) and not page.shown(page.line(end) if end < len(page.text) else len(page.starts)):
            if i:
                line = page.line(start)
                while not page.shown(line - 1):
                    line -= 1
                start = max(page.start(line), self._spans[i - 1][1])
            elif next_stays:
                while not page.shown(page.line(end)):
                    end = page.start(page.line(end) + 1)
        page.replace(start, end, "")

    def _blank_above(self, i: int) -> bool:
        line = self.page.line(self._spans[i][0])
        return line > 0 and not self.page.shown(line - 1)


@dataclass(frozen=True)
class _Cell:
    """An entry in brackets: white space and comments before it, itself, its comma, a comment after it."""

    start: int
    item: int
    item_end: int
    comma: int | None
    end: int


class FlowSeries(Series):
    """Entries in brackets."""

    def __init__(self, page: Page, entry: Items | Pairs) -> None:
        super().__init__(page, entry)
        text = page.text
        self.opening = next(i for i in range(entry.start, entry.end) if text[i] in "[{") + 1
        self._cells: list[_Cell] = []
        at = self.opening
        for item, item_end in self.places:
            comma = self._comma(item_end)
            end = item_end if comma is None else comma + 1
            rest = re.compile(r"[ \t]+#[^\r\n\x85\u2028\u2029]*").match(text, end)
            end = rest.end() if rest else end
            self._cells.append(_Cell(at, item, item_end, comma, end))
            at = end
        self._tail = text[at : entry.end - 1]

    def _comma(self, at: int) -> int | None:
        text = self.page.text
        while text[at] in _WHITE or text[at] == "#":
            at = self.page.start(self.page.line(at) + 1) if text[at] == "#" else at + 1
        return at if text[at] == "," else None

    def span(self, i: int) -> tuple[int, int]:  # noqa: D102
        return self._cells[i].start, self._cells[i].end

    def _arrange(self, plan: Sequence[int | Piece], kept: Set[int]) -> None:
        page, cells = self.page, self._cells
        for i, cell in enumerate(cells):
            if i not in kept:
                page.replace(cell.start, cell.end, "")
        closes_with_comma = bool(cells) and cells[-1].comma is not None
        at = self.opening
        for n, x in enumerate(plan):
            comma = n < len(plan) - 1 or closes_with_comma
            if isinstance(x, int):
                self._keep(cells[x], first=n == 0, comma=comma)
                at = cells[x].end
            else:
                page.replace(at, at, self._written(x.inline(), first=n == 0, last=n == len(plan) - 1, comma=comma))

    def _keep(self, cell: _Cell, *, first: bool, comma: bool) -> None:
        page, was_first = self.page, cell is self._cells[0]
        if first != was_first and not page.text[cell.start : cell.item].strip(_BLANK):
            page.replace(cell.start, cell.item, self._lead(first=first))
        if comma and cell.comma is None:
            page.replace(cell.item_end, cell.item_end, ",")
        elif not comma and cell.comma is not None:
            page.replace(cell.comma, cell.comma + 1, "")

    def _lead(self, *, first: bool) -> str:
        """Return the white space before an entry, as it stands before others."""
        like = self._cells[: 1 if first or len(self) == 1 else 2][-1:]
        lead = self.page.text[like[0].start : like[0].item] if like else ""
        if _BREAK.search(lead):
            return self.page.newline + " " * self.page.column(like[0].item)
        return (lead if like and not lead.strip(_BLANK) else "") if first else " "

    def _written(self, new: Inline, *, first: bool, last: bool, comma: bool) -> str:
        page, lead = self.page, self._lead(first=first)
        text = new.text + ("," if comma else "")
        comments = (*new.above, new.beside) if new.beside else new.above
        if comments and not _BREAK.search(lead):  # one line has no room for comments: they go above it
            line = page.line(self.entry.start)
            for comment in comments:
                about = f"# {new.name}: {comment.lstrip('# ')}{page.newline}"
                page.replace(page.start(line), page.start(line), " " * page.indent(line) + about)
            return lead + text
        if new.beside and (not last or _BREAK.search(self._tail)):
            comments, text = new.above, f"{text}  {new.beside}"
        return "".join(lead + comment for comment in comments) + lead + text
