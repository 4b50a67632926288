"""``coarsefine cross-validate``: figures with their spread, and out-of-fold predictions."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import naming, print_facts, print_json, print_table, wrote

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.cli.commands import Work
    from pipelines.config import Config
    from pipelines.cross_validation.validate import CrossValidation
    from pipelines.evaluation.resampled import PairedTest

GOES_ON = "the same command goes on after the last finished fold"


@command("cross-validate --config configs/chained.yaml --set data.train=train.jsonl --folds 5", goes_on=GOES_ON)
def cross_validate(
    work: "Work",
    folds: options.FoldsOption = 5,
    repeats: options.RepeatsOption = 1,
    source_column: options.SourceOption = None,
    id_column: options.IdOption = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="Parquet file for the out-of-fold predictions.")
    ] = Path("out-of-fold.parquet"),
    baselines: options.BaselinesOption = True,
    as_json: options.JsonOption = False,
    engine: options.EngineOption = None,
    processes: options.ProcessesOption = None,
    address: options.AddressOption = None,
) -> None:
    """Train on all folds of the training documents but one, answer that one, and so on.

    A run that was stopped goes on after its last finished fold when the same command is given again.
    """
    from pipelines.cli.engines import engine_keywords
    from pipelines.cli.places import output_file, run_folder, writing

    with writing(work, output_file("--out", out, ".parquet"), checked=[run_folder(work.config)]):
        where = engine_keywords(engine, processes, address)
        result = validated_folds(work.config, folds, repeats, source_column, id_column, baselines=baselines, **where)
        if as_json:
            print_json(result.as_dict() | {"predictions": str(out)})
        else:
            _show(result)
        result.predictions.write(out)
    wrote(out, "the out-of-fold predictions are in")


def validated_folds(
    config: "Config",
    folds: int,
    repeats: int,
    source_column: str | None,
    id_column: str | None,
    *,
    baselines: bool,
    **where: Any,
) -> "CrossValidation":
    """Cross-validate on the training documents of a config; rows and ids are those of their file.

    Without ids, those of several files have ``file:row`` for one.

    Parameters
    ----------
    config
        Names documents, taxonomy, settings and run folder; of its documents only ``data.train`` is read.
    folds, repeats, baselines
        As for `pipelines.cross_validation.validate.cross_validate`.
    source_column, id_column
        Columns of source and id.
    where
        ``engine``, ``processes`` and ``address``, as for `pipelines.cross_validation.validate.cross_validate`.
    """
    import numpy as np

    from pipelines.cli.documents import read_checked, read_table, sources_of, taxonomy_named
    from pipelines.cli.models import new_classifier
    from pipelines.cross_validation.validate import cross_validate
    from pipelines.training.fit import check_training_settings
    from stages.run_folder import run_place

    train = sources_of(config, ("train",))["train"]
    check_training_settings(config.settings())
    with run_place(config.run_folder) as folder:
        read = partial(read_table, train, config.data, cache=folder / "documents")
        taxonomy, checked = read_checked({"train": train}, config, taxonomy_named(config), cache=folder / "documents")
        documents = checked["train"]
        assert documents.rows is not None  # noqa: S101 - a check gives them; this tells the type checker
        places, table = documents.rows.tolist(), read()
        rows = table["row"][places]
        sources = None if source_column is None else _column(read, source_column, "--source-column", places)
        ids = None if id_column is None else _column(read, id_column, "--id", places)
        if ids is None and "file" in table.column_names:
            ids = [f"{file}:{row}" for file, row in zip(table["file"][places], rows, strict=True)]
        result = cross_validate(
            new_classifier(config, taxonomy),
            replace(documents, rows=np.arange(len(documents))),
            documents.labels,
            folds=folds,
            repeats=repeats,
            sources=sources,
            baselines=baselines,
            **where,
        )
    found = result.predictions
    return replace(
        result,
        predictions=replace(
            found,
            rows=np.array(rows)[found.rows],
            ids=None if ids is None else tuple(ids[place] for place in found.rows.tolist()),
        ),
    )


def _column(read: "Callable[..., Dataset]", column: str, option: str, places: list[int]) -> list[str | None]:
    """Read one more column of the documents, as text, for those at some places."""
    with naming(label=option):
        return list(read(label=column)["label"][places])


def _show(result: "CrossValidation") -> None:
    from pipelines.cross_validation.fold import OWN

    facts = {
        "documents": result.documents,
        "labels": result.labels,
        "sources, each on one side of every split": result.sources,
        "labels with fewer documents than folds": result.rare or None,
        "documents whose label no training document of their fold has": result.unlearned or None,
    }
    print_facts("Documents", facts)
    times = f", {result.repeats} times" if result.repeats > 1 else ""
    own = zip(result.scores[OWN]["accuracy"], result.scores[OWN]["macro_f1"], strict=True)
    rows = [(fold, f"{accuracy:.4f}", f"{macro_f1:.4f}") for fold, (accuracy, macro_f1) in enumerate(own, 1)]
    print_table(f"Figures of the folds ({result.folds} folds{times})", ("fold", "accuracy", "macro-F1"), rows)

    systems = []
    for system in result.scores:
        cells = [system]
        for figure in ("accuracy", "macro_f1"):
            cells.append(f"{result.mean(figure, system):.4f} ± {result.deviation(figure, system):.4f}")
            cells.append("" if system == OWN else _lead(result.test(figure, system)))
        systems.append(cells)
    title = "Mean ± standard deviation over the folds, and the model minus the others (corrected resampled t-test)"
    lead = "model minus it, points"
    print_table(title, ("system", "accuracy", lead, "macro-F1", lead), systems)


def _lead(test: "PairedTest") -> str:
    chance = "p < 0.001" if test.p < 0.001 else f"p = {test.p:.3f}"
    level = "" if test.excludes_zero else ", level"
    return f"{100 * test.difference:+.1f} ({100 * test.low:+.1f} to {100 * test.high:+.1f}), {chance}{level}"
