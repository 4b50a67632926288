"""The demo: a synthetic corpus of letters."""
