"""What tests of label trees share: a tiny embed function, label spaces and the shared taxonomies."""

import json
import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from stages.label_space import LabelSpace

DATA = Path(os.environ.get("COARSEFINE_DATA", Path(__file__).parents[1] / ".." / "shared"))


def space_of(group_of):
    """A label space of labels l0, l1, ... in groups g0, g1, ..., as the array says."""
    groups = tuple(f"g{group}" for group in range(int(max(group_of)) + 1))
    return LabelSpace(tuple(f"l{i}" for i in range(len(group_of))), groups, np.asarray(group_of))


def word_vectors(texts: Sequence[str]) -> np.ndarray:
    """One fixed random direction a word: texts that share words are alike."""
    vectors = np.zeros((len(texts), 48))
    for i, text in enumerate(texts):
        for word in text.lower().split():
            vectors[i] += np.random.default_rng(zlib.crc32(word.encode())).normal(size=48)
    return vectors


@pytest.fixture
def embed() -> Callable[[Sequence[str]], np.ndarray]:
    return word_vectors


@pytest.fixture
def shared_taxonomy() -> Callable[[str], dict[str, str]]:
    def load(name: str) -> dict[str, str]:
        path = DATA / "taxonomies" / name
        if not path.exists():
            pytest.skip(f"{path} is not there; set COARSEFINE_DATA to the folder that holds taxonomies/")
        return json.loads(path.read_text("utf-8"))

    return load


@pytest.fixture
def themed() -> list[str]:
    """Sixty labels about six things, shuffled."""
    things = ["pump", "lamp", "chair", "cable", "glove", "kettle"]
    kinds = ["small", "large", "red", "blue", "steel", "glass", "outdoor", "indoor", "spare", "folding"]
    labels = [f"{kind} {thing}" for thing in things for kind in kinds]
    return [labels[i] for i in np.random.default_rng(0).permutation(len(labels))]
