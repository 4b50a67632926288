"""``coarsefine refit``: a trained model follows its edited taxonomy, without a full training."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hierarchy.errors import DataError
from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import print_minutes, print_report, wrote

if TYPE_CHECKING:
    import numpy as np

    from pipelines.classifier import HierarchicalClassifier
    from pipelines.cli.commands import Work
    from pipelines.cli.documents import Part
    from pipelines.config import Config

logger = logging.getLogger(f"coarsefine.{__name__}")


@command(
    "refit model --taxonomy edited.yaml -o model-2 --set data.train=train.jsonl",
    goes_on="the same command goes on from what is finished in the run folder",
)
def refit(
    work: "Work",
    model: options.ModelArgument,
    groups: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GROUP",
            help="Group whose head is fitted again; can be repeated. By default those that the new taxonomy demands.",
        ),
    ] = None,
    taxonomy: Annotated[
        Path | None, typer.Option("--taxonomy", metavar="FILE", help="The edited taxonomy; by default the model's own.")
    ] = None,
    out: options.NewModelOption = None,
    device: options.DeviceOption = None,
) -> None:
    """Fit the heads of some groups again and, where labels came, went or moved, the coarse stage; the rest stays.

    With the coarse stage go all neural rows, which read its document vectors. Give the whole training data as
    data.train. The encoder and the n-grams stay as trained, and so do all settings of the model; what its
    classifier.augment and classifier.label_encoder name, you name again. A refit that was stopped goes on where it was
    when the same command is given again.
    """
    from hierarchy.disk.whole_folders import put_back
    from pipelines.cli.models import load_classifier
    from pipelines.cli.places import new_model, run_folder, writing

    folder, config = new_model(model, out), work.config
    if groups is None and taxonomy is None:
        raise DataError("there is nothing to do: name groups with --groups, or the edited tree with --taxonomy")
    put_back(model)
    # Beside a model lies the run folder of its training, with vectors that are needed again; not beside a downloaded
    # one.
    config = config.model_copy(update={"run_dir": config.run_dir or f"{model if model.is_dir() else folder.place}.run"})
    with writing(replace(work, config=config), folder, run_folder(config)):
        classifier = load_classifier(model, device=device)
        refits = len(classifier.model_.record.get("refits", []))
        _refit(classifier, groups, taxonomy, config)
        classifier.save_pretrained(folder.place)
    wrote(folder.place, "the refitted model is in")
    for refitted in classifier.model_.record.get("refits", [])[refits:]:
        print_minutes(refitted["seconds"])


def _refit(
    classifier: "HierarchicalClassifier", groups: list[str] | None, taxonomy: Path | None, config: "Config"
) -> None:
    """Refit on the documents that the config names, and evaluate."""
    from pipelines.cli.documents import read_parts, read_taxonomy, warn_of_seen_parts
    from pipelines.model.record import with_sources, with_test
    from pipelines.promises.backoff import check_enough
    from pipelines.training.refit_plan import cut_for_refit

    theirs = {name: getattr(config.classifier, name) for name in ("n_jobs", "augment", "label_encoder", "training")}
    classifier.set_params(run_dir=config.run_dir, **theirs)

    def as_before(part: "Part") -> "tuple[np.ndarray, np.ndarray]":
        return cut_for_refit(classifier.model_, part.documents)

    tree = classifier.taxonomy_ if taxonomy is None else read_taxonomy(taxonomy)
    tree, parts = read_parts(config, tree, as_before)
    valid, test, calibration = (parts.get(role) for role in ("valid", "test", "calibration"))
    repeats = [] if config.data.test is None else warn_of_seen_parts(parts, "test")  # else validation stands for it
    warn_of_seen_parts(parts, "calibration")
    if calibration is not None:
        check_enough(len(calibration.documents))
    classifier.refit_groups(groups, *parts["train"].pair, tree, validation=None if valid is None else valid.pair)
    if calibration is not None:
        classifier.calibrate(*calibration.pair)
        record = with_sources(classifier.model_.record, {"calibration": calibration.name})
        classifier.model_ = replace(classifier.model_, record=record)
    if test is None:
        logger.warning("no test or validation documents (data.test, data.valid): the new model has no figures")
        return
    report = classifier.evaluate(*test.pair, data=test.name).noting(repeats)
    classifier.metrics_ = report.as_dict()
    record = with_test(classifier.model_.record, test.documents, test.name, train=parts["train"].documents)
    classifier.model_ = replace(classifier.model_, record=record)
    print_report(report)
