"""Compare what computes an encoder: torch, OpenVINO in each dtype, and a plain pipeline of transformers.

Speed is measured on test documents that come to so many tokens, all sides in turn in each round, medians; accuracy and
calibration error on all test documents; start and memory in a process that answers one text.

Example: python benchmarks/real_data.py clinc150      # trains the model
         python benchmarks/runtimes.py clinc150
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from harness import DataSet, load_data, machine, make_parser, prepare, print_table, write_record

from pipelines.exporting import export_model
from pipelines.model.artifact.loading import load_model
from pipelines.model.artifact.saving import save_model

if TYPE_CHECKING:
    from pipelines.data.documents import Documents
    from pipelines.model.model import Model
    from stages.features import NeuralFeatures

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ("avx512_vnni", "avx_vnni", "amx_int8", "avx512_bf16", "amx_bf16", "avx512f", "avx2")
BATCHES = (1, 8, 32, 128)
ONE_ANSWER = """
import json, resource, sys, time
start = time.perf_counter()
from pathlib import Path
from pipelines.model.artifact.loading import load_model
from pipelines.serving.answers import answers
model, _ = load_model(Path(sys.argv[1]))
next(answers(model, ["what is my balance"]))
seconds = time.perf_counter() - start
with open("/proc/self/status") as lines:
    now = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
print(json.dumps({"seconds": seconds, "memory_mib": now / 1024, "torch": "torch" in sys.modules}))
"""


def main() -> None:
    """Export, measure, and write what each side costs."""
    parser = make_parser(__doc__, "runtimes-DATASET")
    parser.add_argument("dataset", help="folder under --data")
    parser.add_argument("--model", type=Path, help="trained model (default: that of real_data.py in the run folder)")
    parser.add_argument("--tokens", type=int, default=20_000, help="tokens of the documents that speed is measured on")
    parser.add_argument("--rounds", type=int, default=5, help="each side once in a round")
    parser.add_argument("--documents", type=int, help="at most this many of each part, for a quick look")
    options = parser.parse_args()
    run = prepare(options, f"runtimes-{options.dataset}", run=options.dataset)
    data = load_data(options.dataset, options.data, cache=run / "documents", limit=options.documents)
    write_record(options, measure(options, data, run))


def measure(options: argparse.Namespace, data: DataSet, run: Path) -> dict[str, Any]:
    """Return all figures, JSON-ready."""
    has_bf16 = "bf16" in " ".join(processor_flags())  # else torch's auto is float32
    source = options.model or run / f"model-{options.dataset}"
    folders = {f"torch {'auto' if has_bf16 else 'float32'}": source}
    trained, _ = load_model(source)
    held = held_out(data, trained)
    for dtype in ("float32", *["bfloat16"] * has_bf16, "int8"):
        folders[f"openvino {dtype}"] = exported(trained, held, dtype, run / f"export-{options.dataset}-{dtype}")
    models = {"torch float32": in_float32(source)}
    models |= {name: load_model(folder)[0] for name, folder in folders.items() if name not in models}
    texts = some_texts(models["torch float32"], data.test.texts, options.tokens)
    figures: dict[str, Any] = {
        "flags": processor_flags(),
        "documents": len(texts),
        "test_documents": len(data.test.texts),
        "sides": {
            name: {**accuracy(model, data.test), **on_disk(folders.get(name, source))} for name, model in models.items()
        },
        "rounds": [],
    }
    tokens, sides = speed_sides(models, texts)
    figures["tokens"] = tokens
    for number in range(1 + options.rounds):  # the first warms up
        seconds = {name: {part: timed(work) for part, work in parts.items()} for name, parts in sides.items()}
        print(f"round {number}: " + ", ".join(f"{name} {s['encoder']:.1f} s" for name, s in seconds.items()))
        figures["rounds"] += [seconds] * (number > 0)
    for name, folder in folders.items():
        starts = [one_answer(folder) for _ in range(options.rounds)]
        figures["sides"][name] |= {k: float(np.median([s[k] for s in starts])) for k in ("seconds", "memory_mib")}
        assert not (starts[0]["torch"] and name.startswith("openvino"))  # noqa: S101
    figures["speed"] = speeds(figures)
    show(figures)
    return figures


def held_out(data: DataSet, model: "Model") -> "Documents":
    """Return the documents that the model was validated with: those of the data set, or what was cut from training."""
    if data.valid is not None:
        return data.valid
    return data.train.select(np.flatnonzero(np.isin(data.train.keys(), model.valid_keys)))


def exported(model: "Model", held: "Documents", dtype: Any, folder: Path) -> Path:
    """Export the model, unless that was done before; the gate is open, so that what it costs is seen."""
    if not folder.exists():
        done = export_model(
            model, held, routing=model.settings.routing, beam=model.settings.beam, dtype=dtype, tolerance=100
        )
        save_model(done, folder, metrics=None, card="")
    return folder


def in_float32(folder: Path) -> "Model":
    """Load the model with its encoder computing in float32, whatever the processor has."""
    model, _ = load_model(folder)
    assert model.extractor.neural is not None  # noqa: S101
    for encoder in model.extractor.neural.encoders:
        encoder.dtype = "float32"  # type: ignore[attr-defined]
    return model


def some_texts(model: "Model", texts: Sequence[str], tokens: int) -> list[str]:
    """Draw test documents at random, with a fixed seed, until they come to so many tokens."""
    order = np.random.default_rng(0).permutation(len(texts))
    shuffled = [texts[i] for i in order]
    lengths = np.cumsum([len(ids) for ids in neural_of(model).segmenter.tokens(shuffled[: tokens // 3])])
    return shuffled[: 1 + int(np.searchsorted(lengths, tokens))]


def speed_sides(
    models: "Mapping[str, Model]", texts: Sequence[str]
) -> tuple[int, dict[str, dict[str, Callable[[], object]]]]:
    """Return the tokens of all segments of the texts, and the work of each side: its encoder, and whole answers."""
    reference = neural_of(models["torch float32"])
    segments = reference.segments(texts)
    sides: dict[str, dict[str, Callable[[], object]]] = {
        name: {
            "encoder": lambda model=model: neural_of(model).encode(segments),
            "predict": lambda model=model: list(model.route_texts(texts)),
        }
        for name, model in models.items()
    }
    pieces = [text[start:end] for text in texts for start, end in whole_segments(reference, text)]
    sides |= {f"pipeline, batches of {size}": {"encoder": plain_pipeline(models, pieces, size)} for size in BATCHES}
    return sum(map(len, segments.input_ids)), sides


def whole_segments(neural: "NeuralFeatures", text: str) -> list[tuple[int, int]]:
    """Return the characters of each segment, so that a pipeline reads the same tokens."""
    from copy import copy

    whole = copy(neural.segmenter)
    whole.unit_tokens = None
    return whole.spans(text)


def plain_pipeline(models: "Mapping[str, Model]", pieces: Sequence[str], size: int) -> Callable[[], object]:
    """Return the work of a text-classification pipeline of transformers, float32, with a head for as many labels."""
    from transformers import AutoConfig, AutoModelForSequenceClassification, pipeline

    model = models["torch float32"]
    encoder: Any = neural_of(model).encoder
    config = AutoConfig.for_model(**encoder.transformer.config.to_dict())
    config.num_labels = len(model.label_ids)
    classifier = AutoModelForSequenceClassification.from_config(config).eval()  # random weights take as long
    reader = pipeline("text-classification", model=classifier, tokenizer=encoder.tokenizer, device="cpu")
    return lambda: reader(list(pieces), batch_size=size, truncation=True, max_length=model.settings.segment_tokens)


def accuracy(model: "Model", test: "Documents") -> dict[str, float]:
    """Return accuracy and calibration error on the test documents."""
    from pipelines.evaluation.reliability import expected_calibration_error

    gold = model.space.targets(test.labels)
    probabilities = np.concatenate([routed.probabilities for _, routed in model.route_texts(test.texts)])
    right = probabilities.argmax(1) == gold
    return {"accuracy": float(right.mean()), "ece": expected_calibration_error(probabilities.max(1), right)}


def on_disk(folder: Path) -> dict[str, float]:
    """Return the size of a model in megabytes."""
    return {"disk_mb": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6}


def one_answer(folder: Path) -> dict[str, Any]:
    """Let a process of its own load a model and answer one text; return seconds from its first import, and memory."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", ONE_ANSWER, str(folder)], env=env, check=True, capture_output=True, text=True
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def timed(work: Callable[[], object]) -> float:
    """Return the seconds of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def speeds(figures: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return what each side reads a second, and its ratio to torch float32 within the rounds, medians."""
    found = {}
    for name, parts in figures["rounds"][0].items():
        found[name] = {}
        for part, amount in (("encoder", figures["tokens"]), ("predict", figures["documents"])):
            if part in parts:
                seconds = [one[name][part] for one in figures["rounds"]]
                ratios = [one["torch float32"][part] / one[name][part] for one in figures["rounds"]]
                found[name] |= {part: amount / float(np.median(seconds)), f"{part}_ratio": float(np.median(ratios))}
    return found


def processor_flags() -> list[str]:
    """Return which of the instructions that matter here the processor has."""
    told = Path("/proc/cpuinfo")
    words = set(told.read_text(encoding="utf-8").split()) if told.exists() else set()
    return [flag for flag in FLAGS if flag in words]


def neural_of(model: "Model") -> "NeuralFeatures":
    """Return the neural part, which the model must have."""
    if model.extractor.neural is None:
        sys.exit("this model has no encoder: name one that has with --model")
    return model.extractor.neural


def show(figures: Mapping[str, Any]) -> None:
    """Print the figures."""
    rows = []
    for name, speed in figures["speed"].items():
        side = figures["sides"].get(name, {})
        told = (f"{side['accuracy']:.4f}", f"{side['ece']:.4f}", f"{side['disk_mb']:.0f}") if side else ("", "", "")
        start = (f"{side['seconds']:.1f}", f"{side['memory_mib']:.0f}") if "seconds" in side else ("", "")
        speed_told = (
            f"{speed['encoder']:,.0f}",
            f"{speed['encoder_ratio']:.2f}",
            f"{speed.get('predict_ratio', 0):.2f}",
        )
        rows.append((name, *speed_told, *told, *start))
    head = ("", "tokens/s", "x", "predict x", "accuracy", "ECE", "MB", "start, s", "MiB")
    print_table(f"{machine()['processor']}: {', '.join(figures['flags'])}", head, rows)


if __name__ == "__main__":
    main()
