"""Cross-validation: the spread of the figures, and what models say of documents they have not seen."""
