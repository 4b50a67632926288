"""The trained model: what it holds, what it answers, and what of it is saved."""
