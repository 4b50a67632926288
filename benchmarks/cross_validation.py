"""Cross-validate on the training documents of a data set, beside the flat baselines.

Example: python benchmarks/cross_validation.py clinc150
         python benchmarks/cross_validation.py attack_procedures --folds 5 --repeats 2 --set encoder=none
"""

import time
from typing import Any

from harness import frozen, load_data, make_parser, prepare, print_table, write_record


def main() -> None:
    """Cross-validate and write the figures."""
    parser = make_parser(__doc__, "cross_validation-DATASET")
    parser.add_argument("dataset", help="folder under --data")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the classifier")
    parser.add_argument("--documents", type=int, help="at most this many, for a quick look")
    options = parser.parse_args()
    prepare(options, "-".join(["cross_validation", options.dataset, *(s.replace("=", "-") for s in options.set)]))
    from pipelines.classifier import HierarchicalClassifier
    from pipelines.config import load_config
    from pipelines.cross_validation.validate import cross_validate

    changes = [f"classifier.{setting}" for setting in (*frozen(options.set), *options.set)]
    settings = load_config(None, changes).classifier.model_copy(update={"run_dir": str(options.run)})
    data = load_data(options.dataset, options.data, cache=options.run / "documents", limit=options.documents)
    started = time.monotonic()
    result = cross_validate(
        HierarchicalClassifier(data.taxonomy, **settings.model_dump()),
        data.train.texts,
        data.train.labels,
        folds=options.folds,
        repeats=options.repeats,
    )
    figures: dict[str, Any] = result.as_dict()
    figures["minutes"] = round((time.monotonic() - started) / 60, 2)
    figures["each_document_once"] = sorted(result.predictions.rows.tolist()) == list(range(len(data.train.texts)))
    rows = []
    for system, scores in figures["systems"].items():
        cells = [system]
        for figure in scores.values():
            against = figure.get("model_minus_it")
            spread = f"{figure['mean']:.4f} ± {figure['standard_deviation']:.4f}"
            test = "" if against is None else f"{100 * against['difference']:+.2f} (p {against['p']:.4f})"
            cells += [spread, test]
        rows.append(tuple(cells))
    print_table(
        f"{options.dataset}: {options.folds} folds, {options.repeats} repeats, {figures['minutes']} minutes",
        ("system", "accuracy", "model minus it", "macro-F1", "model minus it"),
        rows,
    )
    write_record(options, figures)


if __name__ == "__main__":
    main()
