"""What calibration and promises are worth on a real data set: calibration error, kept promises, out-of-scope documents.

Reads the model that `real_data.py DATASET` has trained. The test documents are cut in halves at random, again and
again: one half calibrates, through `HierarchicalClassifier.calibrate`, the other one tells whether the promises held.

Example: python benchmarks/real_data.py dc_code
         python benchmarks/trust.py dc_code
"""

import argparse
import copy
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from compare import validation_cut
from harness import SUFFIXES, load_data, make_parser, prepare, print_table, write_record

if TYPE_CHECKING:
    from pipelines.classifier import HierarchicalClassifier
    from pipelines.data.documents import Documents
    from stages.router.router import Inputs

BROKEN = 0.05  # a half's precision is below the promise by more than its noise where chance explains it this rarely


def main() -> None:
    """Measure and write."""
    parser = make_parser(__doc__, "trust-DATASET")
    parser.add_argument("dataset", help="folder under --data")
    parser.add_argument("--model", type=Path, help="folder of the model (default: as real_data.py has written it)")
    parser.add_argument("--splits", type=int, default=200, help="halvings of the test documents")
    parser.add_argument("--precision", type=float, default=0.95)
    parser.add_argument("--delta", type=float, default=0.1)
    parser.add_argument("--coverage", type=float, default=0.9)
    options = parser.parse_args()
    run = prepare(options, f"trust-{options.dataset}", run=options.dataset)
    model = options.model or run / f"model-{options.dataset}"
    if not model.is_dir():
        sys.exit(f"there is no model {model}: run real_data.py {options.dataset} first, or name one with --model")
    write_record(options, measure(options, model, run))


def measure(options: argparse.Namespace, folder: Path, run: Path) -> dict[str, Any]:
    """Read the model and the documents once, then measure everything.

    Parameters
    ----------
    options
        As parsed.
    folder
        Of the model.
    run
        Run folder: its vector cache is used.
    """
    from pipelines.classifier import HierarchicalClassifier

    classifier = HierarchicalClassifier.from_pretrained(folder)
    data = load_data(options.dataset, options.data, cache=run / "documents")
    inputs = classifier.model_.extractor.through_cache(data.test.texts, run)
    figures: dict[str, Any] = {"documents": len(data.test.texts)}
    _, valid = validation_cut(data)
    valid_inputs = classifier.model_.extractor.through_cache(valid.texts, run)
    figures["calibration"] = calibration_errors(classifier, inputs, data.test, (valid_inputs, valid))
    figures["promises"] = kept_promises(classifier, inputs, data.test, options)
    outside = outside_texts(options.data / options.dataset, run)
    if outside:
        figures["out_of_scope"] = {
            part: separation(classifier, known.texts, texts, data.train, run)
            for part, known, texts in (("valid", valid, outside["oos_valid"]), ("test", data.test, outside["oos_test"]))
        }
    show(figures)
    return figures


def calibration_errors(
    classifier: "HierarchicalClassifier", inputs: "Inputs", documents: "Documents", valid: "tuple[Inputs, Documents]"
) -> dict[str, dict[str, Any]]:
    """Compare the model's calibration with that of its neural rows alone under one temperature, at both levels.

    Parameters
    ----------
    classifier
        As trained.
    inputs, documents
        What the router reads of the test documents, and these.
    valid
        The same of the validation documents, for the temperature.
    """
    from scipy.special import softmax

    from pipelines.evaluation.metrics import count_thirds
    from pipelines.evaluation.reliability import (
        brier,
        calibrated_quantile,
        calibration_error_interval,
        negative_log_likelihood,
        resampled_calibration_error,
    )
    from stages.router.fusion import fit_fusion

    model = classifier.model_
    gold, gold_group = model.places(documents.labels)
    tail = (count_thirds(model.train_counts) == 0)[gold] & (gold >= 0)
    found: dict[str, dict[str, Any]] = {}
    rows, (valid_inputs, valid_documents) = model.router.neural, valid
    assert rows is not None  # noqa: S101 - the benchmark is about models with an encoder
    margins = {"neural": rows.score(valid_inputs.vectors)}
    temperature = fit_fusion(margins, model.places(valid_documents.labels)[0]).neural
    answers = {}
    for name, answer in (
        ("model", model.router.route(inputs).probabilities),
        ("neural rows alone", softmax(temperature * rows.score(inputs.vectors), axis=1)),
    ):
        answers[name] = {
            "fine": (answer, gold),
            "group": (model.space.group_mass(answer), gold_group),
            **({"tail": (answer[tail], gold[tail])} if tail.any() else {}),
        }
    for level, (probabilities, right) in answers["model"].items():
        confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == right
        error = calibration_error_interval(confidence, correct)
        entry = {
            "documents": len(right),
            "accuracy": float(correct.mean()),
            "ece": error.value,
            "ece_interval": [error.low, error.high],
            "ece_of_a_calibrated_model": calibrated_quantile(confidence),
            "brier": brier(probabilities, right),
            "nll": negative_log_likelihood(probabilities, right),
        }
        other, _ = answers["neural rows alone"][level]
        alone, alone_correct = other.max(axis=1), other.argmax(axis=1) == right
        difference = resampled_calibration_error(confidence, correct) - resampled_calibration_error(
            alone, alone_correct
        )
        low, high = np.quantile(difference, [0.025, 0.975])
        entry["neural_rows_alone"] = {
            "ece": calibration_error_interval(alone, alone_correct).value,
            "nll": negative_log_likelihood(other, right),
            "ece_difference": [float(low), float(high)],
        }
        found[level] = entry
    return found


def kept_promises(
    classifier: "HierarchicalClassifier", inputs: "Inputs", documents: "Documents", options: argparse.Namespace
) -> dict[str, Any]:
    """Calibrate on one half of the documents, and look at the other, again and again.

    Parameters
    ----------
    classifier
        As trained.
    inputs
        What the router reads of the documents.
    documents
        The test documents.
    options
        Splits, precision, delta and coverage are read.
    """
    from scipy.stats import binom

    from pipelines.promises.backoff import lowest_threshold
    from pipelines.promises.conformal import document_uniforms
    from pipelines.promises.promises import confidences, observe

    texts = list(documents.texts)
    classifier = copy.copy(classifier)
    classifier.model_ = model = replace(classifier.model_, extractor=Read(texts, inputs))
    logging.getLogger("coarsefine").setLevel(logging.ERROR)  # hundreds of calibrations would all tell what they found
    gold, gold_group = model.places(documents.labels)
    routed = model.router.route(inputs)
    best = routed.probabilities.argmax(axis=1)
    right, group_right = best == gold, model.space.groups(best) == gold_group
    confidence, group_confidence = confidences(routed, model.space)
    uniforms = document_uniforms(texts)
    everything = observe(routed, texts, gold, gold_group, model.space)
    rng = np.random.default_rng(0)
    rows: dict[str, list[float]] = {}

    def note(**figures: float) -> None:  # a precision is missing in splits where nothing is answered
        for name, figure in figures.items():
            rows.setdefault(name, []).append(float(figure))

    wished = {"precision": options.precision, "delta": options.delta}
    for split in range(options.splits):
        order = rng.permutation(len(texts))
        one, other = order[: len(texts) // 2], order[len(texts) // 2 :]
        classifier.calibrate(
            [texts[i] for i in one], [documents.labels[int(i)] for i in one], coverage=options.coverage, **wished
        )
        promises = classifier.model_.promises
        assert promises is not None  # noqa: S101 - calibrate has made them; this tells the type checker
        fine, group = promises.back_off.levels(confidence[other], group_confidence[other])
        broken = {}
        for level, answered, correct in (("fine", fine, right[other]), ("group", group, group_right[other])):
            n, k = int(answered.sum()), int((answered & correct).sum())
            broken[level] = bool(n) and binom.cdf(k, n, options.precision) < BROKEN
            note(**{f"{level}_answered": n / len(other)}, **({f"{level}_precision": k / n} if n else {}))
        alone = lowest_threshold(confidence[one], right[one], **wished)
        sets = promises.conformal.label_sets(routed.probabilities[other], model.space, uniforms[other])
        nodes = promises.conformal.tree_sets(routed.probabilities[other], model.space, uniforms[other])
        note(
            broken=broken["fine"] or broken["group"],
            answered=np.mean(fine | group),
            fine_alone_answered=0.0 if alone is None else np.mean(confidence[other] > alone),
            set_coverage=np.mean(everything.label_score[other] <= promises.conformal.labels),
            set_size=sets.sum(axis=1).mean(),
            set_empty=np.mean(~sets.any(axis=1)),
            tree_coverage=np.mean(everything.node_score[other] <= promises.conformal.tree),
            tree_fine=np.mean(nodes <= 0),
            tree_groups=nodes.clip(0).mean(),
        )
        if (split + 1) % 50 == 0:
            print(f"{split + 1} splits", flush=True)
    n = len(texts) // 2
    return {
        **wished,
        "coverage": options.coverage,
        "splits": options.splits,
        "broken_allowed": options.delta + 1.645 * float(np.sqrt(options.delta * (1 - options.delta) / options.splits)),
        "coverage_band": coverage_band(options.coverage, n, len(texts) - n),
        "mean": {name: float(np.mean(values)) for name, values in rows.items()},
        "margin_interval": interval_of(np.subtract(rows["answered"], rows["fine_alone_answered"])),
        "coverage_inside_band": float(
            np.mean([inside(x, coverage_band(options.coverage, n, len(texts) - n)) for x in rows["set_coverage"]])
        ),
    }


class Read:
    """Stands for the extractor: gives what was read of these texts before, so that they are encoded once.

    Parameters
    ----------
    texts
        All that will be asked for.
    inputs
        What the router reads of them.
    """

    neural = None  # so that no thread reads ahead

    def __init__(self, texts: Sequence[str], inputs: "Inputs") -> None:
        self._place = {text: i for i, text in enumerate(texts)}
        self._inputs = inputs

    def __call__(self, texts: Sequence[str]) -> "Inputs":
        """Give the inputs of some texts."""
        return self._inputs[np.array([self._place[text] for text in texts])]

    def begin(self, texts: Sequence[str]) -> "Callable[[], Inputs]":
        """Give what gives the inputs of some texts."""
        return lambda: self(texts)


def coverage_band(coverage: float, calibration: int, test: int) -> list[float]:
    """Bounds that the coverage on `test` documents keeps to in 95 % of splits: it is beta-binomial (Vovk 2012)."""
    from scipy.stats import betabinom

    k = int(np.ceil((calibration + 1) * coverage - 1e-9))
    low, high = betabinom.ppf([0.025, 0.975], test, k, calibration + 1 - k)
    return [float(low / test), float(high / test)]


def inside(value: float, band: Sequence[float]) -> bool:
    """Tell whether a value lies within a band, bounds included."""
    return band[0] - 1e-12 <= value <= band[1] + 1e-12


def interval_of(values: np.ndarray) -> list[float]:
    """Mean of a figure over the splits, and the middle 95 % of them."""
    return [float(values.mean()), *(float(x) for x in np.quantile(values, [0.025, 0.975]))]


def outside_texts(folder: Path, run: Path) -> dict[str, Sequence[str]]:
    """Read the documents that belong to no label: the files ``oos_valid`` and ``oos_test``, where there are both."""
    from pipelines.data.reading import read_documents

    files = {
        part: next((f for s in SUFFIXES if (f := folder / f"{part}{s}").exists()), None)
        for part in ("oos_valid", "oos_test")
    }
    if not all(files.values()):
        return {}
    return {part: read_documents(str(f), label=None, cache_dir=run / "documents")["text"] for part, f in files.items()}


def separation(
    classifier: "HierarchicalClassifier",
    known: Sequence[str],
    outside: Sequence[str],
    train: "Documents",
    run: Path,
) -> dict[str, dict[str, float]]:
    """Tell how well each score parts documents in scope from others.

    Parameters
    ----------
    classifier
        Its energy is what promises use; the others stand beside it.
    known, outside
        Documents in scope, and out of it.
    train
        For the means of each label's vectors.
    run
        Run folder.
    """
    from sklearn.metrics import roc_auc_score

    model = classifier.model_
    vectors, targets = model.extractor.through_cache(train.texts, run).vectors, model.places(train.labels)[0]
    assert vectors is not None  # noqa: S101 - the benchmark is about models with an encoder
    means = unit(np.stack([vectors[targets == label].mean(axis=0) for label in range(len(model.label_ids))]))
    scores: dict[str, list[np.ndarray]] = {}
    for texts in (known, outside):
        inputs = model.extractor.through_cache(texts, run)
        routed = model.router.route(inputs)
        scores.setdefault("cosine to the nearest mean of a label", []).append(
            (unit(inputs.vectors) @ means.T).max(axis=1)
        )
        scores.setdefault("energy", []).append(routed.energy)
        scores.setdefault("largest probability", []).append(routed.probabilities.max(axis=1))
    found = {}
    for name, (inside_scores, outside_scores) in scores.items():
        truth = np.r_[np.ones(len(inside_scores)), np.zeros(len(outside_scores))]
        kept = np.quantile(inside_scores, 0.05)
        found[name] = {
            "auroc": float(roc_auc_score(truth, np.r_[inside_scores, outside_scores])),
            "fpr_at_95_recall": float(np.mean(outside_scores >= kept)),
        }
    return found


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale rows to length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def show(figures: dict[str, Any]) -> None:
    """Print the tables."""
    print_table(
        "Calibration",
        ("level", "documents", "accuracy", "ECE", "95 % interval", "calibrated model's 95 %", "neural alone", "NLL"),
        [
            (level, str(f["documents"]), f"{f['accuracy']:.4f}", f"{f['ece']:.4f}",
             f"{f['ece_interval'][0]:.4f} to {f['ece_interval'][1]:.4f}", f"{f['ece_of_a_calibrated_model']:.4f}",
             f"{f['neural_rows_alone']['ece']:.4f}", f"{f['nll']:.4f}")
            for level, f in figures["calibration"].items()
        ],
    )  # fmt: skip
    promises = figures["promises"]
    rows = [(name, f"{value:.4f}") for name, value in promises["mean"].items()]
    rows.append(("broken, allowed", f"{promises['broken_allowed']:.4f}"))
    rows.append(("answered above the fine level alone", " / ".join(f"{x:+.4f}" for x in promises["margin_interval"])))
    rows.append(("coverage inside its band", f"{promises['coverage_inside_band']:.3f} {promises['coverage_band']}"))
    print_table(f"Promises, mean of {promises['splits']} splits", ("figure", "value"), rows)
    for part, found in figures.get("out_of_scope", {}).items():
        print_table(
            f"Out of scope, {part}",
            ("score", "AUROC", "FPR at 95 % recall"),
            [(name, f"{f['auroc']:.4f}", f"{f['fpr_at_95_recall']:.4f}") for name, f in found.items()],
        )


if __name__ == "__main__":
    main()
