"""``coarsefine taxonomy diff``: what differs between two label trees, and what must be refitted."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import print_json, print_lines


@command("diff old.yaml new.yaml")
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="Taxonomy, or the folder of a model.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Another one.")],
    as_json: options.JsonOption = False,
) -> None:
    """Say what differs between two trees, and what must be refitted."""
    from hierarchy.diff import diff as compare
    from pipelines.cli.documents import read_taxonomy

    found = compare(read_taxonomy(old), read_taxonomy(new))
    if as_json:
        print_json(found.as_dict())
        return
    print_lines(*(found.lines() or ["the two trees are equal"]))
    if not found.empty:
        print_lines(refit_line([found.group_names[head] for head in found.heads], found.coarse, new))


def refit_line(heads: Sequence[str], coarse: bool, file: Path) -> str:
    """Say what must be refitted, and how."""
    if not heads and not coarse:
        return "refit: nothing, since no label came, went or moved"
    what = ["heads of " + ", ".join(f"'{head}'" for head in heads)] * bool(heads) + ["the coarse stage"] * coarse
    how = f"coarsefine refit MODEL --taxonomy {shlex.quote(str(file))} --set data.train=FILE -o NEWMODEL"
    return f"refit: {' and '.join(what)}: {how}"
