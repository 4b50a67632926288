"""The service itself: which model answers, what waits for it, and the end of both. It knows nothing of HTTP's forms."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from hierarchy.text.characters import healed
from pipelines.serving.batcher import Ask, Batcher, ClosedError, QueueFullError, tokens_of
from pipelines.serving.http.corrections import Corrections
from pipelines.serving.http.limits import Limits
from pipelines.serving.http.metrics import Metrics
from pipelines.serving.http.refusals import ENDING, RefusedError
from pipelines.serving.served_model import Answers, ServedModel

EXPLANATION = 256  # tokens that are read in the time that it takes
LISTED = 8  # labels with their probability that take as much memory as to read a token
logger = logging.getLogger(f"coarsefine.{__name__}")


class Service:
    """A warm model, its queue and its figures.

    Parameters
    ----------
    served
        The model.
    limits
        How much it takes.
    corrections
        Where they are written; None takes none.

    Attributes
    ----------
    served
        The model that answers what comes now: what came before has the one that was there then.
    """

    def __init__(self, served: ServedModel, limits: Limits, corrections: Corrections | None = None) -> None:
        self.served, self.limits, self.corrections = served, limits, corrections
        self.batcher = Batcher(
            batch_tokens=limits.batch_tokens,
            queue_tokens=limits.queue_tokens,
            observe=lambda b: self.metrics.count_batch(b),
        )
        self.metrics = Metrics(lambda: self.batcher.waiting)
        self.metrics.name_model(served)
        self._is_ending = False

    def check_alive(self) -> None:
        """Raise RefusedError where nothing computes any more: what comes would wait in vain."""
        if not self.batcher.is_alive:
            raise RefusedError(503, "nothing computes here any more: the process has to be started anew")

    def check_ready(self) -> None:
        """Raise RefusedError where requests are not welcome."""
        self.check_alive()
        if self._is_ending:
            raise RefusedError(503, ENDING)

    def start(self) -> None:
        """Begin to answer."""
        self.batcher.start()

    def leave(self) -> None:
        """Say from now on that requests had better go elsewhere; those that come are answered still."""
        self._is_ending = True

    def close(self) -> None:
        """Answer what waits, and end."""
        self.leave()
        self.batcher.close()

    def replace(self, served: ServedModel) -> None:
        """Let another model answer what comes from now on."""
        self.served = served
        self.metrics.name_model(served)

    async def answers(
        self,
        served: ServedModel,
        texts: Sequence[str],
        *,
        top_k: int = 1,
        sets: str | None = None,
        explain: bool = False,
    ) -> list[dict[str, Any]]:
        """Answer texts; see `Answers`, and `computed` for what it raises."""
        if sets is not None and not served.has_promises:
            raise RefusedError(422, "this model has no calibration, so no set promises anything: leave `sets` out")
        if explain and len(texts) > self.limits.explained:
            raise RefusedError(413, f"at most {self.limits.explained} documents of a request are explained: send fewer")
        listed = min(top_k, len(served.classes))
        extra = EXPLANATION if explain else 0
        found = await self.computed(Answers(served, top_k, sets, explain), texts, listed=listed, extra=extra)
        self.metrics.count_answers(found)
        return found

    async def computed(self, ask: Ask, texts: Sequence[str], *, listed: int, extra: int = 0) -> list[Any]:
        """Have texts computed by the model's thread.

        Parameters
        ----------
        ask, extra
            As for `Batcher.submit`.
        texts
            Documents.
        listed
            Labels that each answer lists.

        Raises
        ------
        RefusedError
            They are too many or too long, too much waits already, or the answer is not there in time.
        """
        limits = self.limits
        if len(texts) > limits.documents:
            raise RefusedError(
                413, f"a request has {limits.documents:,} documents at most, not {len(texts):,}: send fewer"
            )
        if len(texts) * listed > limits.listed:
            raise RefusedError(
                413, f"a request has {limits.listed:,} labels with probabilities at most: send fewer documents"
            )
        texts, extra = list(map(healed, texts)), extra + listed // LISTED
        tokens = sum(map(tokens_of, texts))
        if tokens > limits.tokens:
            raise RefusedError(413, f"a request has {limits.tokens:,} tokens at most, not about {tokens:,}: send less")
        try:
            waiting = asyncio.wrap_future(self.batcher.submit(ask, texts, seconds=limits.seconds, extra=extra))
            return await asyncio.wait_for(waiting, limits.seconds)
        except QueueFullError as full:
            raise RefusedError(429, str(full), {"Retry-After": str(full.seconds)}) from None
        except ClosedError as closed:
            raise RefusedError(503, str(closed)) from None
        except TimeoutError:
            raise RefusedError(
                503, f"the answer was not there after {limits.seconds:g} s: send less, or later"
            ) from None
