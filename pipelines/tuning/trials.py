"""What a tune found: its trials, the best of them, and the config that comes out."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from hierarchy.disk.paths import local_path
from hierarchy.disk.whole_files import write_output
from hierarchy.errors import ConfigError
from pipelines.config import Config
from pipelines.evaluation.bootstrap import Interval
from pipelines.tuning.space import PREFIX, Space, put

COMPLETE, PRUNED, REFUSED, FAILED = "complete", "pruned", "refused", "failed"
RESULTS, BEST = "trials.json", "best.yaml"  # in the folder that the command names
_BY = "by coarsefine tune"  # in the first line of the second


@dataclass(frozen=True)
class Trial:
    """One training with the values that it tried.

    Attributes
    ----------
    number
        0 is the given config.
    state
        ``complete``; ``pruned`` where the validation curve was too low; ``refused`` where settings contradict each
        other, or the training diverged; ``failed`` where documents or encoder could not be used, or nothing be written.
    params
        Searched key -> value. Trial 0 has what the config says, as far as it is known before the training.
    figures
        ``accuracy``, ``macro_f1`` and ``group_accuracy`` on the validation documents; empty unless complete.
    curve
        The figure of each evaluation during the neural training, by which a trial is pruned.
    seconds
        Wall time of the trial.
    reason
        Why it was refused, or failed.
    """

    number: int
    state: str
    params: dict[str, Any]
    figures: dict[str, float]
    curve: list[float]
    seconds: float
    reason: str | None = None


@dataclass(frozen=True)
class Comparison:
    """Trial 0 and the best trial on the test documents.

    Attributes
    ----------
    best
        Number of the best trial.
    documents
        Test documents.
    first, chosen
        Accuracy and macro-F1 of trial 0, and of the best.
    differences
        Figure -> the best trial minus trial 0, with its paired bootstrap interval.
    looks
        How many best trials were evaluated on these documents, this one included.
    """

    best: int
    documents: int
    first: dict[str, float]
    chosen: dict[str, float]
    differences: dict[str, Interval]
    looks: int


@dataclass(frozen=True)
class Tuning:
    """All trials of a tune so far.

    Attributes
    ----------
    space, sampler, figure, random_state
        What was asked for; `figure` was maximised.
    trials
        In their order.
    test
        Where the test documents were read at the end.
    """

    space: Space
    sampler: str
    figure: str
    random_state: int
    trials: tuple[Trial, ...]
    test: Comparison | None = None

    @property
    def best(self) -> Trial:
        """The trial with the highest figure on the validation documents, the earliest of equals."""
        complete = [trial for trial in self.trials if trial.state == COMPLETE]
        return max(complete, key=lambda trial: (trial.figures[self.figure], -trial.number))

    @property
    def seconds(self) -> float:
        """What all trials took together."""
        return sum(trial.seconds for trial in self.trials)

    def as_dict(self) -> dict[str, Any]:
        """Give everything ready for JSON."""
        return {
            "figure": self.figure,
            "sampler": self.sampler,
            "random_state": self.random_state,
            "space": self.space.as_dict(),
            "best": self.best.number,
            "trials": [
                asdict(trial) | {"params": {f"{PREFIX}{key}": value for key, value in trial.params.items()}}
                for trial in self.trials
            ],
            "test": None if self.test is None else asdict(self.test),
        }

    def write_json(self, path: str | Path) -> None:
        """Write `as_dict` to a file, whole or not at all."""
        text = json.dumps(self.as_dict(), ensure_ascii=False, indent=1, allow_nan=False)
        write_output(local_path(path), text + "\n")

    def write_config(self, path: str | Path, config: Config) -> None:
        """Write the best trial as a config that ``coarsefine train`` takes, with comments that say what it is.

        Parameters
        ----------
        path
            YAML file.
        config
            Of trial 0; what the best trial does not change stays as it is there.
        """
        best, first = self.best, self.trials[0]
        changed = best.params if best.number else {}
        complete = sum(trial.state == COMPLETE for trial in self.trials)
        lines = [
            f"Trial {best.number} of {len(self.trials)} ({complete} complete) {_BY}: the best by "
            f"{self.figure} on the validation documents.",
            f"There: accuracy {best.figures['accuracy']:.4f}, macro-F1 {best.figures['macro_f1']:.4f}; trial 0, the "
            f"given config: {first.figures['accuracy']:.4f} and {first.figures['macro_f1']:.4f}.",
            "The best of many on the same documents is a little too good: evaluate on test documents.",
            f"Set by the trial: {', '.join(f'{PREFIX}{key}' for key in changed)}."
            if changed
            else "No trial was better than the given config.",
            "",
            "  coarsefine train --config THIS_FILE",
        ]
        comments = "".join(f"# {line}".rstrip() + "\n" for line in lines)
        values = config.model_dump(mode="json", exclude_defaults=True)
        values["run_dir"] = str(config.run_folder)  # where all that this training needs is cached
        values.setdefault("classifier", {})
        for key, value in changed.items():
            put(values["classifier"], key, value)
        order = [name for name in Config.model_fields if name in values]
        text = yaml.safe_dump({name: values[name] for name in order}, sort_keys=False, allow_unicode=True)
        write_output(local_path(path), f"{comments}\n{text}")


def check_results(folder: Path) -> None:
    """Refuse a folder in which the results would replace files that no tune has written, before there are any.

    Raises
    ------
    ConfigError
        Names the files.
    """
    kinds = {RESULTS: _is_of_tune, BEST: lambda content: _BY.encode() in content.partition(b"\n")[0]}
    taken = []
    for name, is_ours in kinds.items():
        file = folder / name
        if os.path.lexists(file) and not (file.is_file() and is_ours(file.read_bytes())):
            taken.append(name)
    if taken:
        raise ConfigError(f"{folder} holds {' and '.join(taken)}, which no tune has written: name another folder")


def _is_of_tune(content: bytes) -> bool:
    try:
        return {"figure", "random_state", "sampler", "space", "trials"} <= json.loads(content).keys()
    except (ValueError, AttributeError):
        return False


def shown(value: Any) -> str:
    """Write a value for a table: as YAML has it, long numbers shortened."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
