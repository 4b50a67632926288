"""Puts the page together: what came out, and the plots."""

from pipelines.evaluation.metrics import FIGURES
from pipelines.pages.shell import check_bokeh, fill_page
from pipelines.pages.tuning.plots import history_plot, parameter_plot
from pipelines.tuning.trials import COMPLETE, Tuning, shown


def tuning_page(tuning: Tuning) -> str:
    """Draw a tune as one HTML page that needs nothing beside it and no network.

    Parameters
    ----------
    tuning
        With its trials.

    Raises
    ------
    MissingLibraryError
        Where Bokeh, which draws the plots, is not installed.
    """
    check_bokeh()
    words, best, first = FIGURES[tuning.figure], tuning.best, tuning.trials[0]
    drawn = {"history": history_plot(tuning, words)}
    drawn |= {key: parameter_plot(tuning, key, words) for key in tuning.space.ranges}
    figures = [
        ("trials", f"{len(tuning.trials):,}"),
        (f"best {words}, validation", f"{best.figures[tuning.figure]:.4f}"),
        (f"{words} of trial 0", f"{first.figures[tuning.figure]:.4f}"),
        ("minutes", f"{tuning.seconds / 60:.1f}"),
    ]
    return fill_page(
        "tuning",
        title="Tuning",
        figures=figures,
        drawn=drawn,
        tuning=tuning,
        best=best,
        first=first,
        words=words,
        compared=FIGURES,
        complete=COMPLETE,
        shown=shown,
    )
