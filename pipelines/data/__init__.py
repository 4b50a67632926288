"""Documents: read from any source, checked against the taxonomy, split and dealt into folds."""
