"""How much the segment with the largest share carries: leave it out, or another one, and look at the probability.

Of the test documents with enough segments. A segment is left out of all pooling and of the aggregator, and the n-grams
are those of the text without it. Shares are computed without leaving anything out. The model is one that
``real_data.py`` has trained, or any other (--model).

Example: python benchmarks/evidence.py dc_code
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from harness import load_data, make_parser, prepare, print_table, write_record

from stages.features import FeatureExtractor, NeuralFeatures, cached_vectors
from stages.router.router import Inputs
from stages.shards import Shard
from stages.vectors import UnitVectors

RESAMPLES = 2000
LARGEST, OTHER = "largest share", "another one at random"
CHOICES = (LARGEST, OTHER, "longest", "first", "any one at random", "the one that lowers it most")
WISHED = 3.0  # times the drop of another one at random


def main() -> None:
    """Leave out segment by segment and compare the choices."""
    parser = make_parser(__doc__, "evidence-DATASET")
    parser.add_argument("dataset", nargs="?", default="dc_code", help="folder under --data (default: dc_code)")
    parser.add_argument("--model", type=Path, help="folder of a model with an encoder (default: what real_data keeps)")
    parser.add_argument("--segments", type=int, default=3, help="documents of at least so many segments (default: 3)")
    parser.add_argument("--documents", type=int, help="at most this many test documents, for a quick look")
    options = parser.parse_args()
    run = prepare(options, f"evidence-{options.dataset}", run=options.dataset)
    figures = measure(options, options.model or run / f"model-{options.dataset}")
    print(f"{figures['documents']} documents, probability of their label {figures['probability']:.3f}")
    print_table(
        "Mean drop of the predicted label's probability, with 95 % bootstrap interval",
        ("left out", "drop", "from", "to"),
        [(name, *(f"{d[k]:.4f}" for k in ("value", "low", "high"))) for name, d in figures["drop"].items()],
    )
    print_table(
        "Differences, paired bootstrap over documents",
        ("what", "value", "from", "to"),
        [(name, *(f"{d[k]:+.4f}" for k in ("value", "low", "high"))) for name, d in figures["differences"].items()],
    )
    write_record(options, figures)


def measure(options: argparse.Namespace, model_folder: Path) -> dict[str, Any]:
    """Explain each document, leave out each of its segments, and compare.

    Parameters
    ----------
    options
        As parsed.
    model_folder
        Where the model lies.
    """
    from pipelines.model.artifact.loading import load_model
    from stages.progress import progress

    if not model_folder.is_dir():
        sys.exit(f"there is no model in {model_folder}: run real_data.py {options.dataset} first, or name one: --model")
    model, _ = load_model(model_folder)
    neural = model.extractor.neural
    if neural is None or neural.fine_encoders is None or set(neural.fine_encoders) != {neural.encoder}:
        sys.exit(f"{model_folder} is no chained model with one encoder, which this benchmark needs")
    data = load_data(options.dataset, options.data, cache=options.run / "documents", limit=options.documents)
    counts = neural.segmenter(list(data.test.texts)).counts
    texts = [data.test.texts[int(i)] for i in np.flatnonzero(counts >= options.segments)]
    vectors = cached_vectors(texts, neural.encoder, neural.segmenter, neural.tokens_per_chunk, options.run)
    cached = replace(
        model,
        extractor=FeatureExtractor(
            neural=CachedFeatures(neural, texts, vectors), vectorizer=model.extractor.vectorizer
        ),
    )
    rows, before = [], []
    for text in progress(texts, total=len(texts), what="leaving out", unit="documents"):
        shares, spans, probabilities = leave_out(cached, text)
        drops = probabilities[0] - probabilities[1:]
        top = int(np.argmax(shares))
        longest = int(np.argmax([end - start for start, end in spans]))
        rows.append((drops[top], np.delete(drops, top).mean(), drops[longest], drops[0], drops.mean(), drops.max()))
        before.append(probabilities[0])
    return {
        "documents": len(texts),
        "segments": int(counts[counts >= options.segments].sum()),
        "probability": float(np.mean(before)),
        **compare(np.array(rows)),
        "settings": model.settings.model_dump(exclude={"run_dir"}),
    }


class CachedFeatures(NeuralFeatures):
    """The features of a model, with the segment vectors of some texts from the cache of a run folder."""

    def __init__(self, features: NeuralFeatures, texts: Sequence[str], vectors: UnitVectors) -> None:
        super().__init__(
            encoder=features.encoder,
            fine_encoders=features.fine_encoders,
            segmenter=features.segmenter,
            document_model=features.document_model,
            tokens_per_chunk=features.tokens_per_chunk,
        )
        self.places = {text: place for place, text in enumerate(texts)}
        self.vectors = vectors

    def unit_vectors(self, texts: Sequence[str]) -> Any:
        """Vectors of the segments of `texts`, which must be known."""
        known = [np.array(self.vectors[self.places[text]]) for text in texts]
        return {self.encoder: _in_memory(known)}


def _in_memory(vectors: Sequence[np.ndarray]) -> UnitVectors:
    """Put the segment vectors of documents together."""
    return UnitVectors([Shard(np.concatenate(vectors), np.array([len(own) for own in vectors]))])


def leave_out(model: Any, text: str) -> tuple[np.ndarray, list[tuple[int, int]], np.ndarray]:
    """Share and characters of each segment, and the best label's probability: of the whole, then without each one."""
    from pipelines.explaining.explain import explain

    explanation = explain(model, text, top_k=1)
    spans = [(segment.start, segment.end) for segment in explanation.units]
    features = model.extractor.neural
    vectors = features.unit_vectors([text])[features.encoder][0]
    readings = _in_memory([vectors, *(np.delete(vectors, place, axis=0) for place in range(len(vectors)))])
    read, logits = features.read({features.encoder: readings})
    ngrams = None
    if model.extractor.vectorizer is not None:
        ngrams = model.extractor.vectorizer.transform(
            [text, *(f"{text[:start]}\n{text[end:]}" for start, end in spans)]
        )
    routed = model.router.route(Inputs(read, logits, ngrams))
    best = model.label_ids.index(explanation.label)
    return np.array([s.share for s in explanation.units]), spans, routed.probabilities[:, best].astype(np.float64)


def compare(drops: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Mean drop of each choice and what the largest share has over the others, with bootstrap intervals.

    Parameters
    ----------
    drops
        (documents, choices) in the order of `CHOICES`.
    seed
        Of the resamples, which are the same for all figures.
    """
    rng = np.random.default_rng(seed)
    draws = [rng.integers(len(drops), size=len(drops)) for _ in range(RESAMPLES)]
    means = np.stack([drops.mean(0), *(drops[drawn].mean(0) for drawn in draws)])  # (1 + resamples, choices)

    def interval(values: np.ndarray) -> dict[str, float]:
        low, high = np.quantile(values[1:], [0.025, 0.975])
        return {"value": float(values[0]), "low": float(low), "high": float(high)}

    of = dict(zip(CHOICES, means.T, strict=True))
    differences = {f"{LARGEST} - {name}": interval(of[LARGEST] - of[name]) for name in CHOICES[1:]}
    differences[f"{LARGEST} - {WISHED:g} x {OTHER}"] = interval(of[LARGEST] - WISHED * of[OTHER])
    ratio = None  # of no meaning where leaving out another one does not lower the probability at all
    if of[OTHER][0] > 0:
        ratio = float(of[LARGEST][0] / of[OTHER][0])
    return {
        "drop": {name: interval(values) for name, values in of.items()},
        "differences": differences,
        "ratio": ratio,
        "met": bool(of[LARGEST][0] >= WISHED * of[OTHER][0] and of[LARGEST][0] > max(of["longest"][0], of["first"][0])),
    }


if __name__ == "__main__":
    main()
