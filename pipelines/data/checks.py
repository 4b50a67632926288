"""Checks documents and their labels against the taxonomy before any long work starts.

One pass over the documents, in bounded memory, finds which labels they name and what their texts hash to.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import repeat
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import numpy as np

from hierarchy.errors import DataError, Remedy
from hierarchy.matching import Match, Pair, is_called, match_key, one_spelling, spelling_lines
from hierarchy.nodes import named
from hierarchy.taxonomy import Taxonomy
from hierarchy.text.characters import is_blank
from hierarchy.text.wording import shortened
from pipelines.data.documents import Documents, Selected
from pipelines.data.report import Conflict, DataReport, label_problems
from stages.progress import progress

if TYPE_CHECKING:
    from datasets import Dataset

ROWS_IN_MEMORY = 200
EXAMPLES = 10  # rows kept of each kind of finding
FEW = 3  # a label with fewer documents than this cannot be validated
T = TypeVar("T")
Row: TypeAlias = tuple[str | None, str | None, str | None, int]  # text, label, group, how many labels
RowAt: TypeAlias = Callable[[int], int | str]  # where the document at some place stands, for a person


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
    """One pass over the documents; what is kept of each takes 16 bytes, however long it is."""

    pair: np.ndarray  # (documents,) which of `pairs`; -1 where the document is left out
    hashes: np.ndarray  # (documents,) of the folded text; 0 for an empty one
    row_at: RowAt
    pairs: dict[Pair, int] = field(default_factory=dict)
    counts: list[int] = field(default_factory=list)  # documents of each pair
    first: list[int] = field(default_factory=list)  # place of the first document of each pair
    empty: Findings[int] = field(default_factory=Findings)  # places
    unlabelled: Findings[int] = field(default_factory=Findings)
    several: Findings[tuple[int, str]] = field(default_factory=Findings)  # (place, labels as JSON)


@dataclass(frozen=True)
class Checked:
    """Documents that can be used, and what was found.

    Parameters
    ----------
    documents
        Without the empty ones, those of retired labels and those that a later file corrects; each with the id of its
        label, and its place among all as its row.
    report
        What was found.
    """

    documents: Documents
    report: DataReport


def check_table(
    table: "Dataset", taxonomy: Taxonomy | None = None, *, where: str = "", keep_empty: bool = False, **options: Any
) -> Checked:
    """Check the documents of a table, as `read_documents` or `joined_tables` returns it; see `check_documents`.

    Of its columns, ``text`` and ``label`` must be there. The texts stay on disk.
    """
    names = table.column_names
    if "label" not in names:
        raise DataError(Remedy("the documents were read without labels; name the label column with ", "label"), where)
    if "file" in names:
        import pyarrow.compute as pc

        files = table.data.column("file")
        options["corrections"] = pc.sum(pc.not_equal(files, files[0])).as_py()
    options["row_at"] = _row_at(table) if "row" in names else int
    return check_documents(table["text"], _table_rows(table), taxonomy, where=where, keep_empty=keep_empty, **options)


def _row_at(table: "Dataset") -> RowAt:
    rows, files = table["row"], table["file"] if "file" in table.column_names else None

    def row_at(place: int) -> int | str:
        return rows[place] if files is None else f"{files[place]}:{rows[place]}"

    return row_at


def check_documents(
    texts: Sequence[str],
    rows: Iterable[Row],
    taxonomy: Taxonomy | None = None,
    *,
    where: str = "",
    keep_empty: bool = False,
    merge_spellings: bool = True,
    known: Collection[str] = (),
    of_data: bool = False,
    row_at: RowAt = int,
    corrections: int = 0,
) -> Checked:
    """Find the label of every document, and everything that is odd about the data.

    Parameters
    ----------
    texts
        The documents.
    rows
        The same with what is said of them; read once.
    taxonomy
        Its labels, placed or not, are the ones that the data may have; None allows any. Documents of a label that was
        merged count for its heir, those of one that was retired are left out.
    where
        The source, for messages.
    keep_empty
        Keep documents without text, as an evaluation must; training leaves them out.
    merge_spellings
        Without a taxonomy: take labels that differ in case, width and white space alone for one.
    known
        Without a taxonomy: labels of other documents, whose spelling is taken over.
    of_data
        The taxonomy was made of the training documents' labels, and messages speak of these.
    row_at
        Says where the document at some place stands.
    corrections
        How many of the last documents correct those before them, see `_corrected`.

    Returns
    -------
    Checked
        Documents, label ids and report. Duplicates and other conflicts are kept and reported.

    Raises
    ------
    DataError
        With all at once: documents without a label or with several, labels that the taxonomy lacks or has
        under several groups, or no document left.
    """
    scan = _scanned(rows, len(texts), keep_empty, row_at)
    matches = _matches(scan, taxonomy, known, merge_spellings=merge_spellings)
    problems = label_problems(scan, taxonomy, matches, of_data=of_data)
    if problems:
        raise DataError(problems, where)

    scan.pair[np.isin(scan.pair, [pair for pair, match in enumerate(matches) if match.retired])] = -1
    label_ids = sorted({match.id for match in matches if match.id is not None})
    code_of: dict[str | None, int] = {label_id: code for code, label_id in enumerate(label_ids)}
    of_pair = np.array([code_of.get(match.id, -1) for match in matches], dtype=np.int64)
    kept = np.flatnonzero(scan.pair >= 0)
    codes = of_pair[scan.pair[kept]]
    corrected = _corrected(scan.hashes[kept], codes, kept >= len(texts) - corrections)
    kept = kept[~corrected]
    present, codes = np.unique(codes[~corrected], return_inverse=True)
    label_ids = [label_ids[code] for code in present]
    counts, with_documents = np.bincount(codes), set(label_ids)
    of_tree = () if taxonomy is None else taxonomy.all_labels
    report = DataReport(
        documents=len(texts),
        used=len(kept),
        labels=len(label_ids),
        fewest=int(counts.min()),
        median=float(np.median(counts)),
        most=int(counts.max()),
        empty=scan.empty.total,
        empty_rows=tuple(map(row_at, scan.empty.first)),
        corrected=int(corrected.sum()),
        without_documents=tuple(label.id for label in of_tree if label.id not in with_documents),
        few=tuple(label_ids[code] for code in np.flatnonzero(counts < FEW)),
        **_repeated(texts, kept, label_ids, codes, scan.hashes[kept], row_at),
        **_written_differently(scan, taxonomy, matches),
        **({} if taxonomy is None else _in_other_groups(scan, taxonomy, matches) | _gone(scan, taxonomy, matches)),
    )
    used = Documents(texts, [label_ids[code] for code in codes], kept)
    if len(kept) < len(texts):
        used = replace(used, texts=Selected(texts, kept))
    return Checked(used, report)


def _scanned(documents: Iterable[Row], n: int, keep_empty: bool, row_at: RowAt) -> Scan:
    """Go over the documents once; those without text count only where they are kept."""
    scan = Scan(np.full(n, -1, np.int64), np.zeros(n, np.uint64), row_at)
    shown = progress(documents, total=n, what="Checking documents", unit="documents")
    for position, (text, label, group, labels) in enumerate(shown):
        text = match_key(text or "")
        if text:
            digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            scan.hashes[position] = int.from_bytes(digest, "little")
        else:
            scan.empty.add(position)
            if not keep_empty:
                continue
        if label is None or is_blank(label):
            scan.unlabelled.add(position)
        elif labels > 1:
            scan.several.add((position, label))
        else:
            pair = scan.pairs.setdefault((label, None if is_blank(group or "") else group), len(scan.pairs))
            if pair == len(scan.counts):
                scan.counts.append(0)
                scan.first.append(position)
            scan.counts[pair] += 1
            scan.pair[position] = pair
    return scan


def _table_rows(table: "Dataset") -> Iterator[Row]:
    """Read the columns ``text`` and ``label`` and, where there are, ``group`` and ``label_count``."""
    wanted = [name for name in ("text", "label", "group", "label_count") if name in table.column_names]
    for batch in table.with_format(None).select_columns(wanted).iter(ROWS_IN_MEMORY):
        groups, labels = batch.get("group") or repeat(None), batch.get("label_count") or repeat(1)
        yield from zip(batch["text"], batch["label"], groups, labels, strict=False)


def _corrected(hashes: np.ndarray, codes: np.ndarray, corrects: np.ndarray) -> np.ndarray:
    """Find the documents whose label a later one corrects.

    The last document of a text decides its label where it is a correction: the others of that text with another label
    are corrected.

    Parameters
    ----------
    hashes, codes
        (documents,) of text and label; a hash of 0 is that of no text.
    corrects
        (documents,) whether it is a correction. These stand behind all others.
    """
    if not corrects.any():
        return corrects
    _, text, back = np.unique(hashes[::-1], return_index=True, return_inverse=True)
    last = len(hashes) - 1 - text[back[::-1]]  # the last document with the text of each
    return corrects[last] & (codes != codes[last]) & (hashes != 0)


def _repeated(
    texts: Sequence[str],
    kept: np.ndarray,
    label_ids: list[str],
    codes: np.ndarray,
    hashes: np.ndarray,
    row_at: RowAt,
) -> dict[str, Any]:
    """Count texts that come again with the same label, and with another; all arrays are (documents kept,)."""
    order = np.lexsort((codes, hashes))
    order = order[hashes[order] != 0]  # empty ones repeat nothing
    if not len(order):
        return {}
    sorted_hashes, sorted_codes = hashes[order], codes[order]
    new_text = np.diff(sorted_hashes, prepend=~sorted_hashes[:1]) != 0
    starts = np.flatnonzero(new_text)
    ends = np.append(starts[1:], len(order))
    same_label = np.diff(sorted_codes, prepend=-1) == 0
    disputed = np.flatnonzero(sorted_codes[starts] != sorted_codes[ends - 1])
    conflicts = []
    for members in sorted((np.sort(order[starts[i] : ends[i]]) for i in disputed), key=lambda members: members[0])[
        :EXAMPLES
    ]:
        text = texts[int(kept[members[0]])].strip()
        conflicts.append(
            Conflict(
                text=shortened(text),
                labels=tuple(label_ids[code] for code in np.unique(codes[members])),
                rows=tuple(map(row_at, kept[members[:EXAMPLES]].tolist())),
            )
        )
    return {
        "duplicates": int(np.count_nonzero(~new_text & same_label)),
        "conflicting": int((ends - starts)[disputed].sum()),
        "conflicts": tuple(conflicts),
    }


def _matches(scan: Scan, taxonomy: Taxonomy | None, known: Collection[str], *, merge_spellings: bool) -> list[Match]:
    """Find what each pair of the scan means."""
    if taxonomy is not None:
        return [taxonomy.match(label, group) for label, group in scan.pairs]
    if not merge_spellings:
        return [Match(label) for label, _ in scan.pairs]
    counts: Counter[str] = Counter()
    for (label, _), documents in zip(scan.pairs, scan.counts, strict=True):
        counts[label] += documents
    spelling = one_spelling(counts, known)
    return [Match(spelling[label]) for label, _ in scan.pairs]


def _gone(scan: Scan, taxonomy: Taxonomy, matches: list[Match]) -> dict[str, Any]:
    """Count documents of labels that were merged or retired, and name these, the commonest first."""
    counts = {"merged": Counter[str](), "retired": Counter[str]()}
    for (label, _), match, documents in zip(scan.pairs, matches, scan.counts, strict=True):
        if match.merged and match.id is not None:
            counts["merged"][f"{label!r} for {taxonomy.label_named(match.id)!r}"] += documents
        elif match.retired:
            counts["retired"][repr(label)] += documents
    return {what: count.total() for what, count in counts.items()} | {
        f"{what}_labels": tuple(f"{label} ({n:,})" for label, n in count.most_common())
        for what, count in counts.items()
    }


def _written_differently(scan: Scan, taxonomy: Taxonomy | None, matches: list[Match]) -> dict[str, Any]:
    """Count labels that only folding found, and say how they are written."""
    names = {} if taxonomy is None else {label.id: label.name for label in taxonomy.all_labels}
    folded = 0
    written = []
    for (label, _), match, documents in zip(scan.pairs, matches, scan.counts, strict=True):
        label_id = match.id
        if label_id is None or match.merged:
            continue
        exact = match.by_path or label in (label_id, names.get(label_id))
        folded += 0 if exact else documents
        shown = label_id if taxonomy is None else taxonomy.label_named(label_id)
        written.append((shown, shown if exact else label, documents))
    return {"folded": folded, "folded_as": tuple(spelling_lines("label", written))}


def _in_other_groups(scan: Scan, taxonomy: Taxonomy, matches: list[Match]) -> dict[str, Any]:
    """Count documents in groups other than the taxonomy's."""
    home = {label.id: group for group in taxonomy.groups for label in group.labels}
    mismatches = 0
    mismatched: dict[str, None] = {}
    for (_, group), match, documents in zip(scan.pairs, matches, scan.counts, strict=True):
        if match.id is None or match.merged or group is None:
            continue
        place = home.get(match.id)
        if place is not None and not is_called(place, group):
            mismatches += documents
            mismatched[f"{taxonomy.label_named(match.id)!r} in {group!r}, not {named(place)!r}"] = None
    return {"group_mismatches": mismatches, "mismatched": tuple(mismatched)}
