"""Says what is wrong with the labels of documents, each with its count, its place and the remedy."""

import json
from collections import defaultdict
from dataclasses import dataclass

from hierarchy.errors import PROBLEMS_SHOWN, Remedy
from hierarchy.matching import match_key
from hierarchy.nodes import Label
from hierarchy.taxonomy import Taxonomy
from pipelines.data.report import count, shortened, some
from pipelines.data.scan import Pair, Scan

# What is said of a label that there is not, of all such, and what to do.
OF_TAXONOMY = ("is not in the taxonomy", "the taxonomy lacks", "add it to the taxonomy")
OF_DATA = ("is no label of the training documents", "the training documents lack", "give it training documents")
LABELS_SHOWN = PROBLEMS_SHOWN - 4  # one problem each; the rest is counted, which makes two at most, as do rows


def find_label_problems(
    scan: Scan, taxonomy: Taxonomy | None, ids: list[str | None], *, of_data: bool = False
) -> list[str]:
    """List everything about the labels that stops the work.

    Parameters
    ----------
    scan
        What the documents hold.
    taxonomy
        The labels that they may have; None allows all.
    ids
        The label id of each of the scan's pairs, None where it has no meaning.
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
        what, rows = count(scan.unlabelled.total, "document"), some(scan.unlabelled.first, scan.unlabelled.total)
        found.append(f"{what} without a label (rows {rows}); give each one, or take it out")
    if scan.several.total:
        what = f"{count(scan.several.total, 'document')} with"
        if not scan.pairs and not scan.unlabelled.total:
            what = f"all {count(scan.several.total, 'document')} have"
        rows = some([f"{row}: {_shown(labels)}" for row, labels in scan.several.first], scan.several.total)
        found.append(f"{what} several labels (rows {rows}); one label a document is predicted: keep one of them")
    if taxonomy is not None:
        found += _unresolved(scan, taxonomy, ids, OF_DATA if of_data else OF_TAXONOMY)
    if not found and not scan.pairs:
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
    row: int
    documents: int = 0

    def __str__(self) -> str:
        return f"label {shortened(self.label)!r} ({count(self.documents, 'document')}, first in row {self.row})"


def _unresolved(scan: Scan, taxonomy: Taxonomy, ids: list[str | None], words: tuple[str, str, str]) -> list[str]:
    """Describe the pairs without a meaning: ambiguous ones, then unknown ones, the commonest first."""
    unknown_is, all_lack, add = words
    if None not in ids:
        return []
    by_name: dict[str, list[Label]] = defaultdict(list)
    for label in (*taxonomy.labels, *taxonomy.unplaced):
        by_name[match_key(label.name)].append(label)
    ambiguous: dict[Pair, _Case] = {}
    unknown: dict[Pair, _Case] = {}
    for pair, label_id, documents, row in zip(scan.pairs, ids, scan.counts, scan.first_rows, strict=True):
        if label_id is not None:
            continue
        name, group = pair
        # The group says nothing about a label that is nowhere: one case for all groups.
        key, cases = (pair, ambiguous) if len(by_name[match_key(name)]) > 1 else ((name, None), unknown)
        cases.setdefault(key, _Case(name, group, row)).documents += documents

    most = max(LABELS_SHOWN - len(unknown), LABELS_SHOWN // 2)
    shown, rest = _commonest(ambiguous, most)
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
    shown, rest = _commonest(unknown, LABELS_SHOWN - len(shown))
    for case in shown:
        near = ", ".join(repr(taxonomy.label_named(near)) for near in taxonomy.nearest(case.label))
        if case.label in taxonomy.retired:
            remedy = "it is retired"
        else:
            remedy = f"nearest: {near}" if near else f"nothing in it is alike: {add}, or take it out"
        found.append(f"{case} {unknown_is}; {remedy}")
    if rest:
        found.append(f"{rest} that {all_lack}")
    return found


def _commonest(cases: dict[Pair, _Case], most: int) -> tuple[list[_Case], str]:
    """Return the cases to show, and in words how many are left."""
    ordered = sorted(cases.values(), key=lambda case: (-case.documents, case.row))
    rest = ordered[most:]
    documents = sum(case.documents for case in rest)
    left = f"{len(rest):,} more ({count(documents, 'document')})" if rest else ""
    return ordered[:most], left


def _shown(labels: str) -> str:
    return " + ".join(map(shortened, json.loads(labels)))
