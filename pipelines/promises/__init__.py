"""Promises: answers with a promised precision, sets with a promised coverage, documents out of scope."""
