"""Flip some training labels, seeded, and measure how many of them `label-errors` finds.

Flips are uniform over all other labels, and, as a second row, over the other labels of the same group, which are
harder to tell.

Example: python benchmarks/label_errors.py clinc150 --share 0.05 --seed 0
"""

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np
from harness import frozen, load_data, make_parser, prepare, print_table, write_record

if TYPE_CHECKING:
    from hierarchy.taxonomy import Taxonomy
    from pipelines.cross_validation.out_of_fold import OutOfFold

PRECISION = 0.8
KINDS = ("uniform", "same group")
COLUMNS = ("flipped", "flagged", "precision", "recall", f"recall_at_{PRECISION:.0%}_precision", "right_suggestion")


def main() -> None:
    """Flip, cross-validate, look for the flips, and write what was found."""
    parser = make_parser(__doc__, "label_errors-DATASET")
    parser.add_argument("dataset", help="folder under --data")
    parser.add_argument("--share", type=float, default=0.05, help="of the labels that are flipped")
    parser.add_argument("--seed", type=int, default=0, help="of the flips")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--part", choices=("train", "valid"), default="train", help="whose labels are flipped")
    parser.add_argument("--kind", choices=KINDS, action="append", help="of the flips (default: each)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the classifier")
    options = parser.parse_args()
    parts = ["label_errors", options.dataset, options.part, *(s.replace("=", "-") for s in options.set)]
    prepare(options, "-".join(parts))
    figures = measure(options)
    rows = [(kind, *(f"{found[column]}" for column in COLUMNS)) for kind, found in figures["flips"].items()]
    title = f"{options.dataset} {options.part}: {options.share:.0%} of {figures['documents']} labels flipped"
    print_table(title, ("flips", *COLUMNS), rows)
    write_record(options, figures)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Flip and look, for each kind of flips.

    Parameters
    ----------
    options
        As parsed.
    """
    from pipelines.classifier import HierarchicalClassifier
    from pipelines.config import load_config
    from pipelines.cross_validation.validate import cross_validate

    changes = [f"classifier.{setting}" for setting in (*frozen(options.set), *options.set)]
    settings = load_config(None, changes).classifier.model_copy(update={"run_dir": str(options.run)})
    data = load_data(options.dataset, options.data, cache=options.run / "documents")
    documents = getattr(data, options.part)
    right = np.array(documents.labels)
    found: dict[str, Any] = {}
    for kind in options.kind or (KINDS if data.taxonomy is not None else KINDS[:1]):
        given = flip(right, data.taxonomy if kind == "same group" else None, options.share, options.seed)
        classifier = HierarchicalClassifier(data.taxonomy, **settings.model_dump())
        result = cross_validate(classifier, documents.texts, given.tolist(), folds=options.folds, baselines=False)
        accuracy = round(result.mean("accuracy"), 4)
        found[kind] = {"accuracy_on_given_labels": accuracy, **score(result.predictions, right, given)}
    return {"documents": len(right), "flips": found}


def flip(labels: np.ndarray, taxonomy: "Taxonomy | None", share: float, seed: int) -> np.ndarray:
    """Give a share of the documents another label.

    Parameters
    ----------
    labels
        Right label ids.
    taxonomy
        The other label is one of the same group; None takes any other.
    share, seed
        How many, and which.
    """
    rng = np.random.default_rng(seed)
    known = sorted(set(labels.tolist()))
    group = {}
    if taxonomy is not None:
        group = {label.id: g.id for g in taxonomy.groups for label in g.labels}
    flipped = labels.copy()
    for place in rng.choice(len(labels), round(share * len(labels)), replace=False).tolist():
        own = labels[place]
        others = [label for label in known if label != own and (not group or group[label] == group[own])]
        if others:
            flipped[place] = others[int(rng.integers(len(others)))]
    return flipped


def score(predictions: "OutOfFold", right: np.ndarray, given: np.ndarray) -> dict[str, Any]:
    """Compare what is found with what was flipped.

    Parameters
    ----------
    predictions
        Out-of-fold, from the given labels.
    right, given
        Label ids by document.
    """
    from pipelines.cross_validation.label_errors import find_label_errors

    errors = find_label_errors(predictions)
    wrong = right != given
    named = np.array([one.row for one in errors.found], dtype=np.int64)
    hits = wrong[named]
    precisions = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    enough = np.flatnonzero(precisions >= PRECISION)
    suggested = np.array([one.suggested for one in errors.found])
    return {
        "flipped": int(wrong.sum()),
        "flagged": len(named),
        "precision": round(float(hits.mean()), 4),
        "recall": round(float(hits.sum() / wrong.sum()), 4),
        COLUMNS[4]: round(float(hits[: enough[-1] + 1].sum() / wrong.sum()), 4) if len(enough) else 0.0,
        "right_suggestion": round(float(np.mean(suggested[hits] == right[named][hits])), 4),
        "expected": round(errors.expected, 1),
        "across_groups": sum(one.where == "other group" for one in errors.found),
    }


if __name__ == "__main__":
    main()
