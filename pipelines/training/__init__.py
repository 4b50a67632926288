"""Training: from checked documents to a model, and a model that is fitted again in parts."""
