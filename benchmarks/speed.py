"""How fast: the vector cache and predict beside the bare encoder, one short document, and the times to start.

The bare encoder is ``AutoModel``'s forward over the same segments in the same chunks and the same arithmetic, with
nothing around it. What is compared alternates, so that a busy machine slows all sides alike; figures are medians.

Example: python benchmarks/speed.py dc_code --documents 600
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from harness import ROOT, load_data, make_parser, prepare, print_table, write_record

if TYPE_CHECKING:
    from pipelines.classifier import HierarchicalClassifier
    from stages.coarse.chunks import Chunk
    from stages.features import NeuralFeatures

SHORT = "My parcel was delivered to the wrong address and the shop refuses to send another one."
FIRST_PREDICTION = """
import sys, time
started = time.monotonic()
from pipelines import HierarchicalClassifier
imported = time.monotonic()
classifier = HierarchicalClassifier.from_pretrained(sys.argv[1])
loaded = time.monotonic()
classifier.predict([sys.argv[2]])
print(imported - started, loaded - imported, time.monotonic() - loaded)
"""
BARE_START = """
import sys, time
started = time.monotonic()
from transformers import AutoModel, AutoTokenizer
AutoTokenizer.from_pretrained(sys.argv[1])
AutoModel.from_pretrained(sys.argv[1])
print(time.monotonic() - started)
"""
TAXONOMY_LABELS, TAXONOMY_GROUPS = 10_000, 250


def main() -> None:
    """Measure all, in one run."""
    parser = make_parser(__doc__, "speed-DATASET")
    parser.add_argument("dataset", nargs="?", default="dc_code", help="folder under --data (default: dc_code)")
    parser.add_argument("--model", type=Path, help="trained model (default: what real_data.py left in the run folder)")
    parser.add_argument("--documents", type=int, default=600, help="test documents that are encoded in each round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over the documents")
    parser.add_argument("--repeats", type=int, default=200, help="answers to the short document")
    parser.add_argument("--starts", type=int, default=5, help="starts of each process")
    parser.add_argument("--text", default=SHORT, help="the short document")
    options = parser.parse_args()
    prepare(options, f"speed-{options.dataset}", run=options.dataset)
    model = (options.model or options.run / f"model-{options.dataset}").resolve()
    if not model.exists():
        sys.exit(f"there is no model in {model}: run real_data.py {options.dataset} first, or name one with --model")
    figures = {
        "throughput": throughput(model, options),
        "latency": latency(model, options),
        "start": start(model, options),
        "taxonomy": taxonomy_loading(options),
    }
    show(figures)
    write_record(options, figures)


def throughput(model: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Tokens per second of the bare encoder, of the vector cache, and of predict.

    Parameters
    ----------
    model
        Folder of the model.
    options
        As parsed.
    """
    from stages.features import cached_vectors

    classifier, bare = _load(model)
    neural = _neural(classifier)
    data = load_data(options.dataset, options.data, cache=options.run / "documents")
    places = np.random.default_rng(0).choice(
        len(data.test.texts), min(options.documents, len(data.test.texts)), replace=False
    )
    texts = [data.test.texts[int(i)] for i in np.sort(places)]
    chunks = _chunks(classifier, texts)
    tokens = sum(int(chunk.attention_mask.sum()) for chunk in chunks)
    padded = sum(chunk.input_ids.numel() for chunk in chunks)

    def into_cache() -> None:
        with tempfile.TemporaryDirectory(dir=options.run) as folder:
            cached_vectors(texts, neural.encoder, neural.segmenter, neural.tokens_per_chunk, Path(folder))

    sides = {"bare": lambda: bare(chunks), "cache": into_cache, "predict": lambda: classifier.predict_paths(texts)}
    seconds = alternate(sides, options.rounds, warm_up=lambda: bare(chunks[-1:]))
    median = {name: float(np.median(values)) for name, values in seconds.items()}
    return {
        "documents": len(texts),
        "segments": sum(len(chunk.index) for chunk in chunks),
        "tokens": tokens,
        "padding_share": 1 - tokens / padded,
        "seconds": seconds,
        "tokens_per_second": {name: tokens / value for name, value in median.items()},
        "cache_time_by_bare": median["cache"] / median["bare"],
        "predict_rate_by_bare": median["bare"] / median["predict"],
    }


def latency(model: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of one warm short document: the bare forward with its input ready, and the whole answer.

    Parameters
    ----------
    model
        Folder of the model.
    options
        As parsed.
    """
    classifier, bare = _load(model)
    chunks = _chunks(classifier, [options.text])
    sides = {"bare": lambda: bare(chunks), "answer": lambda: classifier.predict_paths([options.text])}
    seconds = alternate(sides, options.repeats, warm_up=sides["answer"])
    p50 = {name: 1000 * float(np.median(values)) for name, values in seconds.items()}
    p95 = {name: 1000 * float(np.quantile(values, 0.95)) for name, values in seconds.items()}
    tokens = int(chunks[0].attention_mask.sum())
    return {"tokens": tokens, "p50_ms": p50, "p95_ms": p95, "answer_by_bare": p50["answer"] / p50["bare"]}


def start(model: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of processes: ``--help``, one that loads the model and answers once, one that loads the bare encoder.

    Parameters
    ----------
    model
        Folder of the model.
    options
        As parsed.
    """
    help_, whole, parts, bare = [], [], [], []
    for _ in range(options.starts):
        help_.append(_process("-m", "pipelines.cli", "--help")[0])
        seconds, said = _process("-c", FIRST_PREDICTION, str(model), options.text)
        whole.append(seconds)
        parts.append([float(word) for word in said.split()[-3:]])
        bare.append(float(_process("-c", BARE_START, str(model / "encoder"))[1].split()[-1]))
    imports, loading, first = np.median(parts, axis=0).tolist()
    return {
        "help_seconds": float(np.median(help_)),
        "help_all": help_,
        "first_prediction_process_seconds": float(np.median(whole)),
        "import_seconds": imports,
        "from_pretrained_seconds": loading,
        "first_answer_seconds": first,
        "bare_encoder_seconds": float(np.median(bare)),
    }


def taxonomy_loading(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds to read a generated YAML file of 10,000 labels.

    Parameters
    ----------
    options
        As parsed.
    """
    from hierarchy import Group, Label, Taxonomy

    groups = tuple(
        Group(
            f"g{g}", f"Group number {g}", "what the labels of this group have in common, in a few words",
            tuple(
                Label(f"l{i}", f"Label number {i}", f"a sentence that tells when label {i} fits and when it does not")
                for i in range(g, TAXONOMY_LABELS, TAXONOMY_GROUPS)
            ),
        )
        for g in range(TAXONOMY_GROUPS)
    )  # fmt: skip
    file = options.run / "taxonomy.yaml"
    Taxonomy(groups=groups, name="generated").to_yaml(file)
    seconds = alternate({"load": lambda: Taxonomy.from_yaml(file).group_of}, options.starts)["load"]
    return {"labels": TAXONOMY_LABELS, "seconds": float(np.median(seconds)), "all": seconds}


def alternate(
    sides: dict[str, Callable[[], Any]], rounds: int, *, warm_up: Callable[[], Any] | None = None
) -> dict[str, list[float]]:
    """Time each side once a round: A B, A B, ...; return the seconds of each.

    Parameters
    ----------
    sides
        What to time.
    rounds
        How often.
    warm_up
        Called once before, untimed.
    """
    if warm_up is not None:
        warm_up()
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            started = time.perf_counter()
            side()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def show(figures: dict[str, Any]) -> None:
    """Print the figures beside what they are meant to be."""
    rate, short, start_ = figures["throughput"], figures["latency"], figures["start"]
    per_second = {name: f"{value:,.0f}" for name, value in rate["tokens_per_second"].items()}
    first = start_["from_pretrained_seconds"] + start_["first_answer_seconds"]
    whole = start_["first_prediction_process_seconds"]
    print_table(
        "Speed",
        ("what", "figure", "wanted"),
        [
            ("bare encoder, tokens a second", per_second["bare"], ""),
            ("vector cache, tokens a second", per_second["cache"], ""),
            ("predict, tokens a second", per_second["predict"], ""),
            ("time of the vector cache by the bare encoder's", f"{rate['cache_time_by_bare']:.3f}", "up to 1.15"),
            ("tokens a second of predict by the bare encoder's", f"{rate['predict_rate_by_bare']:.3f}", "0.8 or more"),
            ("padding", f"{rate['padding_share']:.1%}", "below 10%"),
            ("one short document, bare forward, p50 ms", f"{short['p50_ms']['bare']:.2f}", ""),
            ("one short document, answer, p50 ms", f"{short['p50_ms']['answer']:.2f}", ""),
            ("answer by bare forward", f"{short['answer_by_bare']:.2f}", "up to 1.5"),
            ("--help, seconds", f"{start_['help_seconds']:.2f}", "below 0.5"),
            ("from_pretrained to the first answer, seconds", f"{first:.2f}", "below 5"),
            ("the same with imports, whole process, seconds", f"{whole:.2f}", ""),
            ("transformers' own import and load of the encoder, seconds", f"{start_['bare_encoder_seconds']:.2f}", ""),
            ("taxonomy of 10,000 labels from YAML, seconds", f"{figures['taxonomy']['seconds']:.2f}", "below 2"),
        ],
    )


def _load(model: Path) -> "tuple[HierarchicalClassifier, Callable[[Sequence[Chunk]], None]]":
    """Return the classifier, and its bare encoder as a function of chunks."""
    import torch
    from transformers import AutoModel

    from pipelines import HierarchicalClassifier
    from stages.coarse.encoder import computes_bf16

    classifier = HierarchicalClassifier.from_pretrained(model)
    neural = _neural(classifier)
    device = neural.encoder.device
    transformer = AutoModel.from_pretrained(model / "encoder", dtype=torch.float32).eval().to(device)
    bf16 = neural.encoder.dtype == "bfloat16" or (neural.encoder.dtype == "auto" and computes_bf16(device))

    def bare(chunks: "Sequence[Chunk]") -> None:
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            for chunk in chunks:
                transformer(input_ids=chunk.input_ids.to(device), attention_mask=chunk.attention_mask.to(device))
        if device.type == "cuda":
            torch.cuda.synchronize()

    return classifier, bare


def _neural(classifier: "HierarchicalClassifier") -> "NeuralFeatures":
    neural = classifier.model_.extractor.neural
    if neural is None:
        sys.exit("the model has no encoder (encoder: none), so there is nothing to compare it with")
    return neural


def _chunks(classifier: "HierarchicalClassifier", texts: Sequence[str]) -> "list[Chunk]":
    """Cut texts as cache and predict do: shard by shard, in each shard sorted by length."""
    from stages.coarse.chunks import chunked
    from stages.shards import shard_bounds

    neural = _neural(classifier)
    pad_id = neural.encoder.pad_id
    return [
        chunk
        for first, end in shard_bounds(texts)
        for chunk in chunked(
            neural.segmenter(texts[first:end]).input_ids, tokens_per_chunk=neural.tokens_per_chunk, pad_id=pad_id
        )
    ]


def _process(*arguments: str) -> tuple[float, str]:
    """Run Python in a new process; return its seconds and what it printed."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True, text=True, encoding="utf-8"
    )
    return time.perf_counter() - started, done.stdout


if __name__ == "__main__":
    main()
