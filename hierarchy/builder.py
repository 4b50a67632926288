"""Builds groups: places labels that stand in none, within hard size limits, and gives each new group a name."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from hierarchy.checks import link_components
from hierarchy.clustering import Clusters, Place, balanced_assignment, cluster, constrained
from hierarchy.embedding import Documents, Embed, label_vectors, reduced, unit
from hierarchy.errors import DataError, TaxonomyError
from hierarchy.naming import group_names
from hierarchy.nodes import Group, Label, with_default_ids
from hierarchy.sizes import Kept, plan_sizes
from hierarchy.taxonomy import Taxonomy

logger = logging.getLogger(__name__)


class TaxonomyBuilder:
    """Makes groups of labels that are alike, by their texts and by their documents.

    Parameters
    ----------
    n_groups
        Groups in all, or "auto": about sqrt(2 · labels) within what the limits allow (35 for 600).
    min_group_size, max_group_size
        Limits of the groups that are built. Within them, and as far as pinned labels allow, a group has between
        half and twice the mean size.
    embed
        A function texts → array, one row a text, however long it is. None loads `encoder`.
    encoder
        `embedded`, a Hugging Face id, a folder, or `none` for character n-grams. Texts that the encoder cannot read
        are given to character n-grams, and a warning says so.
    text_weight
        What label texts count beside documents, where there are documents: 0 is documents alone, 1 texts alone.
    seed
        Of the clustering. The same seed gives the same taxonomy, byte for byte.
    """

    def __init__(
        self,
        n_groups: int | str = "auto",
        min_group_size: int = 5,
        max_group_size: int = 40,
        embed: Embed | None = None,
        encoder: str = "embedded",
        text_weight: float = 0.5,
        seed: int = 0,
    ) -> None:
        self.n_groups = n_groups
        self.min_group_size = min_group_size
        self.max_group_size = max_group_size
        self.embed = embed
        self.encoder = encoder
        self.text_weight = text_weight
        self.seed = seed

    def build(self, labels: Sequence[str | Label] | Taxonomy, documents: Documents | None = None) -> Taxonomy:
        """Place all labels that stand in no group.

        Parameters
        ----------
        labels
            Label names, or a taxonomy. Of a taxonomy, unplaced labels are placed, and labels of groups with
            `built=True` are dealt anew; labels of any other group stay where they are, and such a group may take
            more up to its `max_size`. Groups with a frozen name or limits of their own are kept.
        documents
            (texts or vectors of shape (documents, dimensions), label of each document), or None.

        Returns
        -------
        Taxonomy
            With no label unplaced. New groups stand after the kept ones and are marked `built`.

        Raises
        ------
        TaxonomyError
            Where sizes, links and pinned labels contradict each other.
        """
        self._check()
        taxonomy = labels if isinstance(labels, Taxonomy) else _unplaced(labels)
        plan = _Plan.of(taxonomy)
        if not plan.free:
            return taxonomy
        everything = [*plan.fixed, *plan.free]
        vectors = label_vectors(
            everything, _known(documents, taxonomy), self.embed, self.encoder, self.text_weight, self.seed
        )
        vectors = reduced(vectors, seed=self.seed)
        fixed, free = vectors[: len(plan.fixed)], vectors[len(plan.fixed) :]
        low, high = plan_sizes(len(plan.free), plan.sizes(), self.n_groups, self.min_group_size, self.max_group_size)
        sums = np.zeros((len(low), vectors.shape[1]))
        np.add.at(sums, plan.home, fixed)
        place, restarts = plan.placement(int(high.max())), None
        if place is not balanced_assignment:
            restarts = 3  # each assignment solves an integer program then
        starts = {g: unit(free[members].sum(axis=0)[None])[0] for g, members in plan.anchors().items()}
        try:
            home = cluster(free, Clusters(low, high, sums, starts), self.seed, restarts, place)
        except TaxonomyError as error:
            raise TaxonomyError(f"{error}; drop a link or widen the sizes{plan.named_links()}") from None
        return self._assembled(taxonomy, plan, home, free, len(low))

    def _check(self) -> None:
        problems = []
        if self.n_groups != "auto" and not (isinstance(self.n_groups, (int, np.integer)) and self.n_groups >= 1):
            problems.append(f"n_groups is {self.n_groups!r}; it must be 'auto' or a whole number from 1 up")
        if not 1 <= self.min_group_size <= self.max_group_size:
            problems.append(
                f"min_group_size is {self.min_group_size} and max_group_size {self.max_group_size}; "
                "it must hold that 1 <= min_group_size <= max_group_size"
            )
        if not 0 <= self.text_weight <= 1:
            problems.append(f"text_weight is {self.text_weight}; it must lie between 0 and 1")
        if problems:
            raise TaxonomyError(problems, where="TaxonomyBuilder")

    def _assembled(
        self, taxonomy: Taxonomy, plan: "_Plan", home: np.ndarray, free: np.ndarray, n_clusters: int
    ) -> Taxonomy:
        taken = [[plan.free[i] for i in np.flatnonzero(home == c)] for c in range(n_clusters)]
        kept = []
        for c, group in enumerate(plan.kept):
            pinned = tuple(label for label, g in zip(plan.fixed, plan.home, strict=True) if g == c)
            kept.append(replace(group, labels=(*pinned, *taken[c])))
        # New groups in the order of their first label, so that the file follows the owner's order.
        new = sorted(
            (c for c in range(len(kept), n_clusters) if taken[c]),
            key=lambda c: int(np.flatnonzero(home == c)[0]),
        )
        centrality = []
        for c in new:
            mine = free[home == c]
            centrality.append(mine @ unit(mine.sum(axis=0)[None])[0])
        names = group_names(
            [taken[c] for c in new],
            centrality,
            background=[group.labels for group in kept],
            taken=[text for group in kept for text in (group.id, group.name)],
        )
        built = [Group(name, name, labels=tuple(taken[c]), built=True) for c, name in zip(new, names, strict=True)]
        logger.info("placed %d labels; %d groups kept, %d built", len(plan.free), len(kept), len(built))
        return Taxonomy(
            groups=tuple(group for group in [*kept, *built] if group.labels),
            name=taxonomy.name,
            must_link=taxonomy.must_link,
            cannot_link=taxonomy.cannot_link,
            retired=taxonomy.retired,
        )


@dataclass(frozen=True)
class _Plan:
    """What stays and what is to be placed.

    `kept` are the groups that stay, `fixed` the labels pinned in them with their groups in `home`, `free` the labels
    to be placed; `source` is the built group that each free label comes from, -1 for none.
    """

    taxonomy: Taxonomy
    kept: tuple[Group, ...]
    fixed: tuple[Label, ...]
    home: np.ndarray
    free: tuple[Label, ...]
    source: tuple[int, ...]

    @classmethod
    def of(cls, taxonomy: Taxonomy) -> "_Plan":
        kept: list[Group] = []
        pinned: dict[str, int] = {}
        source: dict[str, int] = {}
        by_id = {label.id: label for label in (*taxonomy.labels, *taxonomy.unplaced)}
        for group in taxonomy.groups:
            stays = not group.built or group.frozen_name or group.min_size is not None or group.max_size is not None
            if stays:
                kept.append(group)
            for label in group.labels:
                if group.built:
                    source[label.id] = len(kept) - 1 if stays else -1
                else:
                    pinned[label.id] = len(kept) - 1
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
                    name = self.kept[pinned[a]].name
                    problems.append(f"cannot_link parts '{a}' and '{b}', yet must_link draws both into group '{name}'")
        for g, group in enumerate(self.kept):
            count = int((self.home == g).sum())
            if group.max_size is not None and count > group.max_size:
                ids = ", ".join(f"'{label.id}'" for label, h in zip(self.fixed, self.home, strict=True) if h == g)
                problems.append(
                    f"group '{group.name}' has max_size {group.max_size}, but {count} labels are pinned: {ids}"
                )
        if problems:
            raise TaxonomyError(problems, where=self.taxonomy.name or "taxonomy")

    def sizes(self) -> list[Kept]:
        """Return what each kept group holds and may hold."""
        members = np.bincount(self.home, minlength=len(self.kept))
        return [
            Kept(int(members[g]), not group.built, group.min_size, group.max_size) for g, group in enumerate(self.kept)
        ]

    def anchors(self) -> dict[int, list[int]]:
        """Return the free labels around which a kept group without pinned labels begins."""
        return {
            g: [i for i, origin in enumerate(self.source) if origin == g]
            for g in sorted({origin for origin in self.source if origin >= 0})
        }

    def placement(self, largest: int) -> Place:
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
                ids = ", ".join(f"'{self.free[i].id}'" for i in unit_)
                raise TaxonomyError(f"must_link joins {len(unit_)} labels, but a group takes {largest} at most: {ids}")
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

    def named_links(self) -> str:
        """Return the labels under links, for a message."""
        ids = dict.fromkeys(x for link in (*self.taxonomy.must_link, *self.taxonomy.cannot_link) for x in link)
        return f" (labels under links: {', '.join(repr(x) for x in list(ids)[:20])})" if ids else ""


def _unplaced(labels: Sequence[str | Label]) -> Taxonomy:
    made = [label if isinstance(label, Label) else Label("", str(label)) for label in labels]
    return Taxonomy(unplaced=with_default_ids([], made)[1])


def _known(documents: Documents | None, taxonomy: Taxonomy) -> Documents | None:
    """Resolve the targets; documents whose label the taxonomy lacks are counted and left out."""
    if documents is None:
        return None
    contents, targets = documents
    ids = {target: taxonomy.resolve(target) for target in dict.fromkeys(str(target) for target in targets)}
    unknown = [target for target, found in ids.items() if found is None]
    if len(unknown) == len(ids):
        raise DataError(f"no document has a label of the taxonomy; the first says '{next(iter(ids), '')}'")
    if unknown:
        logger.warning(
            "%d labels of the documents are not in the taxonomy, their documents are not used: %s",
            len(unknown), ", ".join(unknown[:5]),
        )  # fmt: skip
    return contents, [ids[str(target)] or "" for target in targets]
