"""``coarsefine label-errors``: documents whose label is probably wrong, for a person to review."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hierarchy.errors import DataError
from hierarchy.nodes import Label, named
from hierarchy.text.wording import count
from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import print_facts, print_json, print_table, wrote
from pipelines.cli.cross_validate import GOES_ON, validated_folds

if TYPE_CHECKING:
    from pipelines.cli.commands import Work
    from pipelines.config import Config
    from pipelines.cross_validation.label_errors import LabelError, LabelErrors

SHOWN = 20  # on the terminal; the file has all
logger = logging.getLogger(f"coarsefine.{__name__}")


@command(
    "label-errors out-of-fold.parquet -o label-errors.csv",
    "label-errors --set data.train=train.jsonl --text --top 100",
    goes_on=lambda given: GOES_ON if given["predictions"] is None else "",
)
def label_errors(
    work: "Work",
    predictions: Annotated[
        Path | None,
        typer.Argument(metavar="[PREDICTIONS]", help="Out-of-fold predictions; else data.train is cross-validated."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="CSV file to review.")] = Path(
        "label-errors.csv"
    ),
    top: Annotated[int | None, typer.Option(min=1, help="Only the N most suspicious documents.")] = None,
    text: Annotated[bool, typer.Option("--text", help="Add the beginning of each text (from data.train).")] = False,
    folds: options.FoldsOption = 5,
    repeats: options.RepeatsOption = 1,
    source_column: options.SourceOption = None,
    id_column: options.IdOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Name documents whose label is probably wrong, the most suspicious first, with the label to put in its place.

    Options about folds, sources and ids are for the case without PREDICTIONS. docs/data-quality.md says how to read
    the list.
    """
    from pipelines.cli.documents import taxonomy_named
    from pipelines.cli.places import output_file, run_folder, writing
    from pipelines.cross_validation.label_errors import find_label_errors
    from pipelines.cross_validation.label_review import write_review
    from pipelines.cross_validation.out_of_fold import read_out_of_fold

    config = work.config
    with writing(work, output_file("--out", out, ".csv"), checked=[run_folder(config)]):
        if text and config.data.train is None:
            raise DataError("--text needs the documents: --set data.train=FILE")
        if predictions is not None:
            found = read_out_of_fold(predictions)
        else:
            found = validated_folds(config, folds, repeats, source_column, id_column, baselines=False).predictions
        taxonomy = taxonomy_named(config)
        errors = find_label_errors(found if taxonomy is None else found.as_of(taxonomy))  # it may have changed
        errors = replace(errors, found=errors.found[:top])
        excerpts = _excerpts(config, errors.found) if text else {}
        write_review(errors.found, out, excerpts)
    wrote(out, f"{count(len(errors.found), 'document')} to review:")
    if as_json:
        lines = errors.as_dict()
        for line, one in zip(lines["found"], errors.found, strict=True):
            line |= {"text": excerpts[one.key]} if one.key in excerpts else {}
        print_json(lines)
    else:
        _show(errors, excerpts)


def _excerpts(config: "Config", found: "Sequence[LabelError]") -> dict[int, str]:
    """Find the texts by their hashes, so that they need not stand where they stood."""
    from pipelines.cli.documents import read_table, sources_of, where_of
    from pipelines.cross_validation.label_review import excerpt
    from pipelines.data.documents import Documents

    data, wanted = config.data, {one.key for one in found}
    train = sources_of(config, ("train",))["train"]
    table = read_table(train, data, cache=config.run_folder / "documents")
    excerpts = {}
    for batch in table.select_columns(["text"]).iter(1000):
        for key, text in zip(Documents(batch["text"], ()).keys().tolist(), batch["text"], strict=True):
            if key in wanted:
                excerpts[key] = excerpt(text)
    if len(excerpts) < len(wanted):
        logger.warning("%d of %d texts are not in %s", len(wanted) - len(excerpts), len(wanted), where_of(train))
    return excerpts


def _show(errors: "LabelErrors", excerpts: Mapping[int, str]) -> None:
    facts = {
        "documents": errors.documents,
        "wrong labels in all, estimated from the answers that the models are sure of": f"{errors.expected:.0f}",
        "named": len(errors.found),
        "of these, to a label of another group": sum(one.where == "other group" for one in errors.found),
        "left out: no other document of their label was trained on": errors.left_out or None,
    }
    print_facts("Labels that may be wrong", facts)
    columns = ("row", "label", "suggested", "where", "probability", "suggested one's")
    rows = [
        (
            one.id or f"{one.row}",
            named(Label(one.label, one.label_name)),
            named(Label(one.suggested, one.suggested_name)),
            one.where,
            f"{one.probability:.3f}",
            f"{one.suggested_probability:.3f}",
            *((excerpts.get(one.key, ""),) if excerpts else ()),
        )
        for one in errors.found
    ]
    print_table("The most suspicious", (*columns, "text") if excerpts else columns, rows, SHOWN)
