"""The trials on disk, a file each with its checksum: a trial that is finished is never run again."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from hierarchy.disk.locks import held
from hierarchy.disk.strict_json import parse_json
from pipelines.tuning.space import Space
from pipelines.tuning.trials import COMPLETE, FAILED, PRUNED, REFUSED, Comparison, Trial
from stages.run_folder import LIST, finishing, read_finished

_LIST_OF_TRIAL = re.compile(rf"trial-(\d{{1,9}}){re.escape(LIST)}")


@dataclass(frozen=True)
class Storage:
    """The trials of one tune: the same space, config, documents and sampler.

    Parameters
    ----------
    folder
        Of the files.
    space, figure
        What a trial of this tune tries, and which figure it has.
    """

    folder: Path
    space: Space
    figure: str

    def trials(self) -> dict[int, Trial]:
        """Return the finished trials by their numbers; what was damaged is not among them."""
        names = (_LIST_OF_TRIAL.fullmatch(file.name) for file in self.folder.iterdir())
        numbers = sorted(int(name[1]) for name in names if name)
        return {number: trial for number in numbers if (trial := self._trial(number)) is not None}

    def keep(self, trial: Trial) -> None:
        """Write down how a trial ended."""
        _write(self.folder / f"trial-{trial.number}.json", asdict(trial))

    def looks(self, test: str) -> dict[str, Comparison]:
        """Return what was found on test documents with this key, by the best trial of that time."""

        def read(file: Path) -> dict[str, Comparison]:
            return TypeAdapter(dict[str, Comparison]).validate_python(parse_json(file.read_bytes()))

        return read_finished(self.folder / f"test-{test}.json", read, "it holds no comparisons") or {}

    def keep_looks(self, test: str, looks: Mapping[str, Comparison]) -> None:
        """Write down what `looks` gives."""
        _write(self.folder / f"test-{test}.json", {best: asdict(found) for best, found in looks.items()})

    def _trial(self, number: int) -> Trial | None:
        def read(file: Path) -> Trial:
            trial = TypeAdapter(Trial).validate_python(parse_json(file.read_bytes()))
            right = trial.number == number and trial.params.keys() <= self.space.ranges.keys()
            known = trial.state in (COMPLETE, PRUNED, REFUSED, FAILED)
            if not right or not known or (trial.state == COMPLETE) != (self.figure in trial.figures):
                raise ValueError
            return trial

        return read_finished(self.folder / f"trial-{number}.json", read, "it holds no trial of this tune")


@contextmanager
def open_storage(folder: Path, space: Space, figure: str) -> Iterator[Storage]:
    """Open the trials in a folder, which is made where it is missing, for one tune at a time.

    Raises
    ------
    BusyError
        Another process runs this tune, or this one does already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder, file=folder / ".lock"):
        yield Storage(folder, space, figure)


def _write(file: Path, value: Any) -> None:
    with finishing(file.with_suffix(LIST), file) as (part,):
        part.write_text(json.dumps(value), encoding="utf-8")
