"""The coarse stage: a document of any length, cut into segments, gets scores for groups."""
