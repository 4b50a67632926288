"""``coarsefine calibrate``: a trained model gets its promises, from documents that nothing else has seen."""

import logging
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hierarchy.disk.paths import expanded
from hierarchy.errors import DataError
from pipelines.cli.answers import BeamOption, DeviceOption, ModelArgument, RoutingOption, load_classifier
from pipelines.cli.console import ConfigOption, SetOption, print_table, session, wrote

if TYPE_CHECKING:
    from pipelines.promises.promises import Promises

logger = logging.getLogger(f"coarsefine.{__name__}")

EPILOG = "Example: coarsefine calibrate model calibration.jsonl -o model --precision 0.95"


def calibrate(
    model: ModelArgument,
    file: Annotated[
        str,
        typer.Argument(parser=expanded, help="Documents with their labels, seen by neither training nor validation."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="Folder of the calibrated model; MODEL itself to replace."),
    ] = None,
    precision: Annotated[
        float, typer.Option("--precision", help="Share of right answers, at each level, that is promised.")
    ] = 0.95,
    delta: Annotated[float, typer.Option("--delta", help="Probability that the promise does not hold.")] = 0.1,
    coverage: Annotated[float, typer.Option("--coverage", help="How often a set holds the right label.")] = 0.9,
    by_group: Annotated[
        bool, typer.Option("--by-group", help="The coverage of sets of labels holds in every group apart.")
    ] = False,
    false_alarms: Annotated[
        float | None,
        typer.Option(
            "--false-alarms", help="Share of documents in scope that may be taken for out of scope; by default none is."
        ),
    ] = None,
    routing: RoutingOption = None,
    beam: BeamOption = None,
    device: DeviceOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
) -> None:
    """Promise a precision for fine answers and for group answers, and a coverage for sets.

    What each promise means, and when it does not hold, stands in docs/trust.md.
    """
    with session(goes_on="give the same command again"):
        from pipelines.card.reproduction import with_calibration
        from pipelines.cli.documents import Source, check_all, read_source
        from pipelines.cli.places import check_places, model_folder
        from pipelines.config import load_config
        from pipelines.model.artifact.replacement import check_replaceable, model_place

        if out is None:
            raise DataError(f"name the folder of the calibrated model: -o NEW, or -o {model} to replace the old one")
        check_replaceable(out)
        loaded = load_config(config, settings or [])
        check_places([model_folder("--out", out, replaces=model)], config, loaded, {"MODEL": model, "FILE": file})
        data = loaded.data
        with model_place(out):
            classifier = load_classifier(model, device=device, routing=routing, beam=beam)
            with tempfile.TemporaryDirectory(prefix="coarsefine-") as folder:
                documents = read_source(Source(file, data.calibration_split), data, cache=Path(folder))
                checked = check_all({"calibration": (file, documents)}, classifier.taxonomy_)["calibration"]
                classifier.calibrate(
                    checked,
                    checked.labels,
                    precision=precision,
                    delta=delta,
                    coverage=coverage,
                    by_group=by_group,
                    false_alarms=false_alarms,
                )
            record = with_calibration(classifier.model_.record, file, data)
            classifier.model_ = replace(classifier.model_, record=record)
            classifier.save_pretrained(out)
        wrote(out)
        assert classifier.model_.promises is not None  # noqa: S101 - calibrate has made them; for the type checker
        _show(classifier.model_.promises)
        logger.info("the calibrated model is in %s", out)


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
    print_table(f"Promises, from {promises.documents} documents", ("what", "limit", "promise"), rows)


def _above(threshold: float | None) -> str:
    return "none is given" if threshold is None else f"probability above {threshold:.4f}"


def _holds(coverage: float) -> str:
    return f"hold the right label {coverage:.0%} of the time"
