"""Puts the page together: headline, plots, lists, and the plotting library itself."""

from hierarchy.embedding.label_vectors import Documents, Embed
from hierarchy.measuring.measures import measure
from hierarchy.measuring.quality import TaxonomyQuality, taxonomy_quality
from hierarchy.taxonomy import Taxonomy
from pipelines.pages.heat import HEAT_GROUPS
from pipelines.pages.shell import check_bokeh, fill_page
from pipelines.pages.taxonomy.plots import plots, shade_range
from pipelines.pages.words import share, signed

FEW_SHOWN = 40  # labels with few documents


def taxonomy_page(
    taxonomy: Taxonomy,
    documents: Documents | None = None,
    embed: Embed | None = None,
    encoder: str = "embedded",
    random_state: int = 0,
    title: str | None = None,
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

    Returns
    -------
    str
        A treemap, a map of the labels, with documents a heat map of the groups that a probe confuses, a search, and
        lists of what a label owner should look at.

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
    measures = measure(taxonomy, documents, embed, encoder, random_state)
    quality = taxonomy_quality(measures)
    low, high = shade_range(measures)
    return fill_page(
        "taxonomy",
        title=title or taxonomy.name or "Taxonomy",
        figures=_headline(quality),
        drawn=plots(measures, random_state),
        measures=measures,
        quality=quality,
        low=low,
        high=high,
        taxonomy=measures.taxonomy,
        heat_groups=HEAT_GROUPS,
        few_shown=FEW_SHOWN,
    )


def _headline(quality: TaxonomyQuality) -> list[tuple[str, str]]:
    rows = [("labels", f"{quality.n_labels:,}"), ("groups", f"{quality.n_groups:,}")]
    rows.append(("labels in a group", f"{quality.smallest} to {quality.largest}"))
    if quality.n_unplaced:
        rows.append(("labels in no group yet", f"{quality.n_unplaced:,}"))
    if quality.n_documents is not None:
        rows.append(("documents", f"{quality.n_documents:,}"))
    rows += [(f"routing recall@{k}", share(found)) for k, found in (quality.routing_recall or {}).items()]
    return [*rows, ("cohesion", signed(quality.cohesion))]
