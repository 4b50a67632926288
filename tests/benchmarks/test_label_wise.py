"""The label-wise attention BERT reads whole documents, each as it would alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.data.documents import Documents

pytestmark = pytest.mark.usefixtures("benchmarks")


def test_it_trains_on_whole_documents_and_keeps_their_order(english: Any, tiny_encoder: str, tmp_path: Path) -> None:
    pytest.importorskip("libmultilabel", reason="LibMultiLabel is not installed: pip install libmultilabel")
    from flat import FlatModel
    from jobs import Job

    changes = ("num_train_epochs=1", "per_device_eval_batch_size=4", "pooling=label_wise", "head_learning_rate=1e-2")
    train = Documents(english.train[0][:40], english.train[1][:40])
    model = FlatModel(Job(0, train, Documents(*english.valid), None, tiny_encoder, changes, tmp_path)).fit()
    window = model.model.network.lm_window
    long = " ".join(english.test[0][0] for _ in range(window))
    texts = [*english.test[0][:8], long, f"{long} kettle"]
    assert len(model.tokenizer(long)["input_ids"]) > 3 * window
    logits = model.logits(texts)
    np.testing.assert_allclose(model.logits(texts[::-1])[::-1], logits, atol=1e-5)
    np.testing.assert_allclose(np.concatenate([model.logits([text]) for text in texts]), logits, atol=1e-5)
    assert not np.allclose(logits[-1], logits[-2])  # the last word of all is read
    rate_of = {id(p): group["initial_lr"] for group in model.trainer.optimizer.param_groups for p in group["params"]}
    for name, parameter in model.model.named_parameters():
        assert rate_of[id(parameter)] == (1e-4 if name.startswith("network.lm.") else 1e-2)
