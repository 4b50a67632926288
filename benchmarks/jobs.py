"""What the methods of `compare.py` share: a job, what its training gives, what that cost, and the cut encoder."""

import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pipelines.estimating.memory import PeakMemory

if TYPE_CHECKING:
    from hierarchy.taxonomy import Taxonomy
    from pipelines.data.documents import Documents

SECONDS_BETWEEN_NOTES = 5.0


@dataclass(frozen=True)
class Job:
    """One training of one method.

    Attributes
    ----------
    seed
        Of everything random.
    train, valid
        Documents to train on, and to choose settings and epochs on.
    taxonomy
        The given groups; None where the data set has none.
    encoder
        Folder of the pretrained encoder, the same for all methods; ``none`` where n-grams are to do alone.
    changes
        ``KEY=VALUE`` each: settings of the method that are not its defaults.
    folder
        For what a stopped job goes on from.
    """

    seed: int
    train: "Documents"
    valid: "Documents"
    taxonomy: "Taxonomy | None"
    encoder: str
    changes: tuple[str, ...]
    folder: Path

    @cached_property
    def labels(self) -> np.ndarray:
        """Sorted ids of the labels that have training documents."""
        return np.unique(np.array(self.train.labels, dtype=object))

    def targets(self, documents: "Documents") -> np.ndarray:
        """(documents,) place of each document's label in `labels`; -1 where it has no training document."""
        place = {label: i for i, label in enumerate(self.labels)}
        return np.array([place.get(label, -1) for label in documents.labels], dtype=np.int64)


@dataclass(frozen=True)
class Fitted:
    """What a training gives.

    Attributes
    ----------
    predict
        Texts to label ids, one each.
    settings
        What was trained, settings chosen on validation documents among them.
    """

    predict: Callable[[Sequence[str]], Sequence[str]]
    settings: dict[str, Any]


class Spent:
    """Time and peak memory of the block; a training that was stopped and goes on adds to what it had spent before.

    Parameters
    ----------
    folder
        Of the job, where the figures are noted every few seconds.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._before = spent_in(folder)
        self._memory = PeakMemory()
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._started = time.monotonic()
        self._memory.__enter__()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._memory.__exit__()
        self._note()

    def _keep(self) -> None:
        while not self._stop.wait(SECONDS_BETWEEN_NOTES):
            self._note()

    def _note(self) -> None:
        now = {"seconds": time.monotonic() - self._started, "gib": self._memory.gib, **_gpu_peak()}
        part = self._folder / ".spent.tmp"
        part.write_text(json.dumps(together(self._before, now)), encoding="utf-8")
        part.replace(self._folder / "spent.json")


def spent_in(folder: Path) -> dict[str, float]:
    """Return ``seconds``, ``gib`` (and ``gpu_gib``) that the training in `folder` has spent; empty if it never ran."""
    file = folder / "spent.json"
    found: dict[str, float] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def together(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
    """Join what two parts of a training spent: seconds add up, of the peaks of memory the higher one counts."""
    seconds = a.get("seconds", 0.0) + b.get("seconds", 0.0)
    peaks = [name for name in ("gib", "gpu_gib") if name in a or name in b]
    return {"seconds": seconds} | {name: max(a.get(name, 0.0), b.get(name, 0.0)) for name in peaks}


def encoder_folder(encoder: str, run: Path, *, layers: int | None = None, no_attention_dropout: bool = False) -> str:
    """Return the folder of the encoder, cut as asked for.

    Parameters
    ----------
    encoder
        ``embedded``, a folder, or ``none``, which is returned as it is.
    run
        Run folder, where the cut copy is kept.
    layers
        How many of the first layers stay; None keeps the encoder whole.
    no_attention_dropout
        Train without dropout on the attention weights: with it a processor cannot use its fused attention.
    """
    from hierarchy.embedding.embedded import embedded_encoder_path

    if encoder == "none":
        return encoder
    source = embedded_encoder_path() if encoder == "embedded" else Path(encoder)
    cuts = cuts_of(layers=layers, no_attention_dropout=no_attention_dropout)
    if not cuts:
        return str(source)
    folder = run / "-".join([Path(encoder).name, *cuts])
    if not folder.exists():
        from transformers import AutoConfig, AutoModel

        from stages.coarse.loading import load_transformer

        depth = AutoConfig.from_pretrained(source).num_hidden_layers
        if layers is not None and not 0 < layers <= depth:
            sys.exit(f"--layers {layers}: this encoder has {depth} layers")
        with TemporaryDirectory(dir=run) as part:  # of this process alone: another job may want the same encoder
            copied = shutil.copytree(source, Path(part) / "encoder")  # tokenizer, and what sentence-transformers reads
            AutoModel.from_pretrained(source, num_hidden_layers=layers or depth).save_pretrained(copied)
            if no_attention_dropout:
                load_transformer(str(copied), attention_dropout=0.0)[0].save_pretrained(copied)
            try:
                copied.replace(folder)
            except OSError:
                if not folder.exists():  # else the other job was quicker
                    raise
    return str(folder)


def cuts_of(*, layers: int | None, no_attention_dropout: bool) -> list[str]:
    """Name the cuts of an encoder, as parts of a file name."""
    return [f"{layers}layers"] * (layers is not None) + ["no_attention_dropout"] * no_attention_dropout


def _gpu_peak() -> dict[str, float]:
    torch = sys.modules.get("torch")  # not loaded for the sake of this figure
    return {"gpu_gib": torch.cuda.max_memory_allocated() / 2**30} if torch and torch.cuda.is_available() else {}
