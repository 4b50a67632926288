"""Compare this project with what a user would pick instead, on one data set with fixed splits.

Each method and seed is a job in a process of its own and writes one JSON to results/compare: what is there already is
not done again, and a training that was stopped goes on from its last epoch. Settings are chosen on validation
documents: --validation-only leaves the test documents alone. docs/benchmarks.md tells how each method is used.

Example: python benchmarks/compare.py attack_procedures --methods flat joint --seeds 0 1 2
         python benchmarks/compare.py dc_code --layers 3 --methods joint --set max_segments=4
         python benchmarks/compare.py attack_procedures --methods flat --flat learning_rate=2e-4 --validation-only
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from harness import ROOT, DataSet, load_data, make_parser, prepare, write_record
from jobs import Fitted, Job, Spent, cuts_of, encoder_folder, spent_in, together
from near_duplicates import near_duplicates_of_test
from peers import PEERS

if TYPE_CHECKING:
    from hierarchy.taxonomy import Taxonomy
    from pipelines.data.documents import Documents

JOINT = "configs/joint.yaml"
OURS: dict[str, dict[str, Any]] = {
    "joint": {"trainable": "all"},  # over JOINT
    "joint_neural": {"trainable": "all", "lexical": False},  # over JOINT
    "joint_frozen": {"mode": "joint", "trainable": "frozen"},
    "chained_all": {"trainable": "all"},
    "chained": {"trainable": "frozen"},
    # Encoder trained on the groups (no loss goes without the labels), then frozen; rows inside each group; hard route.
    "classic": {
        "trainable": "all",
        "loss_weights": [1.0, 0.001],
        "training.metric_for_best_model": "group_accuracy",
        "fine_features": "trained",
        "negatives": "group",
        "lexical": False,
        "routing": "beam",
        "beam": 1,
    },
}
FLAT = ("flat", "flat_fused", "label_wise", "label_wise_fused")
LABEL_WISE = "label_wise"
METHODS = (*OURS, *FLAT, *PEERS)
TRAINED_BY = {  # the same training of the encoder
    "joint_neural": "joint",
    "flat_fused": "flat",
    "label_wise_fused": LABEL_WISE,
}
LONG = 512  # tokens
LONGEST_NAME = 250  # of a file: most systems take 255, and one that is being written has 5 more
FIXED = ("encoder", "dtype", "run_dir", "random_state")  # the same for all methods, or named by other options


def main() -> None:
    """Run the jobs that have no JSON yet, or the one job that this process is for."""
    parser = make_parser(__doc__, "compare", out="folder of the JSON files (default: benchmarks/results/compare)")
    parser.add_argument("dataset", help="folder under --data")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["joint", "flat"], metavar="METHOD",
                        help=f"some of: {', '.join(METHODS)}")  # fmt: skip
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0], help="one job each; methods that are not random take the first"
    )
    parser.add_argument("--encoder", type=Path, default=Path("embedded"), help="embedded, a folder, or none")
    parser.add_argument("--layers", type=int, help="only the first layers of the encoder, for all methods alike")
    parser.add_argument("--no-attention-dropout", action="store_true", help="in the encoder, for all methods alike")
    parser.add_argument("--documents", type=int, help="at most this many of each part, for a quick look")
    parser.add_argument("--train-documents", type=int, help="train on this many, and ask for their labels alone")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for this project's methods")
    parser.add_argument(
        "--flat", action="append", default=[], metavar="KEY=VALUE", help="for flat fine-tuning, label-wise too"
    )
    parser.add_argument("--validation-only", action="store_true", help="for the choice of settings")
    parser.add_argument("--here", action="store_true", help="run the first method and seed in this process")
    options = parser.parse_args()
    taken = [change for change in options.set if change.partition("=")[0] in FIXED]
    if taken:
        parser.error(f"--set {' '.join(taken)}: {', '.join(FIXED)} are not for --set; --encoder and --seeds name them")
    if options.here:
        run_job(options, options.methods[0], options.seeds[0])
        return
    failed = []
    for method, seed in jobs(options.methods, options.seeds):
        out = out_file(options, method, seed)
        if out.exists():
            print(f"there already: {out}")
            continue
        # The last of two equal options counts.
        command = [sys.executable, *sys.argv, "--methods", method, "--seeds", str(seed), "--here"]
        if subprocess.run(command, env={**os.environ, "HF_HUB_DISABLE_PROGRESS_BARS": "1"}).returncode:
            failed.append(f"{method} {seed}")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def jobs(methods: Sequence[str], seeds: Sequence[int]) -> Iterator[tuple[str, int]]:
    """Give method and seed of each job: what is not random gets one seed, what trains for others goes first."""
    for seed in seeds:
        for method in dict.fromkeys(m for name in methods for m in (TRAINED_BY.get(name, name), name)):
            if method not in PEERS or seed == seeds[0]:
                yield method, seed


def run_job(options: argparse.Namespace, method: str, seed: int) -> None:
    """Train, predict and write the JSON.

    Parameters
    ----------
    options
        As parsed.
    method
        One of `METHODS`.
    seed
        Of the training.
    """
    options = argparse.Namespace(**vars(options), method=method, seed=seed, changes=changes_of(options, method))
    options.out = out_file(options, method, seed)
    for name in ("methods", "seeds", "set", "flat", "here"):
        delattr(options, name)
    run = prepare(options, "compare", run=f"compare-{options.dataset}")
    limits = {"limit": options.documents, "train_limit": options.train_documents}
    data = load_data(options.dataset, options.data, cache=run / "documents", **limits)
    train, valid = validation_cut(data)
    job = Job(
        seed=seed,
        train=train,
        valid=valid,
        taxonomy=data.taxonomy,
        encoder=encoder_folder(
            str(options.encoder), run, layers=options.layers, no_attention_dropout=options.no_attention_dropout
        ),
        changes=options.changes,
        folder=run / method / file_name([*setup_of(options), *plain(options.changes)], str(seed)),
    )
    trained = replace(job, folder=run / TRAINED_BY.get(method, method) / job.folder.name)
    earlier = {} if method not in TRAINED_BY else spent_in(trained.folder)
    with Spent(job.folder):
        fitted = fit(method, trained)
    labels = sorted({*train.labels, *valid.labels, *data.test.labels})
    place = {label: i for i, label in enumerate(labels)}

    def scored(documents: "Documents", predicted: Sequence[str]) -> dict[str, Any]:
        found = [np.array([place[label] for label in some]) for some in (documents.labels, predicted, train.labels)]
        return scores(*found, labels, data.taxonomy)

    figures: dict[str, Any] = {
        "valid": scored(valid, fitted.predict(valid.texts)),
        "training": together(earlier, spent_in(job.folder)),
        "random": method not in PEERS,
        "labels": len(labels),
        "groups": None if data.taxonomy is None else len(data.taxonomy.groups),
        "documents": {"train": len(train.texts), "valid": len(valid.texts), "test": len(data.test.texts)},
        "settings": fitted.settings,
    }
    if not options.validation_only:
        started = time.monotonic()
        predicted = fitted.predict(data.test.texts)
        figures["documents_per_second"] = len(data.test.texts) / (time.monotonic() - started)
        figures["test"] = scored(data.test, predicted)
        # Places in the sorted labels, for the bootstrap.
        figures["gold"] = [place[label] for label in data.test.labels]
        figures["predicted"] = [place[label] for label in predicted]
        figures["long"] = np.flatnonzero(long_documents(data.test.texts)).tolist()
        figures["near_duplicates"] = np.flatnonzero(near_duplicates_of_test(data).sum(1)).tolist()
    for part in ("valid",) if options.validation_only else ("valid", "test"):
        told = f"accuracy {figures[part]['accuracy']:.4f}, macro-F1 {figures[part]['macro_f1']:.4f}"
        print(f"{options.dataset}, {method}, seed {seed}, {part}: {told}")
    write_record(options, figures)


def fit(method: str, job: Job) -> Fitted:
    """Train one method; what it does not need is not loaded."""
    if method in PEERS:
        return PEERS[method](job)
    if method in FLAT:
        import flat

        if method.startswith(LABEL_WISE):
            job = replace(job, changes=(*job.changes, f"pooling={LABEL_WISE}"))
        return flat.fit_fused(job) if method.endswith("_fused") else flat.fit_flat(job)
    return fit_ours(job, OURS[method], ROOT / JOINT if method in ("joint", "joint_neural") else None)


def fit_ours(job: Job, given: dict[str, Any], config: Path | None = None) -> Fitted:
    """Train this project's classifier.

    Parameters
    ----------
    job
        Its `changes` go over `given`; its folder keeps the training.
    given
        The settings that make the method.
    config
        The file that they go over; None for the defaults.
    """
    from pipelines import HierarchicalClassifier
    from pipelines.config import load_config

    overrides = [*(f"{name}={value}" for name, value in given.items()), *job.changes]
    # One arithmetic for all methods: flat fine-tuning predicts in fp32.
    settings = load_config(config, [f"classifier.{o}" for o in overrides]).classifier.resolved(
        encoder=job.encoder, random_state=job.seed, run_dir=str(job.folder), dtype="float32"
    )
    classifier = HierarchicalClassifier(job.taxonomy, **settings.model_dump())
    classifier.fit(job.train.texts, job.train.labels, validation=(job.valid.texts, job.valid.labels))
    return Fitted(classifier.predict, classifier.model_.settings.model_dump(exclude={"encoder", "run_dir"}))


def scores(
    gold: np.ndarray, predicted: np.ndarray, trained: np.ndarray, labels: Sequence[str], taxonomy: "Taxonomy | None"
) -> dict[str, Any]:
    """Score predictions.

    Parameters
    ----------
    gold, predicted
        (documents,) places in `labels`.
    trained
        (training documents,) the same: how many a label has decides whether it counts as head, middle or tail.
    labels
        Sorted ids.
    taxonomy
        For hierarchical F1; None leaves it out.
    """
    from pipelines.evaluation.metrics import averaged_scores, count_labels, hierarchical_scores
    from pipelines.evaluation.score_tables import third_scores

    counts = count_labels(gold, predicted, len(labels))
    thirds = third_scores(counts, np.bincount(trained, minlength=len(labels)))
    hierarchical = None
    if taxonomy is not None:
        group_of = np.array([taxonomy.group_of[taxonomy.label_index(label)] for label in labels])
        hierarchical = hierarchical_scores(gold, predicted, group_of[gold], group_of[predicted]).f1
    return {
        "accuracy": float(np.mean(gold == predicted)),
        "macro_f1": averaged_scores(gold, predicted, "macro").f1,
        "thirds": {name: third.f1 for name, third in thirds.items()},
        "hierarchical_f1": hierarchical,
    }


def long_documents(texts: Sequence[str]) -> np.ndarray:
    """Mark the documents of more than 512 tokens of the embedded encoder, (documents,) bool."""
    from transformers import AutoTokenizer

    from hierarchy.embedding.embedded import embedded_encoder_path

    tokenizer = AutoTokenizer.from_pretrained(embedded_encoder_path())
    return np.array([len(tokenizer(text, verbose=False)["input_ids"]) > LONG for text in texts])


def validation_cut(data: DataSet) -> tuple["Documents", "Documents"]:
    """Return training and validation documents; where the set has no validation part, always the same tenth."""
    from pipelines.data.splits import stratified_split

    if data.valid is not None:
        return data.train, data.valid
    kept, held_out = stratified_split(data.train.labels)
    return data.train.select(kept), data.train.select(held_out)


def changes_of(options: argparse.Namespace, method: str) -> tuple[str, ...]:
    """Return the settings on the command line that are for this method."""
    changes = options.set if method in OURS else options.flat if method in FLAT else ()
    pools = method.startswith(LABEL_WISE)  # in its own way
    return tuple(change for change in changes if not (pools and change.startswith("pooling=")))


def setup_of(options: argparse.Namespace) -> list[str]:
    """Return what all methods have in common, as parts of a file name."""
    encoder = [] if str(options.encoder) == "embedded" else [options.encoder.name]
    cuts = cuts_of(layers=options.layers, no_attention_dropout=options.no_attention_dropout)
    documents = [] if options.documents is None else [f"{options.documents}documents"]
    training = [] if options.train_documents is None else [f"{options.train_documents}training"]
    return [options.dataset, *encoder, *cuts, *documents, *training]


def out_file(options: argparse.Namespace, method: str, seed: int) -> Path:
    """Return the JSON of a job."""
    folder = options.out or ROOT / "benchmarks" / "results" / "compare"
    part = ["validation"] if options.validation_only else []
    return Path(
        folder,
        file_name([*setup_of(options), method, *plain(changes_of(options, method)), *part], f"{seed}.json"),
    )


def file_name(parts: Sequence[str], end: str) -> str:
    """Join parts and end of a file name; one that no file system takes is cut, and told from others by a hash."""
    name = "-".join([*parts, end])
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME // 2]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}-{end}"


def plain(changes: Sequence[str]) -> list[str]:
    """Make parts of a file name."""
    return [re.sub(r"[^\w.]+", "-", change) for change in changes]


if __name__ == "__main__":
    main()
