"""``coarsefine pretrain``: an encoder trained on documents without labels, by masked language modelling."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hierarchy.disk.output import OutputFolder
from hierarchy.disk.paths import expanded
from hierarchy.errors import ConfigError, DataError
from pipelines.cli import options
from pipelines.cli.commands import command
from pipelines.cli.console import print_facts, print_table, wrote
from stages.machine import is_first

if TYPE_CHECKING:
    from pipelines.cli.commands import Work
    from pipelines.config import Config

GOES_ON = "the same command goes on from the last checkpoint in the run folder"


@command(
    "pretrain letters.jsonl -o encoder --encoder bert-base-chinese",
    "pretrain letters.jsonl -o encoder --new --layers 4 --hidden 256 --minutes 60",
    goes_on=GOES_ON,
    columns=("text",),
)
def pretrain(
    work: "Work",
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Documents; labels are not read.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Folder of the trained encoder.")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Encoder to begin with: embedded, a folder, or a name on the hub."),
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="Begin with random weights and a tokenizer trained on the documents.")
    ] = False,
    layers: Annotated[int | None, typer.Option(min=1, help="Layers of a new encoder (4).")] = None,
    hidden: Annotated[
        int | None, typer.Option(min=1, help="Dimensions of a new encoder, a multiple of 64 (256).")
    ] = None,
    vocabulary: Annotated[
        int | None, typer.Option(min=1, help="Pieces in the vocabulary of a new encoder at most (12000).")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Train for so long, over all starts, in place of a number of epochs.")
    ] = None,
    split: options.SplitOption = None,
) -> None:
    """Train an encoder on documents alone: it learns to fill in masked words.

    The folder that it writes is an encoder like any other: train --set classifier.encoder=FOLDER. A pretraining that
    was stopped goes on where it was when the same command is given again.
    """
    from pipelines.cli.places import run_folder, writing
    from pipelines.pretraining.encoder_folder import RECORD, check_encoder_folder
    from pipelines.pretraining.pretrain import check_arguments
    from pipelines.pretraining.pretrain import pretrain as pretrained

    if out is None:
        raise DataError("name the folder of the trained encoder: --out encoder")
    size = {"layers": layers, "hidden": hidden, "vocabulary": vocabulary}
    begins = _beginning(encoder, new, size)
    config = _config(work.config, files, out, begins["encoder"])
    machine: dict[str, Any] = {"minutes": minutes, "device": config.classifier.device}
    check_arguments(config.pretraining, **begins, **machine)
    run = run_folder(config)
    check_encoder_folder(out, encoder=begins["encoder"], run=run.place)
    with writing(replace(work, config=config), run, checked=[OutputFolder("--out", out, files=(RECORD,))]):
        texts = _texts(config, split, run.place)
        how = config.pretraining.model_dump() | {"random_state": config.classifier.random_state}
        record = pretrained(texts, out, **begins, **machine, **how, run_dir=str(run.place))
    if is_first():
        _show(record)
        wrote(out, "the trained encoder is in")


def _beginning(encoder: str | None, new: bool, size: Mapping[str, int | None]) -> dict[str, Any]:
    """Return at what the training begins, as arguments of `pipelines.pretraining.pretrain`."""
    given = {name: value for name, value in size.items() if value is not None}
    if (encoder is None) != new:
        raise ConfigError("say at what to begin: --encoder NAME, or --new for random weights, and not both")
    if given and not new:
        raise ConfigError(f"--{next(iter(given))} is of a new encoder: leave it out beside --encoder, or give --new")
    return {"encoder": None if encoder is None else expanded(encoder), **given}


def _config(config: "Config", files: Sequence[str], out: Path, encoder: str | None) -> "Config":
    """Return the config with what the command line names in it, so that all that is read and written is compared."""
    data = config.data.model_copy(update={"train": [expanded(file) for file in files]})
    classifier = config.classifier.model_copy(update={"encoder": encoder or "none"})
    return config.model_copy(update={"data": data, "classifier": classifier, "output": str(out)})


def _texts(config: "Config", split: str | None, run: Path) -> Sequence[str]:
    from pipelines.cli.documents import read_table

    places = config.data.training
    source = (places if len(places) > 1 else places[0], split or config.data.train_split)
    texts: Sequence[str] = read_table(source, config.data, cache=run / "documents", label=None)["text"]
    return texts


def _show(record: dict[str, Any]) -> None:
    from pipelines.pretraining.encoder_folder import figure

    names = ("documents", "held_out", "left_out", "tokens", "layers", "hidden", "vocabulary", "best_epoch")
    print_facts("Encoder", {name.replace("_", " "): record[name] for name in names})
    rows = [(f"{e['epoch']:.2f}", figure(e["loss"], 4), figure(e["perplexity"], 1)) for e in record["history"]]
    print_table("On held-out documents", ("epoch", "loss", "perplexity"), rows)
