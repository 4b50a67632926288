"""``coarsefine train``: from a config to an evaluated and saved model."""

import logging
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hierarchy.errors import ConfigError
from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import print_lines, print_minutes, print_report, print_table, wrote
from stages.machine import first_goes_first, is_first, n_processes

if TYPE_CHECKING:
    from pipelines.classifier import HierarchicalClassifier
    from pipelines.cli.commands import Work
    from pipelines.cli.documents import Part
    from pipelines.config import Config
    from pipelines.estimating.estimate import StepEstimate
    from pipelines.training.fit import Pair

GOES_ON = "the same command goes on from what is finished in the run folder"
logger = logging.getLogger(f"coarsefine.{__name__}")


@command(
    "train --config configs/chained.yaml --set data.train=train.jsonl --set output=model",
    "train --config configs/chained.yaml --set data.train=train.jsonl --estimate",
    goes_on=lambda given: "" if given["estimate"] else GOES_ON,
)
def train(
    work: "Work",
    baselines: options.BaselinesOption = True,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Check all, say what time and memory it would take here, and leave.")
    ] = False,
    engine: options.EngineOption = None,
    processes: options.ProcessesOption = None,
    address: options.AddressOption = None,
) -> None:
    """Train a model, evaluate it beside its baselines, and save it.

    A training that was stopped goes on where it was when the same command is given again.
    """
    from pipelines.cli.places import model_folder, run_folder, writing

    config = work.config
    outputs = model_folder("output", Path(config.output)), run_folder(config)
    if not estimate:
        with writing(work, *outputs), _engine(config, engine, processes, address):
            run_training(config, baselines=baselines)
        return
    if engine or processes or address:
        raise ConfigError("--estimate times one process: leave --engine, --processes and --address out")
    if n_processes() > 1:
        raise ConfigError("--estimate times one process, and several are started: leave torchrun out")
    with writing(work, checked=outputs), tempfile.TemporaryDirectory(prefix="coarsefine-") as folder:
        _show_estimate(run_estimate(config.model_copy(update={"run_dir": folder}), baselines=baselines))


def _engine(
    config: "Config", engine: str | None, processes: int | None, address: str | None
) -> AbstractContextManager[None]:
    """Return what has trainings in a block share their work, where options ask for it."""
    if not (engine or processes or address):
        return nullcontext()
    from pipelines.training.with_engine import check_shared, training_engine

    check_shared(config.settings(), engine or "local")
    return training_engine(engine or "local", processes=processes, address=address)


def run_estimate(config: "Config", *, baselines: bool) -> "list[StepEstimate]":
    """Read and check what `run_training` does, and estimate its steps.

    Parameters
    ----------
    config
        What to train on and how; documents are converted in its run folder.
    baselines
        Whether the systems that the model is compared with are fitted.
    """
    from pipelines.estimating.estimate import estimate_training
    from pipelines.training.fit import prepare_fit

    classifier, parts, _ = _prepared(config)
    given = prepare_fit(classifier.get_params(deep=False), *parts["train"].pair, *_others(parts))
    return estimate_training(
        given.settings,
        classifier.taxonomy,
        given.train,
        given.valid,
        parts["test"].documents,
        calibration=given.calibration,
        baselines=baselines,
    )


def _show_estimate(steps: "Sequence[StepEstimate]") -> None:
    rows = [(s.name, s.work, f"{s.seconds / 60:.1f}", f"{s.memory / 2**30:.1f}") for s in steps]
    seconds, memory = sum(s.seconds for s in steps), max(s.memory for s in steps)
    rows.append(("together", "", f"{seconds / 60:.1f}", f"{memory / 2**30:.1f}"))
    print_table("What a training would take here", ("step", "work", "minutes", "peak memory, GiB"), rows)
    print_lines(
        "Estimated from samples, on this machine as busy as it was just now; nothing was trained or written.",
        "A neural training may stop early. What the run folder holds already is not counted off.",
    )


def run_training(config: "Config", *, baselines: bool) -> "HierarchicalClassifier":
    """Read, check, fit, evaluate and save as a config says.

    Parameters
    ----------
    config
        What to train on and how.
    baselines
        Fit the systems that the model is compared with.
    """
    classifier, parts, repeats = _prepared(config)
    training, test = parts["train"], parts["test"]
    validation, calibration = _others(parts)
    classifier.fit(*training.pair, validation=validation, calibration=calibration)
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


def _prepared(config: "Config") -> "tuple[HierarchicalClassifier, dict[str, Part], list[str]]":
    """Check settings, read documents; return an unfitted classifier, the documents, and what is odd about the test."""
    from pipelines.cli.documents import read_parts, stratified, taxonomy_named, warn_of_seen_parts
    from pipelines.cli.models import new_classifier
    from pipelines.training.fit import check_training_settings

    check_training_settings(config.settings())
    with first_goes_first():  # files are converted once
        taxonomy, parts = read_parts(config, taxonomy_named(config), stratified(config))
    return new_classifier(config, taxonomy), parts, warn_of_seen_parts(parts, "test")


def _others(parts: "Mapping[str, Part]") -> "tuple[Pair, Pair | None]":
    """Return validation and calibration documents as `fit` takes them."""
    calibration = parts.get("calibration")
    return parts["valid"].pair, None if calibration is None else calibration.pair


def _record_run(classifier: "HierarchicalClassifier", config: "Config", parts: "Mapping[str, Part]") -> None:
    """Put into the model's record what only the command knows: config, sources of the documents, facts for the card."""
    from pipelines.card.reproduction import given
    from pipelines.model.record import with_sources, with_test

    test = parts["test"]
    record = with_sources(classifier.model_.record, {role: part.name for role, part in parts.items()})
    record = with_test(record, test.documents, test.name, train=parts["train"].documents)
    added = {"config": given(config), "card": config.card.model_dump(mode="json", exclude_none=True)}
    classifier.model_ = replace(classifier.model_, record={**record, **added})
