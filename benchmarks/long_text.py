"""What aggregator and label attention add on long documents, and what the text after token 512 adds.

Only the coarse stage is trained, with the lexical expert off, on the segment vectors in the run folder.

Example: python benchmarks/long_text.py dc_code --seeds 0 1 2
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from harness import DataSet, load_data, make_parser, prepare, print_table, write_record

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.training.neural import NeuralStage
    from stages.coarse.encoder import Encoder
    from stages.coarse.segments import Segmenter
    from stages.label_space import LabelSpace
    from stages.vectors import UnitVectors

VARIANTS = {
    "mean pooling + linear": (False, False),
    "+ aggregator": (True, False),
    "+ label attention": (False, True),
    "both": (True, True),
}
REFERENCE = "logistic regression on pooled vectors"  # fitted to its end, unlike a linear layer that stops early
FIRST_TOKENS = 512


def main() -> None:
    """Train each variant with each seed and compare them on the test documents."""
    parser = make_parser(__doc__, "long_text-DATASET")
    parser.add_argument("dataset", nargs="?", default="dc_code", help="folder under --data (default: dc_code)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="one training of each variant a seed")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the classifier")
    parser.add_argument("--documents", type=int, help="at most this many of each part, for a quick look")
    options = parser.parse_args()
    name = "-".join(["long_text", options.dataset, *(s.replace("=", "-") for s in options.set)])
    prepare(options, name, run=options.dataset)
    figures = measure(options)
    rows = [
        (name, *(f"{x:.4f}" for x in (f["mean"], f["spread"], f["group_macro_f1"], f["valid_mean"])))
        for name, f in figures["variants"].items()
    ]
    rows.append((REFERENCE, f"{figures[REFERENCE]:.4f}", "", "", ""))
    print_table(
        "Group accuracy on test",
        ("variant", "mean", "standard deviation", "group macro-F1", "on validation data"),
        rows,
    )
    print_table(
        "Differences in points, paired bootstrap over documents",
        ("what", "seed", "difference", "95 % interval"),
        [
            (what, str(d["seed"]), f"{100 * d['value']:+.2f}", f"{100 * d['low']:+.2f} to {100 * d['high']:+.2f}")
            for what, differences in figures["differences"].items()
            for d in differences
        ],
    )
    long = figures["long_documents"]
    print(f"{long['documents']} test documents have more than {FIRST_TOKENS} tokens; group accuracy of 'both' there:")
    for name, accuracies in long["group_accuracy"].items():
        print(f"  {name}: {np.mean(accuracies):.4f} ({', '.join(f'{a:.4f}' for a in accuracies)})")
    write_record(options, figures)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Train and compare.

    Parameters
    ----------
    options
        As parsed.
    """
    from sklearn.metrics import f1_score

    from pipelines.config import load_config
    from pipelines.data.augmentation import label_texts
    from pipelines.evaluation.baselines import logistic_predictions
    from pipelines.training.encoder import load_encoder
    from pipelines.training.encoders import Encoders
    from stages.features import cached_vectors, run_document_model
    from stages.label_space import LabelSpace

    data = load_data(options.dataset, options.data, cache=options.run / "documents", limit=options.documents)
    if data.taxonomy is None or data.valid is None:
        raise SystemExit(f"{options.dataset} has no groups or no validation part, which this benchmark needs")
    changes = [f"classifier.{s}" for s in ("trainable=frozen", "lexical=off", *options.set)]
    settings = load_config(None, changes).classifier
    space = LabelSpace.of(data.taxonomy, data.train.labels)
    gold = space.group_of[space.targets(data.test.labels)]
    texts_of_labels = label_texts(data.taxonomy, data.train).values()
    encoder, segmenter = load_encoder(Encoders(settings), data.train.texts, texts_of_labels)

    def encoded(texts: Any) -> "UnitVectors":
        return cached_vectors(texts, encoder, segmenter, settings.tokens_per_chunk, options.run)

    test = encoded(data.test.texts)
    long, cut = cut_long_documents(data.test.texts, encoder.tokenizer)
    readings = {
        "all segments": [test[int(d)] for d in long],
        f"first {FIRST_TOKENS} tokens": encoded(cut) if len(long) else (),
        f"whole segments within the first {FIRST_TOKENS} tokens": [
            test[int(d)][: whole_segments(settings, segmenter)] for d in long
        ],
    }

    correct: dict[str, list[np.ndarray]] = {}  # variant -> one (documents,) a seed
    of_long: dict[str, list[np.ndarray]] = {name: [] for name in readings}
    figures: dict[str, Any] = {}
    for name, (aggregator, attention) in VARIANTS.items():
        macro, valid, correct[name] = [], [], []
        for seed in options.seeds:
            chosen = settings.model_copy(
                update={"aggregator": aggregator, "label_attention": attention, "random_state": seed}
            )
            stage, best = train(chosen, data, space, encoder, segmenter, options.run)
            answers = run_document_model(stage.document_model, test)[1].argmax(1)
            correct[name].append(answers == gold)
            macro.append(f1_score(gold, answers, average="macro", zero_division=0))
            valid.append(best)
            if name == "both" and len(long):
                for reading, vectors in readings.items():
                    of_long[reading].append(groups_of(stage, vectors) == gold[long])
        accuracies = [float(c.mean()) for c in correct[name]]
        figures[name] = {
            "accuracies": accuracies,
            "mean": float(np.mean(accuracies)),
            "spread": float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else 0.0,
            "group_macro_f1": float(np.mean(macro)),
            "valid_mean": float(np.mean(valid)),
        }
    everything, first, whole = readings
    fitted = logistic_predictions(
        stage.vectors(encoder, "training").pooled(), space.group_of[space.targets(data.train.labels)], test.pooled()
    )
    reference = [fitted == gold] * len(options.seeds)
    return {
        "variants": figures,
        REFERENCE: float(reference[0].mean()),
        "differences": {
            "both - mean pooling": differences(options.seeds, correct["both"], correct["mean pooling + linear"]),
            f"both - {REFERENCE}": differences(options.seeds, correct["both"], reference),
            f"long documents: {everything} - {first}": differences(options.seeds, of_long[everything], of_long[first]),
            f"long documents: {everything} - {whole}": differences(options.seeds, of_long[everything], of_long[whole]),
        },
        "long_documents": {
            "documents": len(long),
            "group_accuracy": {name: [float(c.mean()) for c in of_seed] for name, of_seed in of_long.items()},
        },
        "documents": {"train": len(data.train.texts), "test": len(data.test.texts)},
        "settings": settings.model_dump(exclude={"run_dir"}),
    }


def train(
    settings: "Settings", data: DataSet, space: "LabelSpace", encoder: "Encoder", segmenter: "Segmenter", folder: Path
) -> "tuple[NeuralStage, float]":
    """Train one variant, or read it from the run folder; return it with its best validation figure."""
    from pipelines.training.encoder import group_embeddings
    from pipelines.training.neural import NeuralStage

    assert data.taxonomy is not None and data.valid is not None  # noqa: S101, PT018 - measure has checked
    stage = NeuralStage(
        settings, encoder, segmenter, train_texts=data.train.texts, valid_texts=data.valid.texts, folder=folder
    )
    targets, valid_targets = (space.targets(part.labels) for part in (data.train, data.valid))
    embeddings = group_embeddings(settings, data.taxonomy, space, (encoder, segmenter))
    training = stage.train(data.taxonomy, space, targets, valid_targets, group_embeddings=embeddings)
    return stage, float(training.best_metric or 0.0)


def cut_long_documents(texts: Any, tokenizer: Any) -> tuple[np.ndarray, list[str]]:
    """Find the documents of more than 512 tokens and cut their text after the 512th."""
    places, cut = [], []
    for place, text in enumerate(texts):
        encoded = tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
        )
        offsets = encoded["offset_mapping"]
        if len(offsets) > FIRST_TOKENS:
            places.append(place)
            cut.append(text[: offsets[FIRST_TOKENS - 1][1]])
    return np.array(places, dtype=np.int64), cut


def whole_segments(settings: "Settings", segmenter: Any) -> int:
    """How many segments lie within the first 512 tokens as a whole."""
    room = settings.segment_tokens - segmenter.tokenizer.num_special_tokens_to_add()
    return max(1, (FIRST_TOKENS - room) // (room - settings.overlap) + 1)


def groups_of(stage: "NeuralStage", vectors: Any) -> np.ndarray:
    """Group of each document whose segment vectors are given."""
    from stages.features import run_document_model

    return np.asarray(run_document_model(stage.document_model, vectors)[1].argmax(1))


def differences(seeds: list[int], a: list[np.ndarray], b: list[np.ndarray]) -> list[dict[str, Any]]:
    """Paired bootstrap of a minus b, one a seed."""
    from dataclasses import asdict

    from pipelines.evaluation.bootstrap import paired_bootstrap

    pairs = zip(seeds, a, b, strict=False)  # empty where no document is long
    return [{"seed": seed, **asdict(paired_bootstrap(one, other))} for seed, one, other in pairs]


if __name__ == "__main__":
    main()
