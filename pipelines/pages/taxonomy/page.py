"""Puts the page together: headline, plots, lists, and the plotting library itself."""

from shlex import quote
from typing import Any

from hierarchy.editing.edit_files import MARK, tree_mark
from hierarchy.embedding.label_vectors import Documents, Embed, load_sentence_encoder, reads_meaning
from hierarchy.measuring.measures import measure
from hierarchy.measuring.quality import LISTED, TaxonomyQuality, taxonomy_quality
from hierarchy.taxonomy import Taxonomy
from pipelines.pages.heat import HEAT_GROUPS
from pipelines.pages.shell import check_bokeh, fill_page
from pipelines.pages.taxonomy.plots import plots, shade_range
from pipelines.pages.words import share, signed

FEW_SHOWN = 40  # labels with few documents
SOME = 12  # unsorted groups that are named


def taxonomy_page(
    taxonomy: Taxonomy,
    documents: Documents | None = None,
    embed: Embed | None = None,
    encoder: str = "embedded",
    random_state: int = 0,
    title: str | None = None,
    file: str = "taxonomy.yaml",
) -> str:
    """Draw a taxonomy as one HTML page that needs nothing beside it and no network.

    Parameters
    ----------
    taxonomy
        With at least one group.
    documents
        (texts or vectors of shape (documents, dimensions), label of each document), or None.
    embed, encoder, random_state
        As for `TaxonomyBuilder`. The same seed gives the same plots.
    title
        Of the page; None takes the taxonomy's name.
    file
        Of the taxonomy, in the command that makes the edits of the page.

    Returns
    -------
    str
        What a label owner should look at, a treemap, the tree with its labels to be moved and its groups to be renamed,
        a map of the labels, with documents a heat map of the groups that a probe confuses, and a search.

    Raises
    ------
    TaxonomyError
        Where no label stands in a group.
    DataError
        Where fewer than two documents have a label that stands in a group.
    MissingLibraryError
        Where Bokeh, which draws the plots, is not installed.
    """
    check_bokeh()
    texts = [label.text for label in taxonomy.labels]
    embed = load_sentence_encoder(encoder) if embed is None and encoder != "none" else embed
    measures = measure(taxonomy, documents, embed, encoder, random_state)
    quality = taxonomy_quality(measures)
    low, high = shade_range(measures)
    few = quality.few_documents or {}
    return fill_page(
        "taxonomy",
        title=title or taxonomy.name or "Taxonomy",
        figures=_headline(quality),
        drawn=plots(measures, random_state),
        measures=measures,
        quality=quality,
        low=low,
        high=high,
        taxonomy=taxonomy,
        builds=any(group.built for group in taxonomy.groups),
        likeness="meaning" if reads_meaning(texts, embed) else "letters",
        better={i: taxonomy.groups[measures.nearest[i]] for i, margin in enumerate(measures.margins) if margin < 0},
        without=[label for label, documents in few.items() if not documents],
        few=[label for label, documents in few.items() if documents],
        listed_at_most=LISTED,
        heat_groups=HEAT_GROUPS,
        few_shown=FEW_SHOWN,
        some=SOME,
        file=quote(file),
        tree=_tree(taxonomy),
    )


def _headline(quality: TaxonomyQuality) -> list[tuple[str, str, str]]:
    rows = [
        ("labels", f"{quality.n_labels:,}", "what a document is given in the end"),
        ("groups", f"{quality.n_groups:,}", "sets of labels; each label stands in one"),
        ("labels in a group", f"{quality.smallest} to {quality.largest}", "the smallest group and the largest"),
    ]
    if quality.n_unplaced:
        rows.append(("labels in no group yet", f"{quality.n_unplaced:,}", "a build places them, or you do"))
    if quality.n_documents is not None:
        rows.append(("documents", f"{quality.n_documents:,}", "with a label that stands in a group"))
    for k, found in (quality.routing_recall or {}).items():
        best = "the group" if k == 1 else f"among the {k} groups"
        rows.append((f"routing recall@{k}", share(found), f"of documents: their group is {best} that a probe prefers"))
    cohesion = "how much nearer labels are to their own group than to the next best: 0 is no nearer, 1 the most"
    return [*rows, ("cohesion", signed(quality.cohesion), cohesion)]


def _tree(taxonomy: Taxonomy) -> dict[str, Any]:
    """Return what edits on the page are written with, beside the columns of the plots."""
    return {
        "name": taxonomy.name,
        "mark": MARK + tree_mark(taxonomy),
        "groups": [[group.id, group.name] for group in taxonomy.groups],
        "unplaced": [[label.id, label.name] for label in taxonomy.unplaced],
    }
