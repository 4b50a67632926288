"""Builds groups: places labels that stand in none, within hard size limits, and gives each new group a name."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from hierarchy.arguments import LARGEST, column, document_columns, is_whole, known_keywords, label_text
from hierarchy.building.assembling import assembled
from hierarchy.building.clustering import Clusters, cluster
from hierarchy.building.placement import Placement
from hierarchy.building.sizes import Room, size_limits
from hierarchy.building.smoothing import smoothed
from hierarchy.building.undone import moved_labels, undone
from hierarchy.embedding.label_vectors import Documents, Embed, embed_texts, principal_components, text_reader, unit
from hierarchy.errors import DataError, Remedy, TaxonomyError
from hierarchy.matching import match_key
from hierarchy.measuring.measures import MEANING, measures_of
from hierarchy.measuring.signals import SIGNALS, Confusions, Signals, by_label_id, label_signals, signal_problems
from hierarchy.nodes import Label, with_default_ids
from hierarchy.taxonomy import Taxonomy
from hierarchy.text.escaping import short_repr

BEAM = 3  # groups that the router keeps, for the routing recall that is told of numbers of groups
AROUND = (0.5, 0.7, 1.4, 2.0)  # times the number of groups: the others whose routing recall is told
MANY_LABELS = 2500  # above so many labels another clustering takes long, and the number alone is told
UNDOING = Remedy("allow it with ", "force", value="True")
logger = logging.getLogger(f"coarsefine.{__name__}")
Curve: TypeAlias = tuple[tuple[int, float], ...]
Decision: TypeAlias = tuple[np.ndarray, str, Curve]  # the cluster of each free label, why so many, and the curve
LabelsOrTree: TypeAlias = "Sequence[str | int | Label] | Taxonomy"


@dataclass(frozen=True)
class BuildReport:
    """How a build was decided.

    Attributes
    ----------
    n_groups
        Groups of the result.
    rule
        What decided their number, in words.
    curve
        (groups, routing recall at `beam: 3` as the probe estimates it) with `n_groups="auto"` and documents: for the
        number that was taken and, up to 2,500 labels, for some around it.
    signals
        What each signal that was there counted, as shares and on average over labels.
    moved
        (label id, its group before, its group now) of labels that stood in a group and left it.
    unsorted
        Ids of groups whose labels have little in common: `hierarchy.measuring.measures.Measures.unsorted`.
    """

    n_groups: int
    rule: str
    curve: Curve = ()
    signals: dict[str, float] = field(default_factory=dict)
    moved: tuple[tuple[str, str, str], ...] = ()
    unsorted: tuple[str, ...] = ()


@dataclass(eq=False)
class TaxonomyBuilder:
    """Makes groups of labels that are alike: by their texts, by their documents, by what gets confused.

    Parameters
    ----------
    n_groups
        Groups in all, or "auto": about sqrt(2 · labels), 35 for 600, as near as the limits and links allow.
    min_group_size, max_group_size
        Limits of the groups that are built. Within them, and as far as pinned labels allow, a group has between
        half and twice the mean size. None is 5 and 40, and gives way where `n_groups`, the other limit or links ask
        for another size. Fewer labels than `min_group_size` make one group.
    embed
        A function texts → array, one row a text, however long it is. None loads `encoder`.
    encoder
        `embedded`, a Hugging Face id, a folder, or `none` for character n-grams. Texts that the encoder cannot read
        are given to character n-grams, and a warning says so.
    signals
        What `text`, `documents` and `confusion` count; only their ratios matter. None takes `SIGNALS`. The fewer
        documents a label has, the more of this goes to its text.
    random_state
        Of the clustering. The same seed gives the same taxonomy, byte for byte.

    Attributes
    ----------
    report_
        `BuildReport` of the last build.
    """

    n_groups: int | str = "auto"
    min_group_size: int | None = None
    max_group_size: int | None = None
    embed: Embed | None = None
    encoder: str = "embedded"
    signals: Mapping[str, float] | None = None
    random_state: int = 0
    report_: BuildReport = field(init=False, repr=False)

    @known_keywords
    def build(
        self,
        labels: LabelsOrTree,
        documents: Documents | None = None,
        *,
        keep: bool = False,
        force: bool = False,
        confusions: Confusions | None = None,
    ) -> Taxonomy:
        """Place all labels that stand in no group.

        Parameters
        ----------
        labels
            Label names, or a taxonomy. Of a taxonomy, unplaced labels are placed; where there is none, or with
            `force`, labels of groups that the builder made are dealt anew. What a person did stays: labels that are
            pinned, groups that are not `built` or were edited by hand since, which may take more labels up to their
            `max_size`, and groups with a frozen name or limits of their own. A new group that shares more than half of
            its labels with an earlier built one goes on as that one.
        documents
            (texts or vectors of shape (documents, dimensions), label of each document), or None.
        keep
            Leave every placed label where it stands, in built groups as well; `n_groups` does not count then. With
            `force` labels of built groups that nobody pinned move where the size limits leave no other way, as few as
            they ask.
        force
            Let labels leave groups of an older file (``built: true``), of which nobody knows what a person did there;
            without it such a build is refused. `report_.moved` says which labels moved.
        confusions
            With documents: what is confused with what, in place of the builder's probe, for example
            `pipelines.cross_validation.out_of_fold.OutOfFold.probe` of a cross-validated model.

        Returns
        -------
        Taxonomy
            With no label unplaced. New groups stand after the kept ones and bear the builder's mark (`built`).

        Raises
        ------
        DataError
            Labels or documents are no columns of values, or differ in number.
        TaxonomyError
            Where sizes, links and pinned labels contradict each other, or something that a person may have done would
            be undone.
        """
        documents = document_columns(documents)
        plan, keep = self._planned(labels, keep, force)
        taxonomy = plan.taxonomy
        if not plan.free:
            self.report_ = BuildReport(len(taxonomy.groups), "every label stands in a group already")
            return taxonomy
        room = self._room(plan)
        crowded = keep and force and room.least < room.limits[0]
        if crowded:  # no group has room, and the new labels alone do not make one
            plan = Placement.of(taxonomy, keep_groups=True)
        known = _known(documents, taxonomy)
        members = [*plan.fixed, *plan.free]
        reader = text_reader([label.text for label in members], self.embed, self.encoder, self.random_state)
        found = label_signals(members, known, reader, self.encoder, self.random_state, confusions)
        weights = SIGNALS if self.signals is None else self.signals
        vectors = smoothed(principal_components(found.blend(weights), random_state=self.random_state))
        try:
            home, rule, curve = (
                self._fewest_moves(plan, vectors) if crowded else self._decided(plan, vectors, found, keep)
            )
        except TaxonomyError as error:
            links = plan.named_links()
            if not links:
                raise
            raise TaxonomyError(f"{error}; drop a link or widen the sizes (labels under links: {links})") from None
        names = embed_texts([label.name for label in plan.free], reader, self.encoder, self.random_state)
        built = assembled(taxonomy, plan, home, names)
        if force:  # what an older file may have had by hand is given up
            built = replace(built, groups=tuple(g.as_built() if g.built else g for g in built.groups))
        elif lost := undone(taxonomy, built):
            raise TaxonomyError(lost, "what the build would undo", UNDOING)
        moved = moved_labels(taxonomy, built)
        place = {label.id: i for i, label in enumerate(members)}
        unsorted = measures_of(built, found.blend(MEANING)[[place[label] for label in built.label_ids]]).unsorted
        self.report_ = BuildReport(len(built.groups), rule, curve, found.shares(weights), moved, unsorted)
        logger.info("number of groups: %d, %s", self.report_.n_groups, rule)
        if self.report_.n_groups == 1 and len(built.labels) > 1:
            logger.info(
                "all %d labels stand in one group, so a tree does nothing here; for more groups set a smaller "
                "min_group_size (it is %d)",
                len(built.labels), room.limits[0],
            )  # fmt: skip
        return built

    def check(self, labels: LabelsOrTree, *, keep: bool = False, force: bool = False) -> None:
        """Refuse, before there are vectors, what `build` with these arguments would refuse for settings and sizes."""
        plan, keep = self._planned(labels, keep, force)
        if plan.free:
            self._room(plan).ways("auto" if keep else self.n_groups)

    def _planned(self, labels: LabelsOrTree, keep: bool, force: bool) -> tuple[Placement, bool]:
        """Return what stays and what is placed, and whether all that stands stays."""
        self._check()
        taxonomy = labels if isinstance(labels, Taxonomy) else _unplaced(labels)
        waiting = bool(taxonomy.unplaced) and any(group.built for group in taxonomy.groups)
        keep = keep or (waiting and not force)
        return Placement.of(taxonomy, keep_groups=keep, pin_built=keep), keep

    def _check(self) -> None:
        problems = []
        asked = self.n_groups
        if asked != "auto" and not is_whole(asked, 1):
            problems.append(f"n_groups is {short_repr(asked)}; it must be 'auto' or a whole number from 1 up")
        if not is_whole(self.random_state, 0, 2**32 - 1):
            problems.append(
                f"random_state is {short_repr(self.random_state)}; it must be a whole number from 0 to 4294967295"
            )
        sizes = {"min_group_size": self.min_group_size, "max_group_size": self.max_group_size}
        wrong = {name: size for name, size in sizes.items() if size is not None and not is_whole(size, -LARGEST)}
        problems += [f"{name} is {short_repr(size)}; it must be a whole number" for name, size in wrong.items()]
        low, high = (1, 1) if wrong else size_limits(self.min_group_size, self.max_group_size)
        if not 1 <= low <= high:
            problems.append(
                f"min_group_size is {low} and max_group_size {high}; "
                "it must hold that 1 <= min_group_size <= max_group_size"
            )
        problems += signal_problems(self.signals)
        if problems:
            raise TaxonomyError(problems, where="TaxonomyBuilder")

    def _room(self, plan: Placement) -> Room:
        return Room(len(plan.free), plan.sizes(), self.min_group_size, self.max_group_size, plan.together, plan.apart)

    def _decided(self, plan: Placement, vectors: np.ndarray, found: Signals, keep: bool) -> Decision:
        """Choose the number of groups and cluster."""
        if keep:
            room = self._room(plan)
            count = room.counts()[0]
            new = count - len(plan.kept)
            rule = f"kept, and {new} more for labels that find no room" if new else "all kept; there is room in them"
            if new and room.least < room.limits[0]:
                rule += f", with fewer than {room.limits[0]} labels, since no label that stands may move"
            return self._clustered(plan, vectors, count, near_mean=False), rule, ()
        if self.n_groups != "auto":
            return self._clustered(plan, vectors, int(self.n_groups)), "as n_groups asks", ()
        home = self._clustered(plan, vectors, "auto")
        count = max(len(plan.kept), int(home.max()) + 1)
        return home, self._room(plan).reason(count), self._curve(plan, vectors, found, home, count)

    def _curve(self, plan: Placement, vectors: np.ndarray, found: Signals, home: np.ndarray, count: int) -> Curve:
        """Estimate the routing recall of the number of groups that was taken, and of some around it."""
        if found.probe is None:
            return ()
        homes = {count: home}
        if len(plan.free) <= MANY_LABELS:
            allowed = self._room(plan).counts()
            for wanted in (count * share for share in AROUND):
                other = min(allowed, key=lambda number: (abs(number - wanted), number))
                if other not in homes:
                    with suppress(TaxonomyError):  # links may need more groups, or fewer
                        homes[other] = self._clustered(plan, vectors, other)
        return tuple(
            (number, found.probe.routing_recall(np.concatenate([plan.home, homes[number]]), BEAM))
            for number in sorted(homes)
        )

    def _clustered(
        self, plan: Placement, vectors: np.ndarray, n_groups: int | str, *, near_mean: bool = True
    ) -> np.ndarray:
        """Return the cluster of each free label; kept groups are the first clusters."""
        fixed, free = vectors[: len(plan.fixed)], vectors[len(plan.fixed) :]
        starts = {g: free[members].sum(axis=0) for g, members in plan.anchors().items()}  # beside what is pinned there

        def deal(low: np.ndarray, high: np.ndarray) -> np.ndarray:
            sums = np.zeros((len(low), vectors.shape[1]))
            np.add.at(sums, plan.home, fixed)
            place = plan.assignment(int(high.max()))
            return cluster(free, Clusters(low, high, sums, starts), self.random_state, place=place)

        *before, last = self._room(plan).ways(n_groups, near_mean=near_mean)
        for way in before:
            with suppress(TaxonomyError):  # links leave it out
                return deal(*way)
        return deal(*last)

    def _fewest_moves(self, plan: Placement, vectors: np.ndarray) -> Decision:
        """Place labels where no group has room: a new group takes as few placed labels as its smallest size asks."""
        fixed, free = vectors[: len(plan.fixed)], vectors[len(plan.fixed) :]
        source = np.array(plan.source)
        held = np.bincount(source[source >= 0], minlength=len(plan.kept))
        room = self._room(plan)
        smallest, largest = room.limits
        kept = [
            replace(size, min_size=min(size.min_size or smallest, size.members + int(count)))
            for size, count in zip(room.kept, held, strict=True)
        ]
        room = replace(room, kept=kept)
        count = room.counts()[0]
        low, high = room.ways(count, near_mean=False)[0]
        centroids = np.zeros((len(low), vectors.shape[1]))
        np.add.at(centroids, plan.home, fixed)
        # New labels begin the new groups; every other label counts where it stands.
        np.add.at(centroids, np.where(source >= 0, source, len(low) - 1), free)
        cost = 1.0 - free @ unit(centroids).T
        stays = np.flatnonzero(source >= 0)
        cost[stays, source[stays]] -= len(free)  # no move is worth it that a limit does not force
        home = plan.assignment(int(high.max()))(cost, low, high)
        left = np.count_nonzero(home[stays] != source[stays])
        new = count - len(plan.kept)
        rule = f"kept, and {new} more: no group has room below max_group_size {largest}"
        if left:
            rule += f", and a group takes {smallest} labels at least, so {left} had to move"
        return home, rule, ()


TaxonomyBuilder.__init__ = known_keywords(TaxonomyBuilder.__init__)  # type: ignore[method-assign]


def _unplaced(labels: Sequence[str | int | Label]) -> Taxonomy:
    given = column(labels, "labels")
    made = [
        label if isinstance(label, Label) else Label("", label_text(label, "labels", place))
        for place, label in enumerate(given)
    ]
    _warn_of_alike([label for label in given if isinstance(label, str)])
    return Taxonomy(unplaced=with_default_ids([], made)[1])


def _warn_of_alike(names: Sequence[str]) -> None:
    """Warn of names that may be one label written in several ways."""
    ways = defaultdict(set)
    for name in names:
        ways[match_key(name)].add(name)
    alike = [sorted(spellings) for spellings in ways.values() if len(spellings) > 1]
    if alike:
        logger.warning(
            "%d labels are written in several ways, which differ in case, width and white space alone and stay labels "
            "of their own (%s%s): Taxonomy.from_data(labels) takes them for one",
            len(alike), " = ".join(map(repr, alike[0])), ", ..." if len(alike) > 1 else "",
        )  # fmt: skip


def _known(documents: Documents | None, taxonomy: Taxonomy) -> Documents | None:
    """Resolve the targets; documents whose label the taxonomy lacks are counted and left out."""
    if documents is None:
        return None
    contents, ids = by_label_id(documents, taxonomy)
    if not any(ids):
        raise DataError(f"no document has a label of the taxonomy; the first says '{next(iter(documents[1]), '')}'")
    left_out = dict.fromkeys(target for target, found in zip(documents[1], ids, strict=True) if not found)
    if unknown := [target for target in left_out if not taxonomy.match(target).retired]:
        logger.warning(
            "%d labels of the documents are not in the taxonomy, their documents are not used: %s",
            len(unknown), ", ".join(unknown[:5]),
        )  # fmt: skip
    return contents, ids
