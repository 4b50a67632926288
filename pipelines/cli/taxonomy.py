"""``coarsefine taxonomy build|show|check``: label trees made, looked at and measured."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hierarchy.errors import TaxonomyError
from pipelines.cli.console import (
    ConfigOption,
    JsonOption,
    SetOption,
    print_json,
    print_table,
    session,
    silence_weight_bars,
    stdout,
)

if TYPE_CHECKING:
    from hierarchy.quality import TaxonomyQuality
    from hierarchy.taxonomy import Taxonomy
    from pipelines.config import Config

logger = logging.getLogger(__name__)

SHOWN = 10  # misfits, near-duplicates and confusions in the tables; --json gives all that were listed

app = typer.Typer(help="Build, show and check label trees.", no_args_is_help=True, rich_markup_mode=None)

FileArgument = Annotated[Path, typer.Argument(help="Taxonomy (.yaml, .json, .csv, .tsv) or the folder of a model.")]


@app.command(
    epilog="Example: coarsefine taxonomy build labels.yaml -o taxonomy.yaml --set classifier.n_groups=30 "
    "--set data.train=train.jsonl"
)
def build(
    labels: Annotated[
        Path | None,
        typer.Argument(
            metavar="[LABELS]", help="Labels or an unfinished taxonomy; else the config's taxonomy or data."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="YAML file to write.")] = Path(
        "taxonomy.yaml"
    ),
    config: ConfigOption = None,
    settings: SetOption = None,
) -> None:
    """Place labels that stand in no group; documents (data.train), where given, tell which are alike."""
    with session(goes_on="give the same command again"):
        from hierarchy.builder import TaxonomyBuilder
        from pipelines.config import load_config

        loaded = load_config(config, settings or [])
        if out.suffix.lower() not in (".yaml", ".yml"):
            raise TaxonomyError(f"--out {out}: the taxonomy is written as YAML: end the name in .yaml")
        if not out.absolute().parent.is_dir():
            raise TaxonomyError(f"--out {out}: the folder does not exist: make it first")
        place = labels or (None if loaded.taxonomy is None else Path(loaded.taxonomy))
        if place is None and loaded.data.train is None:
            raise TaxonomyError("name a file with labels, or documents with --set data.train=FILE")
        taxonomy, documents = _labels_and_documents(place, loaded)
        options = loaded.classifier
        _silence(options.label_encoder or options.encoder)
        builder = TaxonomyBuilder(
            n_groups=options.n_groups,
            min_group_size=options.min_group_size,
            max_group_size=options.max_group_size,
            encoder=options.label_encoder or options.encoder,
            seed=options.seed,
        )
        built = builder.build(taxonomy, documents=documents)
        part = out.with_name(f".{out.name}.tmp")
        built.to_yaml(part)
        part.replace(out)
        logger.info("%d labels in %d groups: %s", len(built.labels), len(built.groups), out)


@app.command(epilog="Example: coarsefine taxonomy show taxonomy.yaml")
def show(file: FileArgument, as_json: JsonOption = False) -> None:
    """Show the tree with the size of each group."""
    with session():
        from pipelines.cli.documents import read_taxonomy

        taxonomy = read_taxonomy(file)
        if as_json:
            typer.echo(taxonomy.to_json(), nl=False)
        else:
            _print_tree(taxonomy, str(file))


@app.command(epilog="Example: coarsefine taxonomy check taxonomy.yaml --set data.train=train.jsonl")
def check(
    file: FileArgument, as_json: JsonOption = False, config: ConfigOption = None, settings: SetOption = None
) -> None:
    """Measure how good the groups are; with documents (data.train) also how well they can be told apart."""
    with session(goes_on="give the same command again"):
        from hierarchy.quality import taxonomy_quality
        from pipelines.config import load_config

        loaded = load_config(config, settings or [])
        taxonomy, documents = _labels_and_documents(file, loaded)
        options = loaded.classifier
        encoder = options.label_encoder or options.encoder
        _silence(encoder)
        quality = taxonomy_quality(taxonomy, documents, encoder=encoder, seed=options.seed)
        if as_json:
            print_json(quality.as_dict())
        else:
            _print_quality(quality)


def _labels_and_documents(place: Path | None, config: "Config") -> "tuple[Taxonomy, tuple[Any, list[str]] | None]":
    from pipelines.cli.documents import Source, check_all, read_source, read_taxonomy, taxonomy_of

    taxonomy = None if place is None else read_taxonomy(place)
    train = config.data.train
    if train is None:
        if taxonomy is None:
            raise TaxonomyError("there are neither labels nor documents")
        return taxonomy, None
    documents = read_source(Source(train, config.data.train_split), config.data, cache=None)
    taxonomy = taxonomy or taxonomy_of(documents, train)
    checked = check_all({"train": (train, documents)}, taxonomy)["train"]
    return taxonomy, (checked.documents["text"], checked.labels)


def _silence(encoder: str) -> None:
    if encoder != "none":
        silence_weight_bars()


def _print_tree(taxonomy: "Taxonomy", title: str) -> None:
    from rich.text import Text
    from rich.tree import Tree

    sizes = f"{len(taxonomy.labels)} labels in {len(taxonomy.groups)} groups"
    tree = Tree(Text(f"{taxonomy.name or title}: {sizes}", style="bold"))
    branches = [(_named(group), group.labels) for group in taxonomy.groups]
    if taxonomy.unplaced:
        branches.append(("in no group yet", taxonomy.unplaced))
    for name, labels in branches:
        branch = tree.add(Text(f"{name} ({len(labels)})", style="bold"))
        for label in labels:
            branch.add(Text(_named(label)))
    stdout().print(tree)


def _named(node: Any) -> str:
    return node.name if node.name == node.id else f"{node.name} [{node.id}]"


def _print_quality(quality: "TaxonomyQuality") -> None:
    rows = [
        ("labels", f"{quality.n_labels}"),
        ("groups", f"{quality.n_groups}"),
        ("labels in no group", f"{quality.n_unplaced}"),
        ("smallest and largest group", f"{quality.smallest} and {quality.largest}"),
        ("largest by smallest", f"{quality.imbalance:.1f}"),
        ("cohesion (cosine to the own group less the best other)", f"{quality.cohesion:+.3f}"),
    ]
    if quality.n_documents is not None:
        rows.append(("documents", f"{quality.n_documents}"))
    if quality.few_documents is not None:
        rows.append(("labels with few documents", f"{len(quality.few_documents)}"))
    for k, share in (quality.routing_recall or {}).items():
        rows.append((f"documents whose group is among the {k} best (estimate)", f"{share:.3f}"))
    print_table("Taxonomy", ("figure", "value"), rows)
    misfits = [(m.label, m.group, m.better, f"{m.margin:+.3f}") for m in quality.misfits[:SHOWN]]
    alike = [(a, b, f"{cosine:.2f}") for a, b, cosine in quality.near_duplicates[:SHOWN]]
    confused = [(a, b, f"{share:.1%}") for a, b, share in (quality.confusions or ())[:SHOWN]]
    if misfits:
        print_table("Labels nearer to another group", ("label", "group", "nearer to", "margin"), misfits)
    if alike:
        print_table("Names that are nearly the same", ("label", "label", "cosine"), alike)
    if confused:
        print_table("Groups taken for others", ("group", "taken for", "share of its documents"), confused)
