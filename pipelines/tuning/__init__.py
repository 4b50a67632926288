"""Settings found by trial: a search space, trials that are kept on disk, and what they say."""

from pipelines.tuning.search import tune

__all__ = ["tune"]
