"""The command ``coarsefine`` and its subcommands."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from hierarchy.text.escaping import visible
from pipelines.cli.calibrate import calibrate
from pipelines.cli.console import told_errors
from pipelines.cli.cross_validate import cross_validate
from pipelines.cli.demo import demo
from pipelines.cli.evaluate import evaluate
from pipelines.cli.explain import explain
from pipelines.cli.export import export
from pipelines.cli.label_errors import label_errors
from pipelines.cli.predict import predict
from pipelines.cli.pretrain import pretrain
from pipelines.cli.push import push
from pipelines.cli.refit import refit
from pipelines.cli.serve import serve
from pipelines.cli.signals import end_workers, heeded_signals
from pipelines.cli.streams import guard_streams
from pipelines.cli.taxonomy.app import app as taxonomy
from pipelines.cli.train import train
from pipelines.cli.tune import tune


class Commands(TyperGroup):
    """The commands; what their errors about the command line quote of it is shown escaped."""

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Read the options that stand before the command."""
        with _escaped_quotes():
            return super().make_context(*args, **more)

    def invoke(self, ctx: Any) -> Any:
        """Read the rest of the command line, and run the command."""
        with _escaped_quotes():
            return super().invoke(ctx)


@contextmanager
def _escaped_quotes() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # typer has no public name for the base of its errors, which have a message
        message = getattr(error, "message", None)
        option = getattr(error, "option_name", None)
        if option == "--groups-column":
            from hierarchy.text.likeness import OF_LABELS  # with numpy

            message = f"{message}: it is --source-column now, since {OF_LABELS}"
        elif option == "--move-labels":
            message = f"{message}: it is --force now"
        if isinstance(message, str):
            error.message = "\n".join(map(visible, message.split("\n")))  # type: ignore[attr-defined]
        raise


app = typer.Typer(
    name="coarsefine",
    cls=Commands,
    help="Two-stage text classification: hundreds of labels, long documents, one taxonomy.",
    epilog="Example: coarsefine demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(taxonomy, name="taxonomy")
for command in (
    pretrain, train, tune, refit, calibrate, export, evaluate, predict, explain, cross_validate, label_errors, serve,
    push, demo,
):  # fmt: skip
    command.add_to(app)


def main() -> None:
    """Run the command line."""
    guard_streams()
    with heeded_signals():
        try:
            with told_errors():
                app(prog_name="coarsefine")
        except typer.Exit as ending:  # what no command has told
            sys.exit(ending.exit_code)
        finally:
            end_workers()


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"coarsefine {version('coarsefine')}")
        except PackageNotFoundError:  # run from a checkout that is not installed
            typer.echo("coarsefine (not installed)")
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Two-stage text classification: hundreds of labels, long documents, one taxonomy."""
