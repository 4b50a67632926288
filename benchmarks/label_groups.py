"""How near the groups made from labels come to the groups that people made: AMI, sizes and seconds.

All methods make the human tree's number of groups, on the same vectors: label names (character n-grams for Chinese,
MiniLM for English), with documents the builder's blend of signals, reduced to principal components. The builder's way,
with and without smoothing, keeps every group between half and twice the mean size; the others have no limits. What
depends on its seed has means over seeds. AMI is the adjusted mutual information (Vinh et al., 2010).

The method was chosen on google_zh and clinc150; the other sets are only reported.

Example: python benchmarks/label_groups.py --taxonomies ../shared/taxonomies
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from group_trees import training_vectors
from harness import ROOT, load_data, make_parser, prepare, print_table, write_record

if TYPE_CHECKING:
    from hierarchy.building.clustering import Clusters

NAMES = {
    "google_zh": ("google_zh/taxonomy.json", "none"),
    "google_zh 600": ("google_zh/taxonomy_600.json", "none"),
    "iab_content": ("iab_content/taxonomy.json", "embedded"),
    "google_en 600": ("google_en/taxonomy_600.json", "embedded"),
}
CHOOSING = ("google_zh", "google_zh 600", "clinc150 names", "clinc150 documents")
SEEDS = range(5)
RESTARTS = 10


def main() -> None:
    """Cluster each label set with each method and compare with its human groups."""
    parser = make_parser(__doc__, "label_groups")
    parser.add_argument(
        "--taxonomies", type=Path, default=ROOT.parent / "shared" / "taxonomies", help="folder of the label trees"
    )
    parser.add_argument("--only", nargs="+", choices=(*NAMES, *CHOOSING[2:]), help="these label sets alone")
    options = parser.parse_args()
    prepare(options, "label_groups")
    wanted = options.only or (*CHOOSING[:2], *CHOOSING[2:], "iab_content", "google_en 600")
    figures = {name: measure(*label_set(name, options)) | {"chose the method": name in CHOOSING} for name in wanted}
    for name, found in figures.items():
        print_table(
            f"{name}: {found['labels']} labels, {found['groups']} groups"
            + (" (the method was chosen on it)" if name in CHOOSING else " (only reported)"),
            ("method", "AMI", "sizes", "largest by smallest", "seconds"),
            [
                (
                    method,
                    f"{f['ami']:.3f}",
                    f"{f['smallest']} to {f['largest']}",
                    f"{f['ratio']:.1f}",
                    f"{f['seconds']:.2f}",
                )
                for method, f in found["methods"].items()
            ],
        )
    write_record(options, figures)


def label_set(name: str, options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return the label vectors of a set, and the human group of each label.

    Parameters
    ----------
    name
        A key of `NAMES`, or clinc150 with `names` or `documents`.
    options
        As parsed.
    """
    from hierarchy.embedding.label_vectors import embed_texts
    from hierarchy.measuring.signals import SIGNALS, label_signals

    if name in NAMES:
        file, encoder = NAMES[name]
        path = options.taxonomies / file
        if not path.is_file():
            sys.exit(f"there is no label tree {path}; see --taxonomies")
        group_of = json.loads(path.read_text(encoding="utf-8"))
        return embed_texts(list(group_of), encoder=encoder), np.unique(list(group_of.values()), return_inverse=True)[1]
    data = load_data("clinc150", options.data, cache=options.run / "documents")
    if data.taxonomy is None:
        sys.exit("clinc150 has no groups; its files need the column coarse")
    labels, documents = data.taxonomy.labels, None
    if name.endswith("documents"):
        from pipelines.config import load_config

        settings = load_config(None, ["classifier.trainable=frozen"]).classifier
        vectors = training_vectors(settings.model_copy(update={"run_dir": str(options.run)}), data)
        documents = (vectors, data.train.labels)
    return label_signals(labels, documents).blend(SIGNALS), data.taxonomy.group_of


def even(vectors: np.ndarray, groups: int) -> "Clusters":
    """Ask for so many groups of between half and twice the mean size."""
    from hierarchy.building.clustering import Clusters
    from hierarchy.building.sizes import Room

    low, high = Room(len(vectors), min_size=1, max_size=len(vectors)).ways(groups)[0]
    return Clusters(low, high, np.zeros((groups, vectors.shape[1])))


def measure(vectors: np.ndarray, human: np.ndarray) -> dict[str, Any]:
    """Compare the methods on one label set.

    Parameters
    ----------
    vectors
        (labels, dimensions), rows of length 1.
    human
        (labels,) the group of each label.
    """
    from sklearn.cluster import AgglomerativeClustering, KMeans

    from hierarchy.building.clustering import cluster
    from hierarchy.building.smoothing import smoothed
    from hierarchy.embedding.label_vectors import principal_components

    vectors = principal_components(vectors)
    groups = int(human.max()) + 1
    asked = even(vectors, groups)

    def free_k_means(seed: int) -> np.ndarray:
        return np.asarray(KMeans(groups, n_init=RESTARTS, random_state=seed).fit_predict(vectors))

    def free_linkage(_: int) -> np.ndarray:
        linkage = AgglomerativeClustering(groups, metric="cosine", linkage="average")
        return np.asarray(linkage.fit_predict(vectors))

    methods: dict[str, tuple[Callable[[int], np.ndarray], range]] = {
        "the builder's": (lambda seed: cluster(smoothed(vectors), asked, seed), range(1)),
        "the builder's without smoothing": (lambda seed: cluster(vectors, asked, seed), SEEDS),
        "k-means without limits": (free_k_means, SEEDS),
        "average linkage without limits": (free_linkage, range(1)),
    }
    figures = {method: score(make, human, seeds) for method, (make, seeds) in methods.items()}
    return {"labels": len(vectors), "groups": groups, "methods": figures}


def score(make: Callable[[int], np.ndarray], human: np.ndarray, seeds: range) -> dict[str, Any]:
    """Run a method with each seed; AMI and seconds are means, the sizes those of the most uneven run."""
    from sklearn.metrics import adjusted_mutual_info_score

    agreement, sizes = [], []
    started = time.monotonic()
    for seed in seeds:
        home = make(seed)
        agreement.append(float(adjusted_mutual_info_score(human, home)))
        sizes.append(np.bincount(home))
    uneven = max(sizes, key=lambda found: found.max() / found.min())
    return {
        "ami": round(float(np.mean(agreement)), 4),
        "smallest": int(uneven.min()),
        "largest": int(uneven.max()),
        "ratio": round(float(uneven.max() / uneven.min()), 2),
        "seconds": round((time.monotonic() - started) / len(seeds), 2),
        "runs": len(seeds),
    }


if __name__ == "__main__":
    main()
