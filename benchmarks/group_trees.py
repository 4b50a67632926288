"""What a tree is worth: the same training on human, built, random and name-clustered groups, paired by seed.

All trees have the human tree's number of groups. Built ones come from `TaxonomyBuilder` with the training documents;
random ones have the built ones' sizes; "k-means on names" is scikit-learn's, without size limits, on the vectors of the
label names. Routing recall is that of the trained coarse stage on test documents, at the share of labels that three
groups of the human tree hold on average: groups join the beam, the most probable first, until that share is reached,
and the one that crosses it joins by lot (the same lot in every tree). Accuracy is that of `beam: 3`.

Example: python benchmarks/group_trees.py clinc150 --seeds 0 1 2
"""

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np
from harness import DataSet, frozen, load_data, make_parser, prepare, print_table, write_record

if TYPE_CHECKING:
    from hierarchy import Taxonomy
    from pipelines.settings import Settings

TREES = ("human", "built", "random", "k-means on names")
BEAM = 3
RESAMPLES = 2000


def main() -> None:
    """Train on each tree with each seed and compare on the test documents."""
    parser = make_parser(__doc__, "group_trees-DATASET")
    parser.add_argument("dataset", help="folder under --data; it must have groups")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="one training on each tree a seed")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the classifier")
    parser.add_argument("--documents", type=int, help="at most this many of each part, for a quick look")
    options = parser.parse_args()
    name = "-".join(["group_trees", options.dataset, *(s.replace("=", "-") for s in options.set)])
    prepare(options, name, run=options.dataset)
    figures = measure(options)
    print_table(
        f"{options.dataset}: {figures['groups']} groups",
        ("groups", "sizes", f"recall at {100 * figures['share']:.0f} % of the labels", f"accuracy at beam {BEAM}"),
        [
            (tree, f"{f['smallest']} to {f['largest']}", f"{f['recall']:.4f}", f"{f['accuracy']:.4f}")
            for tree, f in figures["trees"].items()
        ],
    )
    print_table(
        "Built less others, in points (95 % interval, paired over documents)",
        ("others", "recall", "accuracy"),
        [(tree, *(_points(d[what]) for what in ("recall", "accuracy"))) for tree, d in figures["differences"].items()],
    )
    write_record(options, figures)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Train and compare.

    Parameters
    ----------
    options
        As parsed.
    """
    from pipelines.config import load_config

    data = load_data(options.dataset, options.data, cache=options.run / "documents", limit=options.documents)
    if data.taxonomy is None:
        raise SystemExit(f"{options.dataset} has no groups to compare with")
    changes = [f"classifier.{s}" for s in (*frozen(options.set), *options.set)]
    settings = load_config(None, changes).classifier.model_copy(update={"run_dir": str(options.run)})
    share = BEAM / len(data.taxonomy.groups)
    lots = np.random.default_rng(0).random(len(data.test.texts))
    hits: dict[str, dict[str, list[np.ndarray]]] = {tree: {"recall": [], "accuracy": []} for tree in TREES}
    sizes: dict[str, list[int]] = {tree: [] for tree in TREES}
    vectors = training_vectors(settings, data)
    for seed in options.seeds:
        chosen = settings.model_copy(update={"random_state": seed})
        for tree, taxonomy in trees_of(data.taxonomy, vectors, data.train.labels, chosen).items():
            recall, right = train(taxonomy, data, chosen, share, lots)
            hits[tree]["recall"].append(recall)
            hits[tree]["accuracy"].append(right)
            sizes[tree] += [len(group.labels) for group in taxonomy.groups]
            print(f"seed {seed}, {tree}: recall {recall.mean():.4f}, accuracy {right.mean():.4f}", flush=True)
    means = {tree: {what: np.mean(of_seed, axis=0) for what, of_seed in h.items()} for tree, h in hits.items()}
    return {
        "groups": len(data.taxonomy.groups),
        "share": share,
        "trees": {
            tree: {what: float(values.mean()) for what, values in means[tree].items()}
            | {f"{what}_by_seed": [float(v.mean()) for v in hits[tree][what]] for what in hits[tree]}
            | {"smallest": min(sizes[tree]), "largest": max(sizes[tree])}
            for tree in TREES
        },
        "differences": {
            tree: {what: paired(means["built"][what], means[tree][what]) for what in means[tree]}
            for tree in TREES
            if tree != "built"
        },
        "settings": settings.model_dump(exclude={"run_dir"}),
    }


def training_vectors(settings: "Settings", data: DataSet) -> np.ndarray:
    """Return the pooled vectors of the training documents, from the cache of the run folder."""
    from pathlib import Path

    from pipelines.data.augmentation import label_texts
    from pipelines.training.encoder import load_encoder
    from pipelines.training.encoders import Encoders
    from stages.features import cached_vectors

    texts_of_labels = label_texts(data.taxonomy, data.train).values()
    encoder, segmenter = load_encoder(Encoders(settings), data.train.texts, texts_of_labels)
    folder = Path(str(settings.run_dir))
    return cached_vectors(data.train.texts, encoder, segmenter, settings.tokens_per_chunk, folder).pooled()


def trees_of(human: "Taxonomy", vectors: np.ndarray, labels: list[str], settings: "Settings") -> "dict[str, Taxonomy]":
    """Make the trees of one seed."""
    from sklearn.cluster import KMeans

    from hierarchy import TaxonomyBuilder
    from hierarchy.embedding.label_vectors import embed_texts

    groups = len(human.groups)
    # The human limits, so that they bind neither side: the rule of half to twice the mean size remains.
    builder = TaxonomyBuilder(
        groups,
        1,
        len(human.labels),
        encoder=settings.encoder,
        signals=settings.signals,
        random_state=settings.random_state,
    )
    built = builder.build(list(human.labels), (vectors, labels))
    of_built = {label: g for g, label_ids in enumerate(_members(built)) for label in label_ids}
    shuffled = np.random.default_rng(settings.random_state).permutation([of_built[label.id] for label in human.labels])
    by_name = KMeans(groups, n_init=10, random_state=settings.random_state).fit_predict(
        embed_texts([label.name for label in human.labels], encoder=settings.encoder)
    )
    return {
        "human": human,
        "built": built,
        "random": _tree(human, shuffled),
        "k-means on names": _tree(human, by_name),
    }


def train(
    taxonomy: "Taxonomy", data: DataSet, settings: "Settings", share: float, lots: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Train on one tree; return whether each test document's group and label were found, (documents,) bool each.

    Parameters
    ----------
    taxonomy
        The tree.
    data
        All parts.
    settings
        Of the classifier.
    share
        Of the labels in the beam.
    lots
        (documents,) between 0 and 1: whether the group that crosses the share joins.
    """
    from pathlib import Path

    from pipelines import HierarchicalClassifier

    classifier = HierarchicalClassifier(taxonomy, **settings.model_dump())
    validation = None if data.valid is None else (data.valid.texts, data.valid.labels)
    model = classifier.fit(data.train.texts, data.train.labels, validation=validation).model_
    inputs = model.extractor.through_cache(data.test.texts, Path(str(settings.run_dir)))
    routed = model.router.route(inputs, routing="beam", beam=BEAM)
    place = {label: i for i, label in enumerate(model.label_ids)}
    gold = np.array([place.get(label, -1) for label in data.test.labels])
    right = routed.probabilities.argmax(axis=1) == gold
    sizes = np.bincount(model.space.group_of) / len(model.space.group_of)
    order = np.argsort(-routed.coarse, axis=1, kind="stable")
    rank = (order == model.space.group_of[gold][:, None]).argmax(axis=1)
    after = np.cumsum(sizes[order], axis=1)[np.arange(len(gold)), rank]  # share once the own group has joined
    return (after - sizes[model.space.group_of[gold]] * lots <= share) & (gold >= 0), right


def paired(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """Bootstrap the mean difference over documents; each document's value is its mean over the seeds."""
    difference = a - b
    rng = np.random.default_rng(0)
    draws = [difference[rng.integers(len(difference), size=len(difference))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return {"value": float(difference.mean()), "low": float(low), "high": float(high)}


def _tree(human: "Taxonomy", group_of: np.ndarray) -> "Taxonomy":
    from hierarchy import Group, Taxonomy

    groups = [
        Group(f"g{g}", f"g{g}", labels=tuple(human.labels[i] for i in np.flatnonzero(group_of == g)))
        for g in np.unique(group_of)
    ]
    return Taxonomy(groups=tuple(groups))


def _members(taxonomy: "Taxonomy") -> list[list[str]]:
    return [[label.id for label in group.labels] for group in taxonomy.groups]


def _points(d: dict[str, float]) -> str:
    return f"{100 * d['value']:+.2f} ({100 * d['low']:+.2f} to {100 * d['high']:+.2f})"


if __name__ == "__main__":
    main()
