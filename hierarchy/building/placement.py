"""What stays where it is and what is to be placed, when groups are built from a taxonomy that has some already."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations, count, permutations

import numpy as np

from hierarchy.building.clustering import Place, balanced_assignment, constrained
from hierarchy.building.sizes import Kept
from hierarchy.checks import link_components
from hierarchy.errors import TaxonomyError
from hierarchy.nodes import Group, Label, named
from hierarchy.taxonomy import Taxonomy


@dataclass(frozen=True)
class Placement:
    """What stays and what is to be placed.

    Attributes
    ----------
    taxonomy
        As given.
    kept
        The groups that stay.
    fixed, home
        The labels that are pinned, and for each the position of its group in `kept`.
    free, source
        The labels to be placed, and for each the position in `kept` of the built group that it comes from, -1 for
        none.
    """

    taxonomy: Taxonomy
    kept: tuple[Group, ...]
    fixed: tuple[Label, ...]
    home: np.ndarray
    free: tuple[Label, ...]
    source: tuple[int, ...]

    @classmethod
    def of(cls, taxonomy: Taxonomy, *, keep_groups: bool = False, pin_built: bool = False) -> "Placement":
        """Sort a taxonomy's groups and labels.

        Parameters
        ----------
        taxonomy
            As given.
        keep_groups
            Built groups stay as well.
        pin_built
            Their labels are pinned, too.

        Raises
        ------
        TaxonomyError
            Links and sizes contradict where labels are pinned.
        """
        kept: list[Group] = []
        pinned: dict[str, int] = {}
        source: dict[str, int] = {}
        by_id = {label.id: label for label in taxonomy.all_labels}
        for group in taxonomy.groups:
            stays = keep_groups or group.stays
            if stays:
                kept.append(group)
            pins = {label.id for label in (group.labels if pin_built else group.pinned)}
            for label in group.labels:
                if label.id in pins:
                    pinned[label.id] = len(kept) - 1
                else:
                    source[label.id] = len(kept) - 1 if stays else -1
        for label in taxonomy.unplaced:
            source[label.id] = -1
        for component in link_components(taxonomy.must_link):
            homes = {pinned[member] for member in component if member in pinned}
            for member in component:
                if homes and member not in pinned:
                    pinned[member] = next(iter(homes))  # the checks left one at most
                    del source[member]
        plan = cls(
            taxonomy, tuple(kept), tuple(by_id[x] for x in pinned), np.array(list(pinned.values()), dtype=np.int64),
            tuple(by_id[x] for x in source), tuple(source.values()),
        )  # fmt: skip
        plan._check_pins(pinned)
        return plan

    def _check_pins(self, pinned: dict[str, int]) -> None:
        problems = []
        for link in self.taxonomy.cannot_link:
            for a, b in combinations(link, 2):
                if a in pinned and pinned.get(b) == pinned[a]:
                    name, (first, second) = named(self.kept[pinned[a]]), map(self.taxonomy.label_named, (a, b))
                    problems.append(
                        f"cannot_link parts '{first}' and '{second}', yet must_link draws both into group '{name}'"
                    )
        for g, group in enumerate(self.kept):
            pins = np.flatnonzero(self.home == g)
            if group.max_size is not None and len(pins) > group.max_size:
                labels = ", ".join(f"'{named(self.fixed[i])}'" for i in pins)
                problems.append(
                    f"group '{named(group)}' has max_size {group.max_size}, but {len(pins)} labels are pinned: {labels}"
                )
        if problems:
            raise TaxonomyError(problems, where=self.taxonomy.name or "taxonomy")

    def sizes(self) -> list[Kept]:
        """Return what each kept group holds and may hold."""
        members = np.bincount(self.home, minlength=len(self.kept))
        return [
            Kept(int(members[g]), not group.built or group.edited, group.min_size, group.max_size, group.name)
            for g, group in enumerate(self.kept)
        ]

    def anchors(self) -> dict[int, list[int]]:
        """Return the free labels around which, with those that are pinned in it, a kept group begins."""
        return {
            g: [i for i, origin in enumerate(self.source) if origin == g]
            for g in sorted({origin for origin in self.source if origin >= 0})
        }

    def assignment(self, largest: int) -> Place:
        """Return the assignment step that honours the links between free labels."""
        position = {label.id: i for i, label in enumerate(self.free)}
        homes = {label.id: int(g) for label, g in zip(self.fixed, self.home, strict=True)}
        units = [
            [position[member] for member in component]
            for component in link_components(self.taxonomy.must_link)
            if component[0] in position
        ]
        for unit_ in units:
            if len(unit_) > largest:
                labels = ", ".join(f"'{named(self.free[i])}'" for i in unit_)
                raise TaxonomyError(
                    f"must_link joins {len(unit_)} labels, but a group takes {largest} at most: {labels}"
                )
        apart, barred = [], []
        for link in self.taxonomy.cannot_link:
            for a, b in combinations(link, 2):
                if a in position and b in position:
                    apart.append((position[a], position[b]))
                elif a in position or b in position:
                    mover, stayer = (a, b) if a in position else (b, a)
                    barred.append((position[mover], homes[stayer]))
        if not (units or apart or barred):
            return balanced_assignment
        return constrained(units, apart, barred)

    @property
    def together(self) -> int:
        """How many labels one must-link joins at most; 1 without any."""
        return max(map(len, link_components(self.taxonomy.must_link)), default=1)

    @property
    def apart(self) -> int:
        """Into how many groups cannot-links part the labels, by greedy colouring; 1 without any."""
        unit_of = {x: i for i, component in enumerate(link_components(self.taxonomy.must_link)) for x in component}
        rivals: dict[str | int, set[str | int]] = defaultdict(set)
        for link in self.taxonomy.cannot_link:
            for a, b in permutations((unit_of.get(label, label) for label in link), 2):
                rivals[a].add(b)
        colour: dict[str | int, int] = {}
        for unit_ in sorted(rivals, key=lambda unit_: -len(rivals[unit_])):
            taken = {colour.get(rival) for rival in rivals[unit_]}
            colour[unit_] = next(c for c in count(1) if c not in taken)
        return max(colour.values(), default=1)

    def named_links(self) -> str:
        """Return the labels under links, for a message; empty where there are none."""
        ids = dict.fromkeys(x for link in (*self.taxonomy.must_link, *self.taxonomy.cannot_link) for x in link)
        return ", ".join(repr(self.taxonomy.label_named(x)) for x in list(ids)[:20])
