"""Build groups from bare labels: their number and sizes, the time, the same bytes again, and pinned labels unmoved.

Each build is the command ``taxonomy build`` in a process of its own.

Example: python benchmarks/taxonomy_build.py configs/demo/taxonomy.yaml
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import ROOT, make_parser, prepare, print_table, write_record

if TYPE_CHECKING:
    from hierarchy.taxonomy import Taxonomy

PINNED_GROUPS = 3  # of the file's own groups that the third build is given, each with half of its labels


def main() -> None:
    """Build twice from the bare labels, and once with some pinned."""
    parser = make_parser(__doc__, "taxonomy_build-FILE")
    parser.add_argument("file", type=Path, help="taxonomy; its groups, if any, are taken away")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the classifier")
    options = parser.parse_args()
    prepare(options, f"taxonomy_build-{options.file.stem}")
    figures = measure(options)
    print_table(
        f"taxonomy build of {options.file.name}", ("figure", "value"), [(k, str(v)) for k, v in figures.items()]
    )
    write_record(options, figures)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Build and look at the results.

    Parameters
    ----------
    options
        As parsed.
    """
    from hierarchy import Taxonomy

    given = Taxonomy.from_file(options.file)
    bare, pinned = options.run / "bare.yaml", options.run / "pinned.yaml"
    Taxonomy(unplaced=(*given.labels, *given.unplaced), name=given.name).to_yaml(bare)
    seconds = [build(bare, options.run / f"built-{number}.yaml", options.set) for number in (1, 2)]
    first, second = ((options.run / f"built-{number}.yaml").read_bytes() for number in (1, 2))
    built = Taxonomy.from_yaml(options.run / "built-1.yaml")
    sizes = sorted(len(group.labels) for group in built.groups)
    figures = {
        "labels": len(built.labels),
        "groups": len(sizes),
        "smallest group": sizes[0],
        "median group": sizes[len(sizes) // 2],
        "largest group": sizes[-1],
        "largest by smallest": round(sizes[-1] / sizes[0], 2),
        "seconds": [round(spent, 2) for spent in seconds],
        "same bytes in a second process": first == second,
        "group names": [group.name for group in built.groups],
    }
    half = half_pinned(given)
    if half.groups:
        half.to_yaml(pinned)
        build(pinned, options.run / "built-pinned.yaml", options.set)
        after = Taxonomy.from_yaml(options.run / "built-pinned.yaml")
        homes = {label.id: group.id for group in after.groups for label in group.labels}
        figures["pinned labels"] = len(half.labels)
        figures["pinned labels moved"] = sum(
            homes[label.id] != group.id for group in half.groups for label in group.labels
        )
    return figures


def half_pinned(given: "Taxonomy") -> "Taxonomy":
    """Keep half of the labels of a few groups where they stand, and take all others out."""
    from dataclasses import replace

    from hierarchy import Taxonomy

    groups = [g for g in given.groups if len(g.labels) > 1][:PINNED_GROUPS]
    kept = [replace(group, labels=group.labels[: len(group.labels) // 2], built=False) for group in groups]
    pinned = {label.id for group in kept for label in group.labels}
    rest = [label for label in (*given.labels, *given.unplaced) if label.id not in pinned]
    return Taxonomy(groups=tuple(kept), unplaced=tuple(rest), name=given.name)


def build(labels: Path, out: Path, settings: list[str]) -> float:
    """Run the command and return its seconds."""
    changes = [part for setting in settings for part in ("--set", f"classifier.{setting}")]
    command = [sys.executable, "-m", "pipelines.cli", "taxonomy", "build", str(labels), "-o", str(out), *changes]
    started = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True)
    return time.monotonic() - started


if __name__ == "__main__":
    main()
