"""The one thread that computes, and the bounded queue before it.

Work comes as a function and its items. What waits for the same function shares a batch, whoever has sent it: each
request in turn gives an item until the batch is full, so that a request of a thousand documents does not keep others
waiting. A batch is sorted by length, and what comes out goes back to the places of its items.
"""

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Generic, TypeVar

BYTES_PER_TOKEN = 3  # of UTF-8: a Chinese character, which is a token; tokens of other scripts are longer
PATIENCE = 0.005  # seconds after a batch in which those who had a part in it are expected to ask again
NEWEST = 0.2  # weight of the last batch in the speed that is remembered
LONGEST_WAIT = 60  # seconds that anybody is asked to wait before the next try
logger = logging.getLogger(f"coarsefine.{__name__}")

T = TypeVar("T")
Ask = Callable[[Sequence[str]], Sequence[Any]]


class QueueFullError(RuntimeError):
    """The queue has no place for these tokens.

    Parameters
    ----------
    seconds
        After which it is worth another try, by how fast the last batches went.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many requests are waiting: try again in {seconds} s")
        self.seconds = seconds


class ClosedError(RuntimeError):
    """No more work is taken: the process is about to end."""


@dataclass(frozen=True)
class Batch:
    """What was computed at once, for who measures it.

    Attributes
    ----------
    requests, items, tokens
        How many have a part in it, and how much it is.
    seconds
        How long it took.
    """

    requests: int
    items: int
    tokens: int
    seconds: float


@dataclass(eq=False)
class _Request(Generic[T]):
    ask: Ask
    items: Sequence[str]
    tokens: Sequence[int]
    deadline: float
    future: "Future[list[T]]" = field(default_factory=Future)
    begun: int = 0  # items that a batch has taken
    missing: int = 0  # answers that are not there yet

    def __post_init__(self) -> None:
        self.missing = len(self.items)
        self.answers: list[Any] = [None] * len(self.items)

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.future.done()

    def fail(self, error: BaseException) -> None:
        with suppress(InvalidStateError):  # it was cancelled
            self.future.set_exception(error)

    def answer(self, place: int, answer: T) -> None:
        self.answers[place] = answer
        self.missing -= 1
        if not self.missing:
            with suppress(InvalidStateError):
                self.future.set_result(self.answers)


_Piece = tuple[_Request[Any], int]  # one item of a request


class Batcher:
    """Compute what many senders ask for, in batches, in one thread.

    Parameters
    ----------
    batch_tokens
        In a batch at most, but for a longer single item.
    queue_tokens
        That may wait; a request is taken whole or not at all.
    observe
        Called after each batch, in the thread.
    clock
        Seconds, from any start.
    """

    def __init__(
        self,
        *,
        batch_tokens: int,
        queue_tokens: int,
        observe: Callable[[Batch], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.batch_tokens, self.queue_tokens = batch_tokens, queue_tokens
        self._observe, self._clock = observe, clock
        self._changed = threading.Condition()
        self._waiting: deque[_Request[Any]] = deque()
        self._tokens = 0  # of what waits
        self._closed = False
        self._expected, self._ended = 1, 0.0  # requests in the last batch, and when it ended
        self._rate = 0.0  # tokens a second
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)

    def start(self) -> None:
        """Begin to compute."""
        self._thread.start()

    @property
    def waiting(self) -> tuple[int, int]:
        """Requests and tokens that wait."""
        return len(self._waiting), self._tokens

    @property
    def is_alive(self) -> bool:
        """Whether there is a thread that computes."""
        return self._thread.is_alive()

    def submit(self, ask: Ask, items: Sequence[str], *, seconds: float, extra: int = 0) -> "Future[list[Any]]":
        """Have items answered.

        Parameters
        ----------
        ask
            Gives the answers of items, one each; equal ones share batches.
        items
            Texts.
        seconds
            From now, after which nobody waits for the answers: what has not begun by then is dropped.
        extra
            Tokens that an item counts for beside its own, where its answer takes longer than to read it.

        Returns
        -------
        concurrent.futures.Future
            The answers in the order of the items, a TimeoutError where they were dropped, or what `ask` raises. Where
            it is cancelled, what has not begun is dropped as well.

        Raises
        ------
        QueueFullError, ClosedError
            The work is not taken.
        """
        sizes = [tokens_of(item) + extra for item in items]
        request: _Request[Any] = _Request(ask, items, sizes, self._clock() + seconds)
        if not items:
            request.future.set_result([])
            return request.future
        tokens = sum(sizes)
        with self._changed:
            if self._closed:
                raise ClosedError("the service is about to end: ask another one")
            if self._waiting and self._tokens + tokens > self.queue_tokens:
                self._drop_dead()
                if self._waiting and self._tokens + tokens > self.queue_tokens:
                    raise QueueFullError(self._seconds_to_wait())
            self._waiting.append(request)
            self._tokens += tokens
            self._changed.notify()
        return request.future

    def close(self) -> None:
        """Take nothing more, compute what waits, and end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while (batch := self._next_batch()) is not None:
            before = self._clock()
            _answer(batch)
            self._ended = self._clock()
            requests = len({request for request, _ in batch})
            tokens = sum(request.tokens[place] for request, place in batch)
            done = Batch(requests, len(batch), tokens, self._ended - before)
            self._expected, rate = requests, tokens / max(done.seconds, 1e-6)
            self._rate = (1 - NEWEST) * self._rate + NEWEST * rate if self._rate else rate
            self._observe(done)
            del batch  # what was answered is not kept until the next one comes

    def _next_batch(self) -> list[_Piece] | None:
        """Wait for work and take a part of it; None when there is none and never will be."""
        with self._changed:
            while True:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                self._await_others()
                self._drop_dead()
                if self._waiting:
                    return self._take()
                if self._closed:
                    return None

    def _await_others(self) -> None:
        """Let those who had a part in the last batch ask again; who is alone never waits for anybody."""
        until = self._ended + PATIENCE
        while (
            not self._closed
            and len(self._waiting) < self._expected
            and self._tokens < self.batch_tokens
            and (left := until - self._clock()) > 0
        ):
            self._changed.wait(left)

    def _drop_dead(self) -> None:
        """Leave out what was cancelled, has failed or is too late."""
        now = self._clock()
        for request in [one for one in self._waiting if one.is_over or one.deadline <= now]:
            self._waiting.remove(request)
            self._tokens -= sum(request.tokens[request.begun :])
            request.fail(TimeoutError("the answer was not there in time"))

    def _take(self) -> list[_Piece]:
        """Take items from the requests in turn, all for the function of the oldest."""
        ask, batch, tokens = self._waiting[0].ask, list[_Piece](), 0
        turn = deque(request for request in self._waiting if request.ask == ask)
        while turn:
            request = turn.popleft()
            size = request.tokens[request.begun]
            if batch and tokens + size > self.batch_tokens:
                continue  # others may have a shorter one
            batch.append((request, request.begun))
            request.begun += 1
            tokens += size
            if request.begun < len(request.items):
                turn.append(request)
        self._tokens -= tokens
        served = dict.fromkeys(request for request, _ in batch)
        unfinished = [request for request in served if request.begun < len(request.items)]  # go to the end of the queue
        self._waiting = deque([*(request for request in self._waiting if request not in served), *unfinished])
        return batch

    def _seconds_to_wait(self) -> int:
        return min(max(ceil(self._tokens / self._rate), 1), LONGEST_WAIT) if self._rate else 1


def tokens_of(text: str) -> int:
    """Estimate the tokens of a text by its length, since to count them costs as much as to read them."""
    return len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN + 1


def _answer(batch: list[_Piece]) -> None:
    """Answer the items of a batch; where that fails, each request apart, so that one cannot spoil another's."""
    batch = sorted(batch, key=lambda piece: piece[0].tokens[piece[1]])
    items = [request.items[place] for request, place in batch]
    try:
        answers = batch[0][0].ask(items)
        for (request, place), answer in zip(batch, answers, strict=True):
            request.answer(place, answer)
    except Exception as error:
        requests = {request for request, _ in batch}
        if len(requests) == 1:
            _log(error)
            requests.pop().fail(error)
            return
        for alone in requests:
            _answer([piece for piece in batch if piece[0] is alone])


def _log(error: Exception) -> None:
    """Say where it happened, but not its message, which may quote a text."""
    where = "".join(traceback.format_tb(error.__traceback__)[-3:])
    logger.error("a batch failed with %s:\n%s", type(error).__name__, where.rstrip())
