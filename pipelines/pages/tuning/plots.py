"""The plots of the page, as Bokeh figures: the figure trial by trial, and against each parameter."""

from typing import Any

import numpy as np

from pipelines.pages.plots import BLUE, GREY, INK, ORANGE, PAPER, add_hover, plot_with_axes
from pipelines.tuning.ranges import Choices, FloatRange, IntRange
from pipelines.tuning.trials import COMPLETE, Trial, Tuning, shown

KINDS = (("other trials", BLUE, 8), ("trial 0, the given config", INK, 12), ("best", ORANGE, 12))


def history_plot(tuning: Tuning, name: str) -> Any:
    """Draw what each trial reached, and the best up to it."""
    plot = plot_with_axes("history", 320, x_axis_label="trial", y_axis_label=name)
    complete = _complete(tuning)
    best = np.maximum.accumulate([trial.figures[tuning.figure] for trial in complete])
    numbers = [trial.number for trial in complete]
    plot.step(numbers, best, mode="after", line_color=GREY, line_width=2, legend_label="best so far")
    _points(plot, tuning, [float(number) for number in numbers], legend=True)
    plot.add_layout(plot.legend[0], "above")
    plot.legend.orientation = "horizontal"
    plot.legend.border_line_color = None
    plot.legend.label_text_color = INK
    return plot


def parameter_plot(tuning: Tuning, key: str, name: str) -> Any:
    """Draw what trials reached against the value of one setting; trials that do not know it are left out."""
    range_ = tuning.space.ranges[key]
    if isinstance(range_, Choices):
        words = [shown(choice) for choice in range_.choices]
        extra = {shown(trial.params[key]) for trial in _complete(tuning) if key in trial.params} - set(words)
        plot = plot_with_axes(key, 240, x_axis_label=key, y_axis_label=name, x_range=[*words, *sorted(extra)])
        values: list[Any] = [shown(t.params[key]) if key in t.params else None for t in _complete(tuning)]
    else:
        kind = "log" if range_.log else "linear"
        plot = plot_with_axes(key, 240, x_axis_label=key, y_axis_label=name, x_axis_type=kind)
        values = [_number(trial.params.get(key), positive=range_.log) for trial in _complete(tuning)]
        _mark(plot.xaxis, range_)
    _points(plot, tuning, values)
    return plot


def _mark(axis: Any, range_: FloatRange | IntRange) -> None:
    """Put numbers along an axis: Bokeh crowds those of a short log axis, and cuts whole numbers."""
    from bokeh.models import BasicTicker, FixedTicker, PrintfTickFormatter

    if range_.log:
        axis.ticker = FixedTicker(ticks=[float(f"{tick:.2g}") for tick in np.geomspace(range_.low, range_.high, 4)])
        axis.formatter = PrintfTickFormatter(format="%.2g" if isinstance(range_, FloatRange) else "%d")
    elif isinstance(range_, IntRange):
        axis.ticker = BasicTicker(min_interval=1)


def _points(plot: Any, tuning: Tuning, places: list[Any], *, legend: bool = False) -> None:
    from bokeh.models import ColumnDataSource

    complete, best = _complete(tuning), tuning.best
    kind_of = [2 if trial is best else int(trial.number == 0) for trial in complete]
    for kind, (words, colour, size) in enumerate(KINDS):
        chosen = [i for i, own in enumerate(kind_of) if own == kind and places[i] is not None]
        if not chosen:
            continue
        source = ColumnDataSource(
            {
                "x": [places[i] for i in chosen],
                "y": [complete[i].figures[tuning.figure] for i in chosen],
                "trial": [complete[i].number for i in chosen],
                "values": [_values(complete[i]) for i in chosen],
            }
        )
        drawn = {"legend_label": words} if legend else {}
        points = plot.scatter("x", "y", source=source, size=size, fill_color=colour, line_color=PAPER, **drawn)
        add_hover(plot, points, [("trial", "@trial"), ("reached", "@y{0.0000}"), ("values", "@values")])


def _complete(tuning: Tuning) -> list[Trial]:
    return [trial for trial in tuning.trials if trial.state == COMPLETE]


def _values(trial: Trial) -> str:
    return ", ".join(f"{key} {shown(value)}" for key, value in trial.params.items())


def _number(value: Any, *, positive: bool) -> float | None:
    """Return a number that the axis has a place for, else None: trial 0 may hold null, or 0 where the axis is a log."""
    if isinstance(value, bool) or not isinstance(value, int | float) or (positive and value <= 0):
        return None
    return float(value)
