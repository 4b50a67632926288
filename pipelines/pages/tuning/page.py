"""Puts the page together: what came out, the plots, and the table of trials."""

from html import escape
from pathlib import Path

from pipelines.pages.evaluation.sections import section
from pipelines.pages.evaluation.words import difference, name, share
from pipelines.pages.shell import check_bokeh, embedded, fill_page, headline, html_table
from pipelines.pages.tuning.plots import history_plot, parameter_plot
from pipelines.tuning.trials import COMPLETE, Comparison, Trial, Tuning, shown

FOLDER = Path(__file__).parent
NAMES = {"accuracy": "accuracy", "macro_f1": "macro-F1"}


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
    words = NAMES[tuning.figure]
    drawn = {"history": history_plot(tuning, words)}
    drawn |= {key: parameter_plot(tuning, key, words) for key in tuning.space.ranges}
    script, places = embedded(drawn)
    history = places.pop("history")
    parts = [
        _in_short(tuning),
        "" if tuning.test is None else _on_test(tuning.test),
        section("Trial by trial", "<p>Trials that were stopped early or refused have no point.</p>", history),
        section(
            "Each setting against the figure",
            "<p>All settings change at once, so a cloud shows a tendency, not an effect of one setting alone.</p>",
            f'<div class="three">{"".join(f"<div>{place}</div>" for place in places.values())}</div>',
        ),
        section("All trials", f'<div class="box">{_table(tuning)}</div>'),
    ]
    best = tuning.best
    figures = [
        ("trials", f"{len(tuning.trials):,}"),
        (f"best {words}, validation", f"{best.figures[tuning.figure]:.4f}"),
        (f"{words} of trial 0", f"{tuning.trials[0].figures[tuning.figure]:.4f}"),
        ("minutes", f"{tuning.seconds / 60:.1f}"),
    ]
    return fill_page(
        FOLDER,
        title="Tuning",
        figures=headline(figures),
        sections="\n".join(part for part in parts if part),
        plots=script,
    )


def _in_short(tuning: Tuning) -> str:
    best, first = tuning.best, tuning.trials[0]
    words, others = NAMES[tuning.figure], len(tuning.trials) - sum(t.state == COMPLETE for t in tuning.trials)
    if best is first:
        lead = f"No trial has a higher {words} on the validation documents than the given config (trial 0)."
    else:
        gain = 100 * (best.figures[tuning.figure] - first.figures[tuning.figure])
        lead = (
            f"Trial {best.number} reaches {words} {best.figures[tuning.figure]:.4f} on the validation documents, "
            f"{gain:.2f} points more than the given config (trial 0)."
        )
    early = f" {others} of {len(tuning.trials)} trials were stopped early or refused." if others else ""
    text = (
        f'<p class="lead">{lead}{early}</p><p>The best of many trials on the same documents is partly luck: it is '
        "a little worse on new documents. Proposed by: "
        f"{escape(tuning.sampler)}, seed {tuning.random_state}.</p>"
    )
    return section("In short", text)


def _on_test(test: Comparison) -> str:
    rows = [
        (NAMES[key], share(test.first[key]), share(test.chosen[key]), difference(test.differences[key]))
        for key in NAMES
    ]
    again = f" They were looked at {test.looks} times, for as many best trials." if test.looks > 1 else ""
    text = (
        f"<p>On {test.documents:,} documents by which nothing was chosen.{again} The interval of the difference holds "
        "the true one in 95 of 100 such tests.</p>"
    )
    columns = ("figure", "trial 0", f"trial {test.best}, the best", "the best is")
    return section("On the test documents", text, f'<div class="box">{html_table(columns, rows, figures=3)}</div>')


def _table(tuning: Tuning) -> str:
    keys = list(tuning.space.ranges)
    columns = ("trial", "", "accuracy", "macro-F1", "right group", "minutes", *keys)
    return html_table(columns, [_row(tuning, trial, keys) for trial in tuning.trials], figures=len(columns) - 2)


def _row(tuning: Tuning, trial: Trial, keys: list[str]) -> list[str]:
    state = "best" if trial is tuning.best else "" if trial.state == COMPLETE else trial.state
    if trial.reason:
        state += f"<small>{name(trial.reason)}</small>"
    values = [name(shown(trial.params[key])) if key in trial.params else "default" for key in keys]
    figures = [f"{trial.figures[key]:.4f}" if trial.figures else "–" for key in (*NAMES, "group_accuracy")]
    return [str(trial.number), state, *figures, f"{trial.seconds / 60:.1f}", *values]
