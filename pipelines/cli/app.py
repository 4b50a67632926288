"""The command ``coarsefine`` and its subcommands."""

from typing import Annotated

import typer

from pipelines.cli import answers, calibrating, demo, editing, evidence, refitting, taxonomy, training

app = typer.Typer(
    name="coarsefine",
    help="Two-stage text classification: hundreds of labels, long documents, one taxonomy.",
    epilog="Example: coarsefine demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
editing.register(taxonomy.app)
app.add_typer(taxonomy.app, name="taxonomy")
app.command(epilog=training.EPILOG)(training.train)
app.command(epilog=refitting.EPILOG)(refitting.refit)
app.command(epilog=calibrating.EPILOG)(calibrating.calibrate)
app.command(epilog=answers.EVALUATE_EPILOG)(answers.evaluate)
app.command(epilog=answers.PREDICT_EPILOG)(answers.predict)
app.command(epilog=evidence.EPILOG)(evidence.explain)
app.command(epilog=demo.EPILOG)(demo.demo)


def main() -> None:
    """Run the command line."""
    app(prog_name="coarsefine")


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
