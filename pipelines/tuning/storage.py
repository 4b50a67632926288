"""The trials on disk: an SQLite file by Optuna, which a killed process leaves whole.

Optuna's other file format, a journal of lines, does not: after a line that was cut off it can be written but no longer
be read.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hierarchy.errors import MissingLibraryError
from hierarchy.locks import held
from pipelines.tuning.ranges import from_storage, to_storage
from pipelines.tuning.space import Space
from pipelines.tuning.trials import COMPLETE, Trial

if TYPE_CHECKING:
    import optuna

SAMPLERS = ("tpe", "random", "grid")
GRID_LIMIT = 10_000  # points
# A trial is stopped when its curve lies in the lowest quarter of the earlier trials' curves, once there are 5 of those
# and after 2 evaluations.
KEPT_PERCENT, TRIALS_BEFORE, EVALUATIONS_BEFORE = 75.0, 5, 2
logger = logging.getLogger(__name__)


def check_optuna() -> None:
    """Refuse to tune without the library that proposes and keeps the trials.

    Raises
    ------
    MissingLibraryError
        Where Optuna is not installed.
    """
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise MissingLibraryError(
            "trials are proposed by Optuna, which is not installed; install it with: pip install optuna"
        ) from None


def sampler_problems(space: Space, sampler: str) -> list[str]:
    """Say why a sampler cannot work: nobody knows it, or the space makes no grid, or one that is too large."""
    if sampler not in SAMPLERS:
        return [f"sampler {sampler!r} is not known: use one of {', '.join(SAMPLERS)}"]
    if sampler != "grid":
        return []
    endless = [key for key, range_ in space.ranges.items() if range_.points() is None]
    problems = [f"sampler grid: classifier.{key} has no step: give one, or a list of choices" for key in endless]
    points = space.points() or 0
    if points > GRID_LIMIT:
        problems.append(f"sampler grid: {points:,} points are above {GRID_LIMIT:,}: make the space smaller, or use tpe")
    return problems


class Storage:
    """The trials of one tune: the same space, config, documents and sampler.

    Parameters
    ----------
    study
        Optuna's.
    space, sampler, seed
        What proposes the values of trial n: they depend on n, the seed and the finished trials, and on no interruption.
    """

    def __init__(self, study: "optuna.Study", space: Space, sampler: str, seed: int) -> None:
        self.study = study
        self.space = space
        self.sampler = sampler
        self.order = None if sampler != "grid" else np.random.default_rng(seed).permutation(space.points() or 0)
        self.seed = seed

    def trials(self) -> list[Trial]:
        """Return the finished trials; those that a killed process left half way are none."""
        from optuna.trial import TrialState

        finished = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        return [_trial(number, frozen) for number, frozen in enumerate(sorted(finished, key=lambda t: t.number))]

    def begin(self, number: int, start: Mapping[str, Any]) -> "tuple[optuna.Trial, dict[str, Any]]":
        """Propose the values of a trial.

        Parameters
        ----------
        number
            How many trials are finished.
        start
            Values of trial 0; those outside their range stay unknown to the sampler.

        Returns
        -------
        tuple
            Optuna's trial, and searched key -> value.
        """
        from optuna.trial import TrialState

        for left in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            logger.info("a trial was stopped half way: it is run again")
            self.study.tell(left.number, state=TrialState.FAIL)
        ranges = self.space.ranges
        given = dict(start) if number == 0 else None if self.order is None else self.space.point(self.order[number - 1])
        known = ranges if given is None else {key: ranges[key] for key, v in given.items() if ranges[key].holds(v)}
        if given is not None and not self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            self.study.enqueue_trial({key: to_storage(ranges[key], given[key]) for key in known})
        self.study.sampler = _sampler(self.sampler, self.seed, number)
        trial = self.study.ask({key: range_.distribution() for key, range_ in known.items()})
        params = {key: from_storage(ranges[key], value) for key, value in trial.params.items()}
        params = params if given is None else given
        return trial, {key: params[key] for key in ranges if key in params}

    def finish(self, trial: "optuna.Trial", done: Trial, value: float | None) -> None:
        """Write down how a trial ended; `value` is what is maximised, None where it has none."""
        from optuna.trial import TrialState

        trial.set_user_attr("trial", {"state": done.state, "params": done.params, "figures": done.figures,
                                      "seconds": done.seconds, "reason": done.reason})  # fmt: skip
        # Last: without it the trial counts as stopped half way.
        self.study.tell(trial, value, state=TrialState.COMPLETE if done.state == COMPLETE else TrialState.PRUNED)

    def limit(self, trials: int) -> int:
        """Return how many trials there can be: trial 0 and, of a grid, its points."""
        return trials if self.order is None else min(trials, 1 + len(self.order))


@contextmanager
def open_storage(folder: Path, space: Space, *, sampler: str, seed: int) -> Iterator[Storage]:
    """Open the trials in a folder, for one process at a time.

    Parameters
    ----------
    folder
        Is made where it is missing.
    space, sampler, seed
        As for `Storage`.

    Raises
    ------
    BusyError
        Another process runs this tune, or this one does already.
    """
    import optuna
    from sqlalchemy import URL

    folder.mkdir(parents=True, exist_ok=True)
    with held(folder, file=folder / ".lock"):
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        url = URL.create("sqlite", database=str(folder.absolute() / "trials.db"))
        storage = optuna.storages.RDBStorage(url.render_as_string())
        try:
            study = optuna.create_study(
                storage=storage,
                study_name="tune",
                direction="maximize",
                load_if_exists=True,
                pruner=optuna.pruners.PercentilePruner(
                    KEPT_PERCENT, n_startup_trials=TRIALS_BEFORE, n_warmup_steps=EVALUATIONS_BEFORE
                ),
            )
            yield Storage(study, space, sampler, seed)
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _sampler(name: str, seed: int, number: int) -> "optuna.samplers.BaseSampler":
    from optuna.samplers import RandomSampler, TPESampler

    # Each trial has a seed of its own, so that a tune that was stopped goes on as if it had not been.
    own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    return TPESampler(seed=own, n_startup_trials=TRIALS_BEFORE) if name == "tpe" else RandomSampler(seed=own)


def _trial(number: int, frozen: "optuna.trial.FrozenTrial") -> Trial:
    curve = [value for _, value in sorted(frozen.intermediate_values.items())]
    return Trial(number=number, curve=curve, **frozen.user_attrs["trial"])
