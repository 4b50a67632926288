"""Which documents a head's rows are trained against: all, the likely candidates, or only its own group's."""

import numpy as np

from stages.fine.rows import Problem

AUTO_LIMIT = 10_000_000  # labels x documents up to which every document is a negative
CONFUSED_GROUPS = 4  # taken whole as candidates
CONFUSED_SHARE = 0.005  # of a group's documents that the probe sends to another, for that one to count
SAMPLE = 4_000  # documents of all other groups


def resolve_negatives(negatives: str, n_labels: int, n_documents: int) -> str:
    """Turn ``auto`` into ``all`` or ``candidates`` by the size of the work."""
    if negatives != "auto":
        return negatives
    return "all" if n_labels * n_documents <= AUTO_LIMIT else "candidates"


def plan_problems(
    negatives: str,
    targets: np.ndarray,
    group_of: np.ndarray,
    *,
    confusion: np.ndarray | None = None,
    random_state: int = 0,
) -> list[Problem]:
    """Plan the problems of all heads, one a group that has labels, in the order of the groups.

    Parameters
    ----------
    negatives
        ``all``: every document of another label. ``candidates``: the documents of the group, of the groups that
        the probe confuses with it, and a sample of the rest weighted by 1 / sampling rate. ``group``: the
        documents of the group only, the classic local classifier per parent node.
    targets
        (documents,) label of each document.
    group_of
        (labels,) group of each label, ascending.
    confusion
        (groups, groups) share of the documents of the row's group that a cross-fitted probe puts into the
        column's group; needed by ``candidates``.
    random_state
        Of the sample; each group draws its own, whatever the order of the work.
    """
    if negatives == "candidates" and confusion is None:
        raise ValueError("negatives 'candidates' need the probe's group confusions")
    document_group = group_of[targets]
    problems = []
    for group in np.unique(group_of):
        labels = np.flatnonzero(group_of == group)
        if negatives == "all":
            problems.append(Problem(labels))
        elif negatives == "group":
            problems.append(Problem(labels, np.flatnonzero(document_group == group)))
        else:
            problems.append(_candidates(labels, document_group, int(group), confusion, random_state))
    return problems


def _candidates(
    labels: np.ndarray, document_group: np.ndarray, group: int, confusion: np.ndarray | None, random_state: int
) -> Problem:
    assert confusion is not None  # noqa: S101 - plan_problems has checked; this tells the type checker
    # 1. The groups that it is confused with, in both directions: what it loses to another, and what that loses to it.
    mutual = np.maximum(confusion[group], confusion[:, group])
    order = [int(g) for g in np.argsort(-mutual, kind="stable") if g != group][:CONFUSED_GROUPS]
    near = np.isin(document_group, [group, *(g for g in order if mutual[g] >= CONFUSED_SHARE)])
    # 2. A sample of all other documents.
    rest = np.flatnonzero(~near)
    drawn = rest
    if len(rest) > SAMPLE:
        drawn = np.random.default_rng([random_state, group]).choice(rest, SAMPLE, replace=False)
    documents = np.sort(np.concatenate([np.flatnonzero(near), drawn]))
    # 3. Each of the sample stands for as many as were passed over for it.
    rate = len(drawn) / max(len(rest), 1)
    weights = np.where(near[documents], 1.0, 1.0 / max(rate, 1e-12))
    return Problem(labels, documents, weights)
