"""Evaluation: figures with intervals, beside what a user would pick instead, as tables and as a page."""
