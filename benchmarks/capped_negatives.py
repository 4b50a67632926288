"""What a cap on the negatives of a row costs: n-gram rows with fewer and fewer, on validation documents.

No encoder is needed, so that it takes minutes: each row is fitted against all other documents, against the candidates
of its group, and against these with a cap.

Example: python benchmarks/capped_negatives.py dc_code
         python benchmarks/capped_negatives.py dc_code --caps 2500 --jobs 1
"""

import argparse
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from harness import load_data, make_parser, prepare, print_table, write_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.fine.negatives import Problem


def main() -> None:
    """Fit the rows once for each kind of negatives."""
    parser = make_parser(__doc__, "capped_negatives")
    parser.add_argument("dataset")
    parser.add_argument("--caps", type=int, nargs="+", default=[5000, 2500, 1000])
    parser.add_argument("--jobs", type=int, default=-1, help="processes; -1 for one a core")
    options = parser.parse_args()
    prepare(options, f"capped_negatives-{options.dataset}")
    figures = measure(options)
    rows = [
        (one["negatives"], f"{one['documents_of_a_row']:,.0f}", f"{one['accuracy']:.2f}", f"{one['macro_f1']:.2f}")
        for one in figures["kinds"]
    ]
    print_table(options.dataset, ("negatives", "documents of a row", "accuracy, %", "macro-F1, %"), rows)
    write_record(options, figures)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Read the n-grams, and score the rows of each kind of negatives.

    Parameters
    ----------
    options
        As parsed.
    """
    from sklearn.metrics import f1_score

    from pipelines.config import load_config
    from pipelines.training.heads import fit_heads, probe_confusion
    from stages.fine.negatives import plan_problems
    from stages.fine.ngrams import NgramVectorizer
    from stages.fine.rows import Rows
    from stages.label_space import LabelSpace
    from stages.progress import Clock

    data = load_data(options.dataset, options.data, cache=options.run / "documents", test=False)
    if data.taxonomy is None or data.valid is None:
        sys.exit(f"{options.dataset} needs groups (column coarse) and validation documents")
    settings = load_config(None, ["classifier.encoder=none", f"classifier.n_jobs={options.jobs}"]).classifier
    space = LabelSpace.of(data.taxonomy, data.train.labels)
    targets, gold = space.targets(data.train.labels), space.targets(data.valid.labels)
    vectorizer, ngrams = NgramVectorizer.fit(data.train.texts, len(targets), min_df=settings.min_df)
    read, clock = vectorizer.transform(data.valid.texts), Clock()
    confusion = probe_confusion(ngrams, targets, space, settings)
    kinds: list[tuple[str, str, int | None]] = [("all", "all", None), ("candidates", "candidates", None)]
    kinds += [(f"candidates, {cap:,} at most", "candidates", cap) for cap in options.caps]
    found = []
    for name, negatives, cap in kinds:
        problems = plan_problems(negatives, targets, space, confusion=confusion, max_negatives=cap)
        with clock.step(name):
            rows = Rows.stack(fit_heads(ngrams, targets, problems, settings, options.run, name))
        answers = rows.score(read).argmax(1)
        found.append({
            "negatives": name,
            "cap": cap,
            "documents_of_a_row": documents_of_a_row(problems, targets),
            "accuracy": 100 * float((answers == gold).mean()),
            "macro_f1": 100 * float(f1_score(gold, answers, average="macro", zero_division=0)),
            "answers": answers.tolist(),
        })  # fmt: skip
    return {
        "kinds": found,
        "gold": gold.tolist(),
        "labels": len(space.label_ids),
        "groups": len(space.group_ids),
        "train": len(targets),
        "valid": len(gold),
        "minutes": {step: round(seconds / 60, 3) for step, seconds in clock.seconds.items()},
    }


def documents_of_a_row(problems: "Sequence[Problem]", targets: np.ndarray) -> float:
    """Return how many documents may be negatives of a row, in the mean over the labels."""
    sizes = [len(targets) if problem.weights is None else np.count_nonzero(problem.weights) for problem in problems]
    return float(np.average(sizes, weights=[len(problem.labels) for problem in problems]))


if __name__ == "__main__":
    main()
