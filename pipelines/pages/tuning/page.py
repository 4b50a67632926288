"""Puts the page together: what came out, the plots, and the table of trials."""

from html import escape
from pathlib import Path

from pipelines.evaluation.metrics import FIGURES
from pipelines.pages.shell import boxed_table, check_bokeh, embedded, fill_page, section
from pipelines.pages.tuning.plots import history_plot, parameter_plot
from pipelines.pages.words import difference, name, share
from pipelines.tuning.trials import COMPLETE, Comparison, Trial, Tuning, shown

FOLDER = Path(__file__).parent


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
    reached, before = best.figures[tuning.figure], first.figures[tuning.figure]
    drawn = {"history": history_plot(tuning, words)}
    drawn |= {key: parameter_plot(tuning, key, words) for key in tuning.space.ranges}
    script, places = embedded(drawn)
    lead = f"No trial has a higher {words} on the validation documents than the given config (trial 0)."
    if best is not first:
        lead = (
            f"Trial {best.number} reaches {words} {reached:.4f} on the validation documents, "
            f"{100 * (reached - before):.2f} points more than the given config (trial 0)."
        )
    others = sum(trial.state != COMPLETE for trial in tuning.trials)
    early = f" {others} of {len(tuning.trials)} trials were stopped early or refused." if others else ""
    figures = [
        ("trials", f"{len(tuning.trials):,}"),
        (f"best {words}, validation", f"{reached:.4f}"),
        (f"{words} of trial 0", f"{before:.4f}"),
        ("minutes", f"{tuning.seconds / 60:.1f}"),
    ]
    return fill_page(
        FOLDER,
        title="Tuning",
        figures=figures,
        plots=script,
        lead=lead + early,
        sampler=escape(tuning.sampler),
        seed=str(tuning.random_state),
        test="" if tuning.test is None else _on_test(tuning.test),
        history=places.pop("history"),
        settings="".join(f"<div>{place}</div>" for place in places.values()),
        trials=_table(tuning),
    )


def _on_test(test: Comparison) -> str:
    rows = [
        (FIGURES[key], share(test.first[key]), share(test.chosen[key]), difference(test.differences[key]))
        for key in FIGURES
    ]
    again = f" They were looked at {test.looks} times, for as many best trials." if test.looks > 1 else ""
    text = (
        f"<p>On {test.documents:,} documents by which nothing was chosen.{again} The interval of the difference holds "
        "the true one in 95 of 100 such tests.</p>"
    )
    columns = ("figure", "trial 0", f"trial {test.best}, the best", "the best is")
    return section("On the test documents", text, boxed_table(columns, rows, figures=3))


def _table(tuning: Tuning) -> str:
    keys = list(tuning.space.ranges)
    columns = ("trial", "", "accuracy", "macro-F1", "right group", "minutes", *keys)
    return boxed_table(columns, [_row(tuning, trial, keys) for trial in tuning.trials], figures=len(columns) - 2)


def _row(tuning: Tuning, trial: Trial, keys: list[str]) -> list[str]:
    state = "best" if trial is tuning.best else "" if trial.state == COMPLETE else trial.state
    if trial.reason:
        state += f"<small>{name(trial.reason)}</small>"
    values = [name(shown(trial.params[key])) if key in trial.params else "default" for key in keys]
    figures = [f"{trial.figures[key]:.4f}" if trial.figures else "–" for key in (*FIGURES, "group_accuracy")]
    return [str(trial.number), state, *figures, f"{trial.seconds / 60:.1f}", *values]
