"""What is measured, for Prometheus: requests, queue, batches, answers by level, reason, reader; no series a label."""

import collections
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pipelines.serving.batcher import Batch

if TYPE_CHECKING:
    from pipelines.serving.served_model import ServedModel

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
TOKENS = tuple(4**power for power in range(1, 11))


class Metrics:
    """The figures of one process.

    Parameters
    ----------
    waiting
        Gives requests and tokens in the queue.
    """

    def __init__(self, waiting: Callable[[], tuple[int, int]]) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        own: dict[str, Any] = {"namespace": "coarsefine", "registry": self.registry}
        self._requests = Counter("requests", "Requests by endpoint and status.", ["endpoint", "status"], **own)
        self._seconds = Histogram(
            "request_seconds", "From the beginning of a request to the end of its response.", ["endpoint"],
            buckets=SECONDS, **own,
        )  # fmt: skip
        requests, tokens = (
            Gauge(f"queue_{what}", f"{what.capitalize()} that wait for the model.", **own)
            for what in ("requests", "tokens")
        )
        requests.set_function(lambda: waiting()[0])
        tokens.set_function(lambda: waiting()[1])
        self._batch_tokens = Histogram("batch_tokens", "Tokens computed at once (estimated).", buckets=TOKENS, **own)
        self._batch_items = Histogram("batch_documents", "Documents computed at once.", buckets=TOKENS, **own)
        self._batch_seconds = Histogram("batch_seconds", "Time that a batch took.", buckets=SECONDS, **own)
        self._answers = Counter("answers", "Answers by level, reason and reader.", ["level", "reason", "read"], **own)
        self._reloads = Counter(
            "reloads", "Models that took the place of another, or were refused.", ["outcome"], **own
        )
        for outcome in ("taken", "refused"):  # there from the start: `increase` does not see a series begin
            self._reloads.labels(outcome)
        self._model = Info("model", "The model that answers.", **own)

    def count_request(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a request that has been answered or given up."""
        self._requests.labels(endpoint, status).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def count_batch(self, batch: Batch) -> None:
        """Count a batch."""
        self._batch_tokens.observe(batch.tokens)
        self._batch_items.observe(batch.items)
        self._batch_seconds.observe(batch.seconds)

    def count_answers(self, answers: Iterable[Mapping[str, Any]]) -> None:
        """Count answers by how far down the tree they go, and by who has read the text."""
        cases = collections.Counter((answer["level"], answer["reason"] or "", answer["read"]) for answer in answers)
        for case, times in cases.items():
            self._answers.labels(*case).inc(times)

    def count_reload(self, outcome: str) -> None:
        """Count a model that was ``taken`` or ``refused``."""
        self._reloads.labels(outcome).inc()

    def name_model(self, served: "ServedModel") -> None:
        """Name the model that answers from now on."""
        facts = served.facts()
        said = ("name", "version", "created", "coarsefine", "encoder", "labels", "groups")
        self._model.info({key: str(facts[key] or "") for key in said})

    def page(self) -> bytes:
        """Return all figures in the text format of Prometheus."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)
