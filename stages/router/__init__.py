"""The router: the scores of both stages into probabilities of labels and groups."""
