"""The model card: a page that says what a model is for, how good it is, and how to make it again."""
