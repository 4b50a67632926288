"""``coarsefine taxonomy show``: a label tree on the terminal, or drawn."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hierarchy.nodes import named
from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import print_json, print_lines, text, wrote

if TYPE_CHECKING:
    from hierarchy.nodes import Group
    from hierarchy.taxonomy import Taxonomy
    from pipelines.cli.commands import Work


@command(
    "show taxonomy.yaml --html taxonomy.html --set data.train=train.jsonl",
    "show google.txt --coarse-level 2 -o taxonomy.yaml",
    reads_tree=True,
)
def show(
    work: "Work",
    file: options.TaxonomyArgument,
    as_json: options.JsonOption = False,
    html: options.PageOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write the tree to .yaml, .json, .csv, .tsv or .xlsx."),
    ] = None,
) -> None:
    """Show the tree with the size of each group and what is pinned, write it to a file (-o), or draw it (--html).

    A group that the builder made says so; its labels may move in a rebuild, unless they are pinned. All others stay.
    """
    from hierarchy.disk.whole_files import write_output
    from hierarchy.files.taxonomy_files import WRITTEN
    from pipelines.cli.documents import read_taxonomy, training_vectors
    from pipelines.cli.places import output_file, page, writing

    with writing(work, page(html), output_file("--out", out, *WRITTEN)):
        taxonomy = read_taxonomy(file, **work.shape)
        if out is not None:
            taxonomy.to_file(out)
            wrote(out, f"{sizes(taxonomy)}:")
        if html is not None:
            from pipelines.pages.taxonomy import taxonomy_page
            from pipelines.training.encoders import Encoders

            encoders, title = Encoders(work.config.classifier), taxonomy.name or file.name
            _, documents = training_vectors(work.config, encoders, taxonomy)
            random_state = encoders.settings.random_state
            drawn = taxonomy_page(
                taxonomy, documents, **encoders.for_trees, random_state=random_state, title=title, file=str(file)
            )
            write_output(html, drawn)
            wrote(html, f"{sizes(taxonomy)}: the page to open in a browser is")
        if as_json:
            print_json(json.loads(taxonomy.to_json()))
        elif out is None and html is None:
            _print_tree(taxonomy, taxonomy.name or str(file))


def sizes(taxonomy: "Taxonomy") -> str:
    """Say how many labels and groups there are."""
    from hierarchy.text.wording import count

    if not taxonomy.groups:
        return f"{count(len(taxonomy.unplaced), 'label')} in no group yet"
    unplaced = f", {len(taxonomy.unplaced)} in no group yet" if taxonomy.unplaced else ""
    return f"{count(len(taxonomy.labels), 'label')} in {count(len(taxonomy.groups), 'group')}{unplaced}"


def _print_tree(taxonomy: "Taxonomy", title: str) -> None:
    from rich.tree import Tree

    tree = Tree(text(f"{title}: {sizes(taxonomy)}", style="bold"))
    branches = [(f"{named(group)} ({len(group.labels)}){_made(group)}", group.labels) for group in taxonomy.groups]
    if taxonomy.unplaced:
        branches.append((f"in no group yet ({len(taxonomy.unplaced)})", taxonomy.unplaced))
    for title, labels in branches:
        branch = tree.add(text(title, style="bold"))
        for label in labels:
            branch.add(text(named(label) + ", pinned" * label.pinned))
    print_lines(tree)


def _made(group: "Group") -> str:
    """Say who made a group, where that is the builder, and what of it a rebuild keeps."""
    if group.edited:
        return ", built, then edited by hand: pinned"
    return ", built" * bool(group.built) + ", name kept" * (bool(group.built) and group.frozen_name)
