"""What several processes, and Ray, are worth for many files: documents a second, and the memory of the driver.

A model of n-grams alone is trained on a data set, whose training texts, repeated, make the files. Each side is the
command ``predict`` in a process of its own, one thread a worker, in turn. A rate counts from the first finished shard
to the last one, so that it holds no start; the seconds hold all. The driver is the command's own process: its memory is
the highest resident set size, over these files and over files with a tenth of the documents, and its processor time for
a million documents is what the first took more than the second.

Example: python benchmarks/scale_out.py attack_procedures --documents 40000
"""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
from harness import ROOT, load_data, make_parser, prepare, print_table, write_record

SIDES = {
    "local, 1 process": (),
    "local, 2 processes": ("--processes", "2"),
    "ray, 2 processes": ("--engine", "ray", "--processes", "2"),
}
ONE, TWO, RAY = SIDES
BETWEEN_LOOKS = 0.1  # seconds


def main() -> None:
    """Train, write the files, and answer them by each side."""
    parser = make_parser(__doc__, "scale_out-DATASET")
    parser.add_argument("dataset", nargs="?", default="attack_procedures", help="folder under --data")
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--documents", type=int, default=40_000, help="of each file; two minutes of work, at least")
    parser.add_argument("--rounds", type=int, default=3, help="times that each side answers all files")
    options = parser.parse_args()
    folder = prepare(options, f"scale_out-{options.dataset}")
    data = load_data(options.dataset, options.data, cache=folder / "documents", test=False)
    model = folder / "model"
    if not model.exists():
        from pipelines import HierarchicalClassifier

        classifier = HierarchicalClassifier(data.taxonomy, encoder="none")
        classifier.fit(data.train.texts, data.train.labels).save_pretrained(model)
    texts = list(data.train.texts)
    many = write_files(folder / "many", texts, options.files, options.documents)
    few = write_files(folder / "few", texts, options.files, max(1, options.documents // 10))
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(options.rounds):
        for side, arguments in SIDES.items():
            runs[side].append(answered(model, many, folder / "answers", arguments))
            print(side, runs[side][-1], flush=True)
    small = {side: answered(model, few, folder / "answers", arguments) for side, arguments in SIDES.items()}
    figures = summary(options, runs, small) | {"text_bytes": size(many)}
    show(figures)
    write_record(options, figures)


def write_files(folder: Path, texts: list[str], files: int, documents: int) -> Path:
    """Write files of documents, each another one: a number stands behind its text.

    Parameters
    ----------
    folder
        Of the files.
    texts
        That are repeated.
    files, documents
        How many, and how many in each.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    numbered = enumerate(itertools.cycle(texts))
    for number in range(files):
        with (folder / f"{number:03d}.jsonl").open("w", encoding="utf-8") as file:
            for place, text in itertools.islice(numbered, documents):
                file.write(json.dumps({"text": f"{text} {place}", "id": str(place)}, ensure_ascii=False) + "\n")
    return folder


def answered(model: Path, files: Path, out: Path, arguments: tuple[str, ...]) -> dict[str, float]:
    """Answer files in a new process; return its seconds, its rate and its own peak memory.

    Parameters
    ----------
    model, files, out
        Folders.
    arguments
        Of the side.
    """
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "pipelines.cli", "predict", str(model), str(files), "-o", str(out), "--id", "id"]
    started, peak, busy = time.monotonic(), 0, 0.0
    process = subprocess.Popen([*command, "--restart", *arguments], cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"})
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            peak = max(peak, watched.memory_info().rss)
            busy = sum(watched.cpu_times()[:2])  # without those of other processes
        except psutil.NoSuchProcess:
            break
        time.sleep(BETWEEN_LOOKS)
    if process.wait():
        sys.exit(f"predict ended with {process.returncode}")
    return {
        "seconds": time.monotonic() - started,
        "documents_per_second": rate(out),
        "driver_mib": peak / 2**20,
        "driver_seconds": busy,
        "shards": sum(1 for _ in out.iterdir()),
        "answer_bytes": size(out),
    }


def rate(out: Path) -> float:
    """Return the documents a second between the first finished shard and the last."""
    import pyarrow.parquet as pq

    first, *shards = sorted(out.iterdir(), key=lambda file: file.stat().st_mtime_ns)
    documents = sum(pq.read_metadata(file).num_rows for file in shards)
    return documents / ((shards[-1].stat().st_mtime_ns - first.stat().st_mtime_ns) / 1e9)


def size(folder: Path) -> int:
    """Return the bytes of the files in a folder."""
    return sum(file.stat().st_size for file in folder.iterdir())


def summary(
    options: argparse.Namespace, runs: dict[str, list[dict[str, float]]], small: dict[str, dict[str, float]]
) -> dict[str, Any]:
    """Return medians and ratios; the ratios are those within a round."""
    rates = {side: [run["documents_per_second"] for run in of_side] for side, of_side in runs.items()}

    def ratio(side: str, by: str) -> float:
        return float(np.median([one / other for one, other in zip(rates[side], rates[by], strict=True)]))

    def driver_seconds_a_million(side: str) -> float:
        more = float(np.median([run["driver_seconds"] for run in runs[side]])) - small[side]["driver_seconds"]
        return more / (options.files * (options.documents - max(1, options.documents // 10))) * 1e6

    return {
        "files": options.files,
        "documents": options.files * options.documents,
        "answer_bytes": runs[TWO][0]["answer_bytes"],
        "runs": runs,
        "sides": {
            side: {
                "documents_per_second": float(np.median(rates[side])),
                "seconds": float(np.median([run["seconds"] for run in runs[side]])),
                "driver_mib": max(run["driver_mib"] for run in runs[side]),
                "driver_mib_of_a_tenth": small[side]["driver_mib"],
                "driver_seconds_a_million": driver_seconds_a_million(side),
            }
            for side in SIDES
        },
        "two_by_one": ratio(TWO, ONE),
        "ray_by_local": ratio(RAY, TWO),
    }


def show(figures: dict[str, Any]) -> None:
    """Print the figures."""
    rows = [(side, *(f"{figure:,.1f}" for figure in found.values())) for side, found in figures["sides"].items()]
    columns = ("side", "documents a second", "seconds", "driver, MiB", "over a tenth, MiB", "driver, s a million")
    print_table(f"{figures['files']} files, {figures['documents']:,} documents", columns, rows)
    print(f"{TWO} by {ONE}: {figures['two_by_one']:.2f}; {RAY} by {TWO}: {figures['ray_by_local']:.2f}")


if __name__ == "__main__":
    main()
