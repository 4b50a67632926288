"""One process at one port: bound first, ready when the model is warm, and at SIGTERM gone when all are answered."""

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from hierarchy.errors import DataError
from pipelines.serving.http.guards import App
from pipelines.serving.http.service import Service

if TYPE_CHECKING:
    import uvicorn

NOTICE = 0.5  # seconds in which what is on its way still comes in, after it was said that no more is welcome
BACKLOG = 2048
KEPT = 75  # seconds that an idle connection stays: longer than proxies keep theirs, who would send into a closed one
SAME_AGAIN = 60  # seconds until the log has the same complaint again: of files that run out there are thousands
MARGIN = 5  # seconds beside the deadline of requests, until those in flight are cut off
logger = logging.getLogger(f"coarsefine.{__name__}")


def bound(host: str, port: int) -> socket.socket:
    """Take a port, before any long work; who connects before the service is ready is turned away.

    Raises
    ------
    DataError
        It cannot be had.
    """
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        made = socket.socket(*address[:3])  # with its protocol: asyncio leaves Nagle's delay on without it
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(address[4])
        except OSError:
            made.close()
            raise
    except (OSError, OverflowError, UnicodeError) as error:
        raise _not_had(host, port, error) from error
    return made


def _not_had(host: str, port: int, error: Exception) -> DataError:
    why = getattr(error, "strerror", None) or error
    return DataError(f"port {port} of {host!r} cannot be had ({why}): name another --port or --host")


def run_server(app: App, service: Service, taken: socket.socket) -> None:
    """Answer until SIGTERM or Ctrl-C; those in flight get their answers.

    Parameters
    ----------
    app
        As `make_app` made it.
    service
        Its service; started and closed here.
    taken
        As `bound` gives it.

    Raises
    ------
    DataError
        Another process, started at the same time, has the port already.
    """
    import uvicorn

    config = uvicorn.Config(
        app, log_config=None, access_log=False, ws="none", lifespan="off", server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=int(service.limits.seconds) + MARGIN, backlog=BACKLOG,
        timeout_keep_alive=KEPT,
    )  # fmt: skip
    try:
        taken.listen(BACKLOG)
    except OSError as error:
        host, port = taken.getsockname()[:2]
        raise _not_had(host, port, error) from error
    service.start()
    try:
        server_of(config, service).run(sockets=[taken])
    finally:
        service.close()


class Complaints:
    """What asyncio complains of: a line in the log, without what an error may quote, and seldom the same."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def __call__(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tell of it, as an exception handler of a loop."""
        error, now = context.get("exception"), time.monotonic()
        complaint = f"{context['message']} ({getattr(error, 'strerror', None) or type(error).__name__})"
        if now - self._told.get(complaint, -SAME_AGAIN) >= SAME_AGAIN:
            self._told[complaint] = now
            logger.error(complaint)


def server_of(config: "uvicorn.Config", service: Service) -> "uvicorn.Server":
    """Make the server of a service: what it does at its start and end, and at signals."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            asyncio.get_running_loop().set_exception_handler(Complaints())
            await super().startup(sockets)
            for one in sockets or []:
                host, port = one.getsockname()[:2]
                shown = f"[{host}]" if ":" in host else host
                logger.info("ready at http://%s:%d", shown, port)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            await asyncio.sleep(NOTICE)
            await super().shutdown(sockets)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if not self.should_exit:
                logger.info("%s: no more is welcome, what is in flight is answered", signal.Signals(sig).name)
            service.leave()
            super().handle_exit(sig, frame)

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Heed the signals, and take them for done with: uvicorn raises them again in the end."""
            earlier: dict[Any, Any] = {
                number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)
            }
            try:
                yield
            finally:
                for number, handler in earlier.items():
                    signal.signal(number, handler)

    return Server(config)
