"""What a joint training step costs beside a bare forward and backward over the same tokens, and beside a flat step.

All train the same encoder on random tokens, 16 documents of 256 unless `--tokens` says more. Joint is this project's
model with document model, group head and rows, from token ids to the optimizer's step, as a training does it; bare is
`AutoModel` over the same chunks, which lie on the device, forward and backward alone; flat is
`AutoModelForSequenceClassification` with one padded batch of what the encoder takes at once. Steps alternate, so that a
busy machine slows all alike; figures are medians. Peak memory is that of a process of its own for each side: of the GPU
where there is one. Heads and loss are all above the encoder: forward, backward and optimizer.

Example: python benchmarks/step.py --rounds 6
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from harness import make_parser, prepare, print_table, write_record
from torch import nn

GROUPS = 35
LABELS = (600, 10_000)


def main() -> None:
    """Measure both sides in one run, or the peak memory of one."""
    parser = make_parser(__doc__, "step")
    parser.add_argument("--documents", type=int, default=16, help="in a step")
    parser.add_argument("--tokens", type=int, default=256, help="of a document, special tokens included")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--bf16", action="store_true", help="arithmetic of all sides: autocast to bf16")
    parser.add_argument("--rounds", type=int, default=6, help="steps of each side")
    parser.add_argument("--encoder", default="embedded", help="as in a config")
    parser.add_argument(
        "--peak", choices=("flat", "joint"), help="print the peak memory in GiB of three steps of one side"
    )
    options = parser.parse_args()
    if options.peak:
        run = {"flat": flat_step, "joint": joint_step}[options.peak](options, LABELS[0])
        for _ in range(3):
            run()
        on_gpu = options.device.startswith("cuda")
        kib = (
            torch.cuda.max_memory_allocated() / 2**10 if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        )
        print(kib / 2**20)
        return
    prepare(options, "step")
    figures = measure(options)
    print_table(
        f"a step of {options.documents} documents of {options.tokens} tokens",
        ("figure", "value"),
        [(name, f"{value:.3f}") for name, value in figures.items()],
    )
    write_record(options, figures)


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Time the steps, alternating, and each side's memory."""
    peaks: dict[str, float] = {}
    for side in ("flat", "joint"):  # first, while this process is small: on Linux a child's peak begins at its parent's
        command = [sys.executable, *sys.argv, "--peak", side]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks[f"{side} peak memory, GiB"] = float(done.stdout)
    few, many = LABELS
    sides = {
        "bare forward and backward, seconds": bare(options),
        "flat step, seconds": flat_step(options, few),
        "joint step, seconds": joint_step(options, few),
        "joint step without attention dropout, seconds": joint_step(options, few, attention_dropout=0.0),
        "heads and loss, 600 labels, seconds": heads_step(options, few),
        "heads and loss, 10,000 labels, seconds": heads_step(options, many),
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(options.rounds + 1):
        for name, step in sides.items():
            started = time.monotonic()
            step()
            if options.device.startswith("cuda"):
                torch.cuda.synchronize()
            if number:  # the first round warms up
                seconds[name].append(time.monotonic() - started)
    figures = {name: float(np.median(values)) for name, values in seconds.items()}
    plain, flat, joint, without_dropout, heads, heads_many = figures.values()
    figures["bare forward and backward over joint step"] = plain / joint
    figures["joint step over flat step"] = joint / flat
    figures["joint step over the same without attention dropout"] = joint / without_dropout
    figures["heads and loss, share of the joint step, 600 labels"] = heads / joint
    figures["heads and loss, share of the joint step, 10,000 labels"] = heads_many / (joint - heads + heads_many)
    figures |= peaks
    figures["joint peak over flat peak"] = figures["joint peak memory, GiB"] / figures["flat peak memory, GiB"]
    return figures


def load(options: argparse.Namespace, attention_dropout: float | None = None) -> Any:
    """Load the encoder with its tokenizer."""
    from stages.coarse.encoder import Encoder

    encoder = Encoder.from_pretrained(options.encoder, dtype="float32", attention_dropout=attention_dropout)
    return encoder.to(options.device)


def documents(options: argparse.Namespace, encoder: Any) -> list[np.ndarray]:
    """(tokens,) random ids of each document, none of them special; special tokens come around them."""
    random = np.random.default_rng(0)
    around = encoder.tokenizer.num_special_tokens_to_add()
    shape = (options.documents, options.tokens - around)
    return list(random.integers(1000, len(encoder.tokenizer), shape, dtype=np.int32))


def targets(options: argparse.Namespace, labels: int) -> torch.Tensor:
    """(documents,) random labels."""
    gold = torch.randint(labels, (options.documents,), generator=torch.Generator().manual_seed(1))
    return gold.to(options.device)


def stepping(options: argparse.Namespace, model: nn.Module, loss: Callable[[], torch.Tensor]) -> Callable[[], None]:
    """Return a function that does one training step."""
    from stages.training.arguments import parameter_groups

    groups = parameter_groups(model, learning_rate=1e-3, encoder_learning_rate=1e-4, weight_decay=0.01)
    optimizer = torch.optim.AdamW(groups, fused=True)  # Trainer's default
    model.to(options.device).train()

    def step() -> None:
        with torch.autocast(torch.device(options.device).type, torch.bfloat16, enabled=options.bf16):
            value = loss()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def bare(options: argparse.Namespace) -> Callable[[], None]:
    """Return a forward and a backward pass of the encoder alone, over the chunks of a joint step."""
    encoder = load(options)
    transformer = encoder.transformer.train()
    chunks = [chunk.to(options.device) for chunk in collate(encoder)(pairs(options, encoder))["chunks"]]

    def passes() -> None:
        with torch.autocast(torch.device(options.device).type, torch.bfloat16, enabled=options.bf16):
            for chunk in chunks:
                mask = chunk.attention_mask if chunk.is_padded else None
                transformer(input_ids=chunk.input_ids, attention_mask=mask).last_hidden_state.float().mean().backward()
        transformer.zero_grad()

    return passes


def flat_step(options: argparse.Namespace, labels: int) -> Callable[[], None]:
    """Return a step of flat fine-tuning."""
    from transformers import AutoModelForSequenceClassification

    from hierarchy.embedding.embedded import embedded_encoder_path

    encoder = load(options)
    source = embedded_encoder_path() if options.encoder == "embedded" else options.encoder
    model = AutoModelForSequenceClassification.from_pretrained(source, num_labels=labels)
    ids = torch.from_numpy(np.stack(documents(options, encoder))[:, : encoder.max_tokens]).long().to(options.device)
    gold = targets(options, labels)
    return stepping(options, model, lambda: model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=gold).loss)


def pairs(options: argparse.Namespace, encoder: Any) -> list[tuple[Any, int]]:
    """Documents with their windows and a label each, as a training's data set gives them."""
    ids = documents(options, encoder)
    windows = encoder.segmenter().windows([""] * len(ids), map(len, ids))
    return [(document, 0) for document in zip(ids, windows, strict=True)]


def collate(encoder: Any) -> Any:
    """Return what makes batches of a training, with the defaults of a classifier."""
    from stages.training.batches import CollateTokens

    return CollateTokens(encoder.segmenter(), encoder.tokens_per_chunk("auto", training=True), encoder.pad_id)


def joint_step(
    options: argparse.Namespace, labels: int, *, attention_dropout: float | None = None
) -> Callable[[], None]:
    """Return a step of joint training."""
    from stages.training.two_stage import TwoStageModel

    encoder = load(options, attention_dropout)
    model = TwoStageModel(encoder=encoder, **heads(encoder.hidden_size, labels))
    gold, items, batch = targets(options, labels), pairs(options, encoder), collate(encoder)

    def loss() -> torch.Tensor:
        read = batch(items)
        value: torch.Tensor = model(counts=read["counts"], labels=gold, chunks=read["chunks"])["loss"]
        return value

    return stepping(options, model, loss)


def heads_step(options: argparse.Namespace, labels: int) -> Callable[[], None]:
    """Return a step of all above the encoder."""
    from stages.training.two_stage import TwoStageModel

    hidden = load(options).hidden_size
    model = TwoStageModel(encoder=None, **heads(hidden, labels))
    units = torch.randn(options.documents, hidden, device=options.device, requires_grad=True)
    counts, gold = np.ones(options.documents, dtype=np.int64), targets(options, labels)
    return stepping(options, model, lambda: model(counts=counts, labels=gold, units=units)["loss"])


def heads(hidden: int, labels: int) -> dict[str, Any]:
    """Build document model, rows and loss as a classifier with default settings has them."""
    from pipelines.model.document_model import make_document_model
    from pipelines.settings import Settings
    from stages.label_space import LabelSpace
    from stages.training.two_stage import HierarchicalLoss

    group_of = np.sort(np.arange(labels) % GROUPS)
    space = LabelSpace(tuple(map(str, range(labels))), tuple(map(str, range(GROUPS))), group_of)
    return {
        "document_model": make_document_model(Settings(), hidden, torch.randn(GROUPS, hidden)),
        "rows": nn.Linear(hidden, labels),
        "loss": HierarchicalLoss(space=space),
    }


if __name__ == "__main__":
    main()
