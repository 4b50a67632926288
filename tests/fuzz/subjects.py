"""What the targets try their inputs on: small models, trained once a process."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.classifier import HierarchicalClassifier

WORDS = {
    "kettles": "kettle boil water steam", "toasters": "toaster bread slice crumb", "fridges": "fridge cold freezer ice",
    "mowers": "mower lawn grass petrol", "hoses": "hose tap nozzle spray", "seeds": "seed sow soil sprout",
}  # fmt: skip
GROUPS = {"kitchen": ["kettles", "toasters", "fridges"], "garden": ["mowers", "hoses", "seeds"]}
TEXTS = [f"the {' '.join(words.split()[i % 4 :])} of {i}" for words in WORDS.values() for i in range(8)]
LABELS = [label for label in WORDS for _ in range(8)]
PROBES = ["the kettle of water", "", "grass and bread, 茶壶"]
KINDS = ("n-grams", "encoder")


@functools.cache
def folder() -> Path:
    """Return a folder that goes when the process ends."""
    made = Path(tempfile.mkdtemp(prefix="coarsefine-fuzz-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def classifier(kind: str, **settings: Any) -> "HierarchicalClassifier":
    """Return an unfitted classifier of one of `KINDS`."""
    from tiny import TINY

    from hierarchy import Group, Label, Taxonomy
    from pipelines.classifier import HierarchicalClassifier

    groups = tuple(Group(name, name, labels=tuple(Label(x, x) for x in labels)) for name, labels in GROUPS.items())
    if kind == "n-grams":
        return HierarchicalClassifier(Taxonomy(groups), **{"encoder": "none", "n_jobs": 1, **settings})
    return HierarchicalClassifier(Taxonomy(groups), **{"encoder": _encoder(), "device": "cpu", **TINY, **settings})


def fit(unfitted: "HierarchicalClassifier") -> "HierarchicalClassifier":
    """Train a classifier on the documents of all targets."""
    return unfitted.fit(TEXTS, LABELS, validation=(TEXTS[::2], LABELS[::2]))


@functools.cache
def fitted(kind: str) -> "HierarchicalClassifier":
    """Return a calibrated classifier; it is not to be changed."""
    many = [(f"{content} {i}", label) for i in range(3) for content, label in zip(TEXTS, LABELS, strict=True)]
    return fit(classifier(kind)).calibrate(*map(list, zip(*many, strict=True)))


@functools.cache
def saved(kind: str) -> Path:
    """Return the folder of a saved classifier; it is not to be changed."""
    place = folder() / kind
    fitted(kind).save_pretrained(place)
    return place


@functools.cache
def _encoder() -> str:
    from tiny import save_tiny_bert

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = sorted({word for content in [*TEXTS, *WORDS, *GROUPS] for word in content.split()})
    return save_tiny_bert([*special, *words], folder() / "tiny")


def prepare() -> None:
    """Make every model that is saved."""
    for kind in KINDS:
        saved(kind)
