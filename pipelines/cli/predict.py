"""``coarsefine predict``: what a model answers to the documents of a file, or to one document."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hierarchy.disk.paths import expanded, path_exists
from hierarchy.errors import DataError
from hierarchy.text.characters import healed, is_blank
from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import naming, print_json, print_lines, print_table, wrote

if TYPE_CHECKING:
    from hierarchy.taxonomy import Taxonomy
    from pipelines.classifier import HierarchicalClassifier
    from pipelines.cli.commands import Work
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
    goes_on=lambda given: "the same command goes on after the last finished shard" if given["text"] is None else "",
    columns=("text",),
)
def predict(
    work: "Work",
    model: options.ModelArgument,
    file: Annotated[
        str | None, typer.Argument(parser=expanded, help="Documents; their text stands in the column --text-column.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Output: .jsonl, .csv (for a spreadsheet: a ' stands before what it would compute) or .parquet.",
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
) -> None:
    """Answer the documents of a file, or one document.

    A run that was stopped goes on where it was when the same command is given again.
    """
    if (file is None) == (text is None):
        raise DataError("give a file with documents, or --text with one document, and not both")
    if text is not None:
        from pipelines.cli.models import load_classifier

        if out is not None:
            raise DataError("--out belongs to a file with documents; the answer to --text is printed")
        classifier = load_classifier(model, device=device, routing=routing, beam=beam)
        _print_answer(classifier, text, top_k, sets, as_json)
        return
    if out is None:
        hint = "" if file is None or path_exists(file) else f"; to answer one document, write --text {str(file)!r}"
        raise DataError(f"name the output file: --out answers.jsonl (or .csv, .parquet){hint}")
    if as_json:
        raise DataError("--json belongs to --text; of a file, the suffix of --out says the format")
    from hierarchy.disk.output import SUFFIXES
    from hierarchy.text.wording import count
    from pipelines.cli.places import output_file, writing
    from pipelines.model.artifact.hub import local_folder
    from pipelines.serving.predict import predict_file

    data = work.config.data
    with writing(work, checked=[output_file("--out", out, *SUFFIXES)]), naming(label="--id"):
        read = predict_file(
            local_folder(model),
            str(file),
            out,
            **data.reading,
            id_column=id_column,
            split=split or data.test_split,
            top_k=top_k,
            routing=routing,
            beam=beam,
            sets=sets,
            device=device,
            restart=restart,
        )
    wrote(out, f"answers to {count(read, 'document')}:")


def _print_answer(classifier: "HierarchicalClassifier", text: str, top_k: int, sets: str | None, as_json: bool) -> None:
    if is_blank(text):
        raise DataError("--text is empty: give one document")
    if as_json:
        from pipelines.serving.answers import answers

        routing, beam = classifier.routing, classifier.beam
        found = answers(classifier.model_, [healed(text)], top_k=top_k, routing=routing, beam=beam, sets=sets)
        print_json(next(found))
        return
    paths = classifier.predict_paths([text], top_k=top_k)[0]
    in_set = None if sets is None else classifier.predict_sets([text], within=sets)[0]
    taxonomy = classifier.taxonomy_
    print_paths(f"Beam mass {paths[0].beam_mass:.3f}" if paths[0].beam_mass < 1 else "", paths, taxonomy)
    if classifier.model_.promises is not None or paths[0].level == "none":
        print_lines(ANSWERED[paths[0].level, paths[0].reason])
    if classifier.model_.cascade is not None:
        print_lines(READ[paths[0].read])
    if in_set is not None:
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
