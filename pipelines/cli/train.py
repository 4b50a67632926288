"""``coarsefine train``: from a config to an evaluated and saved model."""

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from hierarchy.errors import DataError, combined
from pipelines.cli.console import (
    ConfigOption,
    SetOption,
    print_lines,
    print_report,
    print_table,
    session,
    silence_weight_bars,
    wrote,
)
from stages.machine import first_goes_first, is_first

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from hierarchy.taxonomy import Taxonomy
    from pipelines.classifier import HierarchicalClassifier
    from pipelines.config import Config
    from pipelines.data.documents import Documents

logger = logging.getLogger(f"coarsefine.{__name__}")

EPILOG = "Example: coarsefine train --config configs/chained.yaml --set data.train=train.jsonl --set output=model"


@dataclass(frozen=True)
class Part:
    """Documents for one purpose.

    Parameters
    ----------
    documents
        Checked, with their label ids.
    name
        What they are called in the report.
    """

    documents: "Documents"
    name: str


ROLES = ("train", "valid", "calibration", "test")
Cut: TypeAlias = "Callable[[Part], tuple[np.ndarray, np.ndarray]]"  # documents -> places in training and validation


def train(
    config: ConfigOption = None,
    settings: SetOption = None,
    baselines: Annotated[bool, typer.Option(help="Fit the flat models and the classic chain beside the model.")] = True,
) -> None:
    """Train a model, evaluate it beside its baselines, and save it.

    A training that was stopped goes on where it was when the same command is given again.
    """
    with session(goes_on="the same command goes on from what is finished in the run folder"):
        from pipelines.cli.places import check_places, model_folder, run_folder
        from pipelines.config import load_config
        from pipelines.model.artifact.replacement import check_replaceable, model_place, run_place

        loaded = load_config(config, settings or [])
        check_replaceable(Path(loaded.output))
        check_places([model_folder("output", Path(loaded.output)), run_folder(loaded)], config, loaded)
        with model_place(Path(loaded.output)), run_place(loaded.run_folder):
            run_training(loaded, baselines=baselines)


def run_training(config: "Config", *, baselines: bool) -> "HierarchicalClassifier":
    """Read, check, fit, evaluate and save as a config says.

    Parameters
    ----------
    config
        What to train on and how.
    baselines
        Fit the systems that the model is compared with.
    """
    from pipelines.cli.documents import read_taxonomy

    settings = config.settings()
    if settings.encoder != "none":
        from stages.training.arguments import check_training

        silence_weight_bars()
        check_training(settings.training, joint=settings.mode == "joint", device=settings.device)
    from pipelines.classifier import HierarchicalClassifier

    with first_goes_first():  # files are converted once
        taxonomy, parts = read_parts(
            config,
            None if config.taxonomy is None else read_taxonomy(config.taxonomy),
            stratified(settings.random_state),
        )
    training, validation, test = (parts[role] for role in ("train", "valid", "test"))
    calibration, repeats = parts.get("calibration"), warn_of_seen_parts(parts, "test")
    classifier = HierarchicalClassifier(taxonomy, **settings.model_dump())
    classifier.fit(
        training.documents,
        training.documents.labels,
        validation=(validation.documents, validation.documents.labels),
        calibration=None if calibration is None else (calibration.documents, calibration.documents.labels),
    )
    record_run(classifier, config, parts)
    seconds = dict(classifier.model_.record["seconds"])
    if not is_first():
        return classifier

    started = time.monotonic()
    logger.info("evaluation on %s%s ...", test.name, " with baselines" if baselines else "")
    fitting = (training.documents, training.documents.labels) if baselines else None
    report = classifier.evaluate(test.documents, test.documents.labels, train=fitting, data=test.name).noting(repeats)
    seconds["evaluation"] = time.monotonic() - started
    classifier.metrics_ = report.as_dict()
    print_report(report)
    classifier.save_pretrained(config.output)
    wrote(config.output)
    rows = [(step, f"{spent / 60:.1f}") for step, spent in seconds.items()]
    print_table("Time", ("step", "minutes"), [*rows, ("together", f"{sum(seconds.values()) / 60:.1f}")])
    print_lines(f"Fingerprint of the run: {classifier.model_.record['fingerprint']}")
    kept = config.in_run_folder()
    spare = f"holds {', '.join(kept)} too, so it must stay" if kept else "keeps what another training can take over"
    logger.info("the model is in %s; the run folder %s %s", config.output, config.run_folder, spare)
    return classifier


def record_run(classifier: "HierarchicalClassifier", config: "Config", parts: "dict[str, Part]") -> None:
    """Put into the model's record what only the command knows: config, sources of the documents, facts for the card."""
    from pipelines.card.reproduction import given
    from pipelines.model.record import with_sources, with_test

    training, test = parts["train"].documents, parts["test"].documents
    record = with_sources(classifier.model_.record, {role: part.name for role, part in parts.items()})
    record = with_test(record, test, parts["test"].name, train=training)
    added = {"config": given(config), "card": config.card.model_dump(mode="json", exclude_none=True)}
    classifier.model_ = replace(classifier.model_, record={**record, **added})


def warn_of_seen_parts(parts: "dict[str, Part]", role: str) -> list[str]:
    """Warn, before the long work, of documents of a role that stand in training or validation; return what was said."""
    from pipelines.data.documents import warn_of_repeats

    told: list[str] = []
    if role in parts:
        documents = parts[role].documents
        for other, where in (("train", "training"), ("valid", "validation")):
            if other in parts and parts[other].documents is not documents:  # where one stands for both, it is told
                told += warn_of_repeats(documents, parts[other].documents, what=f"{role} documents", where=where)
    return told


def stratified(random_state: int) -> Cut:
    """Return what cuts a validation part as `fit` would, and refuses where it cannot."""
    from pipelines.data.report import count
    from pipelines.data.splits import stratified_split

    def cut(part: Part) -> "tuple[np.ndarray, np.ndarray]":
        labels = part.documents.labels
        kept, held_out = stratified_split(labels, random_state=random_state, keys=part.documents.keys())
        if not len(held_out):
            raise DataError(
                f"no label has 3 documents ({count(len(set(labels)), 'label')} in "
                f"{count(len(labels), 'document')}), so no validation part can be cut: name the right label "
                "column with --set data.label=..., give more documents, or set data.valid",
                part.name,
            )
        return kept, held_out

    return cut


def read_parts(
    config: "Config", taxonomy: "Taxonomy | None", cut: "Cut", roles: "Sequence[str]" = ROLES
) -> "tuple[Taxonomy, dict[str, Part]]":
    """Read and check all documents that a config names; without a test part, validation stands for it.

    Parameters
    ----------
    config
        Names the documents and the run folder.
    taxonomy
        Whose labels they must have; None takes the tree of the training documents' columns.
    cut
        Cuts the training documents where no validation documents are named; an empty part is left out.
    roles
        Which documents are read.
    """
    from pipelines.cli.documents import Source, check_all, read_source, taxonomy_of

    data = config.data
    if data.train is None:
        raise DataError("no training documents are named: set data.train in the config, or --set data.train=FILE")
    sources = {
        role: Source(place, split)
        for role, place, split in (
            ("train", data.train, data.train_split),
            ("valid", data.valid, data.valid_split),
            ("calibration", data.calibration, data.calibration_split),
            ("test", data.test, data.test_split),
        )
        if place is not None and role in roles
    }
    tables = {}
    refused = []
    for role, source in sources.items():
        try:
            tables[role] = (source.place, read_source(source, data, cache=config.run_folder / "documents"))
        except DataError as error:
            refused.append(DataError(error.problems, error.where or source.place, error.hint))
    if refused:
        raise combined(refused)
    of_data = taxonomy is None
    if taxonomy is None:
        taxonomy = taxonomy_of(tables["train"][1], data.train, merge_spellings=config.classifier.merge_spellings)
    checked = check_all(tables, taxonomy, of_data=of_data)
    parts = {role: _part(found, sources[role]) for role, found in checked.items()}
    if "valid" not in parts:
        whole = checked["train"]
        kept, held_out = cut(parts["train"])
        if len(held_out):
            logger.info("validation: %d of %d training documents", len(held_out), len(whole))
            for role, places in (("train", kept), ("valid", held_out)):
                parts[role] = Part(whole.select(places), f"a part of {data.train}")
    if "test" in roles and "test" not in parts and "valid" in parts:
        valid = parts["valid"]
        logger.warning("no test documents are named (data.test): figures on validation documents are a little too good")
        parts["test"] = Part(valid.documents, f"validation documents ({valid.name}), used in training too")
    return taxonomy, parts


def _part(documents: "Documents", source: "Any") -> Part:
    return Part(documents, source.place if source.split is None else f"{source.place} ({source.split})")
