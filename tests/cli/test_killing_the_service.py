"""A service that is killed or stopped in the middle of work, with boards that live on."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from pynq_async import RemoteDevice
from pynq_async.bitstream import parse_bitstream, synthetic_bitstream
from pynq_async.sim import SimBoard

from .service_process import client, ended, serving

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals for one process")

OLD, NEW = (synthetic_bitstream(size=1_000_000, seed=seed) for seed in (1, 2))
BOARD = {"count": 1}


def digest(bitstream: bytes) -> str:
    return parse_bitstream("x.bit", bitstream).digest


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def leased(http: httpx.AsyncClient) -> str:
    """Lease the board; gives its path."""
    answer = await http.post("/api/leases", json=BOARD)
    assert answer.status_code == 201, answer.text
    return f"/api/boards/{answer.json()['boards'][0]}"


async def program(http: httpx.AsyncClient, board: str, bitstream: bytes) -> httpx.Response:
    """Upload a bitstream to the service, and program it."""
    stored = await http.post("/api/bitstreams?name=x.bit", content=bitstream)
    assert stored.status_code == 201, stored.text
    return await http.post(f"{board}/program", json={"bitstream": stored.json()["id"]})


async def killed(process: asyncio.subprocess.Process, request: "asyncio.Task[Any]") -> None:
    """Kill the service, which its client notices."""
    process.kill()
    await process.wait()
    await asyncio.wait({request})
    assert isinstance(request.exception(), httpx.TransportError)


async def whole_and_of_use(sim: SimBoard, expected: bytes) -> None:
    """A board has this in its fabric, and a new service leases it and programs it."""
    assert (sim.fpga.state, sim.fpga.loaded and sim.fpga.loaded.digest) == ("operating", digest(expected))
    sim.faults.clear()
    sim.faults.bandwidth, sim.faults.program_seconds = None, 0.0

    async with serving(sim.address) as (process, start), client(start) as http:
        for bitstream in (OLD, NEW):
            assert (await program(http, await leased(http), bitstream)).status_code == 200
            board = (await http.get("/api/boards")).json()[0]
            assert board["digest"] == digest(bitstream) == sim.fpga.loaded.digest  # type: ignore[union-attr]

            for lease in (await http.get("/api/leases")).json():
                await http.delete(f"/api/leases/{lease['id']}")

        process.send_signal(signal.SIGTERM)
        await ended(process)


async def recorded(sim: SimBoard) -> str | None:
    """The digest of what the board's record says that is loaded; None where it says nothing."""
    async with RemoteDevice(sim.address) as board:
        loaded = await board.loaded()
        return loaded.digest if loaded is not None else None


async def test_killed_in_the_middle_of_an_upload_to_the_service(lone: SimBoard) -> None:
    async with serving(lone.address) as (process, start), client(start) as http:
        assert (await program(http, await leased(http), OLD)).status_code == 200
        begun = asyncio.Event()

        async def half() -> AsyncIterator[bytes]:
            yield NEW[:500_000]
            begun.set()
            await process.wait()
            yield NEW[500_000:]

        request = asyncio.create_task(http.post("/api/bitstreams?name=x.bit", content=half()))
        await begun.wait()
        await killed(process, request)

    assert await recorded(lone) == digest(OLD)
    await whole_and_of_use(lone, OLD)


async def test_killed_in_the_middle_of_an_upload_to_a_board(lone: SimBoard) -> None:
    async with serving(lone.address) as (process, start), client(start) as http:
        board = await leased(http)
        assert (await program(http, board, OLD)).status_code == 200
        lone.faults.bandwidth = 1e6
        writes = lone.counters.calls["remote_device.writefile"]
        request = asyncio.create_task(program(http, board, NEW))
        await until(lambda: lone.counters.calls["remote_device.writefile"] > writes)
        await killed(process, request)

    assert len(lone.counters.programmed) == 1
    assert await recorded(lone) == digest(OLD)
    await whole_and_of_use(lone, OLD)


async def test_killed_while_a_board_is_programmed(lone: SimBoard) -> None:
    """The board goes on by itself; that nobody saw the end is in its record, which does not claim anything."""
    async with serving(lone.address) as (process, start), client(start) as http:
        board = await leased(http)
        assert (await program(http, board, OLD)).status_code == 200
        lone.faults.program_seconds = 0.3
        request = asyncio.create_task(program(http, board, NEW))
        await until(lambda: lone.fpga.state == "write")
        await killed(process, request)

    await until(lambda: lone.fpga.state == "operating")
    assert await recorded(lone) is None
    await whole_and_of_use(lone, NEW)


async def test_buffers_of_a_killed_service_are_kept_by_the_boards_server_until_it_is_restarted(lone: SimBoard) -> None:
    async with serving(lone.address) as (process, start), client(start) as http:
        path = f"{await leased(http)}/buffers"
        request = asyncio.create_task(http.post(path, json={"shape": [1 << 20], "dtype": "u1"}))
        assert (await request).status_code == 201
        process.kill()
        await process.wait()

    async with serving(lone.address) as (process, start), client(start) as http:
        assert (await http.get(f"{await leased(http)}/buffers")).json() == []
        assert len(lone.process.buffers.held) == 1
        await lone.restart()
        assert lone.process.buffers.held == []
        assert (await program(http, f"/api/boards/{lone.address}", OLD)).status_code == 200
        process.send_signal(signal.SIGTERM)
        await ended(process)


async def test_stopped_in_the_middle_of_an_upload_it_takes_the_rest_and_then_ends(lone: SimBoard) -> None:
    async with serving(lone.address) as (process, start), client(start) as http:
        begun, rest = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield NEW[:500_000]
            begun.set()
            await rest.wait()
            yield NEW[500_000:]

        request = asyncio.create_task(http.post("/api/bitstreams?name=x.bit", content=slow()))
        await begun.wait()
        assert (await http.get("/api/boards")).status_code == 200  # by now the first half was taken
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None and await process.stderr.readline()
        rest.set()
        assert (await request).status_code == 201
        await ended(process)


async def test_stopped_while_a_board_is_programmed_it_ends_when_the_board_is(lone: SimBoard) -> None:
    async with serving(lone.address) as (process, start), client(start) as http:
        board = await leased(http)
        lone.faults.program_seconds = 0.3
        request = asyncio.create_task(program(http, board, NEW))
        await until(lambda: lone.fpga.state == "write")
        process.send_signal(signal.SIGTERM)
        assert (await request).status_code == 200
        await ended(process)

    assert await recorded(lone) == digest(NEW)
    await whole_and_of_use(lone, NEW)
