"""``coarsefine evaluate``: a model's answers compared with the right labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hierarchy.disk.paths import expanded
from hierarchy.errors import DataError
from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import print_report, wrote

if TYPE_CHECKING:
    from pipelines.cli.commands import Work


@command("evaluate model test.jsonl --train train.jsonl --json figures.json", goes_on="give the same command again")
def evaluate(
    work: "Work",
    model: options.ModelArgument,
    file: options.LabelledArgument,
    train: Annotated[
        str | None,
        typer.Option(metavar="FILE", parser=expanded, help="Training documents, to fit the baselines on."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures to this file as JSON.")
    ] = None,
    html: options.PageOption = None,
    label_errors: Annotated[
        Path | None,
        typer.Option("--label-errors", metavar="FILE", help="Show these label errors (of label-errors) on the page."),
    ] = None,
    split: options.SplitOption = None,
    routing: options.RoutingOption = None,
    beam: options.BeamOption = None,
    device: options.DeviceOption = None,
) -> None:
    """Compare a model's answers with the right labels, and with what flat models would have said."""
    from pipelines.cli.documents import read_checked
    from pipelines.cli.models import load_classifier
    from pipelines.cli.places import output_file, page, writing
    from pipelines.cross_validation.label_review import read_review
    from pipelines.pages.evaluation import write_report

    data = work.config.data
    with writing(work, output_file("--json", json_file, ".json"), page(html)):
        if label_errors is not None and html is None:
            raise DataError("--label-errors is shown on the page: add --html FILE")
        suspects = () if label_errors is None else read_review(label_errors)
        classifier = load_classifier(model, device=device, routing=routing, beam=beam)
        sources = {"test": (file, split or data.test_split)}
        if train is not None:
            sources["train"] = (train, data.train_split)
        _, checked = read_checked(sources, work.config, classifier.taxonomy_)
        test, fitting = checked["test"], checked.get("train")
        baselines = None if fitting is None else (fitting, fitting.labels)
        report = classifier.evaluate(test, test.labels, train=baselines, data=file)
        print_report(report)
        if html is not None:
            write_report(report, html, label_errors=suspects)
            wrote(html)
        if json_file is not None:
            report.to_json(json_file)
            wrote(json_file)
