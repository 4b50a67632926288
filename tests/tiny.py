"""Settings of the small classifiers that the tests train."""

TINY = {
    "trainable": "frozen", "precision": "fp32", "segment_tokens": 32, "overlap": 8, "n_jobs": 1,
    "training": {"num_train_epochs": 2, "learning_rate": 5e-3},
}  # fmt: skip
