"""Peak memory of file prediction, with few documents and with many.

A tiny encoder is made on the spot, so that the documents and not the weights rule. Every document is another one.
Each prediction is a process of its own; the figure is its highest resident set size, as the system reports it.

Example: python benchmarks/memory.py --sizes 3000 30000
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from harness import ROOT, make_parser, prepare, print_table, write_record

LABELS, GROUPS = 60, 6
WORDS = 3000


def main() -> None:
    """Train a tiny model, then predict files of different sizes."""
    parser = make_parser(__doc__, "memory")
    parser.add_argument("--sizes", type=int, nargs="+", default=[3_000, 30_000], help="documents of each file")
    options = parser.parse_args()
    folder = prepare(options, "memory")
    model = folder / "model"
    if not model.exists():
        train_tiny_model(folder, model)
    results = [predict(folder, model, size) for size in options.sizes]
    print_table(
        "File prediction",
        ("documents", "peak memory, MiB", "seconds"),
        [(f"{r['documents']:,}", f"{r['peak_mib']:.0f}", f"{r['seconds']:.1f}") for r in results],
    )
    growth = results[-1]["peak_mib"] / results[0]["peak_mib"]
    print(f"peak of {results[-1]['documents']:,} documents by that of {results[0]['documents']:,}: {growth:.3f}")
    write_record(options, {"files": results, "growth": growth, "what": "highest resident set size of the process"})


def predict(folder: Path, model: Path, size: int) -> dict[str, Any]:
    """Predict one file in a new process.

    Parameters
    ----------
    folder
        Run folder.
    model
        Of the model.
    size
        Documents of the file.
    """
    source, out = folder / f"documents-{size}.jsonl", folder / f"answers-{size}.jsonl"
    rng = np.random.default_rng(size)
    with source.open("w", encoding="utf-8") as file:
        for text in (document(rng, int(rng.integers(LABELS))) for _ in range(size)):
            file.write(json.dumps({"text": text}) + "\n")
    command = [sys.executable, "-m", "pipelines.cli", "predict", str(model), str(source), "-o", str(out), "--restart"]
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    if process.returncode:
        sys.exit(f"predict ended with {process.returncode}")
    with out.open(encoding="utf-8") as file:
        lines = sum(1 for _ in file)
    if lines != size:
        sys.exit(f"{lines} answers to {size} documents")
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes elsewhere
    return {"documents": size, "peak_mib": round(usage.ru_maxrss / unit, 1), "seconds": round(seconds, 2)}


def train_tiny_model(folder: Path, model: Path) -> None:
    """Make an encoder of random weights and train the rest on generated documents."""
    from hierarchy import Taxonomy
    from pipelines import HierarchicalClassifier

    rng = np.random.default_rng(0)
    labels = [label for label in range(LABELS) for _ in range(12)]
    texts = [document(rng, label) for label in labels]
    names = [f"label {label}" for label in labels]
    taxonomy = Taxonomy.from_data(names, [f"group {label % GROUPS}" for label in labels])
    classifier = HierarchicalClassifier(
        taxonomy,
        encoder=tiny_encoder(folder / "encoder"),
        trainable="frozen",
        segment_tokens=64,
        overlap=8,
        training={"num_train_epochs": 2},
        run_dir=str(folder / "training"),
    )
    classifier.fit(texts, names).save_pretrained(model)


def tiny_encoder(folder: Path) -> str:
    """Save a BERT of 2 layers and 32 dimensions, and its tokenizer."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "label", "group", *map(str, range(LABELS))]
    vocabulary += [f"w{word}" for word in range(WORDS)]
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=128,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    tokens = {token: place for place, token in enumerate(vocabulary)}
    BertTokenizerFast(vocab=tokens, model_max_length=128).save_pretrained(folder)
    return str(folder)


def document(rng: np.random.Generator, label: int) -> str:
    """Write a document of 20 to 200 words, a third of them its label's own."""
    length = int(rng.integers(20, 200))
    own = label * 40 + rng.integers(0, 40, size=length)
    words = np.where(rng.random(length) < 1 / 3, own, rng.integers(0, WORDS, size=length))
    return " ".join(f"w{word}" for word in words)


if __name__ == "__main__":
    main()
