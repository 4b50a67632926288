"""Training of what is neural: its arguments, batches, losses and optimizer, through transformers' Trainer."""
