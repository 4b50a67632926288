"""The body of a request: read whole, within its size and time, before anything works on it; and who has hung up."""

import asyncio
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from pipelines.serving.http.guards import App, Receive, Scope, Send, header
from pipelines.serving.http.limits import Limits
from pipelines.serving.http.refusals import RefusedError

HANG_UP = {"Connection": "close"}  # the rest of the body is not read
HEARD_OUT = 2  # times the limit: many clients and proxies listen to an answer only when they have sent all


class Bodies:
    """Read bodies within limits, and end the work on a request whose client has gone.

    Parameters
    ----------
    app
        What answers.
    limits
        `body` and `body_seconds` count here.
    """

    def __init__(self, app: App, limits: Limits) -> None:
        self.app, self.limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its body, or raise RefusedError."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        body = await self._read(scope, receive)
        if body is not None:
            await _answer(self.app, scope, body, receive, send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """Return the body; None where the client has gone meanwhile."""
        length = header(scope, b"content-length") or "0"
        if not length.isdigit() or int(length) > HEARD_OUT * self.limits.body:
            raise self._too_large(HANG_UP)
        read, size = bytearray(), 0
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    size += len(message.get("body", b""))
                    if size > HEARD_OUT * self.limits.body:
                        raise self._too_large(HANG_UP)
                    if size <= self.limits.body:
                        read += message.get("body", b"")
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            raise RefusedError(
                408, f"the request was not there after {self.limits.body_seconds:g} s", HANG_UP
            ) from None
        if size > self.limits.body:
            raise self._too_large()
        return bytes(read)

    def _too_large(self, headers: Mapping[str, str] = MappingProxyType({})) -> RefusedError:
        return RefusedError(413, f"a request has {self.limits.body:,} bytes at most: send fewer documents", headers)


async def _answer(app: App, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
    """Have a request answered, unless its client hangs up first."""
    given = False

    async def replay() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            await asyncio.shield(gone)
            return {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    gone: asyncio.Future[Any] = asyncio.ensure_future(receive())  # after the body there is only the end to come
    work = asyncio.ensure_future(app(scope, replay, send))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            await work
    finally:
        gone.cancel()
        if not work.done():
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
