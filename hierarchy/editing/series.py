"""The text of a YAML file, and the lists and mappings in it whose entries can be cut out and put in.

Nothing here knows what a taxonomy is. Changes are gathered and made at once; all that they do not name stays as it is,
byte for byte. What a person wrote about an entry goes with it: comments on its own lines, comment lines directly above
it, and those directly below that are indented deeper than it.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from hierarchy.files.syntax import Entry, Items, Pairs, Scalar, compose_yaml

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML 1.1 takes for the end of a line
_BLANK, _WHITE = " \t", " \t\r\n\x85\u2028\u2029"
_REMARK = "#[^\r\n\x85\u2028\u2029]*+"
_COMMENT = re.compile(f"(?:(?<=^)|(?<=[ \t\r\n])){_REMARK}")
_AFTER = re.compile(f"(?:(?:[{_WHITE}]|{_REMARK})*+(,))?+(?:[{_BLANK}]++{_REMARK})?+")  # an entry in brackets


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
        self._changes: list[tuple[int, int, str]] = []

    def replace(self, start: int, end: int, text: str) -> None:
        """Put a text in the place of another; what is put at one place comes in the order of the calls."""
        if start != end or text:
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

    def written(self, entry: Entry) -> str:
        """Return an entry as it stands in the text."""
        return self.text[entry.start : self.content_end(entry)]

    def rewrite(self, entry: Entry, text: str) -> None:
        """Put a text in the place of an entry, where it is another one."""
        if text != self.written(entry):
            self.replace(entry.start, self.content_end(entry), text)

    def comments(self, start: int, end: int, entry: Entry) -> Iterator[str]:
        """Yield the comments in a part of the text that holds one entry."""
        leaves = [leaf for leaf in _leaves(entry) if leaf.end > leaf.start]
        edges = [start, *(edge for leaf in leaves for edge in (leaf.start, self.content_end(leaf))), end]
        for left, right in zip(edges[::2], edges[1::2], strict=True):
            for match in _COMMENT.finditer(self.text, left, right):
                yield match.group().rstrip()


def comments_of(text: str) -> list[str]:
    """Return all comments of a YAML text, each with its `#`."""
    root = compose_yaml(text, "taxonomy")
    return [] if root is None else list(Page(text).comments(0, len(text), root))


def _leaves(entry: Entry) -> Iterator[Scalar]:
    if isinstance(entry, Scalar):
        yield entry
    else:
        for part in entry.parts:
            yield from _leaves(part)


def position_of(key: str, words: Sequence[str], order: Sequence[str]) -> int:
    """Return where a key goes among others: behind the last one that usually stands before it."""
    before = [i for i, word in enumerate(words) if word in order and order.index(word) < order.index(key)]
    return before[-1] + 1 if before else 0


class _Series:
    """The entries of one list or mapping; `spans` are the parts of the text that go with each."""

    def __init__(self, page: Page, entry: Items | Pairs) -> None:
        self.page = page
        self.entry = entry
        starts = entry.values if isinstance(entry, Items) else entry.parts[::2]
        self.places = [(a.start, page.content_end(b)) for a, b in zip(starts, entry.values, strict=True)]
        self.spans: list[tuple[int, int]] = []

    def _kept(self, plan: Sequence[int | Piece]) -> set[int]:
        """Return the positions of the entries that stay."""
        kept = [x for x in plan if isinstance(x, int)]
        if kept != sorted(kept):
            raise CannotPatch("entries would change their order")
        return set(kept)


class BlockSeries(_Series):
    """Entries that stand on lines of their own, after a dash or as `key: value`."""

    def __init__(self, page: Page, entry: Items | Pairs) -> None:
        super().__init__(page, entry)
        self.column = page.column(entry.start)
        for place in self.places:
            self.spans.append(self._span(place, self.spans[-1][1] if self.spans else 0))

    def _span(self, place: tuple[int, int], limit: int) -> tuple[int, int]:
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

    def arrange(self, plan: Sequence[int | Piece]) -> None:
        """Cut out the entries that a plan leaves out, and put in its new ones, see `Series`."""
        kept, places = self._kept(plan), range(len(self.spans))
        for i in places:
            if i not in kept:
                self._cut(i, next_stays=i + 1 in kept)
        gap = "\n" if len(places) > 1 and all(map(self._blank_above, places[1:])) else ""
        at = -1
        for x in plan:
            if isinstance(x, int):
                at = self.spans[x][1]
            elif at < 0:
                self.page.replace(self.spans[0][0], self.spans[0][0], x.block(self.column) + gap)
            else:
                self.page.replace(at, at, gap + x.block(self.column))

    def _cut(self, i: int, *, next_stays: bool) -> None:
        page = self.page
        start, end = self.spans[i]
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
                start = max(page.start(line), self.spans[i - 1][1])
            elif next_stays:
                while not page.shown(page.line(end)):
                    end = page.start(page.line(end) + 1)
        page.replace(start, end, "")

    def _blank_above(self, i: int) -> bool:
        line = self.page.line(self.spans[i][0])
        return line > 0 and not self.page.shown(line - 1)


class FlowSeries(_Series):
    """Entries in brackets: with each go the white space and comments before it, its comma and a comment after it."""

    def __init__(self, page: Page, entry: Items | Pairs) -> None:
        super().__init__(page, entry)
        self.commas: list[int] = []  # -1 where there is none
        at = self.opening = next(i for i in range(entry.start, entry.end) if page.text[i] in "[{") + 1
        for _, end in self.places:
            after = _AFTER.match(page.text, end)
            assert after is not None  # noqa: S101  (it may match nothing)
            self.spans.append((at, after.end()))
            self.commas.append(after.start(1))
            at = after.end()
        self._tail = page.text[at : entry.end - 1]

    def arrange(self, plan: Sequence[int | Piece]) -> None:
        """Cut out the entries that a plan leaves out, and put in its new ones, see `Series`."""
        kept = self._kept(plan)
        for i, span in enumerate(self.spans):
            if i not in kept:
                self.page.replace(*span, "")
        at = self.opening
        for n, x in enumerate(plan):
            first, last = n == 0, n == len(plan) - 1
            comma = not last or self.commas[-1] >= 0
            if isinstance(x, int):
                self._keep(x, first=first, comma=comma)
                at = self.spans[x][1]
            else:
                self.page.replace(at, at, self._written(x.inline(), first=first, last=last, comma=comma))

    def _keep(self, i: int, *, first: bool, comma: bool) -> None:
        page, start, (item, end), at = self.page, self.spans[i][0], self.places[i], self.commas[i]
        if first != (i == 0) and not page.text[start:item].strip(_BLANK):
            page.replace(start, item, self._lead(first=first))
        if comma and at < 0:
            page.replace(end, end, ",")
        elif not comma and at >= 0:
            page.replace(at, at + 1, "")

    def _lead(self, *, first: bool) -> str:
        """Return the white space before an entry, as it stands before others."""
        like = 0 if first or len(self.places) == 1 else 1
        item = self.places[like][0]
        lead = self.page.text[self.spans[like][0] : item]
        if _BREAK.search(lead):
            return "\n" + " " * self.page.column(item)
        if not first:
            return " "
        return "" if lead.strip(_BLANK) else lead

    def _written(self, new: Inline, *, first: bool, last: bool, comma: bool) -> str:
        page, lead = self.page, self._lead(first=first)
        text = new.text + ("," if comma else "")
        comments = (*new.above, new.beside) if new.beside else new.above
        if comments and not _BREAK.search(lead):  # one line has no room for comments: they go above it
            line = page.line(self.entry.start)
            for comment in comments:
                about = f"# {new.name}: {comment.lstrip('# ')}\n"
                page.replace(page.start(line), page.start(line), " " * page.indent(line) + about)
            return lead + text
        if new.beside and (not last or _BREAK.search(self._tail)):
            comments, text = new.above, f"{text}  {new.beside}"
        return "".join(lead + comment for comment in comments) + lead + text


Series: TypeAlias = BlockSeries | FlowSeries
"""To `arrange` its entries is to follow a plan, which is not empty: the positions of entries that stay, in their old
order, and new ones where they shall stand."""


def series_of(page: Page, entry: Items | Pairs) -> Series:
    """Return the entries of a list or mapping in brackets or in lines."""
    return FlowSeries(page, entry) if entry.flow else BlockSeries(page, entry)
