"""The process at its port, where no process is needed to see it."""

import asyncio
import errno
import os
import socket
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from hierarchy.errors import DataError
from pipelines.serving.http.limits import Limits
from pipelines.serving.http.server import Complaints, bound, run_server, server_of


def test_answers_do_not_wait_for_more_to_send():
    with bound("127.0.0.1", 0) as taken:  # asyncio switches Nagle's algorithm off for this protocol alone
        assert taken.proto == socket.IPPROTO_TCP


def test_of_two_that_are_started_at_once_at_a_port_one_is_told():
    nothing: Any = SimpleNamespace(limits=Limits())  # of it is started
    with bound("127.0.0.1", 0) as first, bound("127.0.0.1", first.getsockname()[1]) as second:
        first.listen()
        with pytest.raises(DataError, match=r"port \d+ of '127.0.0.1' cannot be had .*--port"):
            run_server(nothing, nothing, second)


def test_who_is_on_the_way_at_the_end_is_answered():
    async def app(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def ended(taken: socket.socket) -> bytes:
        config = uvicorn.Config(app, log_config=None, lifespan="off")
        server = server_of(config, SimpleNamespace())  # type: ignore[arg-type]
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup([taken])
        end = asyncio.create_task(server.shutdown([taken]))
        await asyncio.sleep(0.05)
        reader, writer = await asyncio.open_connection(*taken.getsockname())
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        said = await reader.read()
        writer.close()
        await end
        return said

    with bound("127.0.0.1", 0) as taken:
        assert asyncio.run(ended(taken)).startswith(b"HTTP/1.1 204")


def test_the_log_has_a_complaint_of_asyncio_once(caplog: pytest.LogCaptureFixture):
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(Complaints())
    full = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    for _ in range(2_000):
        loop.call_exception_handler({"message": "socket.accept() out of system resource", "exception": full})
    loop.call_exception_handler({"message": "another", "exception": ValueError("hush")})
    loop.close()
    assert [record.getMessage() for record in caplog.records] == [
        "socket.accept() out of system resource (Too many open files)",
        "another (ValueError)",
    ]
