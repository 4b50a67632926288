"""``coarsefine taxonomy check``: how good the groups of a label tree are."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import print_facts, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from hierarchy.measuring.agreement import Agreement
    from hierarchy.measuring.quality import TaxonomyQuality
    from hierarchy.taxonomy import Taxonomy
    from pipelines.cli.commands import Work

SHOWN = 10  # rows of each list; --json gives all that were listed


@command(
    "check taxonomy.yaml --set data.train=train.jsonl --reference gold.yaml",
    goes_on="give the same command again",
    reads_tree=True,
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

    taxonomy, encoders = read_taxonomy(file, **work.shape), Encoders(work.config.classifier)
    against = None if reference is None else agreement(taxonomy, read_taxonomy(reference))
    _, documents = training_vectors(work.config, encoders, taxonomy)
    random_state = encoders.settings.random_state
    quality = taxonomy_quality(measure(taxonomy, documents, **encoders.for_trees, random_state=random_state))
    if as_json:
        print_json(asdict(quality) | _owned(taxonomy) | ({"reference": asdict(against)} if against else {}))
    else:
        _print_quality(quality, taxonomy, against)


def _owned(taxonomy: "Taxonomy") -> dict[str, list[str]]:
    """Name what a rebuild leaves as it is: labels where they stand, and groups of the builder that a person edited."""
    return {
        "pinned": [label.id for group in taxonomy.groups for label in group.pinned],
        "edited_by_hand": [group.id for group in taxonomy.groups if group.edited],
    }


def _print_quality(quality: "TaxonomyQuality", taxonomy: "Taxonomy", agreement: "Agreement | None") -> None:
    """Print the figures, the agreement with a reference where there is one, and the lists."""
    owned = _owned(taxonomy)
    figures = {
        "labels": quality.n_labels,
        "groups": quality.n_groups,
        "labels in no group": quality.n_unplaced,
        "labels that a rebuild leaves where they are": len(owned["pinned"]),
        "groups built, then edited by hand": len(owned["edited_by_hand"]) or None,
        "smallest and largest group": f"{quality.smallest} and {quality.largest}",
        "largest by smallest": f"{quality.imbalance:.1f}",
        "cohesion (cosine to the own group less the best other)": f"{quality.cohesion:+.3f}",
        "documents": quality.n_documents,
        "labels with few documents": None if quality.few_documents is None else len(quality.few_documents),
    }
    for k, share in (quality.routing_recall or {}).items():
        among = "the best one" if k == 1 else f"among the {k} best"
        figures[f"documents whose group is {among} (estimate)"] = f"{share:.3f}"
    print_facts("Taxonomy", figures)
    if agreement is not None:
        compared = {
            "labels that both place": agreement.n_labels,
            "groups of these, here and there": f"{agreement.n_groups} and {agreement.n_reference_groups}",
            "adjusted mutual information (AMI)": f"{agreement.ami:.3f}",
            "adjusted Rand index (ARI)": f"{agreement.ari:.3f}",
            "homogeneity": f"{agreement.homogeneity:.3f}",
            "completeness": f"{agreement.completeness:.3f}",
        }
        print_facts("Against the reference", compared)
    _print_lists(quality, taxonomy.label_named, taxonomy.group_named)


def _print_lists(quality: "TaxonomyQuality", label: "Callable[[str], str]", group: "Callable[[str], str]") -> None:
    """Print what a person should look at, with the names of labels and groups."""
    unsorted = [(group(one), quality.sizes[one], f"{quality.group_cohesion[one]:+.3f}") for one in quality.unsorted]
    print_table("Groups whose labels have little in common", ("group", "labels", "cohesion"), unsorted, SHOWN)
    print_table(
        "Labels nearer to another group",
        ("label", "group", "nearer to", "margin"),
        [(label(m.label), group(m.group), group(m.better), f"{m.margin:+.3f}") for m in quality.misfits],
        SHOWN,
    )
    strays = [
        (label(s.label), group(s.group), group(s.better), s.documents, f"{s.share:.0%}", f"{s.siblings:.0%}")
        for s in quality.strays or ()
    ]
    print_table(
        "Labels whose documents go into another group more than to their siblings",
        ("label", "group", "sent to", "documents", "share", "to siblings"),
        strays,
        SHOWN,
    )
    alike = [(label(a), label(b), f"{cosine:.2f}") for a, b, cosine in quality.near_duplicates]
    print_table("Names that are nearly the same", ("label", "label", "cosine"), alike, SHOWN)
    mixed = [(label(p.label), label(p.other), f"{p.share:.0%}", f"{p.share_back:.0%}") for p in quality.mixed_up or ()]
    print_table("Labels that are taken for each other", ("label", "label", "share", "share back"), mixed, SHOWN)
    confused = [(group(a), group(b), f"{share:.1%}") for a, b, share in quality.confusions or ()]
    print_table("Groups taken for others", ("group", "taken for", "share of its documents"), confused, SHOWN)
    few = [(label(one), count) for one, count in (quality.few_documents or {}).items()]
    print_table("Labels with few documents", ("label", "documents"), few, SHOWN)
