"""Tables of pretraining: what an encoder learns of words, and what that is worth to a classifier."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cells import NO_RESULTS, RESULTS, markdown, points

DEFAULTS = {"layers": 4, "hidden": 256, "minutes": None, "batch": 8}  # of `pretraining.py`


def pretraining_losses() -> str:
    """Held-out loss and perplexity of each evaluation, a table a record below its command."""
    parts = []
    for record in _records():
        trained = record["figures"]["pretraining"]
        rows = [(f"{e['epoch']:.2f}", f"{e['loss']:.3f}", f"{e['perplexity']:,.1f}") for e in trained["history"]]
        size = f"{trained['layers']} layers, {trained['hidden']} dimensions, {trained['vocabulary']:,} pieces"
        read = f"{trained['documents']:,} documents of {trained['tokens'] / 1e6:.1f} million tokens"
        head = f"`{_command(record)}`: {size}; {read}"
        parts.append(f"{head}\n\n{markdown(('epoch', 'loss', 'perplexity'), *rows)}")
    return "\n\n".join(parts) or NO_RESULTS


def pretraining() -> str:
    """Accuracy and macro-F1 of classifiers with a pretrained encoder and without, and their paired differences."""
    rows = []
    for record in _records():
        settings = record["settings"]
        before = "no encoder" if settings["new"] else f"`{settings['encoder']}`"
        for mode, part in _modes(record["figures"]):
            sides = [part[side]["model"] for side in ("before", "pretrained")]
            minutes = [f"{part[side]['minutes']['together']:.0f}" for side in ("before", "pretrained")]
            rows.append((
                settings["dataset"],
                mode,
                before,
                *(f"{side['accuracy']:.3f} / {side['macro_f1']:.3f}" for side in sides),
                *(points(part["difference"][figure]) for figure in ("accuracy", "macro_f1")),
                " / ".join(minutes),
            ))  # fmt: skip
    head = ("data", "classifier", "before", "accuracy / macro-F1 before", "with the pretrained encoder",
            "accuracy, points (95 %)", "macro-F1, points (95 %)", "minutes of its training, before / with")  # fmt: skip
    return markdown(head, *rows) if rows else NO_RESULTS


def _records() -> Iterator[dict[str, Any]]:
    """Yield the records of whole data sets: a quick look has no place in a table."""
    for file in sorted(RESULTS.glob("pretraining-*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        if record["settings"]["documents"] is None:
            yield record


def _modes(figures: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((mode, part) for mode, part in figures.items() if mode != "pretraining")


def _command(record: Mapping[str, Any]) -> str:
    """Return the command that a record was made by, but for the folders."""
    settings = record["settings"]
    threads = record["machine"]["omp_num_threads"]
    words = ["python benchmarks/pretraining.py", settings["dataset"]]
    words += ["--new"] if settings["new"] else [f"--encoder {settings['encoder']}"]
    words += [f"--{name} {settings[name]:g}" for name, value in DEFAULTS.items() if settings[name] != value]
    words += [f"--mode {mode}" for mode in settings["mode"] or ()]
    words += [f"--set {change}" for change in settings["set"]]
    return " ".join([*([] if threads is None else [f"OMP_NUM_THREADS={threads}"]), *words])
