"""Stored documents, cut into blocks: the answers to a block are a shard."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from hierarchy.text.characters import is_blank
from hierarchy.text.wording import count, some
from pipelines.data.checks import Findings
from pipelines.data.splits import fingerprint
from pipelines.data.tables import tell
from pipelines.serving.answers import answers

if TYPE_CHECKING:
    from pipelines.model.model import Model

Size: TypeAlias = tuple[int, int]  # documents and characters of a block at most; a longer document is one alone


class Document(NamedTuple):
    """A document, where it stands in its source, and what is passed through; None where it carries nothing."""

    text: str
    row: int
    id: str | None


class Examined(NamedTuple):
    """What is known of stored documents after they were read once.

    Attributes
    ----------
    key
        Hash of the documents with their rows and ids.
    documents
        How many there are.
    cuts
        Where each block begins, in bytes.
    """

    key: str
    documents: int
    cuts: Sequence[int]


def blocks(documents: Path, size: Size, start: int = 0) -> Iterator[list[Document]]:
    """Cut documents, as `pipelines.data.tables.stored_lines` wrote them, into blocks.

    Parameters
    ----------
    documents
        The file; the cuts depend on nothing but it and the size.
    size
        Of a block.
    start
        Where the first block begins, one of `Examined.cuts`.
    """
    return (block for _, block in _cut(documents, size, start))


def examine(documents: Path, size: Size, where: str) -> Examined:
    """Read stored documents once, and warn about those without text.

    Parameters
    ----------
    documents, size
        As for `blocks`.
    where
        What they are called.
    """
    empty: Findings[int] = Findings()  # rows
    cuts: list[int] = []
    read = 0

    def texts_and_places() -> Iterator[tuple[str, str]]:
        nonlocal read
        for start, block in _cut(documents, size):
            cuts.append(start)
            read += len(block)
            for one in block:
                if is_blank(one.text):
                    empty.add(one.row)
                yield one.text, json.dumps([one.row, one.id])

    left, right = tee(texts_and_places())
    key = fingerprint((text for text, _ in left), (place for _, place in right))
    if empty.total:
        rows = some(empty.first, empty.total)
        note = f"{count(empty.total, 'empty document')} (rows {rows}); they are not answered (reason: nothing_known)"
        tell([note], where)
    return Examined(key, read, cuts)


def answer_lines(
    model: "Model", documents: Sequence[Document], options: Mapping[str, Any], *, ids: bool
) -> Iterator[dict[str, Any]]:
    """Answer documents: one dictionary each, in their order.

    Parameters
    ----------
    model
        Who answers.
    documents
        A block.
    options
        As for `pipelines.serving.answers.answers`.
    ids
        Whether what is passed through stands in each.
    """
    found = answers(model, [document.text for document in documents], **options)
    for one, answer in zip(documents, found, strict=True):
        yield {"row": one.row, **({"id": one.id} if ids else {}), **answer}


def _cut(documents: Path, size: Size, start: int = 0) -> Iterator[tuple[int, list[Document]]]:
    most, longest = size
    block: list[Document] = []
    characters = 0
    for place, one in _documents(documents, start):
        if len(block) == most or (block and characters + len(one.text) > longest):
            yield start, block
            block, characters, start = [], 0, place
        block.append(one)
        characters += len(one.text)
    if block:
        yield start, block


def _documents(file: Path, start: int) -> Iterator[tuple[int, Document]]:
    with file.open("rb") as lines:
        lines.seek(start)
        for line in lines:
            document = json.loads(line)
            yield start, Document(document["text"], document["row"], document.get("label"))
            start += len(line)
