"""``coarsefine evaluate`` and ``coarsefine predict``: what a trained model says."""

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hierarchy.disk.paths import expanded, path_exists
from hierarchy.errors import ConfigError, DataError
from hierarchy.text.characters import healed, is_blank
from pipelines.cli.console import (
    ConfigOption,
    JsonOption,
    SetOption,
    print_json,
    print_lines,
    print_report,
    print_table,
    session,
    silence_weight_bars,
    wrote,
)

if TYPE_CHECKING:
    from pipelines.classifier import HierarchicalClassifier

logger = logging.getLogger(f"coarsefine.{__name__}")

EVALUATE_EPILOG = "Example: coarsefine evaluate model test.jsonl --train train.jsonl --json figures.json"
PREDICT_EPILOG = (
    'Example: coarsefine predict model letters.csv -o answers.jsonl, or: predict model --text "My card ..."'
)

ANSWERED = {
    ("fine", None): "Answered with the fine label.",
    ("group", None): "Answered with the group: the fine label is unsure.",
    ("none", "unsure"): "Not answered: fine label and group are both unsure.",
    ("none", "out_of_scope"): "Not answered: the document seems to belong to no label.",
    ("none", "nothing_known"): "Not answered: nothing in the document is known to the model.",
}
ModelArgument = Annotated[
    Path, typer.Argument(help="Folder that train wrote, or a model on the hub: org/name, org/name@revision.")
]
RoutingOption = Annotated[
    str | None, typer.Option("--routing", help="auto, exhaustive or beam; by default as the model was trained.")
]
BeamOption = Annotated[int | None, typer.Option("--beam", min=1, help="Groups that the beam keeps.")]
DeviceOption = Annotated[
    str | None, typer.Option("--device", help="Torch device; by default a GPU where there is one.")
]


def evaluate(
    model: ModelArgument,
    file: Annotated[str, typer.Argument(parser=expanded, help="Documents with their labels.")],
    train: Annotated[
        str | None,
        typer.Option("--train", metavar="FILE", parser=expanded, help="Training documents, to fit the baselines on."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures to this file as JSON.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page to open in a browser.")
    ] = None,
    label_errors: Annotated[
        Path | None,
        typer.Option("--label-errors", metavar="FILE", help="Show these label errors (of label-errors) on the page."),
    ] = None,
    routing: RoutingOption = None,
    beam: BeamOption = None,
    device: DeviceOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
) -> None:
    """Compare a model's answers with the right labels, and with what flat models would have said."""
    with session(goes_on="give the same command again"):
        from hierarchy.disk.output import PAGE_SUFFIXES, OutputFile
        from pipelines.cli.documents import Source, check_all, read_source
        from pipelines.cli.places import check_places
        from pipelines.config import load_config
        from pipelines.cross_validation.label_review import read_review
        from pipelines.pages.evaluation import write_report
        from pipelines.pages.shell import check_bokeh

        loaded = load_config(config, settings or [])
        data = loaded.data
        written = [
            OutputFile(name, place, suffixes)
            for name, place, suffixes in (("--json", json_file, (".json",)), ("--html", html, PAGE_SUFFIXES))
            if place is not None
        ]
        inputs: dict[str, str | Path | None] = {"MODEL": model, "FILE": file, "--train": train}
        check_places(written, config, loaded, inputs | {"--label-errors": label_errors})
        if html is not None:
            check_bokeh()
        if label_errors is not None and html is None:
            raise DataError("--label-errors is shown on the page: add --html FILE")
        suspects = () if label_errors is None else read_review(label_errors)
        classifier = load_classifier(model, device=device, routing=routing, beam=beam)
        with tempfile.TemporaryDirectory(prefix="coarsefine-") as folder:
            sources = {"test": Source(file, data.test_split)}
            if train is not None:
                sources["train"] = Source(train, data.train_split)
            tables = {
                role: (source.place, read_source(source, data, cache=Path(folder))) for role, source in sources.items()
            }
            checked = check_all(tables, classifier.taxonomy_)
            test, fitting = checked["test"], checked.get("train")
            baselines = None if fitting is None else (fitting, fitting.labels)
            report = classifier.evaluate(test, test.labels, train=baselines, data=file)
            print_report(report)
            if html is not None:
                write_report(report, html, label_errors=suspects)
        if json_file is not None:
            report.to_json(json_file)
        for output in written:
            wrote(output.place)


def predict(
    model: ModelArgument,
    file: Annotated[str | None, typer.Argument(parser=expanded, help="Documents.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Output: .jsonl, .csv (for a spreadsheet: a ' stands before what it would compute) or .parquet.",
        ),
    ] = None,
    text: Annotated[str | None, typer.Option("--text", help="One document, in place of a file.")] = None,
    top_k: Annotated[int, typer.Option("--top-k", min=1, help="Paths listed for each document.")] = 3,
    id_column: Annotated[
        str | None, typer.Option("--id", metavar="COLUMN", help="Column that is passed through as id.")
    ] = None,
    routing: RoutingOption = None,
    beam: BeamOption = None,
    sets: Annotated[
        str | None,
        typer.Option(
            "--sets", help="labels or tree: add the set that holds the right label as often as `calibrate` promised."
        ),
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew, not where an earlier run stopped.")] = False,
    as_json: JsonOption = False,
    device: DeviceOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
) -> None:
    """Answer the documents of a file, or one document.

    A run that was stopped goes on where it was when the same command is given again.
    """
    with session(goes_on="the same command goes on after the last finished shard" if text is None else ""):
        from pipelines.config import load_config

        loaded = load_config(config, settings or [])
        data = loaded.data
        _check_routing(routing)
        _check_sets(sets)
        if (file is None) == (text is None):
            raise DataError("give a file with documents, or --text with one document, and not both")
        if text is not None:
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
        from hierarchy.disk.output import SUFFIXES, OutputFile
        from pipelines.cli.documents import in_cli_words
        from pipelines.cli.places import check_places
        from pipelines.model.artifact.hub import local_folder
        from pipelines.serving.predict import predict_file

        check_places([OutputFile("--out", out, SUFFIXES)], config, loaded, {"MODEL": model, "FILE": file})
        folder = local_folder(model)
        _silence(folder)
        with in_cli_words(label="--id"):
            answered = predict_file(
                folder,
                str(file),
                out,
                **data.reading,
                id_column=id_column,
                split=data.test_split,
                top_k=top_k,
                routing=routing,
                beam=beam,
                sets=sets,
                device=device,
                restart=restart,
            )
        logger.info("%d document%s answered: %s", answered, "" if answered == 1 else "s", out)


def _print_answer(classifier: "HierarchicalClassifier", text: str, top_k: int, sets: str | None, as_json: bool) -> None:
    if is_blank(text):
        raise DataError("--text is empty: give one document")
    from pipelines.serving.answers import answers

    if as_json:
        found = answers(
            classifier.model_,
            [healed(text)],
            top_k=top_k,
            routing=classifier.routing,
            beam=classifier.beam,
            sets=sets,
        )
        print_json(next(found))
        return
    paths = classifier.predict_paths([text], top_k=top_k)[0]
    in_set = None if sets is None else classifier.predict_sets([text], within=sets)[0]
    taxonomy = classifier.taxonomy_
    rows = []
    for path in paths:
        group, label = taxonomy.group_named(path.path[0]), taxonomy.label_named(path.path[-1])
        figures = (path.probability, path.group_probability, path.coarse_probability)
        rows.append((label, group, *(f"{figure:.3f}" for figure in figures)))
    columns = ("label", "group", "probability", "of the group", "by the coarse stage")
    print_table(f"Beam mass {paths[0].beam_mass:.3f}" if paths[0].beam_mass < 1 else "", columns, rows)
    if classifier.model_.promises is not None or paths[0].level == "none":
        print_lines(ANSWERED[paths[0].level, paths[0].reason])
    if in_set is not None:
        name = taxonomy.label_named if in_set.level == "label" else taxonomy.group_named
        print_lines(f"Set of {in_set.level}s: {', '.join(map(name, in_set.ids))}")


def load_classifier(
    model: Path, *, device: str | None, routing: str | None, beam: int | None
) -> "HierarchicalClassifier":
    """Read a model, with the routing that the options ask for; None leaves it as the model has it."""
    from pipelines.classifier import HierarchicalClassifier
    from pipelines.model.artifact.hub import local_folder

    _check_routing(routing)
    folder = local_folder(model)
    _silence(folder)
    classifier = HierarchicalClassifier.from_pretrained(folder, device=device)
    if routing is not None:
        classifier.set_params(routing=routing)
    if beam is not None:
        classifier.beam = beam
    return classifier


def _check_sets(sets: str | None) -> None:
    if sets is None:
        return
    from pipelines.model.sets import WITHIN

    if sets not in WITHIN:
        raise ConfigError(f"--sets {sets}: use one of {', '.join(WITHIN)}")


def _check_routing(routing: str | None) -> None:
    if routing is None:
        return
    from stages.router.router import ROUTINGS

    if routing not in ROUTINGS:
        raise ConfigError(f"--routing {routing}: use one of {', '.join(ROUTINGS)}")


def _silence(folder: Path) -> None:
    if (folder / "encoder").is_dir():
        silence_weight_bars()
