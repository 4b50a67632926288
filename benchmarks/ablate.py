"""Ablations: the same training with one part changed, paired by seed; what each part is worth.

Encoder frozen unless `--set trainable=all` says otherwise, so that all variants share the cached vectors. Choices are
made on validation documents; test figures stand beside them with the paired difference to the unchanged model and the
95 % interval of a bootstrap over seeds and documents. Documents over 512 tokens are counted apart as well. What is
finished is kept in the run folder and not done again: after a change of code or defaults, name a new one.

Example: python benchmarks/ablate.py attack_procedures --mode joint --seeds 0 1 2
         python benchmarks/ablate.py dc_code --variants "+ aggregator" "+ label attention"
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from compare import long_documents, plain, scores, validation_cut
from harness import DataSet, frozen, load_data, make_parser, prepare, print_table, write_record
from paired import difference, resampled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.classifier import HierarchicalClassifier

BASE = "unchanged"
BOTH: dict[str, dict[str, Any]] = {
    BASE: {},
    "one query": {"attention_queries": 1},
    "one vector a segment": {"unit_tokens": None},
    "+ aggregator": {"aggregator_layers": 1},
    "+ label attention": {"label_attention": True},
    "+ aggregator and label attention": {"aggregator_layers": 1, "label_attention": True},
    "dropout: 0.1": {"dropout": 0.1},
    "pooling: cls": {"pooling": "cls"},
    "built groups": {"taxonomy": "built"},
    "imbalance: weights": {"imbalance": "weights"},
    "imbalance: weights, siblings": {"imbalance": "weights", "imbalance_scope": "siblings"},
    "imbalance: logits": {"imbalance": "logits"},
    "imbalance: oversample": {"imbalance": "oversample"},
    "imbalance: undersample": {"imbalance": "undersample"},
    "prior_correction: 0": {"prior_correction": 0.0},
    "prior_correction: 0.5": {"prior_correction": 0.5},
    "label_documents: off": {"label_documents": False},
    "word_dropout: 0.1": {"word_dropout": 0.1},
    "word_dropout: 0.3": {"word_dropout": 0.3},
    "fine_loss: path": {"fine_loss": "path"},
    "fine_loss: group": {"fine_loss": "group"},
    "row_start: random": {"row_start": "random"},
    "row_start: centroids": {"row_start": "centroids"},
    "loss_weights: learned": {"loss_weights": "learned"},
    "loss_weights: 0.3, 1": {"loss_weights": (0.3, 1.0)},
    "loss_weights: 1, 3": {"loss_weights": (1.0, 3.0)},
    "label smoothing 0.1": {"training": {"label_smoothing_factor": 0.1}},
}
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "chained": {
        **BOTH,
        "negatives: candidates": {"negatives": "candidates"},
        "negatives: group": {"negatives": "group"},
    },
    "joint": BOTH,
}
# Answers of the unchanged model with another routing or another fusion.
ROUTES: dict[str, dict[str, Any]] = {
    "no tree (b = 0)": {"variant": "no_tree"},
    "no n-grams (c = 0)": {"variant": "no_ngrams"},
    "neither tree nor n-grams": {"variant": "neither"},
    "no fusion (all weights 1)": {"variant": "plain"},
    **{f"beam: {k}": {"routing": "beam", "beam": k} for k in (1, 2, 3, 5)},
}

BOTH_EXPERTS = ("no_ngrams", "neither")  # need both experts


def main() -> None:
    """Train every variant with every seed and compare it with the unchanged model."""
    parser = make_parser(__doc__, "ablate-DATASET-MODE")
    parser.add_argument("dataset", help="folder under --data")
    parser.add_argument("--mode", choices=list(VARIANTS), default="chained")
    parser.add_argument("--variants", nargs="+", metavar="NAME", help="only these, beside the unchanged model")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="one training of each variant a seed")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for all variants alike")
    parser.add_argument("--documents", type=int, help="at most this many of each part, for a quick look")
    options = parser.parse_args()
    unknown = sorted(set(options.variants or ()) - set(VARIANTS[options.mode]))
    if unknown:
        parser.error(f"unknown variants {unknown}: mode {options.mode} has {list(VARIANTS[options.mode])}")
    partial = [f"{options.documents}documents"] * bool(options.documents) + ["some"] * bool(options.variants)
    name = "-".join(["ablate", options.dataset, options.mode, *plain(options.set), *partial])
    run = prepare(options, name, run=options.dataset)
    data = load_data(options.dataset, options.data, cache=run / "documents", limit=options.documents)
    train, valid = validation_cut(data)
    data = replace(data, train=train, valid=valid)
    figures: dict[str, Any] = {"long_documents": int(long_documents(data.test.texts).sum())}
    kept = {name: VARIANTS[options.mode][name] for name in options.variants or VARIANTS[options.mode]}
    predictions = {seed: dict(predict_all(options, data, {BASE: {}, **kept}, seed, run)) for seed in options.seeds}
    figures["variants"] = summary(data, predictions)
    print_table(
        f"{options.dataset}, {options.mode}: {len(options.seeds)} seeds",
        ("variant", "valid accuracy", "valid macro-F1", "test accuracy", "test macro-F1", "tail F1"),
        [
            (name, *(f"{100 * part[key]:.1f}" for part in (v["valid"], v["test"]) for key in ("accuracy", "macro_f1")),
             f"{100 * (v['test']['tail_f1'] or 0):.1f}")
            for name, v in figures["variants"].items()
        ],
    )  # fmt: skip
    write_record(options, figures)


def predict_all(
    options: argparse.Namespace, data: DataSet, variants: dict[str, dict[str, Any]], seed: int, run: Path
) -> "Iterator[tuple[str, dict[str, np.ndarray]]]":
    """Give the answers on validation and test documents of each variant: trained now, or kept from before.

    Parameters
    ----------
    options
        As parsed.
    data
        With its validation part.
    variants
        Name -> changed settings.
    seed
        Of the trainings.
    run
        Run folder.
    """
    folder = run / "ablations" / "-".join([options.mode, *plain(options.set), str(options.documents or "all")])
    folder.mkdir(parents=True, exist_ok=True)
    alone = {"encoder=none", "lexical=false"} & set(options.set)  # one expert: without it there is no model
    routes = {n: route for n, route in ROUTES.items() if not (alone and route.get("variant") in BOTH_EXPERTS)}
    for name, changes in variants.items():
        names = [name, *routes] if name == BASE else [name]
        files = {n: folder / f"{plain([n])[0]}-{seed}.json" for n in names}
        if not all(file.exists() for file in files.values()):
            print(f"{name}, seed {seed}", flush=True)
            classifier = train(options, data, changes, seed, run)
            for n, file in files.items():
                parts = {part: getattr(data, part).texts for part in ("valid", "test")}
                answers = {part: answer(classifier, texts, routes.get(n, {}), run) for part, texts in parts.items()}
                part = file.with_suffix(".part")
                part.write_text(json.dumps(answers), encoding="utf-8")
                part.replace(file)
        for n, file in files.items():
            yield n, {part: np.array(found) for part, found in json.loads(file.read_text(encoding="utf-8")).items()}


def train(
    options: argparse.Namespace, data: DataSet, changes: dict[str, Any], seed: int, run: Path
) -> "HierarchicalClassifier":
    """Train one variant."""
    from pipelines import HierarchicalClassifier
    from pipelines.config import load_config

    given = [f"classifier.{s}" for s in (f"mode={options.mode}", *frozen(options.set), *options.set)]
    settings = load_config(None, given).classifier.model_dump()
    changes = dict(changes)
    taxonomy = None if changes.pop("taxonomy", "given") == "built" else data.taxonomy
    training = {**settings["training"], **changes.pop("training", {})}
    settings |= {**changes, "training": training, "random_state": seed, "run_dir": str(run)}
    assert data.valid is not None  # noqa: S101 - main has cut it; this tells the type checker
    classifier = HierarchicalClassifier(taxonomy, **settings)
    return classifier.fit(data.train.texts, data.train.labels, validation=(data.valid.texts, data.valid.labels))


def answer(classifier: "HierarchicalClassifier", texts: Any, route: dict[str, Any], run: Path) -> list[str]:
    """Predict documents, their vectors through the cache of the run folder."""
    from stages.router.router import Fusion

    model = classifier.model_
    router = replace(model.router, fusions={**model.router.fusions, "plain": Fusion(1.0, 1.0, 1.0)})
    routed = router.route(model.extractor.through_cache(texts, run), **route)
    return [model.label_ids[place] for place in routed.probabilities.argmax(1)]


def summary(data: DataSet, predictions: dict[int, dict[str, dict[str, np.ndarray]]]) -> dict[str, Any]:
    """Average over seeds, and compare with the unchanged model on test documents, paired."""
    assert data.valid is not None  # noqa: S101 - main has cut it; this tells the type checker
    labels = sorted({*data.train.labels, *data.valid.labels, *data.test.labels})
    place = {label: i for i, label in enumerate(labels)}
    places = {
        part: np.array([place[label] for label in getattr(data, part).labels]) for part in ("train", "valid", "test")
    }
    long = long_documents(data.test.texts)
    found: dict[str, Any] = {}
    base: dict[int, np.ndarray] = {}
    for name in next(iter(predictions.values())):
        answers = {
            seed: {part: np.array([place[label] for label in some]) for part, some in of_seed[name].items()}
            for seed, of_seed in predictions.items()
        }
        entry: dict[str, Any] = {}
        for part in ("valid", "test"):
            each = [scores(places[part], a[part], places["train"], labels, data.taxonomy) for a in answers.values()]
            tails = [s["thirds"]["tail"] for s in each if s["thirds"].get("tail") is not None]
            entry[part] = {
                "accuracy": float(np.mean([s["accuracy"] for s in each])),
                "macro_f1": float(np.mean([s["macro_f1"] for s in each])),
                "tail_f1": float(np.mean(tails)) if tails else None,
            }
        if long.any():
            right = [(a["test"] == places["test"])[long].mean() for a in answers.values()]
            entry["test"]["accuracy_long"] = float(np.mean(right))
        resamples = {seed: resampled(places["test"], a["test"]) for seed, a in answers.items()}
        base = base or resamples
        entry["difference"] = difference(resamples, base)
        found[name] = entry
    return found


if __name__ == "__main__":
    main()
