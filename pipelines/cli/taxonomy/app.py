"""The commands ``coarsefine taxonomy ...``."""

import typer

from pipelines.cli.taxonomy.apply import apply
from pipelines.cli.taxonomy.build import build
from pipelines.cli.taxonomy.check import check
from pipelines.cli.taxonomy.diff import diff
from pipelines.cli.taxonomy.edit import add, merge, move, pin, rename, retire, split, unpin
from pipelines.cli.taxonomy.show import show

app = typer.Typer(help="Build, show, check and edit label trees.", no_args_is_help=True, rich_markup_mode=None)
for command in (build, show, check, add, move, merge, split, retire, rename, pin, unpin, apply, diff):
    command.add_to(app, "taxonomy ")
