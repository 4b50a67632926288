"""What became of a model's promises on documents with known labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.promises.promises import Promises, observe
from stages.label_space import LabelSpace
from stages.router.router import Routed

FINE_ANSWERS, GROUP_ANSWERS = "fine answers", "group answers"
LABEL_SETS, TREE_NODES = "sets of labels", "nodes of the tree"
FALSE_ALARMS = "false alarms"


@dataclass(frozen=True)
class KeptPromise:
    """One promise, beside what happened.

    Attributes
    ----------
    what
        One of the names above.
    promised
        The share that is promised: of right answers, of sets that hold the right label, of false alarms at most.
    found
        The same share on these documents; None where there was nothing to count.
    documents
        What it was counted on: answers, sets, documents.
    share
        That number as a share of all documents.
    """

    what: str
    promised: float
    found: float | None
    documents: int
    share: float


def kept_promises(
    promises: Promises,
    routed: Routed,
    texts: Sequence[str],
    gold: np.ndarray,
    gold_group: np.ndarray,
    space: LabelSpace,
) -> tuple[KeptPromise, ...]:
    """Compare promises with what happened.

    Parameters
    ----------
    promises
        Of the model.
    routed, texts, gold, gold_group, space
        As for `observe`; the routing is that of the promises.
    """
    seen = observe(routed, texts, gold, gold_group, space)
    decisions = promises.decide(routed, space)
    back_off, conformal, outside = promises.back_off, promises.conformal, promises.out_of_scope
    everybody = np.ones(len(gold), dtype=bool)

    def counted(what: str, promised: float, where: np.ndarray, good: np.ndarray) -> KeptPromise:
        found = float(good[where].mean()) if where.any() else None
        return KeptPromise(what, promised, found, int(where.sum()), float(where.mean()))

    limits = np.array(conformal.groups)[gold_group] if conformal.groups else conformal.labels
    kept = [
        counted(FINE_ANSWERS, back_off.precision, decisions.fine, seen.right),
        counted(GROUP_ANSWERS, back_off.precision, decisions.group, seen.group_right),
        counted(LABEL_SETS, conformal.coverage, everybody, (seen.label_score <= limits) & (gold >= 0)),
        counted(TREE_NODES, conformal.coverage, everybody, seen.node_score <= conformal.tree),
    ]
    if outside is not None:
        kept.append(counted(FALSE_ALARMS, outside.false_alarms, everybody, decisions.out_of_scope))
    return tuple(kept)
