"""What a command reads and what it writes, compared before any work."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from hierarchy.disk.output import OutputFile, OutputFolder, check_outputs
from hierarchy.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hierarchy.disk.output import Place
    from pipelines.config import Config

ROLES = ("train", "valid", "calibration", "test")
OF_RUN = re.compile(r"documents|vectors|(rows|folds|tune|chained|joint)-.*", re.DOTALL)
NO_FOLDERS = ("none", "embedded")  # encoders that are no path


def check_places(
    outputs: "Sequence[OutputFile | OutputFolder]",
    config_file: Path | None,
    config: "Config",
    inputs: "Mapping[str, Place | None] | None" = None,
) -> None:
    """Refuse outputs that would cost something that the command reads.

    Parameters
    ----------
    outputs
        What the command writes.
    config_file
        The file of the config, which is read, too.
    config
        Names data, taxonomy and encoders.
    inputs
        What the command's own arguments and options name, by their names.

    Raises
    ------
    DataError
        See `hierarchy.disk.output.check_outputs`.
    """
    named: dict[str, Place | None] = {"--config": config_file, "taxonomy": config.taxonomy}
    named |= {f"data.{role}": getattr(config.data, role) for role in ROLES}
    settings = config.classifier
    encoders = {"classifier.encoder": settings.encoder, "classifier.label_encoder": settings.label_encoder}
    named |= {name: place for name, place in encoders.items() if place not in NO_FOLDERS}
    for output in outputs:
        if isinstance(output, OutputFolder) and output.replaced and _is_of_run(output.place, config.run_folder):
            raise DataError(
                f"{output.name} {str(output.place)!r} lies in what the run folder {str(config.run_folder)!r} keeps for "
                "itself: name another folder"
            )
    check_outputs(outputs, {**named, **(inputs or {})})


def _is_of_run(place: Path, run: Path) -> bool:
    """Whether a place bears, or lies in, one of the names that work in a run folder makes there."""
    place, run = place.resolve(), run.resolve()
    return run in place.parents and OF_RUN.fullmatch(place.relative_to(run).parts[0]) is not None


def run_folder(config: "Config") -> OutputFolder:
    """Return the run folder as an output."""
    return OutputFolder("run_dir", config.run_folder, tables=True)


def model_folder(name: str, place: Path, *, replaces: Path | None = None) -> OutputFolder:
    """Return the folder of a model as an output; where it `replaces` the model that is read, it may be the same."""
    return OutputFolder(name, place, replaced=True, replaces=replaces)
