"""``coarsefine predict``: what a model answers to the documents of a file, or to one document."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hierarchy.disk.output import SUFFIXES, OutputFile, OutputFolder
from hierarchy.disk.paths import expanded, path_exists
from hierarchy.errors import DataError
from hierarchy.text.characters import healed, is_blank
from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import naming, print_json, print_lines, print_table, wrote

if TYPE_CHECKING:
    from hierarchy.taxonomy import Taxonomy
    from pipelines.cli.commands import Work
    from pipelines.model.model import Model
    from pipelines.model.prediction import Prediction

ANSWERED = {
    ("fine", None): "Answered with the fine label.",
    ("group", None): "Answered with the group: the fine label is unsure.",
    ("none", "unsure"): "Not answered: fine label and group are both unsure.",
    ("none", "out_of_scope"): "Not answered: the document seems to belong to no label.",
    ("none", "nothing_known"): "Not answered: nothing in the document is known to the model.",
}
READ = {
    "ngrams": "Read by the n-grams alone, which are sure enough.",
    "encoder": "Read by the encoder: the n-grams are not sure enough alone.",
}
FIGURES = {
    "probability": "probability",
    "group_probability": "of the group",
    "coarse_probability": "by the coarse stage",
}


@command(
    'predict model letters.csv -o answers.jsonl --text-column letter, or: predict model --text "My card ..."',
    "predict model letters/ more.csv -o answers --processes 4",
    goes_on=lambda given: "the same command goes on after the last finished shard" if given["text"] is None else "",
    columns=("text",),
)
def predict(
    work: "Work",
    model: options.ModelArgument,
    files: Annotated[
        list[str] | None,
        typer.Argument(
            parser=expanded,
            help="Documents, whose text stands in the column --text-column; several files, or folders of files, "
            "with -o FOLDER.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE|FOLDER",
            help="Output: .jsonl, .csv (for a spreadsheet: a ' stands before what it would compute) or .parquet; "
            "a name without suffix is a folder of Parquet files.",
        ),
    ] = None,
    text: Annotated[str | None, typer.Option(help="One document, in place of a file.")] = None,
    top_k: options.TopOption = 3,
    id_column: options.IdOption = None,
    split: options.SplitOption = None,
    routing: options.RoutingOption = None,
    beam: options.BeamOption = None,
    sets: Annotated[
        Literal["labels", "tree"] | None,
        typer.Option(help="Add the set that holds the right label as often as `calibrate` promised."),
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew, not where an earlier run stopped.")] = False,
    as_json: options.JsonOption = False,
    device: options.DeviceOption = None,
    engine: options.EngineOption = None,
    processes: options.ProcessesOption = None,
    address: options.AddressOption = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="With -o FOLDER: answer nothing where a file cannot be read.")
    ] = False,
) -> None:
    """Answer the documents of files, or one document.

    A run that was stopped goes on where it was when the same command is given again.
    """
    if bool(files) == (text is not None):
        raise DataError("give a file with documents, or --text with one document, and not both")
    of_folders = {"--engine": engine, "--processes": processes, "--address": address, "--strict": strict or None}
    if text is not None:
        if out is not None:
            raise DataError("--out belongs to a file with documents; the answer to --text is printed")
        _refuse(of_folders)
        show = _print_json if as_json else _print_answer
        show(_loaded(model, text, device), healed(text), top_k=top_k, sets=sets, routing=routing, beam=beam)
        return
    files = files or []
    if out is None:
        hint = "" if path_exists(files[0]) else f"; to answer one document, write --text {str(files[0])!r}"
        raise DataError(f"name the output file: --out answers.jsonl (or .csv, .parquet){hint}")
    if as_json:
        raise DataError("--json belongs to --text; of a file, the suffix of --out says the format")
    from hierarchy.text.wording import count
    from pipelines.cli.places import writing
    from pipelines.model.artifact.hub import local_folder

    data = work.config.data
    asked: dict[str, Any] = {
        **data.reading, "id_column": id_column, "split": split or data.test_split, "top_k": top_k, "routing": routing,
        "beam": beam, "sets": sets, "device": device, "restart": restart,
    }  # fmt: skip
    output = _output(files, out)
    with writing(work, checked=[output]), naming(label="--id"):
        if isinstance(output, OutputFile):
            from pipelines.serving.predict import predict_file

            _refuse(of_folders)
            read = predict_file(local_folder(model), files[0], out, **asked)
        else:
            from pipelines.serving.predict_files import predict_files

            asked |= {"engine": engine or "local", "processes": processes, "address": address, "strict": strict}
            read = predict_files(local_folder(model), files, out, **asked)
    wrote(out, f"answers to {count(read, 'document')}:")


def _output(files: Sequence[str], out: Path) -> OutputFile | OutputFolder:
    """Return the output: a folder for several files, or one that bears no suffix as files do."""
    if len(files) == 1 and out.suffix and not out.is_dir():
        return OutputFile("--out", out, SUFFIXES)
    if out.suffix.lower() in SUFFIXES:
        raise DataError(f"several files are answered into a folder, and --out {str(out)!r} names a file: -o FOLDER")
    return OutputFolder("--out", out, tables=True)


def _refuse(of_folders: Mapping[str, object]) -> None:
    for option, value in of_folders.items():
        if value is not None:
            raise DataError(f"{option} belongs to documents that are answered into a folder: name one, -o FOLDER")


def _loaded(place: Path, text: str, device: str | None) -> "Model":
    """Load the model, once the text is known to be one."""
    from pipelines.model.artifact.hub import local_folder
    from pipelines.model.artifact.loading import load_model

    if is_blank(text):
        raise DataError("--text is empty: give one document")
    return load_model(local_folder(place), device=device)[0]


def _print_json(model: "Model", text: str, **how: Any) -> None:
    from pipelines.serving.answers import answers

    print_json(next(answers(model, [text], **how)))


def _print_answer(model: "Model", text: str, *, top_k: int, sets: str | None, **how: Any) -> None:
    from pipelines.model.prediction import paths_of
    from pipelines.model.sets import sets_of

    [(_, routed)] = model.route_texts([text], **how)
    [paths], taxonomy = paths_of(model, routed, top_k), model.taxonomy
    best = paths[0]
    print_paths(f"Beam mass {best.beam_mass:.3f}" if best.beam_mass < 1 else "", paths, taxonomy)
    if model.promises is not None or best.level == "none":
        print_lines(ANSWERED[best.level, best.reason])
    if model.cascade is not None:
        print_lines(READ[best.read])
    if sets is not None:
        [in_set] = sets_of(model, routed, [text], sets)
        name = taxonomy.label_named if in_set.level == "label" else taxonomy.group_named
        print_lines(f"Set of {in_set.level}s: {', '.join(map(name, in_set.ids))}")


def print_paths(
    title: str, paths: "Sequence[Prediction]", taxonomy: "Taxonomy", figures: Sequence[str] = tuple(FIGURES)
) -> None:
    """Show the paths of one document, the likeliest first.

    Parameters
    ----------
    title
        Of the table.
    paths
        Of a document.
    taxonomy
        Names labels and groups.
    figures
        Which of the probabilities are shown.
    """
    rows = [
        (
            taxonomy.label_named(path.path[-1]),
            taxonomy.group_named(path.path[0]),
            *(f"{getattr(path, figure):.3f}" for figure in figures),
        )
        for path in paths
    ]
    print_table(title, ("label", "group", *(FIGURES[figure] for figure in figures)), rows)
