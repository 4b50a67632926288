"""What a document and a model cost with 600, 10,000 and 20,000 labels: routing, saving and loading.

Rows, n-grams and vectors are generated, as many to a label as `heads_scale.py` fits; groups are as many as the builder
makes, about the square root of twice the labels. Routing is what comes behind the encoder: group scores, heads, fusion
and softmax, and the best path of each document. Its milliseconds are those of the processor: other work beside it does
not count. All sizes take turns, and a figure is the median of the rounds. The
time that the rows take to be fitted is that of `heads_scale.py`.

Example: python benchmarks/many_labels.py
         python benchmarks/many_labels.py --labels 20 100 --vocabulary 500 --ngrams-of-a-row 50 --rounds 1
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from harness import make_parser, prepare, print_table, write_record
from scipy import sparse

if TYPE_CHECKING:
    from pipelines.model.model import Model
    from stages.fine.rows import Rows
    from stages.router.router import Inputs

DIMENSIONS = 768  # of a pooled vector
NGRAMS = 100  # of a document
GROUP_NGRAMS = 2  # times as many n-grams has a row of a group
BATCHES = (1, 32, 1000)  # documents routed at once
WAYS = ("exhaustive", "beam")


def main() -> None:
    """Generate models of each size, and time them in turns."""
    parser = make_parser(__doc__, "many_labels")
    parser.add_argument("--labels", type=int, nargs="+", default=[600, 10_000, 20_000])
    parser.add_argument("--vocabulary", type=int, default=200_000, help="n-grams that there are")
    parser.add_argument("--ngrams-of-a-row", type=int, default=1_000, help="that have a weight")
    parser.add_argument("--beam", type=int, default=10, help="groups in the beam")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    prepare(options, "many_labels")
    models = {labels: generated_model(labels, options) for labels in options.labels}
    routing = time_routing(models, options)
    disk = {labels: time_disk(model, options) for labels, model in models.items()}
    ratios = {
        way: {b: times[max(models)] / times[min(models)] for b, times in of.items()} for way, of in routing.items()
    }
    figures = {
        "groups": {labels: len(model.group_ids) for labels, model in models.items()},
        "milliseconds_a_document": {
            way: {b: {n: round(1000 * s, 4) for n, s in times.items()} for b, times in of.items()}
            for way, of in routing.items()
        },
        "largest_by_smallest": {way: {b: round(r, 2) for b, r in of.items()} for way, of in ratios.items()},
        "disk": disk,
    }
    for way, of in figures["milliseconds_a_document"].items():
        rows = [(f"{b} at once", *(f"{ms:.3f}" for ms in times.values())) for b, times in of.items()]
        print_table(
            f"{way}: processor milliseconds a document", ("documents", *(f"{n:,} labels" for n in models)), rows
        )
    rows = [(f"{n:,}", *(f"{value:.2f}" for value in found.values())) for n, found in disk.items()]
    print_table("Saving and loading", ("labels", "MB", "seconds to save", "seconds to load", "of the processor"), rows)
    write_record(options, figures)


def generated_model(labels: int, options: argparse.Namespace) -> "Model":
    """Return a model of n-grams and of neural rows with so many labels; it knows no encoder.

    Parameters
    ----------
    labels
        How many.
    options
        As parsed.
    """
    from hierarchy.taxonomy import Taxonomy
    from pipelines.classifier import HierarchicalClassifier
    from stages.features import FeatureExtractor
    from stages.fine.ngrams import NgramVectorizer
    from stages.fine.rows import Rows
    from stages.label_space import LabelSpace
    from stages.router.router import Fusion, Router

    random = np.random.default_rng(0)
    groups = round((2 * labels) ** 0.5)
    ids = [f"label {i:06d}" for i in range(labels)]
    taxonomy = Taxonomy.from_data(ids, [f"group {i % groups:04d}" for i in range(labels)])
    space = LabelSpace.of(taxonomy, ids)
    weight = random.standard_normal((labels, DIMENSIONS), dtype=np.float32) / 10
    router = Router(
        space,
        neural=Rows(weight, np.full(labels, -1, dtype=np.float32)),
        lexical=drawn_rows(labels, options.ngrams_of_a_row, options.vocabulary, random),
        group_rows=drawn_rows(groups, GROUP_NGRAMS * options.ngrams_of_a_row, options.vocabulary, random),
        coarse_fusion=Fusion(neural=1.0, lexical=1.0),
        fusions={"full": Fusion(neural=1.0, lexical=1.0, coarse=0.5)},
    )
    # The record of a small training: nothing in it depends on the number of labels.
    texts, targets = ["red apple", "green apple", "fast car", "slow car"] * 4, ["red", "green", "fast", "slow"] * 4
    tree = Taxonomy.from_data(["red", "green", "fast", "slow"], ["apples", "apples", "cars", "cars"])
    small = HierarchicalClassifier(tree, encoder="none", n_jobs=1).fit(texts, targets, validation=(texts, targets))
    vocabulary = [f"word{i:07d}" for i in range(options.vocabulary)]
    vectorizer = NgramVectorizer(vocabulary, np.ones(options.vocabulary, dtype=np.float32))
    return replace(
        small.model_,
        taxonomy=taxonomy,
        train_counts=np.full(labels, 10),
        extractor=FeatureExtractor(neural=None, vectorizer=vectorizer),
        router=router,
        words={},
    )


def drawn_rows(n: int, each: int, vocabulary: int, random: np.random.Generator) -> "Rows":
    """Draw n-gram rows: frequent n-grams have weights in more of them, by Zipf's law."""
    from stages.fine.rows import Rows

    return Rows(drawn_ngrams(n, each, vocabulary, random), np.full(n, -1, dtype=np.float32))


def drawn_ngrams(n: int, each: int, vocabulary: int, random: np.random.Generator) -> sparse.csr_matrix:
    """Draw about `each` n-grams for each of n, (n, vocabulary) float32 CSR."""
    ranks = np.minimum((vocabulary ** random.random((n, each))).astype(np.int32), vocabulary - 1)
    values = random.random(n * each, dtype=np.float32) / np.float32(each**0.5)
    drawn = sparse.csr_matrix((values, ranks.ravel(), np.arange(0, n * each + 1, each)), shape=(n, vocabulary))
    drawn.sum_duplicates()
    return drawn


def time_routing(models: "dict[int, Model]", options: argparse.Namespace) -> dict[str, dict[int, dict[int, float]]]:
    """Return the median seconds of a document, by way, documents at once, and labels."""
    from pipelines.model.prediction import paths_of

    def answer(model: "Model", inputs: "Inputs", way: str) -> Callable[[], Any]:
        return lambda: paths_of(model, model.router.route(inputs, routing=way, beam=options.beam), 1)

    read = {labels: read_documents(model, options) for labels, model in models.items()}
    found: dict[str, dict[int, dict[int, float]]] = {way: {} for way in WAYS}
    for way in WAYS:
        for batch in BATCHES:
            work = {labels: answer(model, read[labels][:batch], way) for labels, model in models.items()}
            rounds: dict[int, list[float]] = {labels: [] for labels in models}
            for place in range(options.rounds + 1):
                for labels, call in work.items():
                    start = time.process_time()
                    call()
                    if place:  # the first round makes the heads
                        rounds[labels].append((time.process_time() - start) / batch)
            found[way][batch] = {labels: float(np.median(seconds)) for labels, seconds in rounds.items()}
    return found


def read_documents(model: "Model", options: argparse.Namespace) -> "Inputs":
    """Draw what the experts read of the documents of the largest batch."""
    from stages.router.router import Inputs

    random = np.random.default_rng(1)
    vectors = random.standard_normal((max(BATCHES), DIMENSIONS), dtype=np.float32)
    return Inputs(
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        random.standard_normal((max(BATCHES), len(model.group_ids)), dtype=np.float32),
        drawn_ngrams(max(BATCHES), NGRAMS, options.vocabulary, random),
    )


def time_disk(model: "Model", options: argparse.Namespace) -> dict[str, float]:
    """Save and load the model without its neural rows, which need an encoder; and these as one more array."""
    from safetensors.numpy import save_file

    from pipelines.model.artifact.loading import load_model
    from pipelines.model.artifact.saving import save_model
    from stages.arrays import read_arrays

    assert model.router.neural is not None  # noqa: S101 - for the type checker
    saving, loading, computing = [], [], []
    lexical = replace(model, router=replace(model.router, neural=None))
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(dir=options.run) as folder:
            place, neural = Path(folder) / "model", Path(folder) / "neural.safetensors"
            start = time.perf_counter()
            save_model(lexical, place, metrics=None, card="")
            save_file(model.router.neural.tensors("neural"), neural)
            saving.append(time.perf_counter() - start)
            start, before = time.perf_counter(), time.process_time()
            load_model(place)
            read_arrays(neural)
            loading.append(time.perf_counter() - start)
            computing.append(time.process_time() - before)
            size = sum(file.stat().st_size for file in (neural, *place.iterdir())) / 1e6
    seconds = {"save": saving, "load": loading, "load_processor": computing}
    return {"mb": round(size, 1)} | {what: round(float(np.median(each)), 3) for what, each in seconds.items()}


if __name__ == "__main__":
    main()
