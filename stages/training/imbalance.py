"""How much more a rare label should count than it does, and what that adds to its logits in training.

That is the ratio of two frequencies: q, the share that a label should have, and p, its share of the training documents.
Losses weigh documents by it, `stages.training.sampling` draws them by it.
"""

import numpy as np


def label_ratio(counts: np.ndarray, group_of: np.ndarray, scope: str, strength: float = 1.0) -> np.ndarray:
    """How much more each label should count than it does, (q / p) to the power of `strength`.

    Parameters
    ----------
    counts
        (labels,) training documents of each label, at least 1.
    group_of
        (labels,) group of each label.
    scope
        ``labels``: every label alike. ``groups``: every group alike, its labels in their own proportions.
        ``siblings``: every label of a group alike, groups in their own proportions.
    strength
        1 evens the labels out, 0 leaves them as they are.

    Returns
    -------
    numpy.ndarray
        (labels,) float64; its mean over documents is 1.
    """
    # 1. Shares as they are, (labels,) each: of the label, and of its group.
    p = counts / counts.sum()
    of_group = np.bincount(group_of, p)[group_of]
    siblings = np.bincount(group_of)[group_of]  # labels of its group
    # 2. Shares as they should be.
    q = {
        "labels": np.full(len(p), 1 / len(p)),
        "groups": p / of_group / len(np.unique(group_of)),
        "siblings": of_group / siblings,
    }[scope]
    # 3. Their ratio, with a mean of 1 over the documents.
    ratio = (q / p) ** strength
    return ratio / (p * ratio).sum()


def logit_shifts(ratio: np.ndarray, counts: np.ndarray, group_of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what is added to the logits while training, so that a rare label's own logit must be higher.

    Logit adjustment (Menon et al. 2021): with q even over labels the shift of a label is log p, up to a constant.

    Parameters
    ----------
    ratio
        (labels,) as `label_ratio` gives it.
    counts, group_of
        As for `label_ratio`.

    Returns
    -------
    tuple[numpy.ndarray, numpy.ndarray]
        (groups,) and (labels,) float64 shifts.
    """
    wished = np.bincount(group_of, counts * ratio)
    return np.log(np.bincount(group_of, counts) / wished), -np.log(ratio)
