"""The coarse stage: a document of any length, cut into segments, gets a vector, and scores for groups."""
