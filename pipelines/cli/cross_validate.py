"""``coarsefine cross-validate``: figures with their spread, and out-of-fold predictions."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hierarchy.errors import DataError
from pipelines.cli.console import (
    ConfigOption,
    JsonOption,
    SetOption,
    print_json,
    print_table,
    session,
    silence_weight_bars,
    wrote,
)

if TYPE_CHECKING:
    from pipelines.config import Config
    from pipelines.cross_validation.validate import CrossValidation
    from pipelines.evaluation.resampled import PairedTest

logger = logging.getLogger(f"coarsefine.{__name__}")

EPILOG = "Example: coarsefine cross-validate --config configs/chained.yaml --set data.train=train.jsonl --folds 5"
GOES_ON = "the same command goes on after the last finished fold"

FoldsOption = Annotated[int, typer.Option("--folds", min=2, help="Parts; each is answered by a model of the others.")]
RepeatsOption = Annotated[int, typer.Option("--repeats", min=1, help="Times that the documents are dealt anew.")]
SourceOption = Annotated[
    str | None,
    typer.Option(
        "--source-column",
        metavar="COLUMN",
        help="Source of a document (customer, thread): documents with the same one stay on one side of every split.",
    ),
]
IdOption = Annotated[str | None, typer.Option("--id", metavar="COLUMN", help="Column that is passed through as id.")]


def cross_validate(
    folds: FoldsOption = 5,
    repeats: RepeatsOption = 1,
    source_column: SourceOption = None,
    id_column: IdOption = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="Parquet file for the out-of-fold predictions.")
    ] = Path("out-of-fold.parquet"),
    baselines: Annotated[bool, typer.Option(help="Fit the flat models beside the model.")] = True,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    settings: SetOption = None,
) -> None:
    """Train on all folds of the training documents but one, answer that one, and so on.

    A run that was stopped goes on after its last finished fold when the same command is given again.
    """
    with session(goes_on=GOES_ON):
        from hierarchy.disk.locks import held
        from hierarchy.disk.output import OutputFile
        from pipelines.cli.places import check_places, run_folder
        from pipelines.config import load_config

        loaded = load_config(config, settings or [])
        check_places([OutputFile("--out", out, (".parquet",)), run_folder(loaded)], config, loaded)
        with held(out):
            result = validated_folds(loaded, folds, repeats, source_column, id_column, baselines=baselines)
            if as_json:
                print_json(result.as_dict() | {"predictions": str(out)})
            else:
                _show(result)
            result.predictions.write(out)
        wrote(out)
        logger.info("the out-of-fold predictions are in %s", out)


def validated_folds(
    config: "Config",
    folds: int,
    repeats: int,
    source_column: str | None,
    id_column: str | None,
    *,
    baselines: bool,
) -> "CrossValidation":
    """Cross-validate on the training documents of a config; rows and ids are those of their file.

    Parameters
    ----------
    config
        Names documents, taxonomy, settings and run folder; of its documents only ``data.train`` is read.
    folds, repeats, baselines
        As for `pipelines.cross_validation.validate.cross_validate`.
    source_column, id_column
        Columns of source and id.
    """
    import numpy as np

    from pipelines.cli.documents import Source, check_all, read_source, read_taxonomy, taxonomy_of

    data, settings = config.data, config.settings()
    if data.train is None:
        raise DataError("no documents are named: set data.train in the config, or --set data.train=FILE")
    if settings.encoder != "none":
        from stages.training.arguments import check_training

        silence_weight_bars()
        check_training(settings.training, joint=settings.mode == "joint", device=settings.device)
    from pipelines.classifier import HierarchicalClassifier
    from pipelines.cross_validation.validate import cross_validate
    from pipelines.model.artifact.replacement import run_place

    with run_place(config.run_folder):
        table = read_source(Source(data.train, data.train_split), data, cache=config.run_folder / "documents")
        if config.taxonomy is None:
            taxonomy = taxonomy_of(table, data.train, merge_spellings=settings.merge_spellings)
        else:
            taxonomy = read_taxonomy(config.taxonomy)
        checked = check_all({"train": (data.train, table)}, taxonomy)["train"]
        assert checked.rows is not None  # noqa: S101 - a check gives them; this tells the type checker
        rows = table["row"][checked.rows.tolist()]
        sources = None if source_column is None else _column(config, source_column, "--source-column", rows)
        ids = None if id_column is None else _column(config, id_column, "--id", rows)
        classifier = HierarchicalClassifier(taxonomy, **settings.model_dump())
        result = cross_validate(
            classifier,
            replace(checked, rows=np.arange(len(checked))),
            checked.labels,
            folds=folds,
            repeats=repeats,
            sources=sources,
            baselines=baselines,
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


def _column(config: "Config", column: str, option: str, rows: Sequence[int]) -> list[str | None]:
    """Read one more column of the training documents, as text, for the documents at some rows."""
    from pipelines.cli.documents import in_cli_words
    from pipelines.data.reading import read_documents

    data = config.data
    with in_cli_words(label=option):
        table = read_documents(
            str(data.train), **data.reading, label=column, split=data.train_split,
            cache_dir=config.run_folder / "documents",
        )  # fmt: skip
    value_of = dict(zip(table["row"], table["label"], strict=True))
    return [value_of[row] for row in rows]


def _show(result: "CrossValidation") -> None:
    from pipelines.cross_validation.fold import OWN

    rows = [("documents", f"{result.documents}"), ("labels", f"{result.labels}")]
    if result.sources is not None:
        rows.append(("sources, each on one side of every split", f"{result.sources}"))
    if result.rare:
        rows.append(("labels with fewer documents than folds", f"{result.rare}"))
    if result.unlearned:
        rows.append(("documents whose label no training document of their fold has", f"{result.unlearned}"))
    print_table("Documents", ("what", "number"), rows)
    times = f", {result.repeats} times" if result.repeats > 1 else ""
    print_table(
        f"Figures of the folds ({result.folds} folds{times})",
        ("fold", "accuracy", "macro-F1"),
        [
            (f"{place + 1}", f"{accuracy:.4f}", f"{macro_f1:.4f}")
            for place, (accuracy, macro_f1) in enumerate(
                zip(result.scores[OWN]["accuracy"], result.scores[OWN]["macro_f1"], strict=True)
            )
        ],
    )
    print_table(
        "Mean ± standard deviation over the folds, and the model minus the others (corrected resampled t-test)",
        ("system", "accuracy", "model minus it, points", "macro-F1", "model minus it, points"),
        [
            (
                system,
                *(
                    cell
                    for figure in ("accuracy", "macro_f1")
                    for cell in (
                        f"{result.mean(figure, system):.4f} ± {result.deviation(figure, system):.4f}",
                        "" if system == OWN else _lead(result.test(figure, system)),
                    )
                ),
            )
            for system in result.scores
        ],
    )


def _lead(test: "PairedTest") -> str:
    chance = "p < 0.001" if test.p < 0.001 else f"p = {test.p:.3f}"
    level = "" if test.excludes_zero else ", level"
    return f"{100 * test.difference:+.1f} ({100 * test.low:+.1f} to {100 * test.high:+.1f}), {chance}{level}"
