"""What the benchmarks share: data sets, time, peak memory, and the JSON that each of them writes."""

import argparse
import json
import os
import platform
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from hierarchy.taxonomy import Taxonomy
    from pipelines.data.documents import Documents

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # so that a checkout which is not installed can be measured too
    sys.path.insert(0, str(ROOT))

PACKAGES = (
    "coarsefine", "numpy", "scipy", "scikit-learn", "torch", "transformers", "tokenizers", "datasets",
    "sentence-transformers", "hiclass",
)  # fmt: skip
LIST_OF_NUMBERS = re.compile(r"\[\s+\d+(?:,\s+\d+)*\s+\]")
SUFFIXES = (".jsonl.gz", ".jsonl", ".csv", ".parquet")


@dataclass(frozen=True)
class DataSet:
    """A data set from files.

    Attributes
    ----------
    name
        Of its folder.
    taxonomy
        The tree of its columns ``label`` and ``coarse``; None where it has no groups.
    train, test
        Documents with label ids.
    valid
        The same; None where the data set has no such part.
    """

    name: str
    taxonomy: "Taxonomy | None"
    train: "Documents"
    valid: "Documents | None"
    test: "Documents"


def load_data(
    name: str,
    folder: Path,
    *,
    cache: Path,
    limit: int | None = None,
    train_limit: int | None = None,
    test: bool = True,
) -> DataSet:
    """Read and check the files ``train``, ``valid`` (if there) and ``test`` in ``folder/name``.

    Parameters
    ----------
    name
        Of the data set.
    folder
        Where the data sets lie.
    cache
        Where the tables are written.
    limit
        Take this many documents of each part, drawn at random with a fixed seed; None takes all.
    train_limit
        The same for the training documents alone. What other parts have of labels that these lack is left out.
    test
        Whether the test documents are read; without them that part is empty.
    """
    import numpy as np

    from hierarchy.taxonomy import Taxonomy
    from pipelines.data.checks import check_table
    from pipelines.data.documents import Documents
    from pipelines.data.reading import read_documents

    if not (folder / name).is_dir():
        found = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
        sys.exit(f"there is no data set {name!r} in {folder}; there are: {', '.join(found) or 'none'}; see --data")
    tables = {}
    for role in ("train", "valid", "test")[: 3 if test else 2]:
        file = next((f for s in SUFFIXES if (f := folder / name / f"{role}{s}").exists()), None)
        if file is not None:
            tables[role] = read_documents(file, group="coarse", cache_dir=cache)
            most = min(n for n in (limit, train_limit if role == "train" else None, len(tables[role])) if n is not None)
            if most < len(tables[role]):
                places = np.random.default_rng(0).choice(len(tables[role]), most, replace=False)
                tables[role] = tables[role].select(np.sort(places))
        elif role != "valid":
            sys.exit(f"{folder / name} has no file {role} ({', '.join(SUFFIXES)})")
    groups = tables["train"]["group"][:]
    taxonomy = None
    if any(group is not None for group in groups):
        taxonomy = Taxonomy.from_data(tables["train"]["label"][:], groups)
    if limit is not None or train_limit is not None:  # a small sample lacks labels: what it does not know is left out
        known = set(tables["train"]["label"][:])
        tables = {r: t.select([i for i, label in enumerate(t["label"]) if label in known]) for r, t in tables.items()}
    parts: dict[str, Documents] = {}
    for role, table in tables.items():
        known = set(parts["train"].labels) if parts else ()
        checked = check_table(table, taxonomy, where=f"{name} {role}", keep_empty=role == "test", known=known)
        parts[role] = checked.documents
    return DataSet(name, taxonomy, parts["train"], parts.get("valid"), parts.get("test", Documents([], [])))


def make_parser(description: str | None, name: str, *, out: str | None = None) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has.

    Parameters
    ----------
    description
        Docstring of the benchmark.
    name
        Of the benchmark, for the default folders.
    out
        Help of ``--out`` where it is not one JSON.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the data sets")
    parser.add_argument("--out", type=Path, help=out or f"JSON to write (default: benchmarks/results/{name}-....json)")
    parser.add_argument(
        "--run", type=Path, help="folder for what is kept between runs: a stopped benchmark goes on (default: runs/...)"
    )
    parser.add_argument("--date", default=time.strftime("%Y-%m-%d"), help="date to write down (default: today)")
    return parser


def frozen(changes: Sequence[str]) -> list[str]:
    """Return the setting that leaves the encoder as it is, where the changes do not leave it out."""
    return [] if "encoder=none" in changes else ["trainable=frozen"]


def prepare(options: argparse.Namespace, name: str, *, run: str | None = None) -> Path:
    """Set up the log and return the run folder.

    Parameters
    ----------
    options
        As parsed; ``run`` and ``out`` are filled in where they were left out.
    name
        Of this run, with what tells it from others of the same benchmark.
    run
        Name of the run folder, where several share one (its content is kept by keys); None takes `name`.
    """
    from pipelines.cli.console import set_up_log

    set_up_log()
    options.run = (options.run or ROOT / "runs" / (run or name)).resolve()
    options.out = options.out or ROOT / "benchmarks" / "results" / f"{name}.json"
    options.run.mkdir(parents=True, exist_ok=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    return Path(options.run)


def write_record(options: argparse.Namespace, figures: dict[str, Any]) -> None:
    """Write figures, settings, versions and machine as JSON.

    Parameters
    ----------
    options
        As parsed: the settings, and where to write.
    figures
        What was measured; JSON-ready.
    """
    settings = {n: v for n, v in vars(options).items() if n not in ("out", "run", "data", "date", "model")}
    record = {
        "benchmark": Path(sys.argv[0]).stem,
        "date": options.date,
        "settings": {n: v.name if isinstance(v, Path) else v for n, v in settings.items()},
        "figures": figures,
        "machine": machine(),
        "versions": {"python": platform.python_version(), **_versions()},
    }
    part = options.out.with_name(f".{options.out.name}.tmp")
    text = json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False)
    text = LIST_OF_NUMBERS.sub(lambda found: re.sub(r"\s+", "", found[0]), text)  # one line each, however long
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(options.out)
    print(f"written: {options.out}")


def machine() -> dict[str, Any]:
    """Say what was measured on: processor, cores, threads, memory, load, and the GPU if one was used."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = (line.partition(":") for line in cpuinfo.read_text(encoding="utf-8").splitlines())
        processor = next((value.strip() for key, _, value in lines if key.strip() == "model name"), processor)
    torch = sys.modules.get("torch")  # not loaded for this alone
    gpu = {"gpu": torch.cuda.get_device_name()} if torch is not None and torch.cuda.is_available() else {}
    return {
        "processor": processor,
        **gpu,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_at_the_end": round(os.getloadavg()[0], 1),  # above the cores: other work took part of them
    }


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; the first column is text, the others are figures."""
    from pipelines.cli.console import print_table as print_rich

    print_rich(title, columns, rows)


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
