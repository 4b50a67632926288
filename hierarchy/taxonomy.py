"""The taxonomy: groups and their fine labels, frozen, with the index arrays that everything else stands on."""

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np

from hierarchy.arguments import column, is_missing
from hierarchy.checks import find_problems, in_words
from hierarchy.errors import TaxonomyError
from hierarchy.files.shape import Shape
from hierarchy.files.taxonomy_files import read_tree_file, write_table, write_text, write_tree_file
from hierarchy.files.writing import json_text, yaml_text
from hierarchy.matching import LabelMatcher, Match, Pair, merged_pairs
from hierarchy.nodes import Group, Label, Tree, named, with_default_ids
from hierarchy.text.characters import is_blank

__all__ = ["Group", "Label", "Taxonomy"]

logger = logging.getLogger(f"coarsefine.{__name__}")


@dataclass(frozen=True)  # again: only so is __post_init__ called
class Taxonomy(Tree):
    """A frozen tree of two levels: groups, and in each its fine labels.

    Parameters
    ----------
    groups
        The groups, each with its labels.
    unplaced
        Labels that stand in no group yet; the builder places them.
    name
        What the taxonomy is called.
    must_link, cannot_link
        Lists of label ids that the builder keeps in one group, or in different groups.
    merged_into
        What documents call labels that were merged → id of the label that these count for, which may be merged too.
    retired
        Ids that were used once and are never used again, and names that went with them; such documents are left out.

    Raises
    ------
    TaxonomyError
        With every contradiction at once: an id used twice, an empty group, links to unknown labels ...
    """

    def __post_init__(self) -> None:
        problems = find_problems(self)
        if problems:
            raise TaxonomyError(in_words(problems), where=self.name or "taxonomy")

    def __repr__(self) -> str:
        """Tell what it is called and how large it is: its labels would fill pages."""
        sizes = f"groups={len(self.groups)}, labels={len(self.labels)}, unplaced={len(self.unplaced)}"
        return f"<Taxonomy {self.name!r} {sizes}>"

    @cached_property
    def labels(self) -> tuple[Label, ...]:
        """All labels that stand in a group, group by group."""
        return tuple(label for group in self.groups for label in group.labels)

    @cached_property
    def label_ids(self) -> tuple[str, ...]:
        """Ids of `labels`, in the same order."""
        return tuple(label.id for label in self.labels)

    @cached_property
    def group_ids(self) -> tuple[str, ...]:
        """Ids of `groups`, in the same order."""
        return tuple(group.id for group in self.groups)

    @cached_property
    def label_positions(self) -> dict[str, int]:
        """Position in `labels` of each id."""
        return {label_id: i for i, label_id in enumerate(self.label_ids)}

    @cached_property
    def label_names(self) -> dict[str, str]:
        """What a person is shown of each label (`hierarchy.nodes.named`), by id; unplaced ones are among them."""
        return {label.id: named(label) for label in self.all_labels}

    @cached_property
    def group_names(self) -> dict[str, str]:
        """What a person is shown of each group, by id."""
        return {group.id: named(group) for group in self.groups}

    @cached_property
    def group_of(self) -> np.ndarray:
        """Index of each label's group, in the order of `labels`: int64, shape (labels,)."""
        return np.repeat(np.arange(len(self.groups), dtype=np.int64), np.diff(self.offsets))

    @cached_property
    def offsets(self) -> np.ndarray:
        """Where groups begin: the labels of group g are `labels[offsets[g]:offsets[g + 1]]`; shape (groups + 1,)."""
        return np.cumsum([0, *(len(group.labels) for group in self.groups)], dtype=np.int64)

    def label_index(self, label_id: str) -> int:
        """Return the position of a label in `labels`.

        Raises
        ------
        TaxonomyError
            Where no placed label has this id; the message names the nearest ones.
        """
        if label_id in self.label_positions:
            return self.label_positions[label_id]
        if label_id in self.label_names:
            label = self.label_named(label_id)
            raise TaxonomyError(f"label '{label}' stands in no group yet; place it with TaxonomyBuilder")
        near = map(self.label_named, self.nearest(label_id))
        raise TaxonomyError(f"the taxonomy has no label '{label_id}'{_nearest(near)}")

    def group_index(self, group_id: str) -> int:
        """Return the position of a group in `groups`.

        Raises
        ------
        TaxonomyError
            Where no group has this id; the message names the nearest ones.
        """
        try:
            return self.group_ids.index(group_id)
        except ValueError:
            near = map(self.group_named, self.nearest_groups(group_id))
            raise TaxonomyError(f"the taxonomy has no group '{group_id}'{_nearest(near)}") from None

    def match(self, label: str, group: str | None = None) -> Match:
        """Return what a label of a data file means; see `LabelMatcher.match`."""
        return self._matcher.match(label, group)

    def resolve(self, label: str, group: str | None = None) -> str | None:
        """Return the id of the label that documents with this one count for, or None; see `LabelMatcher.match`."""
        return self._matcher.match(label, group).id

    def nearest(self, label: str, n: int = 3) -> list[str]:
        """Return the ids of at most `n` labels whose id or name is most like a string."""
        return self._matcher.nearest(label, n)

    def nearest_groups(self, group: str, n: int = 3) -> list[str]:
        """Return the ids of at most `n` groups whose id or name is most like a string."""
        return LabelMatcher(Tree(unplaced=tuple(Label(g.id, g.name) for g in self.groups))).nearest(group, n)

    def label_named(self, label_id: str) -> str:
        """Return what a person is shown of a label (`hierarchy.nodes.named`); the id where it is not in the tree."""
        return self.label_names.get(label_id, label_id)

    def group_named(self, group_id: str) -> str:
        """Return what a person is shown of a group (`hierarchy.nodes.named`); the id where it is not in the tree."""
        return self.group_names.get(group_id, group_id)

    def with_labels(self, other: "Taxonomy") -> "Taxonomy":
        """Return this taxonomy with the labels of another one that it lacks, unplaced.

        Parameters
        ----------
        other
            Its groups do not matter. A label is known by its id; one that was merged or retired here is left out.
        """
        known, gone = self.homes, {*self.merged_into, *self.retired}
        new = [label for label in other.all_labels if label.id not in known]
        if old := [named(label) for label in new if label.id in gone]:
            logger.warning("labels that were merged or retired are left out (%d): %s", len(old), ", ".join(old[:5]))
        return replace(self, unplaced=(*self.unplaced, *(label for label in new if label.id not in gone)))

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """Read a YAML file in any of the forms that docs/ describes; all problems come at once, with their lines."""
        return cls(**vars(read_tree_file(path, ".yaml")))

    @classmethod
    def from_json(cls, path: str | Path) -> Self:
        """Read a JSON file with the same structure as the YAML one."""
        return cls(**vars(read_tree_file(path, ".json")))

    @classmethod
    def from_csv(cls, path: str | Path) -> Self:
        """Read a table whose header says plainly what its columns hold, such as `label` and `group`.

        A file that ends in .tsv is split at tabs. An empty group means that the label is not placed yet.
        """
        return cls(**vars(read_tree_file(path, ".csv")))

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        *,
        label_column: str | None = None,
        group_column: str | Sequence[str] | None = None,
        id_column: str | None = None,
        parent_column: str | None = None,
        description_column: str | None = None,
        sheet: str | None = None,
        separator: str | None = None,
        coarse_level: int = 1,
        inner_nodes: bool = False,
    ) -> Self:
        """Read a file in any of the shapes that docs/file-formats.md describes.

        Parameters
        ----------
        path
            YAML, JSON, CSV, TSV, Excel (.xlsx) or text, by its suffix.
        label_column
            Of a table, the column of the labels, or of paths from the top. Columns whose header says plainly what they
            hold need not be named.
        group_column
            The column of the group, or several, from the top of the tree down.
        id_column
            The column of the ids, where the label column holds names.
        parent_column
            The column that holds, of each row, the id of the one above it.
        description_column
            The column of the descriptions.
        sheet
            Of an Excel file; None takes the first that is not hidden.
        separator
            What parts the names of a path, such as ``>`` or ``##``; ``none`` where names are not cut. None sees for
            itself whether paths stand there.
        coarse_level
            The level of a deeper tree, from 1 at the top, whose nodes become the groups.
        inner_nodes
            Whether inner nodes become labels as well as leaves, from the coarse level down.

        Raises
        ------
        TaxonomyError
            With all problems and their lines; or where an argument has no effect on such a file.
        MissingLibraryError
            Where an Excel file is read without openpyxl.
        """
        shape = Shape(
            label_column, group_column, id_column, parent_column, description_column, sheet, separator, coarse_level,
            inner_nodes,
        )  # fmt: skip
        return cls(**vars(read_tree_file(path, shape=shape)))

    @classmethod
    def from_data(
        cls,
        targets: Sequence[str | int],
        groups: Sequence[str | int | None] | None = None,
        *,
        merge_spellings: bool = True,
    ) -> Self:
        """Make the tree that a data set's columns hold.

        Parameters
        ----------
        targets
            The label of each document.
        groups
            The group of each document, None where it is not known. A label without any group stays unplaced;
            one that stands under several groups becomes a label `group/name` in each.
        merge_spellings
            Take labels, and groups, that differ in case, width and white space alone for one: the commonest spelling
            stands, without blanks around it, and the log says what was taken for what.

        Returns
        -------
        Taxonomy
            Groups and labels in alphabetical order, so that the order of documents does not matter.

        Raises
        ------
        DataError
            One of the two is no column of values.
        TaxonomyError
            A label or a group is neither text nor a whole number, or there is not one group a document.
        """
        names = _numbers_as_text(column(targets, "targets"))
        above = [None] * len(names) if groups is None else column(groups, "groups")
        if len(above) != len(names):
            raise TaxonomyError(f"{len(names)} targets but {len(above)} groups; there must be one a document")
        above = _numbers_as_text([None if is_missing(group) else group for group in above])
        problems = _not_text("target", names) + _empty(names)
        problems += _not_text("group", ["" if group is None else group for group in above])
        if problems:
            raise TaxonomyError(problems, where="from_data")
        counts = Counter(zip(names, above, strict=True))
        pairs: Collection[Pair] = counts
        if merge_spellings:
            pairs, *told = merged_pairs(counts)
            for line in chain(*told):
                logger.warning("%s", line)
        placed: dict[str, set[str]] = defaultdict(set)
        for target, group in pairs:
            placed[str(target)].update(() if group is None else (str(group),))
        members: dict[str, list[Label]] = defaultdict(list)
        for target in sorted(placed):
            for group in placed[target]:
                members[group].append(Label("", target))
        several = [target for target, places in placed.items() if len(places) > 1]
        if several:
            logger.warning(
                "labels that stand under several groups get ids of the form group/name; there are %d: %s",
                len(several), ", ".join(sorted(several)[:5]),
            )  # fmt: skip
        unplaced = [Label("", target) for target in sorted(placed) if not placed[target]]
        return cls(
            *with_default_ids([Group("", group, labels=tuple(members[group])) for group in sorted(members)], unplaced)
        )

    def to_yaml(self, path: str | Path | None = None, unsorted: Collection[str] = ()) -> str:
        """Return the taxonomy as YAML, and write it to `path` where one is given.

        Above groups whose ids are `unsorted` stands the comment that their labels have little in common.
        """
        return write_text(yaml_text(self, unsorted), path)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the taxonomy as JSON, and write it to `path` where one is given."""
        text = json_text(self)
        return text if path is None else write_text(text, path)

    def to_file(self, path: str | Path) -> None:
        """Write YAML, JSON, or a table (.csv, .tsv, .xlsx), by the suffix of `path`."""
        write_tree_file(self, path)

    def to_csv(self, path: str | Path) -> None:
        """Write a table of label ids, group ids, names and descriptions; tabs where `path` ends in .tsv."""
        write_table(self, path)

    @cached_property
    def _matcher(self) -> LabelMatcher:
        return LabelMatcher(self)


def _numbers_as_text(values: Sequence[Any]) -> Sequence[Any]:
    """Return whole numbers as text where all values are such numbers, or None."""
    if all(value is None or isinstance(value, Integral) for value in values):
        return [None if value is None else str(value) for value in values]
    return values


def _empty(targets: Sequence[Any]) -> list[str]:
    rows = [row for row, target in enumerate(targets) if isinstance(target, str) and is_blank(target)]
    if not rows:
        return []
    return [f"{len(rows)} targets are empty (first in row {rows[0]}); give each document a label, or leave it out"]


def _not_text(what: str, values: Sequence[Any]) -> list[str]:
    rows = [row for row, value in enumerate(values) if not isinstance(value, str)]
    if not rows:
        return []
    first = values[rows[0]]
    return [
        f"{len(rows)} {what}s are no text (first in row {rows[0]}: {first!r}, {type(first).__name__}); "
        "labels are strings: convert them with str()"
    ]


def _nearest(near: Iterable[str]) -> str:
    names = ", ".join(f"'{name}'" for name in near)
    return f"; nearest: {names}" if names else ""
