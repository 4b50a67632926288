"""``coarsefine calibrate``: a trained model gets its promises, from documents that nothing else has seen."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from hierarchy.disk.paths import expanded
from hierarchy.text.wording import count
from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import print_table, wrote

if TYPE_CHECKING:
    from pipelines.cli.commands import Work
    from pipelines.cli.documents import Source
    from pipelines.promises.promises import Promises
    from stages.router.cascade import Cascade


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
    cascade: Annotated[
        float | None,
        typer.Option(
            metavar="POINTS",
            help="Let n-grams answer alone where they are sure; accuracy may fall by so many percentage points.",
        ),
    ] = None,
    cascade_data: Annotated[
        str | None,
        typer.Option(
            "--cascade-data",
            parser=expanded,
            metavar="FILE",
            help="Documents that choose the cascade; by default half of the others are set aside for it.",
        ),
    ] = None,
    split: options.SplitOption = None,
    routing: options.RoutingOption = None,
    beam: options.BeamOption = None,
    device: options.DeviceOption = None,
) -> None:
    """Promise a precision for fine answers and for group answers, and a coverage for sets.

    With --cascade the encoder reads only the documents of which n-grams are not sure, which is faster.
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
        sources: dict[str, Source] = {"calibration": (file, split or data.calibration_split)}
        if cascade_data is not None:
            sources["cascade"] = (cascade_data, sources["calibration"][1])
        _, checked = read_checked(sources, work.config, classifier.taxonomy_)
        documents, own = checked["calibration"], checked.get("cascade")
        classifier.calibrate(
            documents,
            documents.labels,
            precision=precision,
            delta=delta,
            coverage=coverage,
            by_group=by_group,
            false_alarms=false_alarms,
            cascade=cascade,
            cascade_data=None if own is None else (own, own.labels),
        )
        read = data.model_copy(update={"calibration_split": sources["calibration"][1]})
        record = with_calibration(classifier.model_.record, file, cascade_data, read)
        classifier.model_ = replace(classifier.model_, record=record)
        classifier.save_pretrained(folder.place)
    wrote(folder.place, "the calibrated model is in")
    assert classifier.model_.promises is not None  # noqa: S101 - calibrate has made them; for the type checker
    _show(classifier.model_.promises, classifier.model_.cascade)


def _show(promises: "Promises", cascade: "Cascade | None") -> None:
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
    if cascade is not None:
        rows.append(
            (
                f"n-grams alone, {cascade.answered / cascade.documents:.0%} of {count(cascade.documents, 'document')}",
                _above(cascade.threshold),
                f"at most {cascade.points:g} points of accuracy lost, with probability {1 - cascade.delta:g}",
            )
        )
    print_table(f"Promises, from {count(promises.documents, 'document')}", ("what", "limit", "promise"), rows)


def _above(threshold: float | None) -> str:
    return "none is given" if threshold is None else f"probability above {threshold:.4f}"


def _holds(coverage: float) -> str:
    return f"hold the right label {coverage:.0%} of the time"
