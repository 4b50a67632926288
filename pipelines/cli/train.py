"""``coarsefine train``: from a config to an evaluated and saved model."""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import print_lines, print_minutes, print_report, wrote
from stages.machine import first_goes_first, is_first

if TYPE_CHECKING:
    from pipelines.classifier import HierarchicalClassifier
    from pipelines.cli.commands import Work
    from pipelines.cli.documents import Part
    from pipelines.config import Config

logger = logging.getLogger(f"coarsefine.{__name__}")


@command(
    "train --config configs/chained.yaml --set data.train=train.jsonl --set output=model",
    goes_on="the same command goes on from what is finished in the run folder",
)
def train(work: "Work", baselines: options.BaselinesOption = True) -> None:
    """Train a model, evaluate it beside its baselines, and save it.

    A training that was stopped goes on where it was when the same command is given again.
    """
    from pipelines.cli.places import model_folder, run_folder, writing

    config = work.config
    with writing(work, model_folder("output", Path(config.output)), run_folder(config)):
        run_training(config, baselines=baselines)


def run_training(config: "Config", *, baselines: bool) -> "HierarchicalClassifier":
    """Read, check, fit, evaluate and save as a config says.

    Parameters
    ----------
    config
        What to train on and how.
    baselines
        Fit the systems that the model is compared with.
    """
    from pipelines.cli.documents import read_parts, stratified, taxonomy_named, warn_of_seen_parts
    from pipelines.cli.models import new_classifier
    from pipelines.training.fit import check_training_settings

    check_training_settings(config.settings())
    with first_goes_first():  # files are converted once
        taxonomy, parts = read_parts(config, taxonomy_named(config), stratified(config))
    training, test, calibration = parts["train"], parts["test"], parts.get("calibration")
    repeats = warn_of_seen_parts(parts, "test")
    classifier = new_classifier(config, taxonomy)
    classifier.fit(
        *training.pair,
        validation=parts["valid"].pair,
        calibration=None if calibration is None else calibration.pair,
    )
    _record_run(classifier, config, parts)
    seconds = dict(classifier.model_.record["seconds"])
    if not is_first():
        return classifier

    started = time.monotonic()
    logger.info("evaluation on %s%s ...", test.name, " with baselines" if baselines else "")
    report = classifier.evaluate(*test.pair, train=training.pair if baselines else None, data=test.name)
    report = report.noting(repeats)
    seconds["evaluation"] = time.monotonic() - started
    classifier.metrics_ = report.as_dict()
    print_report(report)
    classifier.save_pretrained(config.output)
    wrote(config.output)
    print_minutes({**seconds, "together": sum(seconds.values())})
    print_lines(f"Fingerprint of the run: {classifier.model_.record['fingerprint']}")
    kept = config.in_run_folder()
    spare = f"holds {', '.join(kept)} too, so it must stay" if kept else "keeps what another training can take over"
    logger.info("the model is in %s; the run folder %s %s", config.output, config.run_folder, spare)
    return classifier


def _record_run(classifier: "HierarchicalClassifier", config: "Config", parts: "Mapping[str, Part]") -> None:
    """Put into the model's record what only the command knows: config, sources of the documents, facts for the card."""
    from pipelines.card.reproduction import given
    from pipelines.model.record import with_sources, with_test

    test = parts["test"]
    record = with_sources(classifier.model_.record, {role: part.name for role, part in parts.items()})
    record = with_test(record, test.documents, test.name, train=parts["train"].documents)
    added = {"config": given(config), "card": config.card.model_dump(mode="json", exclude_none=True)}
    classifier.model_ = replace(classifier.model_, record={**record, **added})
