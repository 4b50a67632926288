"""What Optuna proposes and prunes. It is told of the finished trials each time, and remembers nothing in between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.tuning.ranges import Range, distribution, from_storage, to_storage
from pipelines.tuning.space import Space
from pipelines.tuning.trials import COMPLETE, Trial

if TYPE_CHECKING:
    import optuna

SAMPLERS = ("tpe", "random", "grid")
GRID_LIMIT = 10_000  # points
# A trial is stopped when its curve lies in the lowest quarter of the earlier trials' curves, once there are 5 of those
# and after 2 evaluations.
KEPT_PERCENT, TRIALS_BEFORE, EVALUATIONS_BEFORE = 75.0, 5, 2


def sampler_problems(space: Space, sampler: str) -> list[str]:
    """Say why a sampler cannot work: nobody knows it, or the space makes no grid, or one that is too large."""
    if sampler not in SAMPLERS:
        return [f"sampler {sampler!r} is not known: use one of {', '.join(SAMPLERS)}"]
    if sampler != "grid":
        return []
    endless = [key for key, range_ in space.ranges.items() if range_.points() is None]
    problems = [f"sampler grid: classifier.{key} has no step: give one, or a list of choices" for key in endless]
    points = space.size() or 0
    if points > GRID_LIMIT:
        problems.append(f"sampler grid: {points:,} points are above {GRID_LIMIT:,}: make the space smaller, or use tpe")
    return problems


@dataclass(frozen=True)
class Proposals:
    """Propose the values of trials, and stop those that are behind.

    Both depend on the number of a trial, the seed, and the finished trials that are given: on no interruption, and not
    on which process asks.

    Parameters
    ----------
    space, sampler, random_state
        What proposes the values.
    figure
        Which figure of a trial is maximised.
    """

    space: Space
    sampler: str
    figure: str
    random_state: int

    def limit(self, trials: int) -> int:
        """Return how many trials there can be: trial 0 and, of a grid, its points."""
        return min(trials, 1 + len(self.space.grid())) if self.sampler == "grid" else trials

    def values(self, number: int, start: Mapping[str, Any], finished: Sequence[Trial]) -> dict[str, Any]:
        """Propose the values of a trial, searched key -> value.

        Parameters
        ----------
        number
            Of the trial.
        start
            Values of trial 0.
        finished
            Earlier trials.
        """
        if number == 0:
            return {key: start[key] for key in self.space.ranges if key in start}
        if self.sampler == "grid":
            points = self.space.grid()
            place = np.random.default_rng(self.random_state).permutation(len(points))[number - 1]
            return {key: points[place][key] for key in self.space.ranges}
        study, ranges = self._study(finished), self.space.ranges
        study.sampler = _sampler(self.sampler, self.random_state, number)
        proposed = study.ask({key: distribution(range_) for key, range_ in ranges.items()})
        return {key: from_storage(ranges[key], proposed.params[key]) for key in ranges}

    def is_behind(self, curve: Sequence[float], finished: Sequence[Trial]) -> bool:
        """Whether the curve of a trial so far, a figure an evaluation, lies too low beside those of earlier trials."""
        study = self._study(finished)
        trial = study.ask()
        for step, value in enumerate(curve, start=1):
            trial.report(value, step)
        return trial.should_prune()

    def _study(self, finished: Sequence[Trial]) -> "optuna.Study":
        """Tell Optuna of finished trials; values outside their range stay unknown to it."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        pruner = optuna.pruners.PercentilePruner(
            KEPT_PERCENT, n_startup_trials=TRIALS_BEFORE, n_warmup_steps=EVALUATIONS_BEFORE
        )
        study = optuna.create_study(direction="maximize", pruner=pruner)
        study.add_trials([self._told(trial) for trial in finished])
        return study

    def _told(self, trial: Trial) -> "optuna.trial.FrozenTrial":
        from optuna.trial import TrialState, create_trial

        ranges = self.space.ranges
        known: dict[str, Range] = {key: ranges[key] for key, value in trial.params.items() if ranges[key].holds(value)}
        return create_trial(
            state=TrialState.COMPLETE if trial.state == COMPLETE else TrialState.PRUNED,
            value=trial.figures.get(self.figure),
            params={key: to_storage(range_, trial.params[key]) for key, range_ in known.items()},
            distributions={key: distribution(range_) for key, range_ in known.items()},
            intermediate_values=dict(enumerate(trial.curve, start=1)),
        )


def _sampler(name: str, random_state: int, number: int) -> "optuna.samplers.BaseSampler":
    from optuna.samplers import RandomSampler, TPESampler

    # Each trial has a seed of its own, so that a tune that was stopped goes on as if it had not been.
    own = int(np.random.SeedSequence([random_state, number]).generate_state(1)[0])
    return TPESampler(seed=own, n_startup_trials=TRIALS_BEFORE) if name == "tpe" else RandomSampler(seed=own)
