"""What a check of documents found: what stops the work, with place and remedy; and the rest, as data and as lines."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hierarchy.errors import PROBLEMS_SHOWN, Remedy
from hierarchy.matching import Match, Pair, capped, match_key
from hierarchy.nodes import Label
from hierarchy.text.wording import count, shortened, some

if TYPE_CHECKING:
    from hierarchy.taxonomy import Taxonomy
    from pipelines.data.checks import Scan

# What is said of a label that there is not, of all such, and what to do.
OF_TAXONOMY = ("is not in the taxonomy", "the taxonomy lacks", "add it to the taxonomy")
OF_DATA = ("is no label of the training documents", "the training documents lack", "give it training documents")
LABELS_SHOWN = PROBLEMS_SHOWN - 4  # one problem each; the rest is counted, which makes two at most, as do rows


@dataclass(frozen=True)
class Conflict:
    """One text that stands in the data under several labels.

    Parameters
    ----------
    text
        Its beginning.
    labels
        The ids of its labels.
    rows
        Where it stands.
    """

    text: str
    labels: tuple[str, ...]
    rows: tuple[int | str, ...]


@dataclass(frozen=True)
class DataReport:
    """What was found in documents and labels.

    Parameters
    ----------
    documents, used
        How many were read, and how many are left for the work.
    labels
        How many labels have documents.
    fewest, median, most
        Documents of a label, over the labels that have any.
    empty, empty_rows
        How many documents have no text, and the first rows with one.
    duplicates
        Documents that repeat an earlier one: same text, but for case, width and white space, and same label.
    conflicting, conflicts
        Documents whose text also stands under another label, and examples.
    without_documents, few
        Ids of the taxonomy's labels without a document; ids of labels with one or two.
    folded, folded_as
        Documents whose label was found only without regard to case, width and white space, and for each such label a
        line that says how it is written.
    group_mismatches, mismatched
        Documents whose group is not the one in which the taxonomy has the label, and the cases.
    merged, merged_labels
        Documents whose label was merged into another, for which they count, and the cases.
    retired, retired_labels
        Documents whose label was retired, which are left out, and the cases.
    corrected
        Documents whose label a later file corrects, which are left out.
    """

    documents: int
    used: int
    labels: int
    fewest: int
    median: float
    most: int
    empty: int = 0
    empty_rows: tuple[int | str, ...] = ()
    duplicates: int = 0
    conflicting: int = 0
    conflicts: tuple[Conflict, ...] = ()
    without_documents: tuple[str, ...] = ()
    few: tuple[str, ...] = ()
    folded: int = 0
    folded_as: tuple[str, ...] = ()
    group_mismatches: int = 0
    mismatched: tuple[str, ...] = ()
    merged: int = 0
    merged_labels: tuple[str, ...] = ()
    retired: int = 0
    retired_labels: tuple[str, ...] = ()
    corrected: int = 0

    def lines(self, taxonomy: "Taxonomy | None" = None, *, training: bool = False) -> list[str]:
        """Return the report as plain lines, the figures first and then each finding.

        Parameters
        ----------
        taxonomy
            Names the labels; None leaves their ids.
        training
            The documents are for training, where labels with one or two of them are worth a line.
        """

        def named(ids: Sequence[str]) -> Sequence[str]:
            return ids if taxonomy is None else [taxonomy.label_named(label_id) for label_id in ids]

        found = [
            f"{count(self.used, 'document')} in {count(self.labels, 'label')} "
            f"(documents a label: {self.fewest:,} to {self.most:,}, median {self.median:,g})"
        ]
        if self.merged:
            what = count(self.merged, "document")
            found.append(f"{what} whose label was merged, counted for its heir: {some(self.merged_labels)}")
        if self.retired:
            what = count(self.retired, "document")
            found.append(f"{what} whose label was retired, left out: {some(self.retired_labels)}")
        if self.empty:
            what = "left out" if self.used < self.documents - self.retired - self.corrected else "kept"
            rows = some(self.empty_rows, self.empty)
            found.append(f"{count(self.empty, 'empty document')} {what} (rows {rows})")
        if self.corrected:
            found.append(f"{count(self.corrected, 'document')} whose label a later file corrects (left out)")
        if self.duplicates:
            what = "document that repeats" if self.duplicates == 1 else "documents that repeat"
            found.append(f"{self.duplicates:,} {what} an earlier one and its label (kept)")
        if self.conflicting:
            found.append(f"{count(self.conflicting, 'document')} whose text also has another label (kept):")
            found += [f"  rows {some(c.rows)}: {some(named(c.labels))}: {c.text!r}" for c in self.conflicts]
        if self.without_documents:
            what = count(len(self.without_documents), "label")
            found.append(f"{what} without documents: {some(named(self.without_documents))}")
        if training and self.few:
            found.append(f"{count(len(self.few), 'label')} with 1 or 2 documents: {some(named(self.few))}")
        found += capped(self.folded_as, "label")
        if self.group_mismatches:
            what = count(self.group_mismatches, "document")
            found.append(f"{what} in another group than in the taxonomy, which decides: {some(self.mismatched)}")
        return found


def label_problems(
    scan: "Scan", taxonomy: "Taxonomy | None", matches: list[Match], *, of_data: bool = False
) -> list[str]:
    """List everything about the labels that stops the work.

    Parameters
    ----------
    scan
        What the documents hold.
    taxonomy
        The labels that they may have; None allows all.
    matches
        What each of the scan's pairs means.
    of_data
        The taxonomy was made of the training documents' labels, and a person knows these.

    Returns
    -------
    list of str
        Empty where all is well.
    """
    found: list[str] = []
    read = len(scan.pair)
    if scan.unlabelled.total and not (scan.pairs or scan.several.total):
        found.append(
            Remedy(
                f"the label column is empty in all {count(read, 'document')}; name the right one with ",
                "label",
                ", or fill it in",
            )
        )
    elif scan.unlabelled.total:
        what = count(scan.unlabelled.total, "document")
        rows = some([scan.row_at(place) for place in scan.unlabelled.first], scan.unlabelled.total)
        found.append(f"{what} without a label (rows {rows}); give each one, or take it out")
    if scan.several.total:
        what = f"{count(scan.several.total, 'document')} with"
        if not scan.pairs and not scan.unlabelled.total:
            what = f"all {count(scan.several.total, 'document')} have"
        shown = [f"{scan.row_at(place)}: {_shown(labels)}" for place, labels in scan.several.first]
        rows = some(shown, scan.several.total)
        found.append(f"{what} several labels (rows {rows}); one label a document is predicted: keep one of them")
    if taxonomy is not None:
        found += _unresolved(scan, taxonomy, matches, OF_DATA if of_data else OF_TAXONOMY)
    if not found and scan.pairs and all(match.retired for match in matches):
        found.append("no document is left: all have labels that the taxonomy retired; name other documents")
    elif not found and not scan.pairs:
        found.append(
            Remedy(
                f"no document is left: {count(scan.empty.total, 'document')} read, all without text; name the right "
                "column with ",
                "text",
            )
        )
    return found


@dataclass
class _Case:
    """A label that cannot be used."""

    label: str
    group: str | None
    place: int
    row: int | str = ""
    documents: int = 0

    def __str__(self) -> str:
        return f"label {shortened(self.label)!r} ({count(self.documents, 'document')}, first in row {self.row})"


def _unresolved(scan: "Scan", taxonomy: "Taxonomy", matches: list[Match], words: tuple[str, str, str]) -> list[str]:
    """Describe the pairs without a meaning: ambiguous ones, then unknown ones, the commonest first."""
    unknown_is, all_lack, add = words
    unclear = [match.id is None and not match.retired for match in matches]
    if not any(unclear):
        return []
    by_name: dict[str, list[Label]] = defaultdict(list)
    for label in taxonomy.all_labels:
        by_name[match_key(label.name)].append(label)
    ambiguous: dict[Pair, _Case] = {}
    unknown: dict[Pair, _Case] = {}
    for pair, is_unclear, documents, place in zip(scan.pairs, unclear, scan.counts, scan.first, strict=True):
        if not is_unclear:
            continue
        name, group = pair
        # The group says nothing about a label that is nowhere: one case for all groups.
        key, cases = (pair, ambiguous) if len(by_name[match_key(name)]) > 1 else ((name, None), unknown)
        cases.setdefault(key, _Case(name, group, place)).documents += documents

    most = max(LABELS_SHOWN - len(unknown), LABELS_SHOWN // 2)
    shown, rest = _commonest(ambiguous, most, scan)
    found: list[str] = []
    for case in shown:
        labels = by_name[match_key(case.label)]
        candidates = some([label.id for label in labels])
        if len({label.name for label in labels}) == len(labels):
            found.append(
                f"{case} fits several that differ in case, width or white space alone; write one: {candidates}"
            )
            continue
        said = "" if case.group is None else f", of which the data's group {case.group!r} is none"
        problem = f"{case} stands under several groups{said}; name the group column with "
        found.append(Remedy(problem, "group", f", or write the id: {candidates}"))
    if rest:
        found.append(f"{rest} that stand under several groups")
    shown, rest = _commonest(unknown, LABELS_SHOWN - len(shown), scan)
    for case in shown:
        near = ", ".join(repr(taxonomy.label_named(near)) for near in taxonomy.nearest(case.label))
        remedy = f"nearest: {near}" if near else f"nothing in it is alike: {add}, or take it out"
        found.append(f"{case} {unknown_is}; {remedy}")
    if rest:
        found.append(f"{rest} that {all_lack}")
    return found


def _commonest(cases: dict[Pair, _Case], most: int, scan: "Scan") -> tuple[list[_Case], str]:
    """Return the cases to show, and in words how many are left."""
    ordered = sorted(cases.values(), key=lambda case: (-case.documents, case.place))
    rest = ordered[most:]
    documents = sum(case.documents for case in rest)
    left = f"{len(rest):,} more ({count(documents, 'document')})" if rest else ""
    return [replace(case, row=scan.row_at(case.place)) for case in ordered[:most]], left


def _shown(labels: str) -> str:
    return " + ".join(map(shortened, json.loads(labels)))
