"""The command line: the only part of the project that reads arguments and prints."""

from pipelines.cli.app import main

__all__ = ["main"]
