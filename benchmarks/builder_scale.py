"""Groups of a large label set from generated vectors: seconds and peak memory, probe and choice of the number included.

Labels lie around group centres and documents around labels, with noise; label texts get vectors of their own, so that
no encoder runs. Everything is drawn from one seed.

Example: python benchmarks/builder_scale.py --labels 600 --documents 10000
         python benchmarks/builder_scale.py --labels 10000 --documents 50000
"""

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from harness import make_parser, prepare, print_table, write_record

from pipelines.estimating.memory import PeakMemory

NOISE = 0.08  # of a document in each dimension, beside label centres of length about 1


def main() -> None:
    """Build once."""
    parser = make_parser(__doc__, "builder_scale")
    parser.add_argument("--labels", type=int, default=600)
    parser.add_argument("--documents", type=int, default=10_000, help="0: label texts alone")
    parser.add_argument("--dimensions", type=int, default=768, help="of a document's vector; a text's has half of it")
    options = parser.parse_args()
    prepare(options, f"builder_scale-{options.labels}x{options.documents}")
    figures = measure(options)
    print_table("Build", ("figure", "value"), [(k, str(v)) for k, v in figures.items() if k != "curve"])
    write_record(options, figures)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Generate and build.

    Parameters
    ----------
    options
        As parsed.
    """
    from hierarchy import TaxonomyBuilder

    rng = np.random.default_rng(0)
    group_of = rng.integers(max(2, options.labels // 20), size=options.labels)

    def around_groups(dimensions: int) -> np.ndarray:
        centres = rng.normal(size=(group_of.max() + 1, dimensions)) / np.sqrt(dimensions)
        return centres[group_of] + rng.normal(size=(options.labels, dimensions)) / np.sqrt(dimensions)

    texts, labels = around_groups(options.dimensions // 2), [f"label {i}" for i in range(options.labels)]

    def embed(some: Sequence[str]) -> np.ndarray:
        return texts[[int(text.split()[-1]) for text in some]]

    documents = None
    if options.documents:
        targets = rng.permutation(np.arange(options.documents) % options.labels)
        noise = NOISE * rng.standard_normal((options.documents, options.dimensions), dtype=np.float32)
        documents = (
            (around_groups(options.dimensions)[targets] + noise).astype(np.float32),
            [labels[i] for i in targets],
        )
    builder = TaxonomyBuilder(embed=embed)
    with PeakMemory() as memory:
        started = time.perf_counter()
        taxonomy = builder.build(labels, documents)
        seconds = time.perf_counter() - started
    sizes = [len(group.labels) for group in taxonomy.groups]
    return {
        "seconds": round(seconds, 1),
        "peak_memory": memory.figures(),
        "groups": len(sizes),
        "smallest": min(sizes),
        "largest": max(sizes),
        "rule": builder.report_.rule,
        "curve": builder.report_.curve,
    }


if __name__ == "__main__":
    main()
