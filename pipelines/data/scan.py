"""One pass over the documents, in bounded memory: which labels they name, and what their texts hash to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import count, repeat
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from hierarchy.matching import fold
from hierarchy.text.characters import is_blank
from stages.progress import progress

if TYPE_CHECKING:
    from datasets import Dataset

ROWS_IN_MEMORY = 200
EXAMPLES = 10  # rows kept of each kind of finding
Pair: TypeAlias = tuple[str, str | None]  # a label and its group, as the data has them
Row: TypeAlias = tuple[str | None, str | None, str | None, int, int]  # text, label, group, how many labels, row


@dataclass
class Scan:
    """One pass over the documents; what is kept of each takes 24 bytes, however long it is."""

    pair: np.ndarray  # (documents,) which of `pairs`; -1 where the document is left out
    hashes: np.ndarray  # (documents,) of the folded text; 0 for an empty one
    rows: np.ndarray  # (documents,)
    pairs: dict[Pair, int] = field(default_factory=dict)
    counts: list[int] = field(default_factory=list)  # documents of each pair
    first_rows: list[int] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)  # rows
    unlabelled: list[int] = field(default_factory=list)
    several: list[tuple[int, str]] = field(default_factory=list)  # (row, labels as JSON)
    n_empty: int = 0
    n_unlabelled: int = 0
    n_several: int = 0


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
        text = fold(text or "")
        if text:
            digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            scan.hashes[position] = int.from_bytes(digest, "little")
        else:
            scan.n_empty += 1
            if scan.n_empty <= EXAMPLES:
                scan.empty.append(row)
            if not keep_empty:
                continue
        if label is None or is_blank(label):
            scan.n_unlabelled += 1
            if scan.n_unlabelled <= EXAMPLES:
                scan.unlabelled.append(row)
        elif labels > 1:
            scan.n_several += 1
            if scan.n_several <= EXAMPLES:
                scan.several.append((row, label))
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
