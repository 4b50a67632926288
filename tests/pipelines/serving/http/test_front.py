"""The outermost layer, asked as a server asks it."""

import asyncio
import json
from typing import Any

import pytest

from pipelines.serving.http.front import Front
from pipelines.serving.http.metrics import Metrics


@pytest.mark.parametrize("has_begun", [False, True])
def test_who_is_cut_off_at_the_end_of_the_process_is_told(has_begun: bool):
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(_: Any, __: Any, send: Any) -> None:
        if has_begun:
            await send({"type": "http.response.start", "status": 200})
        await asyncio.sleep(60)

    async def cut_off() -> None:
        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": []}
        request = asyncio.create_task(Front(app, Metrics(lambda: (0, 0)))(scope, _nothing, send))
        await asyncio.sleep(0)
        request.cancel()
        await request

    asyncio.run(cut_off())
    if has_begun:
        assert [message["status"] for message in sent] == [200]
    else:
        assert sent[0]["status"] == 503
        assert json.loads(sent[1]["body"])["error"]["code"] == "unavailable"


async def _nothing() -> Any:
    raise AssertionError("nothing is read here")
