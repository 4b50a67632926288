"""``coarsefine export``: a trained model for a fast runtime, that predicts where torch is not installed."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hierarchy.disk.paths import expanded
from hierarchy.text.wording import count
from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import print_table, wrote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pipelines.cli.commands import Work


@command("export model valid.jsonl -o model-fast --dtype int8", goes_on="give the same command again")
def export(
    work: "Work",
    model: options.ModelArgument,
    file: Annotated[
        str, typer.Argument(parser=expanded, help="Documents with their labels, which training has not seen.")
    ],
    out: options.NewModelOption = None,
    runtime: Annotated[Literal["openvino"], typer.Option(help="What computes the encoder, on the processor.")] = (
        "openvino"
    ),
    dtype: Annotated[
        Literal["float32", "bfloat16", "int8"], typer.Option(help="In what it computes; int8 is the smallest.")
    ] = "int8",
    tolerance: Annotated[
        float, typer.Option(min=0, max=100, help="Points of accuracy that may be lost; else nothing is written.")
    ] = 0.5,
    calibration: Annotated[
        str | None,
        typer.Option(metavar="FILE", parser=expanded, help="Other documents, on which the model makes promises again."),
    ] = None,
    split: options.SplitOption = None,
    routing: options.RoutingOption = None,
    beam: options.BeamOption = None,
) -> None:
    """Write a model for a runtime that is fast on processors, once it is known to answer as well.

    On the documents of FILE, validation documents as a rule, the export is compared with the model: vectors, answers,
    accuracy, calibration error and speed. It gets a fusion of its own there, and is not written where it loses more
    accuracy than --tolerance. It needs neither torch nor transformers to predict; training needs the model itself.
    """
    from pipelines.cli.documents import read_checked
    from pipelines.cli.models import load_classifier
    from pipelines.cli.places import new_model, writing
    from pipelines.exporting import export_model

    folder, data = new_model(model, out), work.config.data
    with writing(work, folder):
        classifier = load_classifier(model, device="cpu", routing=routing, beam=beam)
        sources = {"valid": (file, split or data.valid_split)}
        if calibration is not None:
            sources["calibration"] = (calibration, data.calibration_split)
        _, parts = read_checked(sources, work.config, classifier.taxonomy_)
        exported = export_model(
            classifier.model_,
            parts["valid"],
            calibration=parts.get("calibration"),
            routing=classifier.routing,
            beam=classifier.beam,
            dtype=dtype,
            tolerance=tolerance,
        )
        classifier.model_, classifier.metrics_ = exported, None
        classifier.save_pretrained(folder.place)
    _show(exported.record["export"])
    wrote(folder.place, "the exported model is in")


def _show(export: "Mapping[str, Any]") -> None:
    """Show the export beside the model that it was made of."""
    found = export["compared"]
    rows = [
        (name, f"{found[f'{figure}_before']:{written}}", f"{found[figure]:{written}}")
        for name, figure, written in (
            ("accuracy", "accuracy", ".4f"),
            ("expected calibration error", "ece", ".4f"),
            ("tokens a second, encoder", "tokens_per_second", ",.0f"),
        )
    ]
    change = found["change"]
    rows += [
        ("change of accuracy", "", f"{change['value']:+.4f} ({change['low']:+.4f} to {change['high']:+.4f})"),
        ("same answer", "", f"{found['agreement']:.2%}"),
        ("cosine of the vectors", "", f"{found['mean_cosine']:.4f}, {found['smallest_cosine']:.4f} at least"),
    ]
    named = f"{export['runtime']} {export['dtype']}"
    print_table(f"Compared on {count(found['documents'], 'document')}", ("", "torch", named), rows)
