"""``coarsefine calibrate``: a trained model gets its promises, from documents that nothing else has seen."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from hierarchy.text.wording import count
from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import print_table, wrote

if TYPE_CHECKING:
    from pipelines.cli.commands import Work
    from pipelines.promises.promises import Promises


@command("calibrate model calibration.jsonl -o model --precision 0.95", goes_on="give the same command again")
def calibrate(
    work: "Work",
    model: options.ModelArgument,
    file: options.LabelledArgument,
    out: options.NewModelOption = None,
    precision: Annotated[float, typer.Option(help="Share of right answers, at each level, that is promised.")] = 0.95,
    delta: Annotated[float, typer.Option(help="Probability that the promise does not hold.")] = 0.1,
    coverage: Annotated[float, typer.Option(help="How often a set holds the right label.")] = 0.9,
    by_group: Annotated[
        bool, typer.Option("--by-group", help="The coverage of sets of labels holds in every group apart.")
    ] = False,
    false_alarms: Annotated[
        float | None,
        typer.Option(help="Share of documents in scope that may be taken for out of scope; by default none is."),
    ] = None,
    split: options.SplitOption = None,
    routing: options.RoutingOption = None,
    beam: options.BeamOption = None,
    device: options.DeviceOption = None,
) -> None:
    """Promise a precision for fine answers and for group answers, and a coverage for sets.

    The documents must be such as neither training nor validation has seen.
    What each promise means, and when it does not hold, stands in docs/trust.md.
    """
    from pipelines.card.reproduction import with_calibration
    from pipelines.cli.documents import read_checked
    from pipelines.cli.models import load_classifier
    from pipelines.cli.places import new_model, writing

    data = work.config.data
    folder = new_model(model, out)
    with writing(work, folder):
        classifier = load_classifier(model, device=device, routing=routing, beam=beam)
        source = (file, split or data.calibration_split)
        _, checked = read_checked({"calibration": source}, work.config, classifier.taxonomy_)
        documents = checked["calibration"]
        classifier.calibrate(
            documents,
            documents.labels,
            precision=precision,
            delta=delta,
            coverage=coverage,
            by_group=by_group,
            false_alarms=false_alarms,
        )
        read = data.model_copy(update={"calibration_split": source[1]})
        record = with_calibration(classifier.model_.record, file, read)
        classifier.model_ = replace(classifier.model_, record=record)
        classifier.save_pretrained(folder.place)
    wrote(folder.place, "the calibrated model is in")
    assert classifier.model_.promises is not None  # noqa: S101 - calibrate has made them; for the type checker
    _show(classifier.model_.promises)


def _show(promises: "Promises") -> None:
    back_off, conformal, outside = promises.back_off, promises.conformal, promises.out_of_scope
    kept = f"precision {back_off.precision:g}, with probability {1 - back_off.delta:g}"
    rows = [
        ("fine answers", _above(back_off.fine), kept),
        ("group answers", _above(back_off.group), kept),
        ("sets of labels", "by group" if conformal.groups else f"{conformal.labels:.4f}", _holds(conformal.coverage)),
        ("nodes of the tree", f"{conformal.tree:.4f}", _holds(conformal.coverage)),
    ]
    if outside is not None:
        rows.append(("out of scope", f"energy below {outside.energy:.3f}", f"{outside.false_alarms:.0%} false alarms"))
    print_table(f"Promises, from {count(promises.documents, 'document')}", ("what", "limit", "promise"), rows)


def _above(threshold: float | None) -> str:
    return "none is given" if threshold is None else f"probability above {threshold:.4f}"


def _holds(coverage: float) -> str:
    return f"hold the right label {coverage:.0%} of the time"
