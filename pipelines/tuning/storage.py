"""The trials on disk, a file each with its checksum; Optuna is told of them in memory.

The values of a trial depend on the trials before it. So they are read up to the first one that is missing or damaged:
from there on they are run again, with the same values.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from hierarchy.disk.locks import held
from hierarchy.disk.strict_json import parse_json
from pipelines.tuning.ranges import Range, distribution, from_storage, to_storage
from pipelines.tuning.space import Space
from pipelines.tuning.trials import COMPLETE, PRUNED, REFUSED, Comparison, Trial
from stages.run_folder import LIST, finishing, read_finished

if TYPE_CHECKING:
    import optuna

SAMPLERS = ("tpe", "random", "grid")
GRID_LIMIT = 10_000  # points
# A trial is stopped when its curve lies in the lowest quarter of the earlier trials' curves, once there are 5 of those
# and after 2 evaluations.
KEPT_PERCENT, TRIALS_BEFORE, EVALUATIONS_BEFORE = 75.0, 5, 2
logger = logging.getLogger(f"coarsefine.{__name__}")


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


@dataclass
class Storage:
    """The trials of one tune: the same space, config, documents and sampler.

    Parameters
    ----------
    study
        Optuna's, empty.
    folder
        Of the files.
    space, sampler, random_state
        What proposes the values of trial n: they depend on n, the seed and the finished trials, and on no interruption.
    figure
        Which figure of a trial is maximised.
    """

    study: "optuna.Study"
    folder: Path
    space: Space
    sampler: str
    figure: str
    random_state: int
    trials: list[Trial] = field(default_factory=list, init=False)  # the finished ones
    grid: list[dict[str, Any]] | None = field(default=None, init=False)  # its points, in the order of trials

    def __post_init__(self) -> None:
        if self.sampler == "grid":
            points = self.space.grid()
            self.grid = [points[place] for place in np.random.default_rng(self.random_state).permutation(len(points))]
        while (trial := self._read(len(self.trials))) is not None:
            self._add(trial)

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
        ranges = self.space.ranges
        given = dict(start) if number == 0 else None if self.grid is None else self.grid[number - 1]
        known = ranges if given is None else self._known(given)
        if given is not None:
            self.study.enqueue_trial({key: to_storage(ranges[key], given[key]) for key in known})
        self.study.sampler = _sampler(self.sampler, self.random_state, number)
        trial = self.study.ask({key: distribution(range_) for key, range_ in known.items()})
        params = {key: from_storage(ranges[key], value) for key, value in trial.params.items()}
        params = params if given is None else given
        return trial, {key: params[key] for key in ranges if key in params}

    def finish(self, trial: "optuna.Trial", done: Trial) -> None:
        """Write down how a trial ended."""
        frozen = self.study.tell(trial, done.figures.get(self.figure), state=_state(done))
        curve = [value for _, value in sorted(frozen.intermediate_values.items())]
        done = replace(done, curve=curve)
        _write(self.folder / f"trial-{done.number}.json", asdict(done))
        self.trials.append(done)

    def looks(self, test: str) -> dict[str, Comparison]:
        """Return what was found on test documents with this key, by the best trial of that time."""

        def read(file: Path) -> dict[str, Comparison]:
            return TypeAdapter(dict[str, Comparison]).validate_python(parse_json(file.read_bytes()))

        return read_finished(self.folder / f"test-{test}.json", read, "it holds no comparisons") or {}

    def keep_looks(self, test: str, looks: Mapping[str, Comparison]) -> None:
        """Write down what `looks` gives."""
        _write(self.folder / f"test-{test}.json", {best: asdict(found) for best, found in looks.items()})

    def _read(self, number: int) -> Trial | None:
        def read(file: Path) -> Trial:
            trial = TypeAdapter(Trial).validate_python(parse_json(file.read_bytes()))
            right = trial.number == number and trial.params.keys() <= self.space.ranges.keys()
            known = trial.state in (COMPLETE, PRUNED, REFUSED)
            if not right or not known or (trial.state == COMPLETE) != (self.figure in trial.figures):
                raise ValueError
            return trial

        return read_finished(self.folder / f"trial-{number}.json", read, "it holds no trial of this tune")

    def _add(self, trial: Trial) -> None:
        from optuna.trial import create_trial

        ranges, known = self.space.ranges, self._known(trial.params)
        self.study.add_trial(
            create_trial(
                state=_state(trial),
                value=trial.figures.get(self.figure),
                params={key: to_storage(ranges[key], trial.params[key]) for key in known},
                distributions={key: distribution(range_) for key, range_ in known.items()},
                intermediate_values=dict(enumerate(trial.curve, start=1)),
            )
        )
        self.trials.append(trial)

    def _known(self, params: Mapping[str, Any]) -> dict[str, Range]:
        """Ranges of the values that can be drawn."""
        ranges = self.space.ranges
        return {key: ranges[key] for key, value in params.items() if ranges[key].holds(value)}

    def limit(self, trials: int) -> int:
        """Return how many trials there can be: trial 0 and, of a grid, its points."""
        return trials if self.grid is None else min(trials, 1 + len(self.grid))


@contextmanager
def open_storage(folder: Path, space: Space, sampler: str, figure: str, random_state: int) -> Iterator[Storage]:
    """Open the trials in a folder, for one process at a time.

    Parameters
    ----------
    folder
        Is made where it is missing.
    space, sampler, figure, random_state
        As for `Storage`.

    Raises
    ------
    BusyError
        Another process runs this tune, or this one does already.
    """
    import optuna

    folder.mkdir(parents=True, exist_ok=True)
    with held(folder, file=folder / ".lock"):
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            direction="maximize",
            pruner=optuna.pruners.PercentilePruner(
                KEPT_PERCENT, n_startup_trials=TRIALS_BEFORE, n_warmup_steps=EVALUATIONS_BEFORE
            ),
        )
        yield Storage(study, folder, space, sampler, figure, random_state)


def _sampler(name: str, random_state: int, number: int) -> "optuna.samplers.BaseSampler":
    from optuna.samplers import RandomSampler, TPESampler

    # Each trial has a seed of its own, so that a tune that was stopped goes on as if it had not been.
    own = int(np.random.SeedSequence([random_state, number]).generate_state(1)[0])
    return TPESampler(seed=own, n_startup_trials=TRIALS_BEFORE) if name == "tpe" else RandomSampler(seed=own)


def _state(trial: Trial) -> "optuna.trial.TrialState":
    from optuna.trial import TrialState

    return TrialState.COMPLETE if trial.state == COMPLETE else TrialState.PRUNED


def _write(file: Path, value: Any) -> None:
    with finishing(file.with_suffix(LIST), file) as (part,):
        part.write_text(json.dumps(value), encoding="utf-8")
