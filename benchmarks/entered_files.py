"""Which of our files `fit` and `predict` enter: those of which a function is called, on a tiny model with an encoder.

What a person must open to follow one call. Importing a module does not count, nor does what it calls while it is
imported. A model that was saved is loaded before `predict` is traced, and `from_pretrained` is traced apart.

Example: python benchmarks/entered_files.py
"""

import argparse
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from harness import ROOT
from memory import GROUPS, LABELS, document, tiny_encoder

HOUSE = tuple(str(ROOT / package) + "/" for package in ("coarsefine", "pipelines", "stages", "hierarchy"))


def main() -> None:
    """Trace a fit, a load and a predict, and print the files of each."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    from hierarchy import Taxonomy
    from pipelines import HierarchicalClassifier

    rng = np.random.default_rng(0)
    labels = [label for label in range(LABELS) for _ in range(12)]
    texts, names = [document(rng, label) for label in labels], [f"label {label}" for label in labels]
    taxonomy = Taxonomy.from_data(names, [f"group {label % GROUPS}" for label in labels])
    with tempfile.TemporaryDirectory(prefix="coarsefine-") as folder:
        encoder, model = tiny_encoder(Path(folder) / "encoder"), Path(folder) / "model"
        classifier = HierarchicalClassifier(
            taxonomy, encoder=encoder, trainable="frozen", segment_tokens=64, overlap=8, n_jobs=1,
            training={"num_train_epochs": 1},
        )  # fmt: skip
        show("fit", lambda: classifier.fit(texts, names))
        classifier.save_pretrained(model)
        loaded = show("from_pretrained", lambda: HierarchicalClassifier.from_pretrained(model))
        show("predict", lambda: loaded.predict(texts[:10]))


def show(name: str, call: Callable[[], Any]) -> Any:
    """Call, print how many files were entered and which, and return what the call returned."""
    with entered() as files:
        answer = call()
    print(f"{name}: {len(files)} files", *sorted(files), "", sep="\n  ")
    return answer


@contextmanager
def entered() -> Iterator[set[str]]:
    """Give a set that is told each file of ours of which a function is called until the block ends."""
    files: set[str] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        file = frame.f_code.co_filename
        name = file[len(str(ROOT)) + 1 :]
        if event == "call" and file.startswith(HOUSE) and name not in files and not _is_import(frame):
            files.add(name)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield files
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def _is_import(frame: FrameType | None) -> bool:
    """Whether a call is a module of ours being imported, or stands below one."""
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(HOUSE):
            return True
        frame = frame.f_back
    return False


if __name__ == "__main__":
    main()
