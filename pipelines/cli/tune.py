"""``coarsefine tune``: settings found by trial, on the validation documents."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hierarchy.errors import ConfigError, need
from hierarchy.text.wording import count
from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import print_table, wrote

if TYPE_CHECKING:
    from pipelines.cli.commands import Work
    from pipelines.config import Config
    from pipelines.tuning.trials import Comparison, Tuning

logger = logging.getLogger(f"coarsefine.{__name__}")


@command(
    "tune configs/tune.yaml --config configs/chained.yaml --set data.train=train.jsonl -o tuned",
    goes_on="the same command goes on after the last finished trial",
)
def tune(
    work: "Work",
    space: Annotated[Path, typer.Argument(metavar="SPACE", help="YAML file with the settings and their ranges.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for best.yaml and trials.json.")
    ] = Path("tuned"),
    trials: Annotated[int, typer.Option(help="Trials in all; trial 0 is the config as it is.")] = 20,
    minutes: Annotated[float | None, typer.Option(help="No trial is begun once trials have taken this long.")] = None,
    sampler: Annotated[str, typer.Option(help="tpe, random or grid.")] = "tpe",
    figure: Annotated[
        str, typer.Option(help="What is maximised on the validation documents: accuracy or macro_f1.")
    ] = "accuracy",
    prune: Annotated[bool, typer.Option(help="Stop trials whose validation curve is low.")] = True,
    test: Annotated[
        bool, typer.Option("--test", help="At the end compare trial 0 and the best trial on data.test, once.")
    ] = False,
    html: options.PageOption = None,
    engine: options.EngineOption = None,
    processes: options.ProcessesOption = None,
    address: options.AddressOption = None,
) -> None:
    """Try settings, keep the best config on the validation documents, and leave the test documents alone.

    A tune that was stopped goes on when the same command is given again; so does one whose --trials or --minutes were
    raised. Finished trials are kept in the run folder, as are vectors and rows, which trials share.
    """
    from hierarchy.disk.output import OutputFolder
    from hierarchy.disk.whole_files import write_output
    from pipelines.cli.engines import engine_keywords
    from pipelines.cli.places import page, run_folder, writing
    from pipelines.tuning.search import OPTUNA
    from pipelines.tuning.trials import BEST, RESULTS, check_results

    need("optuna", what=OPTUNA)
    config = work.config
    budget = {"trials": trials, "minutes": minutes, "sampler": sampler, "figure": figure}

    def keep(found: "Tuning") -> None:
        out.mkdir(parents=True, exist_ok=True)
        found.write_json(out / RESULTS)
        found.write_config(out / BEST, config)

    with writing(work, OutputFolder("--out", out, files=(RESULTS, BEST)), run_folder(config), page(html)):
        check_results(out)
        where = engine_keywords(engine, processes, address)
        found = _search(space, config, budget, test=test, prune=prune, after=keep, **where)
        keep(found)
    wrote(out)
    _show(found)
    if html is not None:
        from pipelines.pages.tuning import tuning_page

        write_output(html, tuning_page(found))
        wrote(html, "the page is in")
    logger.info("the best config: coarsefine train --config %s", out / BEST)


def _search(place: Path, config: "Config", budget: dict[str, Any], *, test: bool, **how: Any) -> "Tuning":
    from pipelines.cli.documents import read_parts, stratified, taxonomy_named
    from pipelines.cli.models import new_classifier
    from pipelines.tuning.search import check_options
    from pipelines.tuning.search import tune as search
    from pipelines.tuning.space import read_space

    settings = config.settings()
    space = read_space(place, settings)
    check_options(settings, space, **budget)  # before the documents are read
    if test and config.data.test is None:
        raise ConfigError("--test compares on test documents and none are named: set data.test, or leave --test out")
    roles = ("train", "valid", "test") if test else ("train", "valid")
    taxonomy, parts = read_parts(config, taxonomy_named(config), stratified(config), roles)
    texts, labels = parts["train"].pair
    return search(
        new_classifier(config, taxonomy),
        space,
        texts,
        labels,
        validation=parts["valid"].pair,
        test=parts["test"].pair if test else None,
        **budget,
        **how,
    )


def _show(found: "Tuning") -> None:
    from pipelines.tuning.trials import shown

    best, keys = found.best, list(found.space.ranges)
    rows = []
    for trial in found.trials:
        name = f"{trial.number} (best)" if trial is best else str(trial.number)
        figures = [f"{trial.figures[f]:.4f}" if trial.figures else trial.state for f in ("accuracy", "macro_f1")]
        values = [shown(trial.params[key]) if key in trial.params else "default" for key in keys]
        rows.append((name, *figures, *values, f"{trial.seconds / 60:.1f}"))
    columns = ("trial", "accuracy", "macro-F1", *(key.removeprefix("training.") for key in keys), "minutes")
    print_table("Trials, on the validation documents", columns, rows)
    if found.test is not None:
        _show_test(found.test)


def _show_test(test: "Comparison") -> None:
    rows = []
    for figure, name in (("accuracy", "accuracy"), ("macro_f1", "macro-F1")):
        gap = test.differences[figure]
        level = "" if gap.excludes_zero else ", level"
        difference = f"{100 * gap.value:+.2f} points ({100 * gap.low:+.2f} to {100 * gap.high:+.2f}){level}"
        rows.append((name, f"{test.first[figure]:.4f}", f"{test.chosen[figure]:.4f}", difference))
    both = ["trial 0", f"trial {test.best}, the best", "difference (95% interval)"]
    columns = ["figure", *(both if test.best else ["trial 0, the best"])]
    title = f"Test, {count(test.documents, 'document')}; look {test.looks} at them"
    print_table(title, columns, [row[: len(columns)] for row in rows])
