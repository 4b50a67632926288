"""Pretrained encoders by name, and what they make of the texts of labels."""
