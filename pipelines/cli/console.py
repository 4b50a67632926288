"""What all commands share on the terminal: results, the log, and errors.

What a command shows is kept until its work is done: by then every file is written, and nothing that happens to stdout
(a closed pipe, a full disk) can cost one.
"""

import errno
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import typer

from hierarchy.disk.whole_files import system_refusal
from hierarchy.errors import CoarsefineError, one_line
from hierarchy.text.escaping import visible
from pipelines.cli.options import TREE_REMEDIES
from pipelines.cli.signals import Stopped, received
from pipelines.cli.streams import failure_of
from stages.machine import is_first

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from pipelines.evaluation.comparison import EvaluationReport

OURS = "coarsefine"  # above the loggers of all our modules
WIDTH_WHEN_PIPED = 160  # so that tables do not fold
# What the light install (requirements-light.txt) does without.
LEFT_OUT = (
    "accelerate", "datasets", "huggingface_hub", "pandas", "psutil", "pyarrow", "sentence_transformers", "torch",
    "transformers",
)  # fmt: skip
BAD_INPUT, INTERRUPTED, PIPE_CLOSED = 2, 130, 141  # the last two as a shell tells of a signal
# What sets here what the remedy of an error names; {} is the value.
OPTIONS: Mapping[str, str] = MappingProxyType({
    "text": "--text-column (or --set data.text=...)",
    "label": "--label-column (or --set data.label=...)",
    "group": "--set data.group=...",
    "split": "--set data.train_split=... (or valid_split, calibration_split, test_split)",
    "delimiter": "--set data.delimiter={}",
    "encoding": "--set data.encoding={}",
    "augment": "--set classifier.augment=module:function",
    "label_encoder": "--set classifier.label_encoder={}",
    "validation": "--set data.valid={}",
    "force": "--force",
    # Where a command reads a tree and has no options for it.
    **{name: f"coarsefine taxonomy show FILE {option} -o taxonomy.yaml" for name, option in TREE_REMEDIES.items()},
})  # fmt: skip
logger = logging.getLogger(f"coarsefine.{__name__}")


class Results:
    """What a command shows in the end, and what of its work lasts.

    Attributes
    ----------
    shown
        In the order of showing; bytes are written as they are, a string is a line.
    places
        Files, folders or addresses that hold what the command has made.
    options
        See `OPTIONS`.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        self.shown: list[RenderableType | bytes] = []
        self.places: list[str] = []
        self.options = {**OPTIONS, **options}


_running: Results | None = None  # of the command that is at work


@contextmanager
def session(goes_on: str = "", options: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """Run a command and then show its results; an expected error ends it with one message and without a traceback.

    The log goes to stderr. Where the results cannot be shown, the command has failed only if it made nothing else.

    Parameters
    ----------
    goes_on
        What a person does after an interruption, for the message.
    options
        Of this command, beside `OPTIONS`.
    """
    global _running
    _running = results = Results(options)
    with told_errors(goes_on, results.options):
        set_up_log()
        try:
            yield
        finally:  # after an error too: a full disk must not cost the figures
            _running = None
            for one in results.shown:
                _print(one)
    lost = failure_of(sys.stdout) if results.shown else None
    if lost is not None:
        _tell_lost(lost, results.places)


def _tell_lost(reason: OSError, places: list[str]) -> None:
    why = f"the report could not be shown on stdout ({reason.strerror or reason})"
    if places:
        fail(f"{why}; the work is done: {', '.join(places)}", style="yellow")
        return
    if reason.errno == errno.EPIPE:  # the reader, `head` for one, wanted no more
        raise typer.Exit(PIPE_CLOSED)
    fail(f"{why}: send it to a terminal, a pipe or a file with space")
    raise typer.Exit(BAD_INPUT)


@contextmanager
def naming(**options: str) -> Iterator[None]:
    """Let the remedies of errors in the block name other options than those of `OPTIONS`."""
    named = {} if _running is None else _running.options
    before = dict(named)
    named.update(options)
    yield
    named.update(before)  # not after an error, which is yet to be told


@contextmanager
def told_errors(goes_on: str = "", options: Mapping[str, str] = OPTIONS) -> Iterator[None]:
    """End with one message and without a traceback where the cause is the input, the system, or a person.

    All else is a fault of ours and stays a traceback, which tells where.
    """
    try:
        yield
    except (Exception, Stopped) as error:
        if (stopped := received()) is not None and not isinstance(error, typer.Exit):
            fail(f"stopped by {stopped.name}{': ' if goes_on else ''}{goes_on}", style="yellow")
            raise typer.Exit(stopped.exit_code) from None
        if isinstance(error, CoarsefineError):
            fail(error.worded(options))
            raise typer.Exit(BAD_INPUT) from None
        if isinstance(error, ModuleNotFoundError) and error.name in LEFT_OUT:
            lacking = f"{error.name} is not installed, and a light install only predicts, explains and serves"
            fail(f"{lacking}; for all else, in a checkout: pip install .")
            raise typer.Exit(BAD_INPUT) from None
        refusal = None if isinstance(error, Stopped) else system_refusal(error)
        if refusal is None:
            raise
        fail(str(CoarsefineError(f"{refusal}{'; what is written is kept; ' if goes_on else ''}{goes_on}")))
        raise typer.Exit(BAD_INPUT) from None
    except KeyboardInterrupt:
        fail(f"interrupted{': ' if goes_on else ''}{goes_on}", style="yellow")
        raise typer.Exit(INTERRUPTED) from None


class OneLine(logging.Formatter):
    """A message is one line of a bearable length, whatever the names in it hold."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name that logging calls
        """Put the message into the line."""
        record.message = one_line(record.message)
        return super().formatMessage(record)


def set_up_log() -> None:
    """Show our lines from INFO up and other libraries' errors."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.ERROR, handlers=[handler], force=True)
    # Of several processes the first speaks for all.
    logging.getLogger(OURS).setLevel(logging.INFO if is_first() else logging.ERROR)
    logging.captureWarnings(True)
    # Read by the libraries when they are imported, which happens later and only where they are needed.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DATASETS_VERBOSITY", "error")


def fail(message: str, style: str = "red") -> None:
    """Show a message on stderr."""
    from rich.console import Console
    from rich.text import Text

    shown = "\n".join(map(visible, message.split("\n")))
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(f"coarsefine: {shown}", style=style))


def print_lines(*lines: "str | RenderableType") -> None:
    """Show lines, or anything that rich can render, on stdout.

    Parameters
    ----------
    lines
        A string is one line as it stands, never folded and never markup.
    """
    for line in lines:
        _keep(line)


def wrote(place: Any, what: str = "") -> None:
    """Note a file, folder or address that holds what the command has made, and log it behind `what`."""
    if _running is not None:
        _running.places.append(str(place))
    if what:
        logger.info("%s %s", what, place)


def text(content: str, style: str = "") -> "Text":
    """Return a user's text as rich shows it on stdout: no markup, on one line, in the characters that stdout has."""
    from rich.text import Text

    encoding = sys.stdout.encoding or "utf-8"
    shown = visible(content).encode(encoding, "backslashreplace").decode(encoding)
    return Text(shown, style=style)


def print_json(content: Any) -> None:
    """Show JSON, which is for programs: UTF-8 whatever the terminal has."""
    # A lone half of a character becomes the escape that JSON has for it.
    _keep((json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "backslashreplace"))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], most: int | None = None) -> None:
    """Show a table, where it has rows; the first column is text, the others are figures.

    Parameters
    ----------
    title
        Says how many of the rows are shown, where that is not all.
    columns, rows
        Headings and cells.
    most
        How many rows are shown at most.
    """
    from rich.table import Table

    shown = rows[:most]
    if not shown:
        return
    if len(shown) < len(rows):
        title += f" ({len(shown)} of {len(rows)})"
    table = Table(title=text(title, "bold") if title else None, title_justify="left")
    for place, column in enumerate(columns):
        table.add_column(text(column), justify="right" if place else "left", overflow="fold")
    for row in shown:
        table.add_row(*(text(str(cell)) for cell in row))
    _keep(table)


def print_facts(title: str, facts: Mapping[str, Any]) -> None:
    """Show facts, what is told to what is found, as a table; those that are None are left out."""
    print_table(title, ("what", "value"), [fact for fact in facts.items() if fact[1] is not None])


def print_minutes(seconds: Mapping[str, float]) -> None:
    """Show how long each step took."""
    print_table("Time", ("step", "minutes"), [(step, f"{spent / 60:.1f}") for step, spent in seconds.items()])


def print_report(report: "EvaluationReport") -> None:
    """Show an evaluation: its tables, then the verdict and the notes."""
    from pipelines.evaluation.report import tables

    for table in tables(report):
        print_table(table.title, table.columns, table.rows)
        print_lines("")
    print_lines(*map(text, (report.verdict, *report.notes)))


def _keep(what: "RenderableType | bytes") -> None:
    if _running is None:  # of the benchmarks, which run no command
        _print(what)
    else:
        _running.shown.append(what)


def _print(what: "RenderableType | bytes") -> None:
    if isinstance(what, bytes):
        sys.stdout.flush()
        sys.stdout.buffer.write(what)
        return
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else WIDTH_WHEN_PIPED, highlight=False)
    if isinstance(what, str):
        console.print(text(what), soft_wrap=True)
    else:
        console.print(what)
