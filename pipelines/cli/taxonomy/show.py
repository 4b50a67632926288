"""``coarsefine taxonomy show``: a label tree on the terminal, or drawn."""

import json
from typing import TYPE_CHECKING

from hierarchy.nodes import named
from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import print_json, print_lines, text, wrote

if TYPE_CHECKING:
    from hierarchy.taxonomy import Taxonomy
    from pipelines.cli.commands import Work


@command("show taxonomy.yaml --html taxonomy.html --set data.train=train.jsonl")
def show(
    work: "Work", file: options.TaxonomyArgument, as_json: options.JsonOption = False, html: options.PageOption = None
) -> None:
    """Show the tree with the size of each group, or draw it (--html), with documents (data.train) or without."""
    from hierarchy.disk.whole_files import write_output
    from pipelines.cli.documents import read_taxonomy, training_vectors
    from pipelines.cli.places import page, writing

    with writing(work, page(html)):
        taxonomy = read_taxonomy(file)
        if html is not None:
            from pipelines.pages.taxonomy import taxonomy_page
            from pipelines.training.encoders import Encoders

            encoders, title = Encoders(work.config.classifier), taxonomy.name or file.stem
            _, documents, _ = training_vectors(work.config, encoders, taxonomy)
            random_state = encoders.settings.random_state
            write_output(
                html, taxonomy_page(taxonomy, documents, **encoders.for_trees, random_state=random_state, title=title)
            )
            wrote(html, f"{sizes(taxonomy)}: the page to open in a browser is in")
        elif as_json:
            print_json(json.loads(taxonomy.to_json()))
        else:
            _print_tree(taxonomy, taxonomy.name or str(file))


def sizes(taxonomy: "Taxonomy") -> str:
    """Say how many labels and groups there are."""
    from hierarchy.text.wording import count

    return f"{count(len(taxonomy.labels), 'label')} in {count(len(taxonomy.groups), 'group')}"


def _print_tree(taxonomy: "Taxonomy", title: str) -> None:
    from rich.tree import Tree

    tree = Tree(text(f"{title}: {sizes(taxonomy)}", style="bold"))
    branches = [(named(group), group.labels) for group in taxonomy.groups]
    if taxonomy.unplaced:
        branches.append(("in no group yet", taxonomy.unplaced))
    for name, labels in branches:
        branch = tree.add(text(f"{name} ({len(labels)})", style="bold"))
        for label in labels:
            branch.add(text(named(label)))
    print_lines(tree)
