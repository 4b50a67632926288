"""Bodies that are too large, too slow or cut off, and clients that hang up: asked as a server asks an application."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pipelines.serving.http.bodies import Bodies
from pipelines.serving.http.limits import Limits
from pipelines.serving.http.refusals import RefusedError

LIMITS = Limits(body=100, body_seconds=0.05)


class Client:
    """Sends messages one after the other, and then nothing until it hangs up."""

    def __init__(self, *messages: dict[str, Any], hangs_up: bool = False) -> None:
        self.messages, self.hangs_up, self.asked = list(messages), hangs_up, 0

    async def __call__(self) -> dict[str, Any]:
        self.asked += 1
        if self.messages:
            return self.messages.pop(0)
        if not self.hangs_up:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def ask(app: Callable[..., Any], client: Client, *, headers: Any = ()) -> None:
    async def send(_: Any) -> None: ...

    scope = {"type": "http", "method": "POST", "headers": list(headers)}
    asyncio.run(Bodies(app, LIMITS)(scope, client, send))


def test_a_body_in_parts_comes_whole():
    seen: list[Any] = []

    async def app(_: Any, receive: Any, __: Any) -> None:
        seen.append(await receive())

    ask(app, Client(part(b"one "), part(b""), part(b"two", more=False)))
    assert seen == [part(b"one two", more=False)]


@pytest.mark.parametrize("length", [b"201", b"99999999999999999999999", b"-1", b"many"])
def test_a_body_that_says_it_is_far_too_large_is_not_read(length: bytes):
    client = Client(part(b"x"))
    with pytest.raises(RefusedError) as refused:
        ask(_never, client, headers=[(b"content-length", length)])
    assert (refused.value.status, refused.value.headers) == (413, {"Connection": "close"})
    assert client.asked == 0


@pytest.mark.parametrize("headers", [(), [(b"content-length", b"120")]])
def test_a_body_that_is_a_little_too_large_is_heard_out_for_clients_that_listen_only_then(headers: Any):
    client = Client(part(b"x" * 60), part(b"x" * 60, more=False))
    with pytest.raises(RefusedError) as refused:
        ask(_never, client, headers=headers)
    assert (refused.value.status, refused.value.headers) == (413, {})
    assert client.asked == 2


def test_a_body_that_does_not_say_is_read_no_further_than_twice_the_limit():
    client = Client(*(part(b"x" * 60) for _ in range(1_000)))
    with pytest.raises(RefusedError) as refused:
        ask(_never, client)
    assert (refused.value.status, refused.value.headers) == (413, {"Connection": "close"})
    assert client.asked == 4


def test_a_slow_client_is_told_so():
    with pytest.raises(RefusedError) as refused:
        ask(_never, Client(part(b"x")))
    assert refused.value.status == 408


def test_a_body_that_is_cut_off_reaches_nobody():
    ask(_never, Client(part(b"x"), hangs_up=True))


def test_who_hangs_up_is_not_worked_for():
    ended: list[str] = []

    async def app(_: Any, receive: Any, __: Any) -> None:
        await receive()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    ask(app, Client(part(b"x", more=False), hangs_up=True))
    assert ended == ["cancelled"]


def test_an_error_behind_comes_through():
    async def app(*_: Any) -> None:
        raise KeyError("behind")

    with pytest.raises(KeyError, match="behind"):
        ask(app, Client(part(b"x", more=False)))


async def _never(*_: Any) -> None:
    raise AssertionError("nothing may get this far")
