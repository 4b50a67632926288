"""What the plots of all pages share, as Bokeh figures: colours, axes, and the map of groups taken for others."""

from typing import Any

import numpy as np

from pipelines.pages.heat import heat_cells
from pipelines.pages.shell import SHADES

INK, PAPER, GREY = "#1c2430", "#ffffff", "#8793a1"
BLUE, ORANGE = "#0072b2", "#d55e00"  # Okabe and Ito's, for the colour-blind
NO_DOCUMENT = "#f7f8fa"
FONT = "system-ui, 'Segoe UI', Roboto, 'Noto Sans', 'Noto Sans CJK SC', 'Microsoft YaHei', sans-serif"


def plot_with_axes(name: str, height: int, **options: Any) -> Any:
    """Make an empty plot with plain axes."""
    plot = _figure(name, height, min_border_right=14, **options)
    plot.grid.grid_line_color = "#e9edf2"
    for axis in (plot.xaxis, plot.yaxis):
        axis.axis_line_color = axis.major_tick_line_color = GREY
        axis.minor_tick_line_color = None
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "12px"
        axis.axis_label_text_color = axis.major_label_text_color = INK
    return plot


def plot_without_axes(name: str, height: int, **options: Any) -> Any:
    """Make an empty plot whose axes are not shown."""
    plot = _figure(name, height, **options)
    plot.xaxis.visible = plot.yaxis.visible = False
    plot.grid.visible = False
    return plot


def heat_plot(confusion: np.ndarray) -> Any:
    """Draw which groups are taken for which; drawing.js writes names and, where there is room, numbers into it.

    Parameters
    ----------
    confusion
        (groups, groups), share of each row's documents that go to each column.

    Returns
    -------
    Any
        Bokeh figure `heat`, whose tags are the group of each row.
    """
    from bokeh.models import ColorBar, ColumnDataSource, NumeralTickFormatter

    shown, columns = heat_cells(confusion)
    n = len(shown)
    plot = plot_without_axes("heat", max(340, min(780, 140 + 40 * n)), x_range=(0, n), y_range=(n, 0))
    plot.rect(n / 2, n / 2, n, n, fill_color="#f4f6f8", line_color=None)
    own = np.arange(n) + 0.5
    plot.rect(own, own, 1, 1, fill_color="#c9d0d9", line_color=None)
    high = max(0.05, float(columns["share"].max(initial=0.0)))
    middles = {"x": columns["column"] + 0.5, "y": columns["row"] + 0.5}
    source = ColumnDataSource({**columns, **middles}, name="cells", tags=[high])
    shades = shaded("share", 0.0, high)
    cells = plot.rect("x", "y", 1, 1, source=source, line_color=None, fill_color=shades)
    scale = ColorBar(
        color_mapper=shades.transform, height=10, padding=4, title="share of a row's documents", bar_line_color=None,
        formatter=NumeralTickFormatter(format="0 %"), title_text_font_style="normal", title_text_font_size="11px",
    )  # fmt: skip
    plot.add_layout(scale, "below")
    sides = ("left", "right", "top", "bottom")
    plot.quad(*sides, source=empty_source("cross", *sides), fill_color=None, line_color=INK, line_width=2)
    add_texts(plot, "heat_rows", text_align="right", text_baseline="middle", text_color=INK)
    add_texts(plot, "heat_columns", text_baseline="middle", text_color=INK, angle=np.pi / 2)
    add_texts(plot, "heat_light", text_align="center", text_baseline="middle", text_color=PAPER)
    add_texts(plot, "heat_dark", text_align="center", text_baseline="middle", text_color=INK)
    plot.tags = shown.tolist()  # the group of each row
    add_hover(plot, cells, [("documents of", "@group"), ("sent to", "@other"), ("share", "@share{0.0 %}")])
    return plot


def add_hover(plot: Any, drawn: Any, told: list[tuple[str, str]], **options: Any) -> None:
    """Show (name, value) lines where the mouse stands on what was drawn."""
    from bokeh.models import HoverTool

    plot.add_tools(HoverTool(renderers=[drawn], tooltips=told, **options))


def add_texts(plot: Any, name: str, **look: Any) -> None:
    """Make room for texts, which the page's script fills in."""
    from bokeh.core.properties import value

    look = {"text_baseline": "top", "text_font_size": "11px", "text_line_height": 1.0, "text_font": value(FONT), **look}
    plot.text("x", "y", "text", source=empty_source(name, "x", "y", "text"), **look)


def empty_source(name: str, *columns: str) -> Any:
    """Make columns that the page's script fills."""
    from bokeh.models import ColumnDataSource

    return ColumnDataSource({column: [] for column in columns}, name=name)


def shaded(column: str, low: float, high: float) -> Any:
    """Colour a column by `SHADES`; where `low` is above `high`, lower values are darker."""
    from bokeh.models import LinearColorMapper
    from bokeh.palettes import interp_palette
    from bokeh.transform import transform

    palette = list(interp_palette(SHADES if low < high else SHADES[::-1], 64))
    return transform(column, LinearColorMapper(palette, low=min(low, high), high=max(low, high), nan_color=NO_DOCUMENT))


def _figure(name: str, height: int, *, tools: str = "", **options: Any) -> Any:
    from bokeh.plotting import figure

    return figure(
        name=name, height=height, sizing_mode="stretch_width", tools=tools, toolbar_location=None,
        background_fill_color=PAPER, border_fill_color=PAPER, outline_line_color=None, **{"min_border": 0, **options},
    )  # fmt: skip
