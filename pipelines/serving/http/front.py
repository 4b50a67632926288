"""The outermost layer: each request has an id, is measured and logged, and gets an answer whatever happens behind."""

import asyncio
import logging
import re
import time
import traceback
from collections.abc import MutableMapping
from typing import Any
from uuid import uuid4

from pipelines.serving.http.guards import HEALTH, App, Receive, Scope, Send, header
from pipelines.serving.http.metrics import Metrics
from pipelines.serving.http.refusals import BROKEN, ENDING, RefusedError

REQUEST_ID = "request_id"  # in the scope of a request
GONE = 499  # the client has hung up: nobody reads this status but the metrics
UNKNOWN = "other"  # endpoint of all paths that there are not
QUIET = HEALTH | {"/metrics"}  # asked for every few seconds, and not worth a line
ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
logger = logging.getLogger(f"coarsefine.{__name__}")


class Front:
    """Pass requests on, with an id each.

    Parameters
    ----------
    app
        What answers, or raises RefusedError.
    metrics
        Where requests are counted.
    """

    def __init__(self, app: App, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; what the log says of it is its endpoint, never its path, query or body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = header(scope, b"x-request-id") or ""
        request_id = given if ID.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})[REQUEST_ID] = request_id
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope  # the server leaves the body out
        began, status = time.perf_counter(), GONE

        async def answer(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [(key, value) for key, value in message.get("headers", ()) if key != b"x-request-id"]
                message["headers"] = [*headers, (b"x-request-id", request_id.encode()), *HEADERS]
                if not any(key == b"cache-control" for key, _ in headers):
                    message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        try:
            await self.app(asked, receive, answer)
        except RefusedError as refused:
            await _refuse(refused, scope, answer)
        except asyncio.CancelledError:  # the process ends, and has waited long enough
            if status == GONE:
                await _refuse(RefusedError(503, ENDING, {"Connection": "close"}), scope, answer)
        except Exception as error:
            where = "".join(traceback.format_tb(error.__traceback__)[-3:])  # its message may quote a text
            logger.error("request %s failed with %s:\n%s", request_id, type(error).__name__, where.rstrip())
            if status == GONE:  # nobody has answered yet
                await _refuse(RefusedError(500, BROKEN), scope, answer)
        finally:
            spent = time.perf_counter() - began
            endpoint = getattr(asked.get("route"), "path", UNKNOWN)
            self.metrics.count_request(endpoint, status, spent)
            if endpoint not in QUIET:
                logger.info("%s %s %d %.1f ms %s", scope["method"], endpoint, status, 1000 * spent, request_id)


async def _refuse(refused: RefusedError, scope: Scope, send: Send) -> None:
    """Answer with an error."""
    body = refused.body(scope["path"], scope["state"][REQUEST_ID])
    headers = {"content-type": "application/json", "content-length": str(len(body)), **refused.headers}
    listed = [(key.lower().encode(), value.encode("latin-1")) for key, value in headers.items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": listed})
    await send({"type": "http.response.body", "body": body})
