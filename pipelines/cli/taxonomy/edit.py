"""``coarsefine taxonomy add|move|merge|split|retire|rename|pin|unpin``: a label tree that lives on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from hierarchy.errors import TaxonomyError
from hierarchy.text.wording import count
from pipelines.cli.commands import Command, command
from pipelines.cli.console import print_lines, wrote
from pipelines.cli.taxonomy.diff import refit_line

if TYPE_CHECKING:
    from hierarchy.building.builder import TaxonomyBuilder
    from hierarchy.editing.draft import Edited
    from hierarchy.taxonomy import Taxonomy
    from pipelines.cli.commands import Work


Kind: TypeAlias = Literal["label", "group"]  # what a word names that is both
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="Taxonomy, a YAML file; comments stay.")]
LabelsArgument = Annotated[list[str], typer.Argument(metavar="LABEL...", help="Ids or names.")]
WordsArgument = Annotated[list[str], typer.Argument(metavar="WHAT...", help="Ids or names of labels, or of groups.")]
KindOption = Annotated[Kind | None, typer.Option("--kind", help="What is meant where a label and a group fit.")]
NewGroupOption = Annotated[bool, typer.Option("--new-group", help="Make the group.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show how the file would change, and write nothing.")]


@dataclass(frozen=True)
class EditCommand(Command):
    """A command that edits a file, and the edit itself, for files of edits.

    Parameters
    ----------
    edit
        Gets the tree and gives it back edited.
    """

    edit: "Callable[..., Edited]"


def edit_command(example: str) -> "Callable[[Callable[..., Edited]], EditCommand]":
    """Make a command of an edit: FILE and ``--dry-run`` around it."""

    def made(edit: "Callable[..., Edited]") -> EditCommand:
        @wraps(edit)
        def run(*, file: Path, dry_run: bool, **given: Any) -> None:
            from hierarchy.editing.patching import edit_file

            edited, before, after = edit_file(file, lambda taxonomy: edit(taxonomy, **given), write=not dry_run)
            if before == after:
                print_lines("nothing changes: the file says so already")
                return
            if dry_run:
                lines = unified_diff(before.splitlines(), after.splitlines(), str(file), f"{file} (after)", lineterm="")
                print_lines(*lines)
            else:
                wrote(file, "the edited taxonomy is in")
            print_lines(*edited.lines())
            heads = [edited.new.group_named(head) for head in edited.diff.heads]
            print_lines(refit_line(heads, edited.diff.coarse, file))
            if unplaced := len(edited.new.unplaced):
                print_lines(f"{count(unplaced, 'label')} without a group: a training, or `taxonomy build`, finds one")

        _taxonomy, *own = signature(edit).parameters.values()
        file = Parameter("file", Parameter.POSITIONAL_OR_KEYWORD, annotation=FileArgument)
        dry_run = Parameter("dry_run", Parameter.KEYWORD_ONLY, default=False, annotation=DryRunOption)
        run.__signature__ = Signature([file, *own, dry_run])  # type: ignore[attr-defined]
        made = command(example)(run)
        return EditCommand(made.function, made.examples, edit)

    return made


@edit_command('add taxonomy.yaml "Garden hoses" --group Garden')
def add(
    taxonomy: "Taxonomy",
    work: "Work",
    labels: Annotated[list[str], typer.Argument(metavar="LABEL...", help="Names of new labels.")],
    group: Annotated[
        str | None, typer.Option("--group", "-g", help="Where they go; else the builder finds the best group.")
    ] = None,
    new_group: NewGroupOption = False,
    label_id: Annotated[str, typer.Option("--id", help="Id of the one new label; else its name.")] = "",
    description: Annotated[str, typer.Option("--description", "-d", help="Of the one new label.")] = "",
) -> "Edited":
    """Add labels to a group, where they are pinned, or let the builder place them.

    Documents (data.train), where given, help it. No other label moves.
    """
    from hierarchy.editing import edits
    from hierarchy.nodes import Label

    if len(labels) > 1 and (label_id or description):
        raise TaxonomyError("--id and --description are for one label: add the labels one by one")
    if new_group and group is None:
        raise TaxonomyError("--new-group needs the name of the group: add --group NAME")
    new = [Label(label_id, name, description) for name in labels]
    edited = edits.add(taxonomy, new, group, new_group=new_group)
    if group is not None or not taxonomy.groups:
        return edited
    return edits.place(edited, *_builder_and_documents(edited.new, work))


@edit_command("move taxonomy.yaml Kettles Toasters --to Kitchen")
def move(
    taxonomy: "Taxonomy",
    labels: LabelsArgument,
    group: Annotated[str, typer.Option("--to", help="Id or name of the group.")],
    new_group: NewGroupOption = False,
) -> "Edited":
    """Move labels to another group, where a rebuild leaves them; their ids stay."""
    from hierarchy.editing import edits

    return edits.move(taxonomy, labels, group, new_group=new_group)


@edit_command('merge taxonomy.yaml "Tea kettles" --into Kettles')
def merge(
    taxonomy: "Taxonomy",
    sources: WordsArgument,
    target: Annotated[str, typer.Option("--into", help="The label or group that stays.")],
    kind: KindOption = None,
) -> "Edited":
    """Merge labels, or groups, into one that stays.

    Documents of merged labels count for the one that stays: the file remembers it (merged_into).
    """
    from hierarchy.editing import edits

    of_groups = _kind(taxonomy, [*sources, target], kind) == "group"
    return (edits.merge_groups if of_groups else edits.merge_labels)(taxonomy, sources, target)


@edit_command("split taxonomy.yaml Kitchen --parts 2")
def split(
    taxonomy: "Taxonomy",
    work: "Work",
    what: Annotated[str, typer.Argument(metavar="WHAT", help="Id or name of a group, or of a label.")],
    parts: Annotated[int | None, typer.Option(help="Split a group into so many, by likeness.")] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option("--label", "-l", help="Put this label of a group into a new one (--into); can be repeated."),
    ] = None,
    into: Annotated[
        list[str] | None,
        typer.Option(help="Name of the new group, or of a label that takes the place of a label."),
    ] = None,
) -> "Edited":
    """Split a group or a label.

    A group: --parts N by likeness, or --label LABEL ... --into NAME. A label: --into NAME --into NAME; it is retired,
    and its documents are left out until they carry a label of today.
    """
    from hierarchy.editing import edits
    from hierarchy.nodes import Label

    if parts is not None and not labels and not into:
        return edits.split_group(taxonomy, what, parts, *_builder_and_documents(taxonomy, work))
    if labels and into and len(into) == 1 and parts is None:
        return edits.split_off(taxonomy, what, labels, into[0])
    if into and not labels and parts is None:
        return edits.split_label(taxonomy, what, [Label("", name) for name in into])
    raise TaxonomyError(
        "say how: --parts N splits a group by likeness; --label LABEL --into NAME puts labels of a group into a "
        "new one; --into NAME --into NAME puts new labels in the place of a label"
    )


@edit_command("retire taxonomy.yaml Samovars")
def retire(taxonomy: "Taxonomy", what: WordsArgument, kind: KindOption = None) -> "Edited":
    """Take labels, or whole groups, out of the tree.

    Their documents are left out from then on, and their ids are never used again.
    """
    from hierarchy.editing import edits

    return edits.retire(taxonomy, *_labels_and_groups(taxonomy, what, kind))


@edit_command('rename taxonomy.yaml Kettles "Electric kettles"')
def rename(
    taxonomy: "Taxonomy",
    what: Annotated[str, typer.Argument(metavar="WHAT", help="Id or name of a label, or of a group.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")],
    kind: KindOption = None,
) -> "Edited":
    """Give a label or a group another name; its id stays, and a rebuild keeps the group."""
    from hierarchy.editing import edits

    of_group = _kind(taxonomy, [what], kind) == "group"
    return (edits.rename_group if of_group else edits.rename_label)(taxonomy, what, name)


@edit_command('pin taxonomy.yaml Kettles "Garden tools"')
def pin(taxonomy: "Taxonomy", what: WordsArgument, kind: KindOption = None) -> "Edited":
    """Have a rebuild leave labels where they stand, and groups as they are.

    What you move, name or edit is pinned by that.
    """
    from hierarchy.editing import edits

    return edits.pin(taxonomy, *_labels_and_groups(taxonomy, what, kind))


@edit_command('unpin taxonomy.yaml Kettles "Garden tools"')
def unpin(taxonomy: "Taxonomy", what: WordsArgument, kind: KindOption = None) -> "Edited":
    """Let a rebuild deal labels, and all labels of groups, as it finds best."""
    from hierarchy.editing import edits

    return edits.unpin(taxonomy, *_labels_and_groups(taxonomy, what, kind))


def _labels_and_groups(taxonomy: "Taxonomy", words: Sequence[str], kind: Kind | None) -> tuple[list[str], list[str]]:
    """Part words by what they name."""
    groups = [word for word in words if _kind(taxonomy, [word], kind) == "group"]
    return [word for word in words if word not in groups], groups


def _kind(taxonomy: "Taxonomy", words: Sequence[str], kind: Kind | None) -> Kind:
    """Tell whether words name labels or groups."""
    from hierarchy.editing.draft import find_group

    if kind is not None:
        return kind
    groups = [word for word in words if find_group(taxonomy, word) is not None]
    labels = [word for word in words if taxonomy.resolve(word) is not None]
    both = [word for word in groups if word in labels]
    if both:
        raise TaxonomyError(f"'{both[0]}' names a label and a group: add --kind label or --kind group")
    if groups and labels:
        raise TaxonomyError(f"'{groups[0]}' is a group and '{labels[0]}' a label: name labels only, or groups only")
    if not groups and not labels:
        near = [taxonomy.label_named(label) for label in taxonomy.nearest(words[0])]
        near += [taxonomy.group_named(group) for group in taxonomy.nearest_groups(words[0])]
        raise TaxonomyError(f"there is no label or group '{words[0]}'; nearest: {', '.join(map(repr, near)) or 'none'}")
    return "group" if groups else "label"


def _builder_and_documents(
    taxonomy: "Taxonomy", work: "Work"
) -> "tuple[TaxonomyBuilder, tuple[Any, list[str]] | None]":
    from pipelines.cli.documents import training_vectors
    from pipelines.training.encoders import Encoders
    from pipelines.training.groups import builder_of

    encoders = Encoders(work.config.classifier)
    return builder_of(encoders), training_vectors(work.config, encoders, taxonomy)[1]
