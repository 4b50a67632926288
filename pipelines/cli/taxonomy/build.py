"""``coarsefine taxonomy build|show|check``: label trees made, looked at and measured."""

import json
import logging
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hierarchy.errors import TaxonomyError
from hierarchy.nodes import named
from pipelines.cli.console import (
    CommandLine,
    ConfigOption,
    JsonOption,
    SetOption,
    print_json,
    print_lines,
    print_table,
    session,
    silence_weight_bars,
    text,
    wrote,
)

if TYPE_CHECKING:
    from hierarchy.building.builder import BuildReport, TaxonomyBuilder
    from hierarchy.taxonomy import Taxonomy
    from pipelines.config import Config

logger = logging.getLogger(f"coarsefine.{__name__}")

app = CommandLine(help="Build, show, check and edit label trees.", no_args_is_help=True, rich_markup_mode=None)

FileArgument = Annotated[Path, typer.Argument(help="Taxonomy (.yaml, .json, .csv, .tsv) or the folder of a model.")]


@app.command(
    epilog="Example: coarsefine taxonomy build labels.yaml -o taxonomy.yaml --set classifier.n_groups=30 "
    "--set data.train=train.jsonl\n\ncoarsefine taxonomy build new_labels.yaml --from taxonomy.yaml -o grown.yaml"
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
    earlier: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Earlier tree: only new labels are placed, all others stay."),
    ] = None,
    move_labels: Annotated[
        bool,
        typer.Option(
            "--move-labels", help="Let labels leave the built group in which they stand; see docs/taxonomy.md."
        ),
    ] = False,
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions",
            metavar="FILE",
            help="Out-of-fold predictions of cross-validate: they tell what is confused, in place of a quick probe.",
        ),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    settings: SetOption = None,
) -> None:
    """Place labels that stand in no group; documents (data.train), where given, tell which are alike."""
    with session(goes_on="give the same command again"):
        from hierarchy.disk.locks import held
        from hierarchy.disk.output import OutputFile
        from pipelines.cli.documents import in_cli_words, read_taxonomy, training_vectors
        from pipelines.cli.places import check_places, run_folder
        from pipelines.config import load_config
        from pipelines.cross_validation.out_of_fold import read_out_of_fold
        from pipelines.data.report import count

        loaded = load_config(config, settings or [])
        check_places(
            [OutputFile("--out", out, (".yaml", ".yml")), run_folder(loaded)],
            config,
            loaded,
            {"LABELS": labels, "--from": earlier, "--predictions": predictions},
        )
        place = labels or earlier or (None if loaded.taxonomy is None else Path(loaded.taxonomy))
        given = None if place is None else read_taxonomy(place)
        if given is not None and earlier is not None:
            given = read_taxonomy(earlier).with_labels(given)
        if predictions is not None and loaded.data.train is None:
            raise TaxonomyError("--predictions needs the documents that they are about: --set data.train=FILE")
        confusions = None if predictions is None else read_out_of_fold(predictions).probe
        builder = builder_of(loaded)
        keep = earlier is not None
        check_tree = partial(builder.check, keep=keep, move_labels=move_labels)
        with held(out):
            taxonomy, documents, texts = training_vectors(loaded, given, check_tree)
            with in_cli_words():
                built = builder.build(
                    taxonomy, documents, texts=texts, keep=keep, move_labels=move_labels, confusions=confusions
                )
            built.to_yaml(out)
        wrote(out)
        logger.info("%s in %s: %s", count(len(built.labels), "label"), count(len(built.groups), "group"), out)
        if as_json:
            print_json(asdict(builder.report_))
        else:
            _print_build(builder.report_, built)


@app.command(epilog="Example: coarsefine taxonomy show taxonomy.yaml --html taxonomy.html --set data.train=train.jsonl")
def show(
    file: FileArgument,
    as_json: JsonOption = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page to look at, with documents (data.train) or without."),
    ] = None,
    config: ConfigOption = None,
    settings: SetOption = None,
) -> None:
    """Show the tree with the size of each group, or draw it (--html)."""
    with session():
        from hierarchy.disk.output import PAGE_SUFFIXES, OutputFile
        from pipelines.cli.documents import read_taxonomy
        from pipelines.cli.places import check_places
        from pipelines.config import load_config

        loaded = load_config(config, settings or [])
        if html is not None:
            check_places([OutputFile("--html", html, PAGE_SUFFIXES)], config, loaded, {"FILE": file})
            _draw(file, html, loaded)
        elif as_json:
            print_json(json.loads(read_taxonomy(file).to_json()))
        else:
            _print_tree(read_taxonomy(file), str(file))


def _draw(file: Path, html: Path, config: "Config") -> None:
    from hierarchy.disk.whole_files import write_output
    from pipelines.cli.documents import read_taxonomy, training_vectors
    from pipelines.data.report import count
    from pipelines.pages.taxonomy import taxonomy_page

    encoder = config.classifier.label_encoder or config.classifier.encoder
    _silence(encoder)
    taxonomy = read_taxonomy(file)
    _, documents, _ = training_vectors(config, taxonomy)
    title = taxonomy.name or file.stem
    page = taxonomy_page(taxonomy, documents, encoder=encoder, random_state=config.classifier.random_state, title=title)
    write_output(html, page)
    wrote(html)
    sizes = f"{count(len(taxonomy.labels), 'label')} in {count(len(taxonomy.groups), 'group')}"
    logger.info("%s: open %s in a browser", sizes, html)


@app.command(
    epilog="Example: coarsefine taxonomy check taxonomy.yaml --set data.train=train.jsonl --reference gold.yaml"
)
def check(
    file: FileArgument,
    as_json: JsonOption = False,
    reference: Annotated[
        Path | None,
        typer.Option("--reference", metavar="FILE", help="Another tree of these labels: how far do they agree?"),
    ] = None,
    config: ConfigOption = None,
    settings: SetOption = None,
) -> None:
    """Measure how good the groups are; with documents (data.train) also how well they can be told apart."""
    with session(goes_on="give the same command again"):
        from hierarchy.measuring.agreement import agreement
        from hierarchy.measuring.quality import taxonomy_quality
        from pipelines.cli.documents import read_taxonomy, training_vectors
        from pipelines.cli.taxonomy.quality_tables import print_quality
        from pipelines.config import load_config

        loaded = load_config(config, settings or [])
        taxonomy = read_taxonomy(file)
        against = None if reference is None else agreement(taxonomy, read_taxonomy(reference))
        options = loaded.classifier
        encoder = options.label_encoder or options.encoder
        _silence(encoder)
        _, documents, _ = training_vectors(loaded, taxonomy)
        quality = taxonomy_quality(taxonomy, documents, encoder=encoder, random_state=options.random_state)
        if as_json:
            print_json(asdict(quality) | ({"reference": asdict(against)} if against else {}))
        else:
            print_quality(quality, taxonomy, against)


def builder_of(config: "Config") -> "TaxonomyBuilder":
    """Return the builder that a config describes."""
    from pipelines.training.groups import builder_of as builder_of_settings

    options = config.classifier
    _silence(options.label_encoder or options.encoder)
    return builder_of_settings(options)


def _silence(encoder: str) -> None:
    if encoder != "none":
        silence_weight_bars()


def _print_tree(taxonomy: "Taxonomy", title: str) -> None:
    from rich.tree import Tree

    from pipelines.data.report import count

    sizes = f"{count(len(taxonomy.labels), 'label')} in {count(len(taxonomy.groups), 'group')}"
    tree = Tree(text(f"{taxonomy.name or title}: {sizes}", style="bold"))
    branches = [(named(group), group.labels) for group in taxonomy.groups]
    if taxonomy.unplaced:
        branches.append(("in no group yet", taxonomy.unplaced))
    for name, labels in branches:
        branch = tree.add(text(f"{name} ({len(labels)})", style="bold"))
        for label in labels:
            branch.add(text(named(label)))
    print_lines(tree)


def _print_build(report: "BuildReport", built: "Taxonomy") -> None:
    weights = ", ".join(f"{name} {weight:.2f}" for name, weight in report.signals.items())
    rows = [("number of groups", f"{report.n_groups}"), ("why", report.rule)]
    print_table("Build", ("what", "value"), rows + ([("signals", weights)] if weights else []))
    if report.curve:
        print_table(
            "Numbers of groups that were tried (choose one with --set classifier.n_groups=N)",
            ("groups", "documents whose group is among the 3 best (estimate)"),
            [(f"{groups}", f"{recall:.3f}") for groups, recall in report.curve],
        )
    if report.moved:
        moved = [(built.label_named(x), *map(built.group_named, groups)) for x, *groups in report.moved]
        print_table("Labels that moved", ("label", "from", "to"), moved)
