"""Puts the page together: headline, plots, lists, and the plotting library itself."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from hierarchy.embedding.label_vectors import Documents, Embed
from hierarchy.measuring.measures import Measures, measure
from hierarchy.measuring.quality import TaxonomyQuality, taxonomy_quality
from hierarchy.nodes import named
from hierarchy.taxonomy import Taxonomy
from pipelines.pages.heat import HEAT_GROUPS
from pipelines.pages.shell import check_bokeh, embedded, fill_page, html_table, section
from pipelines.pages.taxonomy.plots import plots, shade_range
from pipelines.pages.words import share, signed

FOLDER = Path(__file__).parent
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
    script, places = embedded(plots(measures, random_state))
    return fill_page(
        FOLDER,
        title=title or taxonomy.name or "Taxonomy",
        figures=_headline(quality),
        plots=script,
        treemap=places["treemap"],
        map=places["map"],
        lists="\n".join(_lists(measures, quality)),
        **_words(measures, places),
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


def _words(measures: Measures, places: dict[str, str]) -> dict[str, str]:
    """Say what the plots show, and add the one that needs documents."""
    low, high = shade_range(measures)
    if measures.probe is not None:
        tiles = (
            "Each tile is a label: its size is the number of its documents, its colour the share of them that a "
            "cross-fitted probe sends to other groups."
        )
        best, worst = "0 %", f"{100 * high:.0f} %" + (" or more" if high < 1 else "")
        if not measures.counts.all():
            worst += "; white: no documents"
    else:
        tiles = (
            "Each tile is a label; its colour is the margin by which it fits its own group better than the next best "
            "one (cosine of meanings). Without documents all tiles have one size."
        )
        best, worst = f"{signed(low)} or more: fits", f"{signed(high)} or less: fits better elsewhere"
    heat = ""
    if "heat" in places:
        groups = len(measures.taxonomy.groups)
        which = f" The {HEAT_GROUPS} groups with the most of it." if groups > HEAT_GROUPS else ""
        text = (
            "<p>Row: the documents of a group. Column, in the same order: the group that the probe sends them to. The "
            f"darker, the more.{which}</p>"
        )
        heat = section("Groups taken for others", text, places["heat"], whole=False)
    return {"tiles": tiles, "best": best, "worst": worst, "width": "" if heat else ' class="whole"', "heat": heat}


def _lists(measures: Measures, quality: TaxonomyQuality) -> list[str]:
    taxonomy = measures.taxonomy
    position = taxonomy.label_positions

    def label(label_id: str) -> str:
        name = escape(taxonomy.label_named(label_id))
        if label_id not in position:
            return name
        return f'<button class="link" data-label="{position[label_id]}">{name}</button>'

    def group(group_id: str) -> str:
        return escape(taxonomy.group_named(group_id))

    def placed(label_id: str) -> str:
        if label_id not in position:
            return f"{label(label_id)} (in no group yet)"
        return f"{label(label_id)} in {escape(named(taxonomy.groups[taxonomy.group_of[position[label_id]]]))}"

    few = quality.few_documents or {}
    lists = [
        _list(
            "Labels nearer to another group",
            "By meaning: the cosine to their own group less that to the better one.",
            ("label", "in", "nearer to", "margin"),
            [(label(m.label), group(m.group), group(m.better), signed(m.margin)) for m in quality.misfits],
        ),
        _list(
            "Labels whose documents go elsewhere",
            "The probe sends more of them into one other group than to siblings in their own.",
            ("label", "in", "sent to", "share"),
            [
                (label(s.label), group(s.group), group(s.better), f"{s.share:.0%} of {s.documents}")
                for s in quality.strays or ()
            ],
        ),
        _list(
            "Names that are nearly the same",
            "By the letters of the names.",
            ("label", "label", "cosine"),
            [(placed(a), placed(b), f"{cosine:.2f}") for a, b, cosine in quality.near_duplicates],
        ),
        _list(
            "Labels that are taken for each other",
            "By the probe, both ways: share of the first label's documents, and of the second's.",
            ("label", "label", "shares"),
            [(label(p.label), label(p.other), f"{p.share:.0%}, {p.share_back:.0%}") for p in quality.mixed_up or ()],
        ),
    ]
    if few:
        shown = ", ".join(f"{label(label_id)} ({count})" for label_id, count in list(few.items())[:FEW_SHOWN])
        more = f" and {len(few) - FEW_SHOWN} more" if len(few) > FEW_SHOWN else ""
        lists.append(section(f"Labels with few documents ({len(few)})", f"<p>{shown}{more}</p>", whole=False))
    return lists


def _list(title: str, note: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Draw a table whose cells are HTML already and whose last column is a figure; nothing without rows."""
    if not rows:
        return ""
    return section(title, f"<p>{note}</p>", html_table(columns, rows), whole=False)
