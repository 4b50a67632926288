"""``coarsefine taxonomy apply``: many edits at once, from a file that the page of ``taxonomy show --html`` gives."""

import logging
import shlex
from collections.abc import Callable, Iterable
from functools import partial
from inspect import Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hierarchy.errors import TaxonomyError
from pipelines.cli.commands import WORK
from pipelines.cli.taxonomy.edit import EditCommand, add, edit_command, merge, move, pin, rename, retire, split, unpin

if TYPE_CHECKING:
    from hierarchy.editing.draft import Edited
    from hierarchy.taxonomy import Taxonomy
    from pipelines.cli.commands import Work

TREE = "taxonomy"  # the argument of an edit that is no word of its line
logger = logging.getLogger(f"coarsefine.{__name__}")


@edit_command("apply taxonomy.yaml edits.txt --dry-run")
def apply(
    taxonomy: "Taxonomy",
    work: "Work",
    edits: Annotated[Path, typer.Argument(metavar="EDITS", help="One edit a line, as in: move Kettles --to Kitchen")],
) -> "Edited":
    """Make the edits of a file, all or none.

    The page of `taxonomy show --html` gives such a file. A line has the words of a command without FILE, quoted as for
    a shell; one that begins with # is a comment.
    """
    from hierarchy.editing.edit_files import all_or_none, read_edits, tree_mark

    file = read_edits(edits)
    if file.mark not in ("", tree_mark(taxonomy)):
        logger.warning(
            "%s: its edits were made for another tree, or before this one was edited; see with --dry-run what they do",
            edits,
        )
    read = _reader((add, move, merge, split, retire, rename, pin, unpin), work)
    try:
        return all_or_none(taxonomy, {number: read(line) for number, line in file.lines.items()})
    except TaxonomyError as error:
        raise TaxonomyError(error.problems, f"{edits}: nothing is changed") from None


def _reader(commands: Iterable[EditCommand], work: "Work") -> "Callable[[str], Callable[[Taxonomy], Edited]]":
    """Return what makes an edit of a line, as the command line reads it; a wrong line is refused when it is made."""
    lines = typer.Typer(add_completion=False, rich_markup_mode=None, add_help_option=False)
    for one in commands:
        lines.command(one.function.__name__, add_help_option=False)(_deferred(one.edit, work))
    parser = typer.main.get_command(lines)

    def read(line: str) -> "Callable[[Taxonomy], Edited]":
        try:
            words = shlex.split(line)
        except ValueError:
            return partial(_refused, 'a quotation mark is not closed; write a name with an apostrophe as "Driver\'s"')
        try:
            return parser(words, prog_name="edit", standalone_mode=False)
        except Exception as error:  # typer has no public name for the base of its errors, which say what is wrong
            if (say := getattr(error, "format_message", None)) is None:
                raise
            return partial(_refused, say())

    return read


def _deferred(edit: "Callable[..., Edited]", work: "Work") -> Callable[..., Any]:
    """Return a function of an edit's words that gives what makes the edit in a tree."""
    own = signature(edit).parameters
    given = {WORK: work} if WORK in own else {}

    def deferred(**words: Any) -> "Callable[[Taxonomy], Edited]":
        return partial(edit, **given, **words)

    words = [parameter for name, parameter in own.items() if name not in (TREE, WORK)]
    deferred.__signature__ = Signature(words)  # type: ignore[attr-defined]
    deferred.__annotations__ = {parameter.name: parameter.annotation for parameter in words}
    return deferred


def _refused(wrong: str, taxonomy: "Taxonomy") -> "Edited":
    raise TaxonomyError(wrong)
