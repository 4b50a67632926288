"""The negatives of a row: the documents of other labels that it is fitted against."""

from dataclasses import dataclass

import numpy as np

from stages.label_space import LabelSpace

AUTO_LIMIT = 10_000_000  # labels x documents up to which every document is a negative
CONFUSED_GROUPS = 4  # taken as candidates
CONFUSED_SHARE = 0.005  # of a group's documents that the probe sends to another, for that one to count
SAMPLE = 4_000  # documents of all other groups
ROWS_TIMES_NEGATIVES = 100_000_000  # at most with candidates, but for
FEWEST = 5_000  # negatives of a row that there may always be
SHARES = (0.3, 0.3, 0.4)  # of a row's most negatives: for the own group, the confused ones, all others


@dataclass(frozen=True)
class Problem:
    """The labels whose rows share one set of documents.

    Attributes
    ----------
    labels
        Targets that get a row.
    documents
        (documents,) indices of the documents to train on; None stands for all.
    weights
        (documents,) weight of each as a negative; None stands for 1. Where it is 0, the document is a positive of its
        own label alone.
    """

    labels: np.ndarray
    documents: np.ndarray | None = None
    weights: np.ndarray | None = None


def resolve_negatives(negatives: str, n_labels: int, n_documents: int) -> str:
    """Turn ``auto`` into ``all`` or ``candidates`` by the size of the work."""
    if negatives != "auto":
        return negatives
    return "all" if n_labels * n_documents <= AUTO_LIMIT else "candidates"


def most_negatives(n_labels: int) -> int:
    """Return how many negatives a row has at most with ``candidates``, so that all rows together stay affordable."""
    return max(FEWEST, ROWS_TIMES_NEGATIVES // n_labels)


def plan_problems(
    negatives: str,
    targets: np.ndarray,
    space: LabelSpace,
    *,
    confusion: np.ndarray | None = None,
    max_negatives: int | None = None,
    random_state: int = 0,
) -> list[Problem]:
    """Plan the problems of all heads, one a group, in the order of the groups.

    Parameters
    ----------
    negatives
        ``all``: every document of another label. ``candidates``: the documents of the group, of the groups that
        the probe confuses with it, and a sample of the rest weighted by 1 / sampling rate. ``group``: the
        documents of the group only, the classic local classifier per parent node.
    targets
        (documents,) label of each document.
    space
        The labels and their groups.
    confusion
        (groups, groups) share of the documents of the row's group that a cross-fitted probe puts into the
        column's group; needed by ``candidates``.
    max_negatives
        Negatives of a row with ``candidates``; where a group would have more, each kind is sampled and weighted
        likewise. None takes `most_negatives`.
    random_state
        Of the sample; each group draws its own, whatever the order of the work.
    """
    if max_negatives is None:
        max_negatives = most_negatives(len(space.label_ids))
    document_group, every_label = space.groups(targets), np.arange(len(space.label_ids))
    problems = []
    for group in range(len(space.group_ids)):
        labels = every_label[space.under(group)]
        if negatives == "all":
            problems.append(Problem(labels))
        elif negatives == "group":
            problems.append(Problem(labels, np.flatnonzero(document_group == group)))
        elif confusion is None:
            raise ValueError("negatives 'candidates' need the probe's group confusions")
        else:
            near = _nearness(document_group, group, confusion)
            random = np.random.default_rng([random_state, group])
            problems.append(Problem(labels, *_candidates(near, max_negatives, random)))
    return problems


def _nearness(document_group: np.ndarray, group: int, confusion: np.ndarray) -> np.ndarray:
    """Tell of each document whether it is of the group (0), of one that is confused with it (1), or of another (2)."""
    # In both directions: what it loses to another, and what that loses to it.
    mutual = np.maximum(confusion[group], confusion[:, group])
    order = [int(g) for g in np.argsort(-mutual, kind="stable") if g != group][:CONFUSED_GROUPS]
    confused = np.isin(document_group, [g for g in order if mutual[g] >= CONFUSED_SHARE])
    return np.where(document_group == group, 0, np.where(confused, 1, 2))


def _candidates(near: np.ndarray, max_negatives: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Choose documents by their nearness, and weigh each as as many as were passed over for it."""
    # 1. How many of each kind. All near ones and a sample of the others, unless that is too much.
    sizes = np.bincount(near, minlength=3)
    quotas = np.minimum(sizes, [sizes[0], sizes[1], SAMPLE])
    if quotas.sum() > max_negatives:
        quotas = _shared(sizes, max_negatives)
    # 2. Those documents. What is not drawn of the own group stays, without weight: its labels need their positives.
    weights = np.zeros(len(near))
    for kind, (size, quota) in enumerate(zip(sizes, quotas, strict=True)):
        of_kind = np.flatnonzero(near == kind)
        drawn = of_kind if quota == size else random.choice(of_kind, quota, replace=False)
        weights[drawn] = 1.0 / (quota / max(size, 1)) if quota else 0.0
    documents = np.flatnonzero((near == 0) | (weights > 0))
    return documents, weights[documents]


def _shared(sizes: np.ndarray, most: int) -> np.ndarray:
    """Deal a number over kinds by `SHARES`; what one kind does not need goes to the others."""
    quotas, open_kinds = np.zeros(3, dtype=np.int64), [0, 1, 2]
    while open_kinds:
        left, shares = most - int(quotas.sum()), np.array(SHARES)[open_kinds]
        dealt = np.floor(left * shares / shares.sum()).astype(np.int64)
        small = [kind for kind, share in zip(open_kinds, dealt, strict=True) if sizes[kind] <= share]
        if not small:
            quotas[open_kinds] = dealt
            break
        quotas[small] = sizes[small]
        open_kinds = [kind for kind in open_kinds if kind not in small]
    return quotas
