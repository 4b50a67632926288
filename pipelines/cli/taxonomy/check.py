"""``coarsefine taxonomy check``: how good the groups of a label tree are."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import print_json, print_table

if TYPE_CHECKING:
    from hierarchy.measuring.agreement import Agreement
    from hierarchy.measuring.quality import TaxonomyQuality
    from hierarchy.taxonomy import Taxonomy
    from pipelines.cli.commands import Work

SHOWN = 10  # rows of each list; --json gives all that were listed


@command(
    "check taxonomy.yaml --set data.train=train.jsonl --reference gold.yaml", goes_on="give the same command again"
)
def check(
    work: "Work",
    file: options.TaxonomyArgument,
    as_json: options.JsonOption = False,
    reference: Annotated[
        Path | None,
        typer.Option("--reference", metavar="FILE", help="Another tree of these labels: how far do they agree?"),
    ] = None,
) -> None:
    """Measure how good the groups are; with documents (data.train) also how well they can be told apart."""
    from hierarchy.measuring.agreement import agreement
    from hierarchy.measuring.measures import measure
    from hierarchy.measuring.quality import taxonomy_quality
    from pipelines.cli.documents import read_taxonomy, training_vectors
    from pipelines.training.encoders import Encoders

    taxonomy, encoders = read_taxonomy(file), Encoders(work.config.classifier)
    against = None if reference is None else agreement(taxonomy, read_taxonomy(reference))
    _, documents, _ = training_vectors(work.config, encoders, taxonomy)
    random_state = encoders.settings.random_state
    quality = taxonomy_quality(measure(taxonomy, documents, **encoders.for_trees, random_state=random_state))
    if as_json:
        print_json(asdict(quality) | ({"reference": asdict(against)} if against else {}))
    else:
        _print_quality(quality, taxonomy, against)


def _print_quality(quality: "TaxonomyQuality", taxonomy: "Taxonomy", agreement: "Agreement | None" = None) -> None:
    """Print the figures, the agreement with a reference where there is one, and the lists that are not empty."""
    print_table("Taxonomy", ("figure", "value"), _figures(quality))
    if agreement is not None:
        print_table("Against the reference", ("figure", "value"), _agreement(agreement))
    for title, columns, rows in _lists(quality, taxonomy):
        if rows:
            shown = f" ({SHOWN} of {len(rows)})" if len(rows) > SHOWN else ""
            print_table(title + shown, columns, rows[:SHOWN])


def _figures(quality: "TaxonomyQuality") -> list[tuple[str, str]]:
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
        among = "the best one" if k == 1 else f"among the {k} best"
        rows.append((f"documents whose group is {among} (estimate)", f"{share:.3f}"))
    return rows


def _agreement(agreement: "Agreement") -> list[tuple[str, str]]:
    return [
        ("labels that both place", f"{agreement.n_labels}"),
        ("groups of these, here and there", f"{agreement.n_groups} and {agreement.n_reference_groups}"),
        ("adjusted mutual information (AMI)", f"{agreement.ami:.3f}"),
        ("adjusted Rand index (ARI)", f"{agreement.ari:.3f}"),
        ("homogeneity", f"{agreement.homogeneity:.3f}"),
        ("completeness", f"{agreement.completeness:.3f}"),
    ]


def _lists(
    quality: "TaxonomyQuality", taxonomy: "Taxonomy"
) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    label, group = taxonomy.label_named, taxonomy.group_named
    return [
        (
            "Labels nearer to another group",
            ("label", "group", "nearer to", "margin"),
            [(label(m.label), group(m.group), group(m.better), f"{m.margin:+.3f}") for m in quality.misfits],
        ),
        (
            "Labels whose documents go into another group more than to their siblings",
            ("label", "group", "sent to", "documents", "share", "to siblings"),
            [
                (
                    *(label(s.label), group(s.group), group(s.better)),
                    *(f"{s.documents}", f"{s.share:.0%}", f"{s.siblings:.0%}"),
                )
                for s in quality.strays or ()
            ],
        ),
        (
            "Names that are nearly the same",
            ("label", "label", "cosine"),
            [(label(a), label(b), f"{cosine:.2f}") for a, b, cosine in quality.near_duplicates],
        ),
        (
            "Labels that are taken for each other",
            ("label", "label", "share", "share back"),
            [(label(p.label), label(p.other), f"{p.share:.0%}", f"{p.share_back:.0%}") for p in quality.mixed_up or ()],
        ),
        (
            "Groups taken for others",
            ("group", "taken for", "share of its documents"),
            [(group(a), group(b), f"{share:.1%}") for a, b, share in quality.confusions or ()],
        ),
        (
            "Labels with few documents",
            ("label", "documents"),
            [(label(few), f"{count}") for few, count in (quality.few_documents or {}).items()],
        ),
    ]
