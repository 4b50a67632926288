"""How near `train --estimate` comes to the training that it speaks of, step by step, in minutes and in memory.

Each side runs in a process of its own on the same documents, first the estimate, then the training in an empty run
folder. The cases are the demo's config and corpus, statutes with a frozen encoder, and a small joint training of the
whole encoder.

Example: python benchmarks/estimate.py
         python benchmarks/estimate.py --case demo
"""

import argparse
import json
import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import load_data, make_parser, prepare, print_table, write_record

from pipelines.estimating.memory import PeakMemory

# Name -> data set (None: the demo's corpus), documents of each part, settings.
CASES: dict[str, tuple[str | None, int | None, tuple[str, ...]]] = {
    "demo": (None, None, ()),
    "dc_code, 600 documents": ("dc_code", 600, ("classifier.trainable=frozen",)),
    "dc_code, 2,000 documents": ("dc_code", 2_000, ("classifier.trainable=frozen",)),
    "dc_code, 200 documents, joint": (
        "dc_code", 200, ("classifier.mode=joint", "classifier.trainable=all", "classifier.training.num_train_epochs=2"),
    ),
}  # fmt: skip


def main() -> None:
    """Estimate and train each case; or do one side of one, and print its figures."""
    parser = make_parser(__doc__, "estimate")
    parser.add_argument("--case", choices=CASES, action="append", help="only this one; the others stay as recorded")
    parser.add_argument("--side", choices=("estimate", "train"), help="do one side of one case and print it as JSON")
    options = parser.parse_args()
    folder = prepare(options, "estimate")
    if options.side:
        config = config_of(options.case[0], folder, options.data)
        figures = {"estimate": estimated, "train": trained}[options.side](config)
        (folder / "side.json").write_text(json.dumps(figures), encoding="utf-8")
        return
    cases = {}
    if options.case and options.out.exists():
        cases = json.loads(options.out.read_text(encoding="utf-8"))["figures"]["cases"]
    for name in options.case or CASES:
        cases[name] = {side: run_side(name, side, folder, options) for side in ("estimate", "train")}
        show(name, cases[name])
    del options.case, options.side  # a record holds all cases, whenever they were run
    write_record(options, {"cases": {name: cases[name] for name in CASES if name in cases}})


def run_side(name: str, side: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run one side in a new process and return what it found."""
    command = [sys.executable, __file__, "--case", name, "--side", side, "--run", folder, "--data", options.data]
    subprocess.run([str(word) for word in command], check=True)
    return json.loads((folder / "side.json").read_text(encoding="utf-8"))


def config_of(name: str, folder: Path, data: Path) -> Any:
    """Write the documents of a case where they are missing, and return its config."""
    from pipelines.config import load_config
    from pipelines.demo.configs import configs_folder
    from pipelines.demo.corpus import demo_files, write_demo_corpus

    dataset, documents, changes = CASES[name]
    place = folder / name.replace(" ", "-").replace(",", "")
    places = {"run_dir": place / "run", "output": place / "model"}
    if dataset is None:
        place.mkdir(exist_ok=True)
        files = demo_files(place, "en")
        write_demo_corpus(place, "en")
        places |= {
            "taxonomy": files.labels, "data.train": files.train, "data.valid": files.valid, "data.test": files.test,
        }  # fmt: skip
        base = configs_folder() / "demo.yaml"
    else:
        place.mkdir(exist_ok=True)
        read = load_data(dataset, data, cache=folder / "documents", limit=documents)
        for role, part in (("train", read.train), ("valid", read.valid), ("test", read.test)):
            if part is not None:
                write_part(place / f"{role}.jsonl", part, read.taxonomy)
                places[f"data.{role}"] = place / f"{role}.jsonl"
        base, changes = None, ("data.group=group", *changes)
    return load_config(base, [*changes, *(f"{key}={value}" for key, value in places.items())])


def write_part(file: Path, documents: Any, taxonomy: Any) -> None:
    """Write documents with their labels and groups."""
    group_of = {label.id: group.name for group in taxonomy.groups for label in group.labels}
    with file.open("w", encoding="utf-8") as lines:
        for text, label in zip(documents.texts, documents.labels, strict=True):
            lines.write(json.dumps({"text": text, "label": label, "group": group_of[label]}) + "\n")


def estimated(config: Any) -> dict[str, Any]:
    """Estimate as the command does."""
    from tempfile import TemporaryDirectory

    from pipelines.cli.train import run_estimate

    started = time.monotonic()
    with TemporaryDirectory() as folder:
        steps = run_estimate(config.model_copy(update={"run_dir": folder}), baselines=True)
    return {
        "took": round(time.monotonic() - started, 1),
        "seconds": {step.name: round(step.seconds, 1) for step in steps},
        "gib": {step.name: round(step.memory / 2**30, 2) for step in steps},
    }


def trained(config: Any) -> dict[str, Any]:
    """Train and evaluate as the command does, in an empty run folder."""
    from pipelines.cli.documents import read_parts, stratified, taxonomy_named
    from pipelines.cli.models import new_classifier
    from stages.progress import Clock

    shutil.rmtree(config.run_folder, ignore_errors=True)
    with PeakMemory() as memory, step_peaks(memory) as peaks:
        taxonomy, parts = read_parts(config, taxonomy_named(config), stratified(config))
        classifier = new_classifier(config, taxonomy)
        classifier.fit(*parts["train"].pair, validation=parts["valid"].pair)
        clock = Clock(dict(classifier.model_.record["seconds"]))
        with clock.step("evaluation"):
            classifier.evaluate(*parts["test"].pair, train=parts["train"].pair)
    return {
        "seconds": {step: round(seconds, 1) for step, seconds in clock.seconds.items()},
        "epochs": sum("eval_loss" in entry for entry in classifier.model_.record["history"]),
        "gib": {step: round(peak / 2**30, 2) for step, peak in peaks.items()},
    }


@contextmanager
def step_peaks(memory: PeakMemory) -> Iterator[dict[str, int]]:
    """Note the peak of each step, which ends where the log says how long it took."""
    peaks: dict[str, int] = {}

    class Ends(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.msg == "%s: %s" and isinstance(record.args, tuple):
                peaks[str(record.args[0])] = memory.peak
                memory.peak = 0

    clock, handler = logging.getLogger("coarsefine.stages.progress"), Ends()
    clock.addHandler(handler)
    yield peaks
    clock.removeHandler(handler)


def show(name: str, sides: dict[str, Any]) -> None:
    """Print both sides of a case beside each other."""
    estimate, train = sides["estimate"]["seconds"], sides["train"]["seconds"]
    steps = dict.fromkeys([*estimate, *train])
    rows = [(step, f"{estimate.get(step, 0):.1f}", f"{train.get(step, 0):.1f}") for step in steps]
    rows.append(("together", f"{sum(estimate.values()):.1f}", f"{sum(train.values()):.1f}"))
    print_table(f"{name}: seconds, estimated in {sides['estimate']['took']:.0f}", ("step", "estimate", "real"), rows)
    estimate, train = sides["estimate"]["gib"], sides["train"]["gib"]
    rows = [(step, f"{estimate.get(step, 0):.2f}", f"{train.get(step, 0):.2f}") for step in steps]
    rows.append(("all", f"{max(estimate.values()):.2f}", f"{max(train.values()):.2f}"))
    print_table(f"{name}: peak memory, GiB", ("step", "estimate", "real"), rows)


if __name__ == "__main__":
    main()
