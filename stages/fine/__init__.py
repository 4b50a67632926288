"""The fine stage: linear heads that score the labels of all groups on one scale."""
