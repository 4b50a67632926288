"""What a command reads and what it writes: compared before any work, and held while the work lasts."""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from hierarchy.disk.locks import held
from hierarchy.disk.output import PAGE_SUFFIXES, OutputFile, OutputFolder, check_outputs
from hierarchy.errors import DataError
from pipelines.cli.documents import ROLES

if TYPE_CHECKING:
    from pipelines.cli.commands import Work
    from pipelines.config import Config

OF_RUN = re.compile(r"documents|ray|tokens|vectors|(rows|folds|tune|chained|joint|pretraining)-.*", re.DOTALL)
Output: TypeAlias = OutputFile | OutputFolder
NO_FOLDERS = ("none", "embedded")  # encoders that are no path


@contextmanager
def writing(work: "Work", *outputs: Output | None, checked: Sequence[Output | None] = ()) -> Iterator[None]:
    """Refuse outputs that cannot be written or would cost something that the command reads; hold them in the block.

    Parameters
    ----------
    work
        Names all that is read.
    outputs
        What the command writes; None is what nobody asked for.
    checked
        What is not held, since others may write in it or it is held by what does the work.

    Raises
    ------
    DataError
        See `hierarchy.disk.output.check_outputs`.
    ArtifactError
        A folder cannot take a model.
    BusyError
        Another process writes one of them, or works in it.
    """
    from pipelines.model.artifact.replacement import check_replaceable, model_place
    from stages.run_folder import run_place

    mine = [output for output in outputs if output is not None]
    wanted = [*mine, *(output for output in checked if output is not None)]
    run = work.config.run_folder
    for output in wanted:
        if _is_model(output):
            check_replaceable(output.place)
        if isinstance(output, OutputFolder) and _is_of_run(output.place, run):
            raise DataError(
                f"{output.name} {str(output.place)!r} lies in what the run folder {str(run)!r} keeps for itself: "
                "name another folder"
            )
    written = {output.name for output in wanted}
    named = {name: place for name, place in work.paths.items() if name not in written}
    check_outputs(wanted, {**_named_by(work.config), **named})
    with ExitStack() as stack:
        for output in mine:
            hold = held if isinstance(output, OutputFile) else model_place if _is_model(output) else run_place
            stack.enter_context(hold(output.place))
        yield


def _is_model(output: Output) -> bool:
    return isinstance(output, OutputFolder) and output.replaced


def _named_by(config: "Config") -> dict[str, str | Path | None]:
    """Return what a config names that is read, by its keys."""
    settings = config.classifier
    encoders = {"classifier.encoder": settings.encoder, "classifier.label_encoder": settings.label_encoder}
    return {
        "taxonomy": config.taxonomy,
        **{f"data.{role}": getattr(config.data, role) for role in ROLES[1:]},
        **{f"data.train[{number}]": place for number, place in enumerate(config.data.training)},
        **{name: place for name, place in encoders.items() if place not in NO_FOLDERS},
    }


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


def new_model(model: Path, out: Path | None) -> OutputFolder:
    """Return ``--out``, the folder of what a command makes of `model`, as an output."""
    if out is None:
        raise DataError(f"name the folder of the new model: -o NEW, or -o {model} to replace the old one")
    return model_folder("--out", out, replaces=model)


def output_file(name: str, place: Path | None, *suffixes: str) -> OutputFile | None:
    """Return a file as an output, where it is asked for."""
    return None if place is None else OutputFile(name, place, suffixes)


def page(place: Path | None) -> OutputFile | None:
    """Return ``--html`` as an output, where it is asked for and can be drawn."""
    if place is not None:
        from pipelines.pages.shell import check_bokeh

        check_bokeh()
    return output_file("--html", place, *PAGE_SUFFIXES)
