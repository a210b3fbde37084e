"""What becomes of requests that do not end in the time that a service which stops gives them."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator

import pytest

from pynq_async.service import ServiceOptions
from pynq_async.service.audit import LOGGER

from .services import running
from .sockets import begun
from .uploads import until

PATH = "/api/bitstreams?name=base.bit"


async def test_a_request_that_is_given_up_is_answered_and_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        async with running(served=True, options=ServiceOptions(drain=0.05)) as it:
            stack = begun(it, it.bob, "POST", PATH, b"xxx", 100)
            reader, _ = await stack.__aenter__()
            answer = asyncio.create_task(reader.read())
            await until(lambda: it.service.storage.taken)

    head, _, body = (await answer).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    told = json.loads(body)
    assert (told["type"], told["detail"]) == (
        "urn:pynq-async:problem:given-up",
        "the service has stopped before this came to its end",
    )
    loud = [record.getMessage() for record in caplog.records if record.levelno > logging.INFO]
    assert loud == ["given up, since the service stops: POST /api/bitstreams by bob"]
    (line,) = [json.loads(record.getMessage()) for record in caplog.records if record.name == LOGGER.name]
    assert (line["status"], line["token"], line["received"]) == (503, "bob", 3)
    await stack.__aexit__(None, None, None)


async def test_a_request_that_its_server_cancels_is_answered_as_well() -> None:
    async with running() as it:
        body = asyncio.Event()
        statuses: list[int] = []

        async def endless() -> AsyncIterator[bytes]:
            yield b"xxx"
            await body.wait()

        async def ask() -> None:
            statuses.append((await it.bob.post(PATH, content=endless())).status_code)

        request = asyncio.create_task(ask())
        await until(lambda: it.service.storage.taken)
        it.service.drain()
        request.cancel()
        await asyncio.wait({request})
        assert statuses == [503]
