"""Jobs for tests, and how their runs are begun and waited for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt

from pynq_async import RemoteDevice
from pynq_async.service import Jobs

from .services import Running

jobs = Jobs()


@jobs.job()
async def look(board: RemoteDevice, path: str = "/") -> dict[str, Any]:
    """A call to the board."""
    return {"board": board.name, "there": await board.exists_file(path)}


@jobs.job(timeout=30)
async def forever(board: RemoteDevice) -> None:
    """Takes a buffer and never ends."""
    async with board.allocate(16):
        await asyncio.Event().wait()


@jobs.job()
async def fail(board: RemoteDevice) -> None:
    """Fails."""
    raise ValueError("no such picture")


@jobs.job(timeout=0.02)
async def late(board: RemoteDevice) -> None:
    """Does not end in time."""
    await asyncio.Event().wait()


@jobs.job()
async def give(board: RemoteDevice, what: str) -> object:
    """Returns something of a kind."""
    return {
        "bytes": b"abc",
        "view": memoryview(b"abc"),
        "array": np.arange(6, dtype="<u2").reshape(2, 3).T,
        "json": {"a": [1, 2.5, None, float("nan")], "n": np.uint8(3), "row": np.array([1, 2])},
        "none": None,
        "object": object(),
        "objects": np.array([object()]),
        "large": bytes(1000),
    }[what]


@jobs.job()
async def mirror(board: RemoteDevice, image: npt.NDArray[np.uint8], times: int = 1) -> npt.NDArray[np.uint8]:
    """An image through the board's memory."""
    async with board.allocate(image.shape, image.dtype) as buffer:
        buffer[:] = image
        await buffer.sync_to_device()
        buffer[:] = 0
        await buffer.sync_from_device()
        return buffer[:, :: -1 if times % 2 else 1]  # type: ignore[no-any-return]


@jobs.job()
async def count(board: RemoteDevice, content: bytes, more: int = 0) -> int:
    """How much was sent."""
    assert isinstance(content, bytes)
    return len(content) + more


@asynccontextmanager
async def tool(board: RemoteDevice) -> AsyncIterator[list[str]]:
    """What a setup gives."""
    yield [board.name, str(await board.exists_file("/"))]


@jobs.job(setup=tool)
async def with_setup(names: list[str]) -> list[str]:
    """Is given what its setup gives."""
    return names


async def begin(it: Running, job: str, client: httpx.AsyncClient | None = None, **arguments: Any) -> str:
    """Begin a run; returns where it is."""
    answer = await (client or it.alice).post(f"/api/jobs/{job}/runs", json={"arguments": arguments})
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


async def ended(it: Running, run: str) -> dict[str, Any]:
    """Wait for the end of a run."""
    answer = (await it.carol.get(f"{run}?wait=10")).json()
    assert answer["ended"] is not None, answer
    return dict(answer)


async def at(it: Running, run: str, state: str) -> None:
    """Wait until a run is in a state."""
    async with asyncio.timeout(5):
        while (await it.carol.get(run)).json()["state"] != state:
            await asyncio.sleep(0.001)
