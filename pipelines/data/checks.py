"""Checks documents and their labels against the taxonomy before any long work starts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hierarchy.errors import DataError
from hierarchy.matching import fold
from hierarchy.taxonomy import Taxonomy
from pipelines.data.label_problems import find_label_problems
from pipelines.data.report import Conflict, DataReport, shortened
from pipelines.data.scan import EXAMPLES, Scan, scan_documents

if TYPE_CHECKING:
    from datasets import Dataset

FEW = 3  # a label with fewer documents than this cannot be validated


@dataclass(frozen=True)
class Checked:
    """Documents that can be used, with the ids of their labels.

    Parameters
    ----------
    documents
        The table of documents, without the empty ones.
    labels
        The label id of each, in the same order.
    report
        What was found.
    """

    documents: "Dataset"
    labels: list[str]
    report: DataReport


def check_documents(
    documents: "Dataset", taxonomy: Taxonomy | None = None, *, where: str = "", keep_empty: bool = False
) -> Checked:
    """Find the label of every document, and everything that is odd about the data.

    Parameters
    ----------
    documents
        What `pipelines.data.reading.read_documents` returns; of its columns, ``text`` and ``label`` must be there.
    taxonomy
        Its labels, placed or not, are the ones that the data may have; None takes labels as they are.
    where
        The source, for messages.
    keep_empty
        Keep documents without text, as an evaluation must; training leaves them out.

    Returns
    -------
    Checked
        Documents, label ids and report. Duplicates and conflicts are kept and reported.

    Raises
    ------
    DataError
        With all at once: documents without a label or with several, labels that the taxonomy lacks or has
        under several groups, or no document left.
    """
    if "label" not in documents.column_names:
        raise DataError("the documents were read without labels; name the label column with label=...", where)
    scan = scan_documents(documents, keep_empty)
    ids = [label if taxonomy is None else taxonomy.resolve(label, group) for label, group in scan.pairs]
    problems = find_label_problems(scan, taxonomy, ids)
    if problems:
        raise DataError(problems, where)

    label_ids = sorted({label_id for label_id in ids if label_id is not None})
    code_of = {label_id: code for code, label_id in enumerate(label_ids)}
    of_pair = np.array([code_of[label_id] for label_id in ids if label_id is not None], dtype=np.int64)
    kept = np.flatnonzero(scan.pair >= 0)
    codes = of_pair[scan.pair[kept]]
    used = documents if len(kept) == len(documents) else documents.select(kept)
    counts = np.bincount(codes, minlength=len(label_ids))
    known = [] if taxonomy is None else [label.id for label in (*taxonomy.labels, *taxonomy.unplaced)]
    report = DataReport(
        documents=len(documents),
        used=len(used),
        labels=len(label_ids),
        fewest=int(counts.min()),
        median=float(np.median(counts)),
        most=int(counts.max()),
        empty=scan.n_empty,
        empty_rows=tuple(scan.empty),
        without_documents=tuple(label_id for label_id in known if label_id not in code_of),
        few=tuple(label_ids[code] for code in np.flatnonzero(counts < FEW)),
        **_repeated(used, label_ids, codes, scan.hashes[kept], scan.rows[kept]),
        **({} if taxonomy is None else _written_differently(scan, taxonomy, ids)),
    )
    return Checked(used, [label_ids[code] for code in codes], report)


def _repeated(
    used: "Dataset", label_ids: list[str], codes: np.ndarray, hashes: np.ndarray, rows: np.ndarray
) -> dict[str, Any]:
    """Count texts that come again with the same label, and with another; all arrays are (documents,)."""
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
        text = used[int(members[0])]["text"].strip()
        conflicts.append(
            Conflict(
                text=shortened(text),
                labels=tuple(label_ids[code] for code in np.unique(codes[members])),
                rows=tuple(int(row) for row in rows[members[:EXAMPLES]]),
            )
        )
    return {
        "duplicates": int(np.count_nonzero(~new_text & same_label)),
        "conflicting": int((ends - starts)[disputed].sum()),
        "conflicts": tuple(conflicts),
    }


def _written_differently(scan: Scan, taxonomy: Taxonomy, ids: list[str | None]) -> dict[str, Any]:
    """Count labels that only folding found, and groups other than the taxonomy's."""
    known = {label.id: label for label in (*taxonomy.labels, *taxonomy.unplaced)}
    home = {label.id: group for group in taxonomy.groups for label in group.labels}
    folded, mismatches = 0, 0
    folded_as: dict[str, None] = {}
    mismatched: dict[str, None] = {}
    for (label, group), label_id, documents in zip(scan.pairs, ids, scan.counts, strict=True):
        if label_id is None:
            continue
        if label not in (label_id, known[label_id].name):
            folded += documents
            folded_as[f"{label!r} as {label_id!r}"] = None
        place = home.get(label_id)
        if group is not None and place is not None and fold(group) not in (fold(place.id), fold(place.name)):
            mismatches += documents
            mismatched[f"{label_id!r} in {group!r}, not {place.id!r}"] = None
    return {
        "folded": folded,
        "folded_as": tuple(folded_as),
        "group_mismatches": mismatches,
        "mismatched": tuple(mismatched),
    }
