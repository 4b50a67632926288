"""``coarsefine taxonomy build``: labels placed in groups."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hierarchy.errors import TaxonomyError
from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import print_facts, print_json, print_table, wrote
from pipelines.cli.taxonomy.show import sizes

if TYPE_CHECKING:
    from hierarchy.building.builder import BuildReport
    from hierarchy.taxonomy import Taxonomy
    from pipelines.cli.commands import Work
    from pipelines.config import Config


OWN_REMARK = "# unsorted:"  # a comment that the builder writes, and no person


@command(
    "build labels.yaml -o taxonomy.yaml --set classifier.n_groups=30 --set data.train=train.jsonl",
    "build new_labels.yaml --from taxonomy.yaml -o grown.yaml",
    "build sheet.xlsx --label-column Intent --group-column Team -o taxonomy.yaml",
    goes_on="give the same command again",
    reads_tree=True,
)
def build(
    work: "Work",
    labels: Annotated[
        Path | None,
        typer.Argument(metavar="[LABELS]", help="Labels or unfinished taxonomy; else the config's taxonomy or data."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="YAML file to write.")] = Path(
        "taxonomy.yaml"
    ),
    earlier: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Earlier tree: only new labels are placed, all others stay."),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Undo what is by hand, or may be, where a build would stop: docs/taxonomy.md."),
    ] = False,
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions",
            metavar="FILE",
            help="Out-of-fold predictions of cross-validate: they tell what is confused, in place of a quick probe.",
        ),
    ] = None,
    as_json: options.JsonOption = False,
) -> None:
    """Place labels that stand in no group; documents (data.train), where given, tell which are alike."""
    from pipelines.cli.documents import read_taxonomy, taxonomy_named, training_vectors
    from pipelines.cli.places import output_file, run_folder, writing
    from pipelines.cross_validation.out_of_fold import read_out_of_fold
    from pipelines.training.encoders import Encoders
    from pipelines.training.groups import builder_of

    config, keep = work.config, earlier is not None
    with writing(work, output_file("--out", out, ".yaml", ".yml"), checked=[run_folder(config)]):
        place = labels or earlier
        if place is None and config.taxonomy is None:
            given, config = None, _with_columns(config, work.shape)
        else:
            given = taxonomy_named(config, **work.shape) if place is None else read_taxonomy(place, **work.shape)
        if given is not None and earlier is not None:
            given = read_taxonomy(earlier).with_labels(given)
        if predictions is not None and config.data.train is None:
            raise TaxonomyError("--predictions needs the documents that they are about: --set data.train=FILE")
        out_of_fold = None if predictions is None else read_out_of_fold(predictions)
        encoders = Encoders(config.classifier)
        builder = builder_of(encoders)

        def check_tree(tree: "Taxonomy") -> None:
            builder.check(tree, keep=keep, force=force)
            if not force:
                _check_replaced(out, tree)

        taxonomy, documents = training_vectors(config, encoders, given, check_tree)
        confusions = None if out_of_fold is None else out_of_fold.as_of(taxonomy).probe
        built = builder.build(taxonomy, documents, keep=keep, force=force, confusions=confusions)
        built.to_yaml(out, builder.report_.unsorted)
    wrote(out, f"{sizes(built)}:")
    if as_json:
        print_json(asdict(builder.report_))
    else:
        _print_build(builder.report_, built)


def _check_replaced(out: Path, given: "Taxonomy") -> None:
    """Refuse, before the work, to write over a file with what a person did and the tree to be built does not have."""
    from hierarchy.building.builder import UNDOING
    from hierarchy.building.undone import undone
    from hierarchy.editing.series import comments_of
    from hierarchy.files.taxonomy_files import read_text
    from hierarchy.taxonomy import Taxonomy

    if not out.exists():
        return
    where = f"{out}, which the build would replace"
    try:
        lost = undone(Taxonomy.from_yaml(out), given)
    except TaxonomyError as error:
        raise TaxonomyError(f"it holds something else than a taxonomy ({error.problems[0]})", where, UNDOING) from None
    if remarks := [remark for remark in comments_of(read_text(out)) if not remark.startswith(OWN_REMARK)]:
        lost.append(f"comments would be gone ({len(remarks)}): {remarks[0]}")
    if lost:
        raise TaxonomyError(lost, where, UNDOING)


def _with_columns(config: "Config", shape: dict[str, Any]) -> "Config":
    """Take the options for the columns of a tree's file for those of the documents, which stand in its place."""
    label, groups = shape.get("label_column", config.data.label), shape.get("group_column", [config.data.group])
    if shape.keys() - {"label_column", "group_column"} or groups[1:]:
        raise TaxonomyError(
            "the options say how a file of labels is read, and none is named: name it; without one, --label-column and "
            "one --group-column are those of the documents"
        )
    data = config.data.model_copy(update={"label": label, "group": groups[0]})
    return config.model_copy(update={"data": data})


def _print_build(report: "BuildReport", built: "Taxonomy") -> None:
    weights = ", ".join(f"{name} {weight:.2f}" for name, weight in report.signals.items())
    facts = {
        "number of groups": report.n_groups,
        "why": report.rule,
        "signals": weights or None,
        "labels have little in common in": ", ".join(map(built.group_named, report.unsorted)) or None,
    }
    print_facts("Build", facts)
    print_table(
        "This number of groups and others (choose one with --set classifier.n_groups=N)",
        ("groups", "documents whose group is among the 3 best (estimate)"),
        [(groups, f"{recall:.3f}") for groups, recall in report.curve],
    )
    moved = [(built.label_named(x), *map(built.group_named, groups)) for x, *groups in report.moved]
    print_table("Labels that moved", ("label", "from", "to"), moved)
