"""The plots of the report, as Bokeh figures: reliability diagrams, risk by coverage, groups taken for others."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from pipelines.evaluation.figures import Evaluation
from pipelines.evaluation.levels import FINE, GROUP, LevelScores
from pipelines.pages.plots import BLUE, GREY, INK, ORANGE, PAPER, add_hover, heat_plot, plot_with_axes

PER_CENT = "0%"


def reliability_plot(level: LevelScores, name: str) -> Any:
    """Draw observed against stated shares of right answers, a point a bin with its exact interval."""
    from bokeh.models import ColumnDataSource

    bins = level.bins
    source = ColumnDataSource(asdict(bins))
    plot = _figure(name, 300, "probability that the model states", "share that is right")
    plot.line([0, 1], [0, 1], line_color=GREY, line_dash="dashed")
    plot.segment(
        "confidence", "low", "confidence", "high", source=source, line_color=BLUE, line_width=2, line_alpha=0.5
    )
    points = plot.scatter("confidence", "accuracy", source=source, size=9, fill_color=BLUE, line_color=PAPER)
    tooltips = [
        ("stated", "@confidence{0.0%}"),
        ("right", "@accuracy{0.0%}, by chance between @low{0%} and @high{0%}"),
        ("documents", "@count"),
    ]
    add_hover(plot, points, tooltips)
    return plot


def risk_plot(levels: Mapping[str, LevelScores]) -> Any:
    """Draw the share of wrong answers among the surest ones, for the fine label and for the group."""
    highest = max(max(levels[name].curve.risk) for name in (FINE, GROUP))
    plot = _figure(
        "risk", 320, "share of documents that are answered", "share of wrong answers", top=max(0.02, highest)
    )
    for name, colour, legend in ((FINE, BLUE, "fine label"), (GROUP, ORANGE, "group")):
        curve = levels[name].curve
        line = plot.line(curve.coverage, curve.risk, line_color=colour, line_width=2.5, legend_label=legend)
        told = [(legend, "@y{0.0%} wrong among the surest @x{0%}")]
        add_hover(plot, line, told, mode="vline")
    plot.legend.location = "top_left"
    plot.legend.border_line_color = None
    plot.legend.background_fill_alpha = 0.7
    plot.legend.label_text_color = INK
    return plot


def confusion_plot(evaluation: Evaluation) -> Any:
    """Draw which groups' documents are answered with which other groups."""
    counts = np.zeros((len(evaluation.groups), len(evaluation.groups)))
    for gold, answered, documents in evaluation.group_mistakes:
        counts[gold, answered] = documents
    support = np.array([group.support for group in evaluation.groups])
    plot = heat_plot(counts / np.maximum(support, 1)[:, None])
    source = plot.select_one({"name": "cells"})
    rows, columns = (np.array(plot.tags)[source.data[axis]] for axis in ("row", "column"))
    source.data["documents"] = counts[rows, columns].astype(np.int32)
    source.data["of"] = support[rows].astype(np.int32)
    plot.hover.tooltips = [
        ("right group", "@group"),
        ("answered", "@other"),
        ("documents", "@documents of @of (@share{0.0%})"),
    ]
    return plot


def _figure(name: str, height: int, x: str, y: str, top: float = 1.0) -> Any:
    from bokeh.models import NumeralTickFormatter

    plot = plot_with_axes(name, height, x_range=(0, 1), y_range=(0, 1.04 * top), x_axis_label=x, y_axis_label=y)
    for axis in (plot.xaxis, plot.yaxis):
        axis.formatter = NumeralTickFormatter(format=PER_CENT)
    return plot
