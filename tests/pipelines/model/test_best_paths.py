"""The best labels of a document: found among those that may be the best, as if all were sorted."""

import numpy as np
import pytest

from pipelines.model.prediction import _best


@pytest.mark.parametrize("top_k", [1, 2, 3, 7, 100])
def test_the_best_labels_are_those_of_sorting_all(top_k):
    random = np.random.default_rng(0)
    for _ in range(200):
        row = np.round(random.random(random.integers(1, 30)), 1).astype(np.float32)  # many ties, some of 0
        every = np.argsort(-row, kind="stable")
        assert _best(row, top_k).tolist() == [label for label in every if row[label] > 0][:top_k]
