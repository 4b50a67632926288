"""Which weights the builder's signals get by default: routing recall on validation documents, for a grid of weights.

Groups are built from the training documents, with the human tree's number of groups; a ridge classifier of the labels
that was fitted on the training documents routes the validation documents. A group is as probable as its labels
together. Recall is taken at the share of labels that three human groups hold on average, as in `group_trees.py`, and
averaged over seeds. Test documents are not touched.

Example: python benchmarks/signal_weights.py --datasets clinc150 attack_procedures dc_code
"""

import argparse
from typing import Any

import numpy as np
from group_trees import BEAM, training_vectors
from harness import load_data, make_parser, prepare, print_table, write_record

GRID = (
    (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (2, 4, 4), (1, 1, 2), (1, 2, 1), (1, 4, 5), (0, 1, 1), (1, 0, 1),
    (1, 1, 0),
)  # fmt: skip
SHARPNESS = 20.0


def main() -> None:
    """Build with each weights and each seed, and route."""
    parser = make_parser(__doc__, "signal_weights")
    parser.add_argument("--datasets", nargs="+", default=["clinc150", "attack_procedures", "dc_code"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    runs = prepare(options, "signal_weights").parent
    figures = {name: measure(name, options, runs) for name in options.datasets}
    rows = []
    for weights in GRID:
        key = _key(weights)
        recalls = [figures[name]["recall"][key] for name in options.datasets]
        rows.append((key, *(f"{r:.4f}" for r in recalls), f"{np.mean(recalls):.4f}"))
    human = [figures[name]["human"] for name in options.datasets]
    rows.append(("human groups", *(f"{r:.4f}" for r in human), f"{np.mean(human):.4f}"))
    print_table(
        "Routing recall on validation documents", ("text : documents : confusion", *options.datasets, "mean"), rows
    )
    write_record(options, figures)


def measure(name: str, options: argparse.Namespace, runs: Any) -> dict[str, Any]:
    """Give one data set's recalls.

    Parameters
    ----------
    name
        Of the data set.
    options
        As parsed.
    runs
        Folder of the run folders; the data set's own has the vectors.
    """
    from sklearn.linear_model import RidgeClassifier

    from hierarchy import TaxonomyBuilder
    from hierarchy.embedding.label_vectors import embed_texts
    from pipelines.config import load_config
    from pipelines.data.augmentation import label_texts
    from pipelines.training.encoder import load_encoder
    from pipelines.training.encoders import Encoders
    from stages.features import cached_vectors

    run = runs / name
    run.mkdir(parents=True, exist_ok=True)
    data = load_data(name, options.data, cache=run / "documents")
    if data.taxonomy is None or data.valid is None:
        raise SystemExit(f"{name} has no groups or no validation part")
    settings = load_config(None, ["classifier.trainable=frozen"]).classifier.model_copy(update={"run_dir": str(run)})
    X = training_vectors(settings, data)
    texts_of_labels = label_texts(data.taxonomy, data.train).values()
    encoder, segmenter = load_encoder(Encoders(settings), data.train.texts, texts_of_labels)
    valid = cached_vectors(data.valid.texts, encoder, segmenter, settings.tokens_per_chunk, run).pooled()
    labels = data.taxonomy.labels
    place = {label.id: i for i, label in enumerate(labels)}
    y = np.array([place[label] for label in data.train.labels])
    gold = np.array([place[label] for label in data.valid.labels])
    ridge = RidgeClassifier(alpha=0.01 * len(X) * float(X.var(axis=0).mean())).fit(X, y)
    scores = np.full((len(valid), len(labels)), -np.inf)
    scores[:, ridge.classes_] = ridge.decision_function(valid)
    chances = np.exp(SHARPNESS / 2 * (scores - scores.max(axis=1, keepdims=True)))  # targets are -1 and 1 here
    share, groups = BEAM / len(data.taxonomy.groups), len(data.taxonomy.groups)
    found: dict[str, float] = {}
    texts = embed_texts([label.text for label in labels])

    def embed(_: Any) -> np.ndarray:
        return texts  # always the same labels in the same order

    for weights in GRID:
        signals = dict(zip(("text", "documents", "confusion"), map(float, weights), strict=True))
        recalls = []
        for seed in options.seeds:
            builder = TaxonomyBuilder(groups, 1, len(labels), embed=embed, signals=signals, random_state=seed)
            tree = builder.build(list(labels), (X, data.train.labels))
            home = {label.id: g for g, group in enumerate(tree.groups) for label in group.labels}
            recalls.append(recall(chances, gold, np.array([home[label.id] for label in labels]), share))
        found[_key(weights)] = float(np.mean(recalls))
    return {"recall": found, "human": recall(chances, gold, data.taxonomy.group_of, share), "share": share}


def recall(chances: np.ndarray, gold: np.ndarray, group_of: np.ndarray, share: float) -> float:
    """Share of documents whose group joins a beam of that share of the labels; the last group joins in part."""
    groups = int(group_of.max()) + 1
    of_group = np.zeros((len(chances), groups))
    np.add.at(of_group.T, group_of, chances.T)
    sizes = np.bincount(group_of, minlength=groups) / len(group_of)
    order = np.argsort(-of_group, axis=1, kind="stable")
    rank = (order == group_of[gold][:, None]).argmax(axis=1)
    after = np.cumsum(sizes[order], axis=1)[np.arange(len(gold)), rank]
    own = sizes[group_of[gold]]
    return float(np.clip((share - after + own) / own, 0, 1).mean())


def _key(weights: tuple[int, ...]) -> str:
    return " : ".join(map(str, weights))


if __name__ == "__main__":
    main()
