"""All rows of a large label set on generated cached vectors and n-grams: minutes and peak memory.

Vectors are clustered: a group's centre, a label's centre beside it, and noise; groups lie in few dimensions, so that
some are near each other and get confused. Documents have n-grams of their label, of their group and of none. Labels
have a long tail. Everything is drawn from one seed.

Example: python benchmarks/heads_scale.py --labels 20000 --groups 200 --documents 200000
         python benchmarks/heads_scale.py --labels 600 --groups 30 --documents 200000
         python benchmarks/heads_scale.py --labels 20 --groups 4 --documents 2000 --vocabulary 5000
"""

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np
from harness import make_parser, prepare, print_table, write_record
from scipy import sparse

from pipelines.estimating.memory import PeakMemory

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from stages.fine.rows import Rows

HELD_OUT = 2_000  # documents beside the training ones, to see that the rows have learned something
BLOCK = 10_000  # documents generated at a time
GROUP_DIMENSIONS = 8  # of the space in which the groups' centres lie
NOISE = 0.2  # in each dimension, beside label centres of length 1
NGRAMS = 100  # of a document
OWN_NGRAMS, GROUP_NGRAMS = 60, 200  # that a label, a group has
OWN_SHARE, GROUP_SHARE = 0.06, 0.08  # of a document's n-grams


def main() -> None:
    """Generate, probe, fit and score."""
    parser = make_parser(__doc__, "heads_scale")
    parser.add_argument("--labels", type=int, default=600)
    parser.add_argument("--groups", type=int, default=30)
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--dimensions", type=int, default=768, help="of a pooled vector")
    parser.add_argument("--vocabulary", type=int, default=200_000, help="n-grams that there are")
    parser.add_argument("--negatives", choices=("all", "candidates", "group"), default="candidates")
    parser.add_argument("--jobs", type=int, default=-1, help="processes; -1 for one a core")
    options = parser.parse_args()
    name = f"heads_scale-{options.labels}x{options.documents}-{options.negatives}"
    folder = prepare(options, name)
    resumed = any(folder.glob("rows-*"))  # what a stopped run had finished takes no time now
    figures = measure(options) | {"resumed": resumed}
    rows = [(step, f"{minutes:.2f}") for step, minutes in figures["minutes"].items()]
    print(f"{options.labels} labels x {options.documents} documents, negatives: {options.negatives}")
    print(f"peak memory: {figures['peak_memory']['gib']:.2f} GiB ({figures['peak_memory']['what']})")
    print_table("Time", ("step", "minutes"), rows)
    accuracy = ", ".join(f"{expert} {value:.3f}" for expert, value in figures["accuracy"].items())
    print(f"accuracy on {HELD_OUT} more documents: {accuracy}; the probe's on groups: {figures['probe_groups']:.3f}")
    write_record(options, figures)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Fit all rows; every step is timed.

    Parameters
    ----------
    options
        As parsed.
    """
    from pipelines.config import load_config
    from pipelines.training.heads import fit_heads, probe_confusion
    from stages.fine.negatives import Problem, plan_problems
    from stages.fine.rows import Rows
    from stages.label_space import LabelSpace
    from stages.progress import Clock

    changes = [f"classifier.{s}" for s in (f"negatives={options.negatives}", f"n_jobs={options.jobs}")]
    settings: Settings = load_config(None, changes).classifier
    clock = Clock()
    with clock.step("generated data (not counted)"):
        vectors, ngrams, targets, group_of = generate(options)
    train = slice(0, options.documents)
    held_out = slice(options.documents, None)
    y, groups = targets[train], group_of[targets[train]]
    space = LabelSpace(tuple(map(str, range(options.labels))), tuple(map(str, range(options.groups))), group_of)
    with PeakMemory() as memory:
        with clock.step("probe"):
            confusion = probe_confusion(vectors[train], y, space, settings)
        with clock.step("plan"):
            problems = plan_problems(
                options.negatives, y, space, confusion=confusion, random_state=settings.random_state
            )
        fitted: dict[str, Rows] = {}
        work = (
            ("neural rows", vectors, y, problems),
            ("n-gram rows", ngrams, y, problems),
            ("n-gram rows of the groups", ngrams, groups, [Problem(np.array([g])) for g in range(options.groups)]),
        )
        for what, features, wanted, planned in work:
            with clock.step(what):
                heads = fit_heads(features[train], wanted, planned, settings, options.run, what)
                fitted[what] = Rows.stack(heads)
    minutes = {step: round(spent / 60, 3) for step, spent in clock.seconds.items()}
    counted = sum(spent for step, spent in clock.seconds.items() if "not counted" not in step)
    sizes = [len(y) if p.weights is None else np.count_nonzero(p.weights) for p in problems]
    right = np.bincount(groups, minlength=options.groups) / len(groups)
    return {
        "minutes": minutes | {"together": round(counted / 60, 3)},
        "peak_memory": memory.figures(),
        "accuracy": {
            what: float((rows.score(features[held_out]).argmax(1) == gold[held_out]).mean())
            for (what, features, _, _), rows, gold in zip(
                work, fitted.values(), (targets, targets, group_of[targets]), strict=True
            )
        },
        "probe_groups": float(np.diag(confusion) @ right),
        "documents_of_a_problem": {"mean": float(np.mean(sizes)), "largest": int(max(sizes))},
        "row_weights": {what: _weights(rows) for what, rows in fitted.items()},
        "settings": settings.model_dump(exclude={"run_dir"}),
    }


def generate(options: argparse.Namespace) -> "tuple[np.ndarray, sparse.csr_matrix, np.ndarray, np.ndarray]":
    """Draw vectors (documents, dimensions), n-grams (documents, vocabulary), targets, and each label's group."""
    from sklearn.feature_extraction.text import TfidfTransformer

    rng = np.random.default_rng(0)
    total = options.documents + HELD_OUT
    group_of = np.sort(np.arange(options.labels) % options.groups)
    targets = draw_targets(options.labels, options.documents, total, rng)
    basis = rng.normal(size=(GROUP_DIMENSIONS, options.dimensions)) / np.sqrt(options.dimensions)
    group_centres = rng.normal(size=(options.groups, GROUP_DIMENSIONS)) @ basis / np.sqrt(GROUP_DIMENSIONS)
    centres = rng.normal(size=(options.labels, options.dimensions)) / np.sqrt(options.dimensions)
    centres = (centres + group_centres[group_of]).astype(np.float32)
    own = rng.integers(options.vocabulary, size=(options.labels, OWN_NGRAMS))
    of_group = rng.integers(options.vocabulary, size=(options.groups, GROUP_NGRAMS))

    vectors = np.empty((total, options.dimensions), dtype=np.float32)
    counts = []
    for first in range(0, total, BLOCK):
        y = targets[first : first + BLOCK]
        part = centres[y] + np.float32(NOISE) * rng.standard_normal((len(y), options.dimensions), dtype=np.float32)
        vectors[first : first + BLOCK] = part / np.linalg.norm(part, axis=1, keepdims=True)
        counts.append(draw_ngrams(y, group_of, own, of_group, options.vocabulary, rng))
    ngrams = sparse.vstack(counts, format="csr", dtype=np.float32)
    weighted = TfidfTransformer(sublinear_tf=True).fit_transform(ngrams)
    return vectors, weighted.astype(np.float32, copy=False), targets, group_of


def draw_targets(labels: int, documents: int, total: int, rng: np.random.Generator) -> np.ndarray:
    """Deal documents over labels, the most to a few, at least 5 to each where there are enough; in random order."""
    share = 1 / (10 + rng.permutation(labels))
    share /= share.sum()
    least = np.repeat(np.arange(labels), min(5, documents // labels))
    train = np.concatenate([least, rng.choice(labels, documents - len(least), p=share)])
    rng.shuffle(train)
    return np.concatenate([train, rng.choice(labels, total - documents, p=share)])


def draw_ngrams(
    y: np.ndarray,
    group_of: np.ndarray,
    own: np.ndarray,
    of_group: np.ndarray,
    vocabulary: int,
    rng: np.random.Generator,
) -> sparse.csr_matrix:
    """Draw the n-grams of some documents: their label's, their group's, and common ones by Zipf's law."""
    shape = (len(y), NGRAMS)
    kind = rng.random(shape)
    drawn = (vocabulary ** rng.random(shape)).astype(np.int64)  # log-uniform ranks
    drawn = np.where(kind < OWN_SHARE, own[y[:, None], rng.integers(OWN_NGRAMS, size=shape)], drawn)
    in_group = (kind >= OWN_SHARE) & (kind < OWN_SHARE + GROUP_SHARE)
    drawn = np.where(in_group, of_group[group_of[y][:, None], rng.integers(GROUP_NGRAMS, size=shape)], drawn)
    rows = np.repeat(np.arange(len(y)), NGRAMS)
    ones = np.ones(rows.size, dtype=np.float32)
    found = sparse.csr_matrix((ones, (rows, np.minimum(drawn, vocabulary - 1).ravel())), shape=(len(y), vocabulary))
    found.sum_duplicates()
    return found


def _weights(rows: "Rows") -> int:
    return int(rows.weight.nnz if sparse.issparse(rows.weight) else rows.weight.size)


if __name__ == "__main__":
    main()
