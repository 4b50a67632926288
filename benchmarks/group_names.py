"""How well group names tell what is in a group: the share of labels whose own group's name is the nearest of all.

Labels and group names are compared by one encoder (MiniLM; character n-grams for Chinese), in two trees a label set:
the human one, whose groups also have names that people gave, and the one that the builder makes from label texts. With
`--earlier` the same groups are named by another version of the code, too. All names are in the record.

The F1 that is asked of a phrase (`ENOUGH`) and of two together (`TOGETHER`) were chosen on these trees: the least of
those tried at which names tell as much as those of people and the earlier ones on every tree. Beside them, how well
`unsorted` tells groups of random labels that are planted into these trees, one for every ten.

Example: python benchmarks/group_names.py --taxonomies ../shared/taxonomies --earlier ../coarsefine-0.1.0
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
from harness import ROOT, make_parser, prepare, print_table, write_record

if TYPE_CHECKING:
    from hierarchy.nodes import Label
    from hierarchy.taxonomy import Taxonomy

SETS = {  # file and encoder
    "demo": (ROOT / "configs" / "demo" / "taxonomy.yaml", "embedded"),
    "demo_zh": (ROOT / "configs" / "demo" / "taxonomy_zh.yaml", "none"),
    "google_en": (Path("google_en/taxonomy_600.json"), "embedded"),
    "iab_content": (Path("iab_content/taxonomy.json"), "embedded"),
    "google_zh": (Path("google_zh/taxonomy_600.json"), "none"),
}
SEEDS = range(10)
F1_ASKED = {  # of one phrase that names a group, and of two; 2 lets none
    "ENOUGH": (0.65, 0.7, 0.75, 0.8, 2.0),
    "TOGETHER": (0.35, 0.4, 0.45, 0.5, 2.0),
}
EARLIER = """
import json, sys
import numpy as np
from hierarchy.building.naming import group_names
from hierarchy.nodes import Label
groups, centrality = json.load(sys.stdin)
groups = [[Label(*label) for label in group] for group in groups]
print(json.dumps(group_names(groups, list(map(np.array, centrality)))))
"""


def main() -> None:
    """Name the groups of each tree and read the names back."""
    parser = make_parser(__doc__, "group_names")
    parser.add_argument(
        "--taxonomies", type=Path, default=ROOT.parent / "shared" / "taxonomies", help="folder of the label trees"
    )
    parser.add_argument("--earlier", type=Path, help="checkout of version 0.1.0, whose names are compared")
    parser.add_argument("--only", nargs="+", choices=tuple(SETS), default=list(SETS), help="these label sets alone")
    options = parser.parse_args()
    prepare(options, "group_names")
    figures = {name: measure(name, options.taxonomies, options.earlier) for name in options.only}
    rows = []
    for name, trees in figures.items():
        for tree, found in trees.items():
            shares = (found["nearest"].get(kind) for kind in ("people", "earlier", "now"))
            rows.append((f"{name}, {tree}", str(len(found["names"])), *(f"{s:.3f}" if s else "" for s in shares)))
    print_table("Labels whose group's name is the nearest", ("tree", "groups", "people", "earlier", "now"), rows)
    for limit, asked in F1_ASKED.items():
        print_table(
            f"The same by the F1 that is asked: {limit}",
            ("tree", *map(str, asked)),
            [
                (f"{name}, {tree}", *(f"{share:.3f}" for share in found["nearest_by_f1_asked"][limit].values()))
                for name, trees in figures.items()
                for tree, found in trees.items()
            ],
        )
    print_table(
        "Unsorted groups",
        ("tree", "of its own", "of planted ones"),
        [
            (f"{name}, {tree}", *(f"{found['unsorted'][kind]:.2f}" for kind in ("own", "planted")))
            for name, trees in figures.items()
            for tree, found in trees.items()
        ],
    )
    write_record(options, figures)


def measure(name: str, taxonomies: Path, earlier: Path | None) -> dict[str, Any]:
    """Return the figures and names of one label set: those of the human tree and of the built one.

    Parameters
    ----------
    name
        A key of `SETS`.
    taxonomies
        Where the label trees lie.
    earlier
        A checkout of another version; None leaves it out.
    """
    from hierarchy import Taxonomy, TaxonomyBuilder
    from hierarchy.building.naming import group_names
    from hierarchy.embedding.label_vectors import embed_texts
    from hierarchy.measuring.measures import measures_of

    file, encoder = SETS[name]
    path = taxonomies / file
    if not path.is_file():
        sys.exit(f"there is no label tree {path}; see --taxonomies")
    group_of = json.loads(path.read_text(encoding="utf-8")) if path.suffix == ".json" else {}
    human = Taxonomy.from_data(list(group_of), list(group_of.values())) if group_of else Taxonomy.from_yaml(path)
    built = TaxonomyBuilder(encoder=encoder).build(Taxonomy(unplaced=human.labels))
    figures = {}
    for kind, tree in (("human", human), ("built", built)):
        groups = [group.labels for group in tree.groups]
        vectors = embed_texts([label.name for label in tree.labels], encoder=encoder)
        texts = embed_texts([label.text for label in tree.labels], encoder=encoder)
        now = group_names(groups, np.split(vectors, tree.offsets[1:-1]))
        names = {"now": now} | ({"people": [group.name for group in tree.groups]} if kind == "human" else {})
        if earlier is not None:
            names["earlier"] = _earlier_names(earlier, groups, np.split(texts, tree.offsets[1:-1]))
        figures[kind] = {
            "labels": len(tree.labels),
            "nearest": {who: round(_nearest_share(tree, given, encoder), 4) for who, given in names.items()},
            "nearest_by_f1_asked": {
                limit: {
                    str(f1): round(
                        _nearest_share(tree, _names_with({limit: f1}, groups, vectors, tree.offsets), encoder), 4
                    )
                    for f1 in asked
                }
                for limit, asked in F1_ASKED.items()
            },
            "unsorted": {
                "own": round(len(measures_of(tree, texts).unsorted) / len(groups), 4),
                "planted": round(float(np.mean([_planted_share(tree, texts, seed) for seed in SEEDS])), 4),
            },
            "names": [
                {who: given[g] for who, given in names.items()} | {"labels": [label.name for label in members]}
                for g, members in enumerate(groups)
            ],
        }
    return figures


def _nearest_share(tree: "Taxonomy", names: Sequence[str], encoder: str) -> float:
    from hierarchy.embedding.label_vectors import embed_texts

    vectors = embed_texts([*(label.name for label in tree.labels), *names], encoder=encoder)
    labels, groups = vectors[: len(tree.labels)], vectors[len(tree.labels) :]
    return float(((labels @ groups.T).argmax(axis=1) == tree.group_of).mean())


def _names_with(
    limits: dict[str, float], groups: Sequence[Sequence["Label"]], vectors: np.ndarray, offsets: np.ndarray
) -> list[str]:
    from hierarchy.building import naming

    with patch.multiple(naming, **limits):
        return naming.group_names(groups, np.split(vectors, offsets[1:-1]))


def _planted_share(tree: "Taxonomy", vectors: np.ndarray, seed: int) -> float:
    """Plant groups of random labels, as many labels as the others have on average; return the share that is found."""
    from hierarchy import Group, Taxonomy
    from hierarchy.measuring.measures import measures_of

    n_planted = max(1, len(tree.groups) // 10)
    chosen = np.random.default_rng(seed).permutation(len(tree.labels))[
        : n_planted * len(tree.labels) // len(tree.groups)
    ]
    home = tree.group_of.copy()
    home[chosen] = len(tree.groups) + np.arange(len(chosen)) % n_planted
    order = np.argsort(home, kind="stable")
    groups = tuple(
        Group(str(g), str(g), labels=tuple(tree.labels[i] for i in np.flatnonzero(home == g))) for g in np.unique(home)
    )
    found = measures_of(Taxonomy(groups), vectors[order]).unsorted
    return sum(int(group) >= len(tree.groups) for group in found) / n_planted


def _earlier_names(checkout: Path, groups: Sequence[Sequence["Label"]], vectors: Sequence[np.ndarray]) -> list[str]:
    from hierarchy.embedding.label_vectors import unit

    centrality = [(rows @ unit(rows.sum(axis=0)[None])[0]).tolist() for rows in vectors]
    given = json.dumps([[[(label.id, label.name, label.description) for label in of] for of in groups], centrality])
    done = subprocess.run(
        [sys.executable, "-c", EARLIER], cwd=checkout, input=given, capture_output=True, text=True, check=True
    )
    return list(json.loads(done.stdout))


if __name__ == "__main__":
    main()
