"""The examples of README and docs: what can be run or read, in the order of a page, and the commands in it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# Within prose, whole commands (they have an option) and calls; other names are no examples.
INLINE = re.compile(r"`(coarsefine [^`]*--[^`]*|clf\.[^`]*)`")


class Example(NamedTuple):
    """A block of code, or a line of it within prose: its language, and the line of the page where it begins."""

    language: str
    code: str
    line: int


def examples(page: Path) -> list[Example]:
    """Read the examples of a page in their order; blocks that name no language are drawings and output."""
    text = page.read_text(encoding="utf-8")
    found = {block.start(): (block[1], block[2]) for block in FENCE.finditer(text)}
    prose = FENCE.sub(lambda block: " " * len(block[0]), text)
    for code in INLINE.finditer(prose):
        language = "python" if code[1].startswith("clf.") else "bash"
        found[code.start()] = language, code[1].replace("\n", " ")
    return [Example(*found[start], text.count("\n", 0, start) + 1) for start in sorted(found) if found[start][0]]


def commands(code: str) -> Iterator[str]:
    """Part shell code into its commands; a text that a command reads (<<'EOF') stays with it."""
    lines = iter(code.replace("\\\n", " ").splitlines())
    for line in lines:
        if here := re.search(r"<<'(\w+)'", line):
            yield "\n".join([line, *iter(lines.__next__, here[1]), here[1]])
        elif line.strip() and not line.lstrip().startswith("#"):
            yield line
