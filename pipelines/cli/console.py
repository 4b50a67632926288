"""What all commands share on the terminal: consoles, the log, errors, and the options that they have in common."""

import errno
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

import typer

from hierarchy.errors import CoarsefineError
from hierarchy.local_paths import local_path
from stages.processes import is_first

if TYPE_CHECKING:
    from rich.console import Console

OURS = ("hierarchy", "stages", "pipelines")
WIDTH_WHEN_PIPED = 160  # so that tables do not fold
BAD_INPUT, INTERRUPTED = 2, 130

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="YAML file with the settings; see configs/.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One setting, over what the file says; can be repeated."),
]
Command = TypeVar("Command", bound=Callable[..., Any])
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class CommandLine(typer.Typer):
    """Commands in whose paths ``~`` is the home folder; a shell leaves it as it is in ``--out=~/x``."""

    def command(self, *args: Any, **options: Any) -> "Callable[[Command], Command]":
        """Register a command, with `local_path` as the reader of each of its paths."""
        register = super().command(*args, **options)

        def registered(command: Command) -> Command:
            for parameter in signature(command).parameters.values():
                described: tuple[Any, ...] = get_args(parameter.annotation)  # the type, and typer's option or argument
                if described and Path in (described[0], *get_args(described[0])):
                    described[1].parser = local_path
            return register(command)

        return registered


@contextmanager
def session(*, goes_on: str = "") -> Iterator[None]:
    """Run a command: the log goes to stderr, an expected error ends it with one message and without a traceback.

    Parameters
    ----------
    goes_on
        What a person does after an interruption, for the message.
    """
    set_up_log()
    try:
        yield
    except CoarsefineError as error:
        fail(str(error))
        raise typer.Exit(BAD_INPUT) from None
    except Exception as error:
        if not _disk_is_full(error):
            raise
        after = f"; {goes_on}" if goes_on else ""
        fail(f"no space is left on the disk ({error}): free some; what is written is kept{after}")
        raise typer.Exit(BAD_INPUT) from None
    except KeyboardInterrupt:
        fail(f"interrupted{': ' if goes_on else ''}{goes_on}", style="yellow")
        raise typer.Exit(INTERRUPTED) from None


def _disk_is_full(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    # safetensors and torch write in code of their own, whose errors carry the cause as text only
    return "No space left on device" in str(error) or "PytorchStreamWriter failed writing" in str(error)


def set_up_log() -> None:
    """Show our lines from INFO up and other libraries' errors, plain where stderr is piped."""
    from rich.logging import RichHandler

    handler: logging.Handler
    if sys.stderr.isatty():
        handler = RichHandler(
            console=stderr(), show_path=False, show_level=False, markup=False, log_time_format="%H:%M:%S"
        )
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.ERROR, handlers=[handler], force=True)
    for name in OURS:  # of several processes the first speaks for all
        logging.getLogger(name).setLevel(logging.INFO if is_first() else logging.ERROR)
    logging.captureWarnings(True)
    # Read by the libraries when they are imported, which happens later and only where they are needed.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DATASETS_VERBOSITY", "error")


def silence_weight_bars() -> None:
    """Hide transformers' own bars about weights; ours say what is going on."""
    from huggingface_hub.utils.tqdm import enable_progress_bars
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    enable_progress_bars()  # downloads are worth a bar


def stdout() -> "Console":
    """Return the console for results."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else WIDTH_WHEN_PIPED, highlight=False)


def stderr() -> "Console":
    """Return the console for everything else."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: str, style: str = "red") -> None:
    """Show a message on stderr."""
    from rich.text import Text

    stderr().print(Text(f"coarsefine: {message}", style=style))


def print_json(content: Any) -> None:
    """Print JSON on stdout."""
    typer.echo(json.dumps(content, ensure_ascii=False, indent=1))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on stdout; the first column is text, the others are figures."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: a label with brackets is no markup
    stdout().print(table)
