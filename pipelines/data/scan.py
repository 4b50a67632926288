"""One pass over the documents, in bounded memory: which labels they name, and what their texts hash to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import count, repeat
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import numpy as np

from hierarchy.matching import match_key
from hierarchy.text.characters import is_blank
from stages.progress import progress

if TYPE_CHECKING:
    from datasets import Dataset

ROWS_IN_MEMORY = 200
T = TypeVar("T")
EXAMPLES = 10  # rows kept of each kind of finding
Pair: TypeAlias = tuple[str, str | None]  # a label and its group, as the data has them
Row: TypeAlias = tuple[str | None, str | None, str | None, int, int]  # text, label, group, how many labels, row


@dataclass
class Findings(Generic[T]):
    """How often something was found, and the first times."""

    first: list[T] = field(default_factory=list)
    total: int = 0

    def add(self, one: T) -> None:
        """Count one more."""
        self.total += 1
        if self.total <= EXAMPLES:
            self.first.append(one)


@dataclass
class Scan:
    """One pass over the documents; what is kept of each takes 24 bytes, however long it is."""

    pair: np.ndarray  # (documents,) which of `pairs`; -1 where the document is left out
    hashes: np.ndarray  # (documents,) of the folded text; 0 for an empty one
    rows: np.ndarray  # (documents,)
    pairs: dict[Pair, int] = field(default_factory=dict)
    counts: list[int] = field(default_factory=list)  # documents of each pair
    first_rows: list[int] = field(default_factory=list)
    empty: Findings[int] = field(default_factory=Findings)  # rows
    unlabelled: Findings[int] = field(default_factory=Findings)
    several: Findings[tuple[int, str]] = field(default_factory=Findings)  # (row, labels as JSON)


def scan_documents(documents: Iterable[Row], n: int, keep_empty: bool) -> Scan:
    """Go over the documents once.

    Parameters
    ----------
    documents
        In their order.
    n
        How many.
    keep_empty
        Whether documents without text count as documents.
    """
    scan = Scan(np.full(n, -1, np.int64), np.zeros(n, np.uint64), np.zeros(n, np.int64))
    shown = progress(documents, total=n, what="Checking documents", unit="documents")
    for position, (text, label, group, labels, row) in enumerate(shown):
        scan.rows[position] = row
        text = match_key(text or "")
        if text:
            digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            scan.hashes[position] = int.from_bytes(digest, "little")
        else:
            scan.empty.add(row)
            if not keep_empty:
                continue
        if label is None or is_blank(label):
            scan.unlabelled.add(row)
        elif labels > 1:
            scan.several.add((row, label))
        else:
            pair = scan.pairs.setdefault((label, None if is_blank(group or "") else group), len(scan.pairs))
            if pair == len(scan.counts):
                scan.counts.append(0)
                scan.first_rows.append(row)
            scan.counts[pair] += 1
            scan.pair[position] = pair
    return scan


def table_rows(table: "Dataset") -> Iterator[Row]:
    """Read the columns ``text`` and ``label`` and, where there are, ``group``, ``label_count`` and ``row``."""
    wanted = [name for name in ("text", "label", "group", "label_count", "row") if name in table.column_names]
    places = count()
    for batch in table.with_format(None).select_columns(wanted).iter(ROWS_IN_MEMORY):
        yield from zip(
            batch["text"], batch["label"], batch.get("group") or repeat(None), batch.get("label_count") or repeat(1),
            batch.get("row") or places, strict=False,
        )  # fmt: skip
