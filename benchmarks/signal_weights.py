"""Which weights the builder's signals get by default: agreement with human groups, and routing recall, for a grid.

Groups are built from the training documents, with the human tree's number of groups, from all documents and from at
most a few a label (a draw a seed). AMI is the agreement with the human groups. For the recall a ridge classifier of
the labels that was fitted on all training documents routes the validation documents, where a group is as probable as
its labels together; it is taken at the share of labels that three human groups hold on average, as in
`group_trees.py`. Both are means over seeds. "texts" is what label texts alone give, "equal n0" are the default weights
with the same `n0` for every data set in place of its own estimate. Test documents are not touched.

Example: python benchmarks/signal_weights.py --datasets clinc150 attack_procedures dc_code
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from group_trees import BEAM, training_vectors
from harness import DataSet, load_data, make_parser, prepare, print_table, write_record

GRID = (
    (1, 0, 0), (0, 1, 0), (1, 9, 0), (1, 3, 0), (1, 8, 1), (1, 7, 2), (1, 6, 3), (2, 7, 1), (1, 3, 1), (1, 2, 1),
)  # fmt: skip
CHOSEN = (1, 7, 2)
FIXED = (1.0, 3.0, 10.0)  # documents for a reliability of a half, whatever the data set
MOST = (2, 5, None)  # training documents of a label that the builder sees
SHARPNESS = 20.0


def main() -> None:
    """Build with each weights, each draw and each seed, and route."""
    parser = make_parser(__doc__, "signal_weights")
    parser.add_argument("--datasets", nargs="+", default=["clinc150", "attack_procedures", "dc_code"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    runs = prepare(options, "signal_weights").parent
    figures = {name: measure(name, options, runs) for name in options.datasets}
    columns = [(name, draw) for name in options.datasets for draw in figures[name]["draws"]]
    for what in ("ami", "recall"):
        rows = []
        for key in figures[options.datasets[0]]["draws"][_draw(None)]:
            values = [figures[name]["draws"][draw][key][what] for name, draw in columns]
            rows.append((key, *(f"{value:.3f}" for value in values), f"{np.mean(values):.3f}"))
        heads = [f"{name}, {draw}" for name, draw in columns]
        print_table(what, ("text : documents : confusion", *heads, "mean"), rows)
    write_record(options, figures)


def measure(name: str, options: argparse.Namespace, runs: Path) -> dict[str, Any]:
    """Give one data set's figures.

    Parameters
    ----------
    name
        Of the data set.
    options
        As parsed.
    runs
        Folder of the run folders; the data set's own has the vectors.
    """
    from dataclasses import replace

    from hierarchy.embedding.label_vectors import embed_texts
    from hierarchy.measuring.signals import label_signals

    run = runs / name
    run.mkdir(parents=True, exist_ok=True)
    data = load_data(name, options.data, cache=run / "documents")
    if data.taxonomy is None or data.valid is None:
        raise SystemExit(f"{name} has no groups or no validation part")
    labels, human = data.taxonomy.labels, data.taxonomy.group_of
    place = {label.id: i for i, label in enumerate(labels)}
    y = np.array([place[label] for label in data.train.labels])
    X, chances = routed(data, y, run)
    gold = np.array([place[label] for label in data.valid.labels])
    share, ids = BEAM / len(data.taxonomy.groups), np.array([label.id for label in labels])
    texts = embed_texts([label.text for label in labels])
    draws: dict[str, dict[str, dict[str, float]]] = {}
    for most in MOST:
        scores: dict[str, list[tuple[float, float]]] = {}
        for seed in options.seeds:
            rows = few(y, most, seed)
            found = label_signals(labels, (X[rows], list(ids[y[rows]])), lambda _: texts, random_state=seed)
            counts = np.bincount(y[rows], minlength=len(labels))
            tries = {_key(weights): (found, weights) for weights in GRID}
            for n0 in FIXED:
                same = replace(found, reliability=dict.fromkeys(found.reliability, counts / (counts + n0)))
                tries[f"{_key(CHOSEN)}, equal n0 = {n0:g}"] = (same, CHOSEN)
            for key, (signals, weights) in tries.items():
                blend = signals.blend(dict(zip(("text", "documents", "confusion"), weights, strict=True)))
                scores.setdefault(key, []).append(judged(blend, human, chances, gold, share, seed))
        draws[_draw(most)] = {
            key: dict(zip(("ami", "recall"), np.mean(values, axis=0).round(4).tolist(), strict=True))
            for key, values in scores.items()
        }
    return {"draws": draws, "human recall": recall(chances, gold, human, share), "share": share}


def routed(data: DataSet, y: np.ndarray, run: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of the training documents, and each validation document's chances of each label."""
    from sklearn.linear_model import RidgeClassifier

    from pipelines.config import load_config
    from pipelines.data.augmentation import label_texts
    from pipelines.training.encoder import load_encoder
    from pipelines.training.encoders import Encoders
    from stages.features import cached_vectors

    settings = load_config(None, ["classifier.trainable=frozen"]).classifier.model_copy(update={"run_dir": str(run)})
    X = training_vectors(settings, data)
    texts_of_labels = label_texts(data.taxonomy, data.train).values()
    encoder, segmenter = load_encoder(Encoders(settings), data.train.texts, texts_of_labels)
    valid = cached_vectors(data.valid.texts, encoder, segmenter, settings.tokens_per_chunk, run).pooled()
    ridge = RidgeClassifier(alpha=0.01 * len(X) * float(X.var(axis=0).mean())).fit(X, y)
    scores = np.full((len(valid), len(data.taxonomy.labels)), -np.inf)
    scores[:, ridge.classes_] = ridge.decision_function(valid)
    return X, np.exp(SHARPNESS / 2 * (scores - scores.max(axis=1, keepdims=True)))  # targets are -1 and 1 here


def few(y: np.ndarray, most: int | None, seed: int) -> np.ndarray:
    """Draw at most so many documents of each label."""
    shuffled = np.random.default_rng(seed).permutation(len(y))
    by_label = shuffled[np.argsort(y[shuffled], kind="stable")]
    rank = np.arange(len(y)) - np.searchsorted(y[by_label], y[by_label])
    return np.sort(by_label[rank < (len(y) if most is None else most)])


def judged(
    blend: np.ndarray, human: np.ndarray, chances: np.ndarray, gold: np.ndarray, share: float, seed: int
) -> tuple[float, float]:
    """Cluster as the builder does, and return the agreement with the human groups and the routing recall."""
    from label_groups import even
    from sklearn.metrics import adjusted_mutual_info_score

    from hierarchy.building.clustering import cluster
    from hierarchy.building.smoothing import smoothed
    from hierarchy.embedding.label_vectors import principal_components

    vectors = smoothed(principal_components(blend, random_state=seed))
    home = cluster(vectors, even(vectors, int(human.max()) + 1), seed)
    return float(adjusted_mutual_info_score(human, home)), recall(chances, gold, home, share)


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
    return "texts" if weights == (1, 0, 0) else " : ".join(map(str, weights))


def _draw(most: int | None) -> str:
    return "all documents" if most is None else f"at most {most} a label"


if __name__ == "__main__":
    main()
