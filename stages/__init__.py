"""What learns, on tensors and matrices: coarse and fine stage, n-grams, linear rows, trainer, vector cache."""
