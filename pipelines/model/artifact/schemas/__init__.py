"""What each JSON of a model must be like. A model is a stranger's file: what is read of it later is checked before."""
