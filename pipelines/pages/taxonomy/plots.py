"""The three plots of the page, as Bokeh figures; page.js writes the texts into them and links them."""

from typing import Any

import numpy as np

from hierarchy.measuring.measures import Measures
from hierarchy.nodes import named
from pipelines.pages.plots import (
    BLUE,
    GREY,
    INK,
    PAPER,
    add_hover,
    add_texts,
    empty_source,
    heat_plot,
    plot_without_axes,
    shaded,
)
from pipelines.pages.taxonomy.label_map import label_map
from pipelines.pages.taxonomy.treemap import treemap

WIDE, NARROW = 1360.0, 358.0  # widths of the treemap's layouts for desktops and phones, in pixels
LOWEST, HIGHEST = 640.0, 1500.0  # of the treemap
PER_LABEL = 2.5  # pixels of height: three lines in each of 600 tiles, on a desktop


def plots(measures: Measures, random_state: int = 0) -> dict[str, Any]:
    """Draw treemap, map and, with documents, the heat map of what groups are confused with.

    Parameters
    ----------
    measures
        Of the taxonomy.
    random_state
        Of the map.

    Returns
    -------
    dict
        Bokeh figures by name: `treemap`, `map` and perhaps `heat`.
    """
    from bokeh.models import ColumnDataSource

    low, high = shade_range(measures)
    places = label_map(measures.vectors, random_state)
    height = float(np.clip(PER_LABEL * len(places), LOWEST, HIGHEST))
    labels = ColumnDataSource(_label_columns(measures, places), name="labels", tags=[low, high])
    groups = ColumnDataSource(_group_columns(measures, places), name="groups")
    sizes = np.maximum(measures.counts, 1).astype(float)
    for part, width, high in (("", WIDE, height), ("_narrow", NARROW, 1.4 * height)):
        layout = treemap(sizes, measures.taxonomy.offsets, width, high)
        for source, rectangles in ((labels, layout.labels), (groups, layout.groups)):
            for side, column in zip(("left", "top", "right", "bottom"), rectangles.T, strict=True):
                source.data[side + part] = column.astype(np.float32)
        groups.data["header" + part] = layout.headers.astype(np.float32)
    drawn = {"treemap": _treemap(labels, groups, measures, height), "map": _map(labels, measures)}
    if measures.probe is not None:
        drawn["heat"] = heat_plot(measures.probe.group_confusion(measures.taxonomy.group_of))
    return drawn


def shade_range(measures: Measures) -> tuple[float, float]:
    """Return the values that the first and the last of `SHADES` stand for: shares, or margins without documents."""
    if measures.probe is not None:
        known = measures.sent_elsewhere[measures.counts > 0]
        return 0.0, max(0.1, float(np.ceil(10 * np.quantile(known, 0.95)) / 10))
    # 0, where another group fits as well, stands in the middle.
    spread = max(0.05, float(-np.quantile(measures.margins, 0.05)))
    return spread, -spread


def _label_columns(measures: Measures, places: np.ndarray) -> dict[str, Any]:
    taxonomy, group_of = measures.taxonomy, measures.taxonomy.group_of
    shade = measures.margins if measures.probe is None else measures.sent_elsewhere
    columns: dict[str, Any] = {
        "name": [label.name for label in taxonomy.labels],
        "id": ["" if label.id == label.name else label.id for label in taxonomy.labels],
        "group": group_of.astype(np.int32),
        "margin": measures.margins.astype(np.float32),
        "nearest": measures.nearest.astype(np.int32),
        "shade": shade.astype(np.float32),
        "x": places[:, 0],
        "y": places[:, 1],
    }
    if measures.probe is not None:
        away = measures.sent_to.copy()
        away[np.arange(len(away)), group_of] = 0
        columns["documents"] = measures.counts.astype(np.int32)
        columns["sent_to"] = np.where(away.max(axis=1) > 0, away.argmax(axis=1), -1).astype(np.int32)
    return columns


def _group_columns(measures: Measures, places: np.ndarray) -> dict[str, Any]:
    taxonomy = measures.taxonomy
    centres = np.array([np.median(places[taxonomy.group_of == g], axis=0) for g in range(len(taxonomy.groups))])
    sizes = np.diff(taxonomy.offsets)
    return {
        "name": [named(group) for group in taxonomy.groups],
        "size": sizes.astype(np.int32),
        "x": centres[:, 0],
        "y": centres[:, 1],
    }


def _treemap(labels: Any, groups: Any, measures: Measures, height: float) -> Any:
    plot = plot_without_axes("treemap", int(height), tools="tap", x_range=(0, WIDE), y_range=(height, 0))
    sides = ("left", "right", "top", "bottom")
    tiles = plot.quad(
        *sides, source=labels, fill_color=shaded("shade", *shade_range(measures)), line_color=PAPER,
        nonselection_alpha=1.0, selection_line_color=INK, selection_line_width=3,
    )  # fmt: skip
    plot.quad(*sides, source=groups, fill_color=None, line_color="#aab3bf")
    # The sources with nothing in them are filled by page.js.
    plot.quad(*sides, source=empty_source("frame", *sides), fill_color=None, line_color=INK, line_width=2)
    add_texts(plot, "header_texts", text_font_style="bold", text_color=INK)
    add_texts(plot, "dark_texts", text_color=INK, text_line_height=0.85)
    add_texts(plot, "light_texts", text_color=PAPER, text_line_height=0.85)
    add_hover(plot, tiles, _tooltips(measures))
    return plot


def _map(labels: Any, measures: Measures) -> Any:
    plot = plot_without_axes("map", 640, tools="tap", x_range=(-0.03, 1.03), y_range=(-0.03, 1.03))
    n = len(measures.counts)
    size = 9 if n <= 200 else 7 if n <= 1500 else 5
    points = plot.scatter(
        "x", "y", source=labels, size=size, fill_color=shaded("shade", *shade_range(measures)), line_color=GREY,
        line_width=0.5, nonselection_alpha=1.0,
    )  # fmt: skip
    plot.scatter("x", "y", source=empty_source("members", "x", "y"), size=size, fill_color=BLUE, line_color=PAPER)
    plot.scatter(
        "x", "y", source=empty_source("ring", "x", "y"), size=18, fill_color=None, line_color=INK, line_width=3
    )
    add_texts(
        plot, "map_texts", text_align="center", text_baseline="middle", text_font_style="bold", text_color=INK,
        background_fill_color=PAPER, background_fill_alpha=0.75, padding=1,
    )  # fmt: skip
    add_hover(plot, points, _tooltips(measures))
    return plot


def _tooltips(measures: Measures) -> list[tuple[str, str]]:
    rows = [("label", "@name"), ("group", "@group_name")]
    if measures.probe is not None:
        rows += [("documents", "@documents"), ("sent to other groups", "@shade{0 %}")]
    return [*rows, ("fit margin", "@margin{+0.00}")]
