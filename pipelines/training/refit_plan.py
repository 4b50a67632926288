"""What a refit must do, found out before any work: groups, labels, and which documents serve for validation."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hierarchy.diff import diff
from hierarchy.editing.draft import find_group
from hierarchy.errors import DataError, TaxonomyError
from hierarchy.nodes import named
from hierarchy.taxonomy import Taxonomy
from hierarchy.text.wording import some
from pipelines.data.documents import Documents
from pipelines.data.splits import stratified_split
from pipelines.model.model import Model
from stages.label_space import LabelSpace

CHANGED = 0.1  # of a label's number of documents: more counts as a change
FOUND = 0.5  # share of a model's validation documents that must be among given ones for them to be used again


@dataclass(frozen=True)
class RefitPlan:
    """What a refit does.

    Attributes
    ----------
    taxonomy
        The tree afterwards.
    space
        Labels and groups of the scores afterwards.
    heads
        Places in ``space.group_ids`` of the groups that get new rows by the change itself. Where `coarse`, the neural
        rows of all others are fitted again, too.
    coarse
        Whether labels came, went or moved, so that the coarse stage and the fusion are fitted again.
    """

    taxonomy: Taxonomy
    space: LabelSpace
    heads: list[int]
    coarse: bool

    @property
    def refitted(self) -> np.ndarray:
        """(labels,) whether a label gets a new row."""
        return np.isin(self.space.group_of, self.heads)


def plan_refit(model: Model, groups: Sequence[str] | None, labels: Sequence[str], taxonomy: Taxonomy) -> RefitPlan:
    """Find out what must be refitted.

    Parameters
    ----------
    model
        The trained model.
    groups
        Ids or names of the groups that are asked for; None for those that the change demands, and where labels are
        gone, those of labels that have more documents now.
    labels
        Label id of each training document.
    taxonomy
        The tree as it is now.

    Raises
    ------
    DataError
        A group is unknown, or one that the change demands is left out; a new label has no documents; nothing is to be
        done.
    TaxonomyError
        A label of the tree stands in no group.
    """
    if taxonomy.unplaced:
        loose = some([named(label) for label in taxonomy.unplaced])
        raise TaxonomyError(f"labels stand in no group yet ({loose}): give each a group, then refit")
    change = diff(model.taxonomy, taxonomy)
    present = set(labels)
    empty = [taxonomy.label_named(label) for label, _ in change.added if label not in present]
    if empty:
        raise DataError(
            f"labels are new in the tree and have no training documents ({some(empty)}): give them documents, or "
            "leave them out of the tree until there are any"
        )
    space = LabelSpace.of(taxonomy, [*labels, *model.label_ids])
    known = set(model.label_ids)
    first = {group for label, group in space.group_by_label.items() if label not in known}
    coarse = change.coarse or bool(first)
    if not coarse:  # where the tree only orders the same groups in another way, the scores keep their order
        space = model.space
    demanded = {*change.heads, *first} & set(space.group_ids)
    if groups is not None:
        chosen = _known(groups, space.group_ids, taxonomy)
    elif change.removed:  # their documents may have gone to other labels, as in a merge
        chosen = demanded | _grown(model, space, labels)
    else:
        chosen = demanded
    forgotten = sorted(taxonomy.group_named(group) for group in demanded - chosen)
    if forgotten:
        raise DataError(
            f"labels came, went or moved in groups that are not named ({some(forgotten)}): "
            "name these too, or name no group to refit all that the change demands"
        )
    if not chosen and change.empty and not coarse:
        raise DataError("there is nothing to do: the tree is the model's own; name the groups to refit (--groups)")
    return RefitPlan(taxonomy, space, [g for g, group in enumerate(space.group_ids) if group in chosen], coarse)


def cut_for_refit(model: Model, documents: Documents) -> tuple[np.ndarray, np.ndarray]:
    """Cut the documents of a refit into training and validation.

    The fusion must not be fitted on documents that the remaining rows were fitted on. So the documents that were
    validation before are it again, and with them a stratified tenth of the labels that have none there.

    Parameters
    ----------
    model
        Knows its validation documents.
    documents
        All documents.

    Returns
    -------
    training, validation : numpy.ndarray
        Sorted positions, int64. Validation is empty where fewer than half of the model's validation documents are
        among these.
    """
    keys = documents.keys()
    held_out = np.isin(keys, model.valid_keys)
    if len(np.unique(keys[held_out])) < max(1, FOUND * len(model.valid_keys)):
        return np.arange(len(keys)), np.empty(0, dtype=np.int64)
    covered = {*model.label_ids, *(documents.labels[int(i)] for i in np.flatnonzero(held_out))}
    first = np.array([i for i, label in enumerate(documents.labels) if label not in covered], dtype=np.int64)
    labels = [documents.labels[int(i)] for i in first]
    _, cut = stratified_split(labels, random_state=model.settings.random_state, keys=keys[first])
    held_out[first[cut]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _grown(model: Model, space: LabelSpace, labels: Sequence[str]) -> set[str]:
    """Return the groups of labels with more documents than their rows were fitted on."""
    now = Counter(labels)
    before = dict(zip(model.label_ids, model.train_counts.tolist(), strict=True))
    return {group for label, group in space.group_by_label.items() if now[label] > (1 + CHANGED) * before.get(label, 0)}


def _known(groups: Sequence[str], group_ids: Sequence[str], taxonomy: Taxonomy) -> set[str]:
    """Return the ids of groups that are named by id or by name."""
    found = {word: group for word in groups if (group := find_group(taxonomy, word)) and group.id in group_ids}
    unknown = [word for word in groups if word not in found]
    if unknown:
        near = {word: ", ".join(map(taxonomy.group_named, taxonomy.nearest_groups(word))) for word in unknown}
        raise DataError(
            [f"no group {word!r} in this model; nearest: {names or 'none'}" for word, names in near.items()]
        )
    return {group.id for group in found.values()}
