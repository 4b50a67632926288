"""The batcher with models made up: order, fairness, deadlines, cancelling, the bound of the queue, the end."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.serving.batcher import PATIENCE, Batch, Batcher, ClosedError, QueueFullError, tokens_of

SOON = 20.0  # seconds a test waits for what comes at once on a free machine


class Model:
    """Answers with the text itself, and remembers what it was asked for at once."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.go = threading.Event()
        self.busy = threading.Event()
        self.go.set()

    def __call__(self, texts: Sequence[str]) -> list[str]:
        self.asked.append(list(texts))
        self.busy.set()
        assert self.go.wait(SOON)
        if "bad" in texts:
            raise ValueError(f"cannot read {texts}")
        return [f"<{text}>" for text in texts]


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def batcher() -> Iterator[Callable[..., Batcher]]:
    made: list[Batcher] = []

    def make(**options: Any) -> Batcher:
        made.append(Batcher(**{"batch_tokens": 100, "queue_tokens": 1_000, **options}))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.close()


def held(model: Model, batcher: Batcher) -> "Future[list[Any]]":
    """Let the model be busy with something, so that all that follows waits."""
    model.go.clear()
    model.busy.clear()
    first = batcher.submit(model, ["first"], seconds=SOON)
    assert model.busy.wait(SOON)
    return first


@given(st.lists(st.lists(st.text(max_size=60), max_size=8), min_size=1, max_size=12))
def test_every_request_gets_its_own_answers_in_its_order(requests: list[list[str]]):
    batcher = Batcher(batch_tokens=30, queue_tokens=10**6)
    futures = [batcher.submit(_echo, texts, seconds=SOON) for texts in requests]
    batcher.start()
    assert [future.result(SOON) for future in futures] == [_echo(texts) for texts in requests]
    assert batcher.waiting == (0, 0)
    batcher.close()


def _echo(texts: Sequence[str]) -> list[str]:
    return [f"<{text}>" for text in texts]


def test_what_waits_shares_a_batch_sorted_by_length(model: Model, batcher: Callable[..., Batcher]):
    seen: list[Batch] = []
    queue = batcher(observe=seen.append)
    first = held(model, queue)
    futures = [queue.submit(model, [text], seconds=SOON) for text in ("a" * 90, "b", "c" * 30)]
    model.go.set()
    assert first.result(SOON) == ["<first>"]
    assert [future.result(SOON) for future in futures] == [[f"<{'a' * 90}>"], ["<b>"], [f"<{'c' * 30}>"]]
    assert model.asked == [["first"], ["b", "c" * 30, "a" * 90]]
    queue.close()
    assert (seen[-1].requests, seen[-1].items, seen[-1].tokens) == (3, 3, 31 + 1 + 11)


def test_a_large_request_does_not_keep_others_waiting(model: Model, batcher: Callable[..., Batcher]):
    queue = batcher(batch_tokens=10)
    held(model, queue)
    large = queue.submit(model, [f"l{i}" for i in range(50)], seconds=SOON)
    small = queue.submit(model, ["small"], seconds=SOON)  # came later
    model.go.set()
    assert large.result(SOON) == [f"<l{i}>" for i in range(50)]
    assert small.result(SOON) == ["<small>"]
    assert "small" in model.asked[1]
    assert sum(map(len, model.asked[1:])) == 51


def test_what_takes_longer_counts_for_more(model: Model, batcher: Callable[..., Batcher]):
    queue = batcher(batch_tokens=100, queue_tokens=500)
    held(model, queue)
    slow = queue.submit(model, [f"s{i}" for i in range(9)], seconds=SOON, extra=49)
    assert queue.waiting == (1, 9 * 50)
    with pytest.raises(QueueFullError):
        queue.submit(model, ["x", "y"], seconds=SOON, extra=49)
    model.go.set()
    slow.result(SOON)
    assert list(map(len, model.asked[1:])) == [2, 2, 2, 2, 1]


def test_small_requests_that_never_end_do_not_keep_a_large_one_waiting(model: Model, batcher: Callable[..., Batcher]):
    queue = batcher(batch_tokens=4)
    held(model, queue)
    large = queue.submit(model, ["l"] * 6, seconds=SOON)
    others = [queue.submit(model, ["s"], seconds=SOON) for _ in range(60)]
    model.go.set()
    large.result(SOON)
    for other in others:
        other.result(SOON)
    with_large = [place for place, batch in enumerate(model.asked) if "l" in batch]
    assert with_large[:2] == [1, 16]  # its turn comes again when the 60 that wait have had theirs, four with its first


def test_another_function_has_batches_of_its_own_and_its_turn(model: Model, batcher: Callable[..., Batcher]):
    other = Model()
    queue = batcher(batch_tokens=4)
    held(model, queue)
    large = queue.submit(model, ["l"] * 40, seconds=SOON)
    asked = queue.submit(other, ["x", "y"], seconds=SOON)
    late: list[int] = []
    asked.add_done_callback(lambda _: late.append(len(model.asked)))
    model.go.set()
    assert asked.result(SOON) == ["<x>", "<y>"]
    assert large.result(SOON) == ["<l>"] * 40
    assert other.asked == [["x", "y"]]
    assert late == [2]  # after the first batch of the large one


def test_who_is_alone_waits_for_nobody():
    now = [100.0]
    queue = Batcher(batch_tokens=100, queue_tokens=100, clock=lambda: now[0])
    queue._expected, queue._ended = 20, now[0] - 2 * PATIENCE  # many had a part in a batch of some time ago
    queue._waiting.append(object())  # type: ignore[arg-type]
    queue._await_others()  # a clock that stands still would never let it go
    queue._expected, queue._ended = 1, now[0]  # one client, one request after the other
    queue._await_others()


def test_after_a_batch_of_several_the_others_are_awaited_a_little(model: Model, batcher: Callable[..., Batcher]):
    queue = batcher()
    first = held(model, queue)
    several = [queue.submit(model, [f"s{i}"], seconds=SOON) for i in range(3)]
    model.go.set()
    for future in (first, *several):
        future.result(SOON)
    before = time.monotonic()
    assert queue.submit(model, ["alone"], seconds=SOON).result(SOON) == ["<alone>"]
    assert time.monotonic() - before < SOON / 2  # patience has an end


def test_a_full_queue_takes_no_more_and_says_for_how_long(model: Model, batcher: Callable[..., Batcher]):
    queue = batcher(queue_tokens=50)
    held(model, queue)
    huge = queue.submit(model, ["h" * 3_000], seconds=SOON)  # alone it is taken, or it never could be
    with pytest.raises(QueueFullError) as full:
        queue.submit(model, ["x"], seconds=SOON)
    assert 1 <= full.value.seconds <= 60
    model.go.set()
    assert huge.result(SOON) == [f"<{'h' * 3_000}>"]
    assert queue.submit(model, ["x"], seconds=SOON).result(SOON) == ["<x>"]


def test_the_cancelled_and_the_late_make_room_and_are_never_computed(model: Model, batcher: Callable[..., Batcher]):
    queue = batcher(queue_tokens=20)
    held(model, queue)
    gone = queue.submit(model, ["gone"] * 5, seconds=SOON)
    late = queue.submit(model, ["late"] * 5, seconds=0.0)
    assert gone.cancel()
    kept = queue.submit(model, ["kept"] * 5, seconds=SOON)  # there is room again
    model.go.set()
    assert kept.result(SOON) == ["<kept>"] * 5
    with pytest.raises(TimeoutError):
        late.result(SOON)
    with pytest.raises(CancelledError):
        gone.result(SOON)
    assert model.asked == [["first"], ["kept"] * 5]


def test_cancelled_while_it_is_computed(model: Model, batcher: Callable[..., Batcher]):
    queue = batcher(batch_tokens=2)
    model.go.clear()
    gone = queue.submit(model, ["g1", "g2", "g3"], seconds=SOON)
    assert model.busy.wait(SOON)
    assert gone.cancel()
    model.go.set()
    assert queue.submit(model, ["next"], seconds=SOON).result(SOON) == ["<next>"]
    assert ["g3"] not in model.asked
    assert queue.waiting == (0, 0)


def test_one_that_fails_spoils_no_other_and_its_text_is_not_logged(
    model: Model, batcher: Callable[..., Batcher], caplog: pytest.LogCaptureFixture
):
    queue = batcher()
    held(model, queue)
    good, bad, fine = (queue.submit(model, [text, "more"], seconds=SOON) for text in ("good", "bad", "fine"))
    model.go.set()
    with caplog.at_level(logging.INFO):
        assert good.result(SOON) == ["<good>", "<more>"]
        assert fine.result(SOON) == ["<fine>", "<more>"]
        with pytest.raises(ValueError, match="cannot read"):
            bad.result(SOON)
    assert "ValueError" in caplog.text
    assert "'bad'" not in caplog.text
    assert queue.is_alive


def test_too_few_answers_are_an_error_and_not_another_ones(batcher: Callable[..., Batcher]):
    with pytest.raises(ValueError, match="shorter"):
        batcher().submit(lambda _: ["only one"], ["a", "b"], seconds=SOON).result(SOON)


def test_closing_answers_what_waits_and_takes_no_more(model: Model, batcher: Callable[..., Batcher]):
    queue = batcher(batch_tokens=5)
    first = held(model, queue)
    waiting = [queue.submit(model, [f"w{i}"], seconds=SOON) for i in range(20)]
    ending = threading.Thread(target=queue.close)
    ending.start()
    while not queue._closed:
        time.sleep(0.001)
    with pytest.raises(ClosedError):
        queue.submit(model, ["too late"], seconds=SOON)
    model.go.set()
    ending.join(SOON)
    assert first.done()
    assert [future.result(0) for future in waiting] == [[f"<w{i}>"] for i in range(20)]
    assert not queue.is_alive


def test_nothing_is_answered_at_once(model: Model, batcher: Callable[..., Batcher]):
    assert batcher().submit(model, [], seconds=SOON).result(0) == []
    assert model.asked == []


@given(st.text())
def test_a_text_is_never_without_tokens(text: str):
    assert tokens_of(text) >= 1 + len(text) // 3
