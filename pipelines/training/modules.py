"""Settings into the modules of the neural side: the settings stop here, modules see plain arguments."""

import numpy as np

from pipelines.settings import Settings
from stages.router.label_space import LabelSpace
from stages.training.imbalance import label_ratio, logit_shifts
from stages.training.losses import HierarchicalLoss
from stages.training.sampling import LabelSampler


def make_loss(settings: Settings, space: LabelSpace, targets: np.ndarray) -> HierarchicalLoss:
    """Build the loss of both levels.

    Parameters
    ----------
    settings
        Loss, imbalance and label smoothing are read.
    space
        Labels and groups.
    targets
        (documents,) label of each training document; -1 leaves one out.
    """
    weights: dict[str, np.ndarray] = {}
    if settings.imbalance in ("weights", "logits"):
        ratio = _ratio(settings, space, targets)
        weights = {"label_weights": ratio}
        if settings.imbalance == "logits":
            counts = np.bincount(targets[targets >= 0], minlength=len(ratio))
            group_shifts, label_shifts = logit_shifts(ratio, counts, space.group_of)
            weights = {"group_shifts": group_shifts, "label_shifts": label_shifts}
    return HierarchicalLoss(
        group_of=space.group_of,
        fine_loss=settings.fine_loss,
        weights=None if settings.loss_weights == "learned" else settings.loss_weights,
        smoothing=settings.training.get("label_smoothing_factor", 0.0),
        **weights,
    )


def make_sampler(settings: Settings, space: LabelSpace, targets: np.ndarray) -> LabelSampler | None:
    """Build what draws the training documents of an epoch; None takes each once.

    Parameters
    ----------
    settings, space
        As for `make_loss`.
    targets
        (documents,) label of each document that is drawn from.
    """
    if settings.imbalance not in ("oversample", "undersample"):
        return None
    ratio = _ratio(settings, space, targets)
    return LabelSampler(
        targets, ratio, undersample=settings.imbalance == "undersample", random_state=settings.random_state
    )


def _ratio(settings: Settings, space: LabelSpace, targets: np.ndarray) -> np.ndarray:
    counts = np.bincount(targets[targets >= 0], minlength=len(space.label_ids))
    return label_ratio(counts, space.group_of, settings.imbalance_scope)
