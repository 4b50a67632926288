"""``coarsefine refit``: a trained model follows its edited taxonomy, without a full training."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hierarchy.errors import DataError
from pipelines.cli.answers import DeviceOption, ModelArgument
from pipelines.cli.console import (
    ConfigOption,
    SetOption,
    print_report,
    print_table,
    session,
    silence_weight_bars,
    wrote,
)
from pipelines.cli.train import Part, read_parts, warn_of_seen_parts

if TYPE_CHECKING:
    import numpy as np

    from pipelines.config import Config

logger = logging.getLogger(f"coarsefine.{__name__}")

EPILOG = "Example: coarsefine refit model --taxonomy edited.yaml -o model-2 --set data.train=train.jsonl"


def refit(
    model: ModelArgument,
    groups: Annotated[
        list[str] | None,
        typer.Option(
            "--groups",
            metavar="GROUP",
            help="Group whose head is fitted again; can be repeated. By default those that the new taxonomy demands.",
        ),
    ] = None,
    taxonomy: Annotated[
        Path | None, typer.Option("--taxonomy", metavar="FILE", help="The edited taxonomy; by default the model's own.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="Folder of the new model; MODEL itself to replace it."),
    ] = None,
    device: DeviceOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
) -> None:
    """Fit the heads of some groups again and, where labels came, went or moved, the coarse stage; the rest stays.

    Give the whole training data as data.train. The encoder and the n-grams stay as trained, and so do all settings of
    the model; what its classifier.augment and classifier.label_encoder name, you name again. A refit that was stopped
    goes on where it was when the same command is given again.
    """
    with session(goes_on="the same command goes on from what is finished in the run folder"):
        from hierarchy.disk.whole_folders import put_back
        from pipelines.cli.places import check_places, model_folder, run_folder
        from pipelines.config import load_config
        from pipelines.model.artifact.replacement import check_replaceable, model_place, run_place

        loaded = load_config(config, settings or [])
        if out is None:
            raise DataError(f"name the folder of the new model: -o NEW, or -o {model} to replace the old one")
        if groups is None and taxonomy is None:
            raise DataError("there is nothing to do: name groups with --groups, or the edited tree with --taxonomy")
        put_back(model)
        check_replaceable(out)
        # Beside a model lies the run folder of its training, with vectors that are needed again; not beside a
        # downloaded one.
        loaded = loaded.model_copy(update={"run_dir": loaded.run_dir or f"{model if model.is_dir() else out}.run"})
        places = [model_folder("--out", out, replaces=model), run_folder(loaded)]
        check_places(places, config, loaded, {"MODEL": model, "--taxonomy": taxonomy})
        with model_place(out), run_place(loaded.run_folder):
            _refit(model, groups, taxonomy, out, device, loaded)


def _refit(
    model: Path, groups: list[str] | None, taxonomy: Path | None, out: Path, device: str | None, config: "Config"
) -> None:
    from pipelines.classifier import HierarchicalClassifier
    from pipelines.cli.documents import in_cli_words, read_taxonomy
    from pipelines.model.artifact.hub import local_folder
    from pipelines.model.record import with_sources, with_test
    from pipelines.promises.backoff import check_enough
    from pipelines.training.refit_plan import cut_for_refit

    folder = local_folder(model)
    if (folder / "encoder").is_dir():
        silence_weight_bars()
    classifier = HierarchicalClassifier.from_pretrained(folder, device=device)
    settings = config.classifier
    theirs = {name: getattr(settings, name) for name in ("n_jobs", "augment", "label_encoder", "training")}
    classifier.set_params(run_dir=config.run_dir, **theirs)

    def as_before(documents: Part) -> "tuple[np.ndarray, np.ndarray]":
        return cut_for_refit(classifier.model_, documents.documents)

    tree = classifier.taxonomy_ if taxonomy is None else read_taxonomy(taxonomy)
    tree, parts = read_parts(config, tree, as_before)
    training, valid, test = parts["train"], parts.get("valid"), parts.get("test")
    repeats = [] if config.data.test is None else warn_of_seen_parts(parts, "test")  # else validation stands for it
    warn_of_seen_parts(parts, "calibration")
    if "calibration" in parts:
        check_enough(len(parts["calibration"].documents))
    validation = None if valid is None else (valid.documents, valid.documents.labels)
    refits = len(classifier.model_.record.get("refits", []))
    with in_cli_words(validation="--set data.valid"):
        documents = training.documents
        classifier.refit_groups(groups, documents, documents.labels, tree, validation=validation)
        if "calibration" in parts:
            calibration = parts["calibration"]
            classifier.calibrate(calibration.documents, calibration.documents.labels)
            record = with_sources(classifier.model_.record, {"calibration": calibration.name})
            classifier.model_ = replace(classifier.model_, record=record)
    if test is None:
        logger.warning("no test or validation documents (data.test, data.valid): the new model has no figures")
    else:
        report = classifier.evaluate(test.documents, test.documents.labels, data=test.name).noting(repeats)
        classifier.metrics_ = report.as_dict()
        record = with_test(classifier.model_.record, test.documents, test.name, train=training.documents)
        classifier.model_ = replace(classifier.model_, record=record)
        print_report(report)
    classifier.save_pretrained(out)
    wrote(out)
    for refitted in classifier.model_.record.get("refits", [])[refits:]:
        rows = [(step, f"{seconds / 60:.1f}") for step, seconds in refitted["seconds"].items()]
        print_table("Time", ("step", "minutes"), rows)
    logger.info("the refitted model is in %s", out)
