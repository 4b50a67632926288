"""What a cascade is worth: documents a second of predict with and without it, what is lost, whether the limit holds.

A share of the training documents is cut before the training, and calibrates: ``valid`` has ended the training and
fitted the fusion, so nothing can be promised on it. Half of the cut chooses the cascade, as `calibrate` does it. The
cut is also halved at random, again and again: one half chooses, the other one tells whether more is lost than was said.

Example: python benchmarks/cascade.py clinc150
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from compare import validation_cut
from harness import DataSet, frozen, load_data, make_parser, prepare, print_table, write_record
from speed import alternate

if TYPE_CHECKING:
    from pipelines.classifier import HierarchicalClassifier
    from pipelines.data.documents import Documents
    from pipelines.model.model import Model

BROKEN = 0.05  # a half loses more than the limit by more than its noise where chance explains it this rarely


def main() -> None:
    """Train where there is no model yet, then measure and write."""
    parser = make_parser(__doc__, "cascade-DATASET")
    parser.add_argument("dataset", nargs="?", default="clinc150", help="folder under --data (default: clinc150)")
    parser.add_argument("--points", type=float, default=0.3, help="of accuracy that may be lost")
    parser.add_argument("--delta", type=float, default=0.1, help="probability that more is lost")
    parser.add_argument("--share", type=float, default=0.2, help="of the training documents that calibrate")
    parser.add_argument("--splits", type=int, default=200, help="halvings of the calibration documents")
    parser.add_argument("--rounds", type=int, default=5, help="rounds over the test documents, with and without")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting")
    options = parser.parse_args()
    run = prepare(options, f"cascade-{options.dataset}")
    write_record(options, measure(options, run))


def measure(options: argparse.Namespace, run: Path) -> dict[str, Any]:
    """Train, halve, calibrate and predict.

    Parameters
    ----------
    options
        As parsed.
    run
        Run folder: the model that is there is taken.
    """
    data = load_data(options.dataset, options.data, cache=run / "documents")
    train, valid = validation_cut(data)
    order = np.random.default_rng(0).permutation(len(train.texts))
    cut = int(options.share * len(order))
    train, calibration = train.select(np.sort(order[cut:])), train.select(np.sort(order[:cut]))
    classifier = trained(replace(data, train=train, valid=valid), options, run)
    limits = kept_limits(classifier.model_, calibration, options, run)
    classifier.calibrate(calibration, calibration.labels, delta=options.delta, cascade=options.points)
    cascade = classifier.model_.cascade
    figures: dict[str, Any] = {
        "documents": {**classifier.model_.record["documents"], "test": len(data.test.texts)},
        "limits": limits,
        "threshold": None if cascade is None else cascade.threshold,
        "chosen_on": None if cascade is None else [cascade.answered, cascade.documents],
        "test": on_test(classifier.model_, data.test, options, run),
        "speed": speed(classifier, list(data.test.texts), options.rounds),
        "settings": classifier.model_.settings.model_dump(exclude={"run_dir"}),
    }
    show(figures, options)
    return figures


def trained(data: DataSet, options: argparse.Namespace, run: Path) -> "HierarchicalClassifier":
    """Return a classifier that was trained on these documents, of this run or an earlier one.

    Parameters
    ----------
    data
        Its training and validation documents.
    options
        As parsed.
    run
        Run folder, where the model is kept.
    """
    from pipelines.classifier import HierarchicalClassifier
    from pipelines.config import load_config

    folder = run / f"model-{options.dataset}"
    if not folder.is_dir():
        changes = [f"classifier.{setting}" for setting in (*frozen(options.set), *options.set)]
        settings = load_config(None, changes).classifier.model_copy(update={"run_dir": str(run)})
        classifier = HierarchicalClassifier(data.taxonomy, **settings.model_dump())
        validation = None if data.valid is None else (data.valid, data.valid.labels)
        classifier.fit(data.train, data.train.labels, validation=validation)
        classifier.save_pretrained(folder)
    return HierarchicalClassifier.from_pretrained(folder)


def kept_limits(model: "Model", documents: "Documents", options: argparse.Namespace, run: Path) -> dict[str, Any]:
    """Choose the threshold on one half of the documents, and look at the other, again and again.

    Parameters
    ----------
    model
        Without a cascade.
    documents
        Calibration documents.
    options
        Points, delta and splits are read.
    run
        Run folder: its vector cache is used.
    """
    from scipy.stats import binom

    from pipelines.promises.cascade import lowest_cascade_threshold
    from pipelines.training.cascade import FOR_WEIGHTS
    from stages.router.cascade import confidence, ngram_router

    inputs, gold = model.extractor.through_cache(documents.texts, run), model.places(documents.labels)[0]
    right = model.router.route(inputs).probabilities.argmax(axis=1) == gold
    rng, half, limit = np.random.default_rng(0), len(gold) // 2, options.points / 100
    found = np.zeros((options.splits, 3))  # (splits, lost, answered by n-grams, accuracy gained)
    for row in found:
        order = rng.permutation(len(gold))
        fitting, choosing, other = np.split(order, [FOR_WEIGHTS, half])
        router = ngram_router(model.router, inputs[fitting], gold[fitting])
        routed = router.route(replace(inputs, vectors=None, group_logits=None))
        sure, ngrams_right = confidence(routed), routed.probabilities.argmax(axis=1) == gold
        lost = right & ~ngrams_right
        threshold = lowest_cascade_threshold(sure[choosing], lost[choosing], points=options.points, delta=options.delta)
        if threshold is not None:
            taken = sure[other] > threshold
            gained = ngrams_right[other].astype(int) - right[other]
            row[:] = (lost[other] & taken).mean(), taken.mean(), (gained * taken).mean()
    others = len(gold) - half
    broken = binom.sf(np.round(found[:, 0] * others) - 1, others, limit) < BROKEN
    return {
        "splits": options.splits,
        "documents_of_a_half": [half - FOR_WEIGHTS, others],
        "above_the_limit": float((found[:, 0] > limit).mean()),
        "broken": float(broken.mean()),
        "lost": float(found[:, 0].mean()),
        "answered_by_ngrams": float(found[:, 1].mean()),
        "accuracy_difference": float(found[:, 2].mean()),
    }


def on_test(model: "Model", documents: "Documents", options: argparse.Namespace, run: Path) -> dict[str, Any]:
    """Compare the answers to the test documents with and without the cascade.

    Parameters
    ----------
    model
        With its cascade.
    documents
        The test documents.
    options
        As parsed.
    run
        Run folder: its vector cache is used.
    """
    from scipy.stats import binomtest

    from pipelines.evaluation.bootstrap import paired_bootstrap

    inputs, gold = model.extractor.through_cache(documents.texts, run), model.places(documents.labels)[0]
    how: dict[str, Any] = {"routing": model.settings.routing, "beam": model.settings.beam}
    routed = model.route(inputs, **how)
    right = routed.probabilities.argmax(axis=1) == gold
    without = model.router.route(inputs, **how).probabilities.argmax(axis=1) == gold
    lost = int((without & ~right).sum())
    interval = binomtest(lost, len(gold)).proportion_ci(0.9)  # whose upper end is the bound with delta 0.05
    difference = paired_bootstrap(right, without)
    return {
        "answered_by_ngrams": float(routed.by_ngrams.mean()),
        "accuracy": float(right.mean()),
        "accuracy_without": float(without.mean()),
        "accuracy_difference": [difference.value, difference.low, difference.high],
        "lost": lost,
        "gained": int((right & ~without).sum()),
        "lost_share": [lost / len(gold), float(interval.low), float(interval.high)],
    }


def speed(classifier: "HierarchicalClassifier", texts: list[str], rounds: int) -> dict[str, Any]:
    """Time predict with the cascade and without it, in turn.

    Parameters
    ----------
    classifier
        Calibrated.
    texts
        Documents.
    rounds
        How often.
    """
    model = classifier.model_

    def predict(answering: "Model") -> None:
        classifier.model_ = answering
        classifier.predict(texts)

    plain = replace(model, cascade=None)
    sides: dict[str, Callable[[], Any]] = {"with": partial(predict, model), "without": partial(predict, plain)}
    seconds = alternate(sides, rounds, warm_up=lambda: predict(plain))
    classifier.model_ = model
    rates = {side: len(texts) / float(np.median(spent)) for side, spent in seconds.items()}
    ratios = np.divide(seconds["without"], seconds["with"])
    return {
        "documents": len(texts),
        "seconds": seconds,
        "documents_per_second": rates,
        "times_as_fast": float(np.median(ratios)),
        "times_as_fast_range": [float(ratios.min()), float(ratios.max())],
    }


def show(figures: dict[str, Any], options: argparse.Namespace) -> None:
    """Print the tables."""
    limits, test, rate = figures["limits"], figures["test"], figures["speed"]
    print_table(
        f"Cascade of at most {options.points:g} points, {options.dataset}",
        ("figure", "value"),
        [
            (
                "documents a second with, without",
                " , ".join(f"{v:,.0f}" for v in rate["documents_per_second"].values()),
            ),
            ("times as fast", f"{rate['times_as_fast']:.2f}"),
            ("answered by n-grams alone, test", f"{test['answered_by_ngrams']:.1%}"),
            ("accuracy with, without", f"{test['accuracy']:.4f}, {test['accuracy_without']:.4f}"),
            ("lost, gained", f"{test['lost']}, {test['gained']} of {rate['documents']:,}"),
            ("lost, % (90 % interval)", "{:.2f} ({:.2f} to {:.2f})".format(*(100 * x for x in test["lost_share"]))),
            (f"halvings above the limit, of {limits['splits']}", f"{limits['above_the_limit']:.1%}"),
            ("of them by more than noise", f"{limits['broken']:.1%}"),
            ("mean answered by n-grams there", f"{limits['answered_by_ngrams']:.1%}"),
        ],
    )


if __name__ == "__main__":
    main()
