"""Memory: its peak while something runs, and what the arrays of a training take."""

import threading
from typing import Any, Self

import psutil  # type: ignore[import-untyped]

SECONDS_BETWEEN_SAMPLES = 0.5  # each stops the process for a moment: many would slow what is timed
WORKER_BYTES = 135 << 20  # of a process that fits rows: Python with scikit-learn
NGRAM_BYTES = 150  # of an n-gram in a vocabulary: its text, its number, its place in a table
NUMBER, PLACE = 4, 4  # bytes of a number of the features, and of its column where they are sparse
DOUBLE = 8  # of a number as liblinear takes it
NODE = 16  # of a number in liblinear's own copy


class PeakMemory:
    """Peak memory of this process and its children, sampled in a thread while the block runs.

    A sample is the sum of the proportional set sizes (PSS): memory that processes share counts once, and the pages of
    memory-mapped files that are in memory count too. Where the system has no PSS, the unique set sizes (USS) are taken.

    Parameters
    ----------
    pause
        Seconds between two samples.
    """

    def __init__(self, pause: float = SECONDS_BETWEEN_SAMPLES) -> None:
        self.peak = 0
        self.pause = pause
        self.measure = "pss" if hasattr(psutil.Process().memory_full_info(), "pss") else "uss"
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def gib(self) -> float:
        """Highest sample, in GiB."""
        return self.peak / 2**30

    def figures(self) -> dict[str, Any]:
        """Give the peak for a record, with what was measured."""
        what = f"{self.measure.upper()} summed over the process and its children"
        return {"gib": round(self.gib, 3), "what": what, "seconds_between_samples": self.pause}

    def _sample(self) -> None:
        own = psutil.Process()
        while True:
            total = 0
            for process in (own, *own.children(recursive=True)):
                try:
                    total += getattr(process.memory_full_info(), self.measure)
                except psutil.Error:  # it has ended, or is ending
                    continue
            self.peak = max(self.peak, total)
            if self._stop.wait(self.pause):
                return


def memory_now() -> int:
    """Return the bytes that this process holds."""
    with PeakMemory() as memory:
        pass
    return memory.peak


def features_bytes(numbers: float, *, is_sparse: bool) -> float:
    """Return what features take that hold so many numbers."""
    return numbers * (NUMBER + PLACE * is_sparse)


def ngrams_bytes(vocabulary: float, numbers: float) -> float:
    """Return what a vocabulary and the features that it makes take."""
    return vocabulary * NGRAM_BYTES + features_bytes(numbers, is_sparse=True)


def rows_bytes(numbers: float, workers: int, *, is_sparse: bool) -> float:
    """Return what fitting rows takes beside the features: copies in float64, the second for processes, and liblinear's.

    Parameters
    ----------
    numbers
        That the features of a row hold.
    workers
        Processes; each holds a copy of liblinear's.
    is_sparse
        Whether the features are.
    """
    shared = numbers * (DOUBLE + PLACE * is_sparse)
    alone = workers == 1
    return shared * (1 if alone else 2) + workers * (numbers * NODE + (0 if alone else WORKER_BYTES))
