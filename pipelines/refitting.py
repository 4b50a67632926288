"""New rows for some groups of a trained model, every other row left as it is."""

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from hierarchy.errors import DataError
from pipelines.chained import Documents, fit_heads, probe_confusion
from pipelines.label_space import LabelSpace
from pipelines.model import Model
from stages.fine.negatives import plan_problems


def refit(model: Model, groups: Sequence[str], train: Documents, *, folder: Path, n_jobs: int) -> Model:
    """Fit the rows of some groups on the training documents as they are now.

    Parameters
    ----------
    model
        The trained model; it is not changed.
    groups
        Ids of the groups.
    train
        The whole training data: documents of other groups are the negatives.
    folder
        Run folder, whose cache is used.
    n_jobs
        Processes that fit rows.

    Returns
    -------
    Model
        With new rows and training counts for the labels of these groups.

    Raises
    ------
    DataError
        A group is not in the model, a label of it has no documents, or a label had none when the model was trained.
    """
    settings = model.settings.model_copy(update={"n_jobs": n_jobs})
    chosen = _places(groups, model.group_ids)
    space = LabelSpace(model.label_ids, model.group_ids, model.group_of)
    targets = space.targets(train.labels)
    refitted = np.isin(space.group_of, chosen)
    _check(space, train, targets, refitted)
    inputs = model.extractor.through_cache(train.texts, folder)
    confusion = None
    if settings.negatives == "candidates":
        features = inputs.pooled if inputs.pooled is not None else inputs.ngrams
        confusion = probe_confusion(features, targets, space.group_of, settings)
    problems = plan_problems(settings.negatives, targets, space.group_of, confusion=confusion, seed=settings.seed)
    router = model.router
    for expert, features in (("neural", inputs.pooled), ("lexical", inputs.ngrams)):
        bank = getattr(router, expert)
        if bank is not None:
            heads = fit_heads(features, targets, [problems[g] for g in chosen], settings, folder, f"{expert} rows")
            router = replace(router, **{expert: bank.with_heads(dict(zip(chosen, heads, strict=True)))})
    counts = np.bincount(targets, minlength=len(space.label_ids))
    return replace(model, router=router, train_counts=np.where(refitted, counts, model.train_counts))


def _check(space: LabelSpace, train: Documents, targets: np.ndarray, refitted: np.ndarray) -> None:
    new = sorted({label for label, target in zip(train.labels, targets, strict=True) if target < 0})
    if new:
        raise DataError(
            f"labels without documents when the model was trained: {', '.join(new[:5])}"
            f"{' ...' if len(new) > 5 else ''}: train the model again"
        )
    empty = np.flatnonzero(refitted & (np.bincount(targets, minlength=len(space.label_ids)) == 0))
    if len(empty):
        names = ", ".join(repr(space.label_ids[i]) for i in empty[:5])
        raise DataError(f"labels {names} of these groups have no documents: give the whole training data")


def _places(groups: Sequence[str], group_ids: Sequence[str]) -> list[int]:
    if isinstance(groups, str):
        raise DataError("groups is a single string: put it into a list")
    known = {group: place for place, group in enumerate(group_ids)}
    unknown = [group for group in groups if group not in known]
    if unknown:
        near = {group: ", ".join(get_close_matches(group, group_ids, 3)) or "none" for group in unknown}
        raise DataError([f"no group {group!r} in this model; nearest: {names}" for group, names in near.items()])
    return sorted({known[group] for group in groups})
