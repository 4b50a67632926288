"""The small classifiers that the tests train: their settings, and a BERT to put into them."""

from collections.abc import Sequence
from pathlib import Path

TINY = {
    "trainable": "frozen", "dtype": "float32", "segment_tokens": 32, "overlap": 8, "n_jobs": 1,
    "training": {"num_train_epochs": 2, "learning_rate": 5e-3},
}  # fmt: skip


def save_tiny_bert(vocabulary: Sequence[str], folder: Path, *, hidden: int = 32, length: int = 128) -> str:
    """Save a BERT of 2 layers with random weights, and its tokenizer; it takes segments of `length` tokens."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=hidden, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=2 * hidden, max_position_embeddings=length,
        initializer_range=0.05,
    )  # fmt: skip
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    tokens = {token: place for place, token in enumerate(vocabulary)}
    BertTokenizerFast(vocab=tokens, model_max_length=length).save_pretrained(folder)
    return str(folder)
