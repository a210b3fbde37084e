"""Clients that vanish, stall or share while data of a buffer comes and goes; and how much memory that takes."""

import tracemalloc
from collections.abc import AsyncIterator

import pytest

from pynq_async.service import ServiceOptions
from pynq_async.sim import SimBoard

from ..boards import begun
from .data import BIG, allocated, busy, open_request, read_when_free
from .services import problem, running


async def test_a_client_that_vanishes_leaves_the_board_as_it_was() -> None:
    sim = SimBoard()

    async with running(sim, served=True) as it:
        data = await allocated(it, 1 << 20)
        await it.alice.put(data, content=b"a" * (1 << 20))
        _, writer = await open_request(it, "PUT", data, 1 << 20)
        writer.write(b"b" * (1 << 19))
        await writer.drain()
        await busy(it, data)
        writer.transport.abort()
        assert await read_when_free(it, data) == b"a" * (1 << 20)
        assert sim.counters.calls["buffer.write"] == 1


async def test_one_request_at_a_time_uses_a_buffer() -> None:
    async with running(served=True) as it:
        data = await allocated(it, 4)
        reader, writer = await open_request(it, "PUT", data, 4)
        await busy(it, data)
        problem(await it.alice.put(data, content=b"abcd"), 409, "buffer-busy")
        problem(await it.alice.get(data), 409, "buffer-busy")
        writer.write(b"wxyz")
        assert b" 204 " in await reader.readline()
        assert (await it.alice.get(data)).content == b"wxyz"
        writer.close()


async def test_a_client_that_stops_to_send_is_given_up() -> None:
    async with running(served=True, options=ServiceOptions(stall=0.05)) as it:
        data = await allocated(it, 4)
        reader, writer = await open_request(it, "PUT", data, 4)
        writer.write(b"ab")
        assert b" 408 " in await reader.readline()
        assert await read_when_free(it, data) == bytes(4)
        writer.close()


async def test_a_client_that_stops_to_take_is_given_up() -> None:
    async with running(served=True, options=ServiceOptions(stall=0.1)) as it:
        data = await allocated(it, BIG)
        reader, writer = await open_request(it, "GET", data, receive=4096)
        assert b" 200 " in await reader.readline()
        assert await read_when_free(it, data) == bytes(BIG)
        writer.transport.abort()


async def test_a_client_that_goes_while_it_is_sent_data_leaves_nothing() -> None:
    async with running(served=True) as it:
        data = await allocated(it, BIG)
        reader, writer = await open_request(it, "GET", data, receive=4096)
        assert b" 200 " in await reader.readline()
        writer.transport.abort()
        assert await read_when_free(it, data) == bytes(BIG)


async def test_a_client_that_goes_before_the_board_has_answered_leaves_nothing() -> None:
    sim = SimBoard()

    async with running(sim, served=True) as it:
        data = await allocated(it, 8)
        sim.faults.delay("buffer.invalidate", 30)
        _, writer = await open_request(it, "GET", data)
        await begun(sim, "buffer.invalidate")
        writer.transport.abort()
        sim.faults.clear()
        assert await read_when_free(it, data) == bytes(8)


async def test_slow_clients_keep_no_board_when_the_lease_has_ended() -> None:
    sim = SimBoard()

    async with running(sim, served=True) as it:
        lease = await it.lease("a")
        data = await allocated(it, 1 << 20)
        reader, writer = await open_request(it, "PUT", data, 1 << 20)
        await busy(it, data)
        assert (await it.alice.delete(f"/api/leases/{lease}")).status_code == 204
        assert sim.counters.live_buffers == 0
        await it.lease("a", it.bob)
        writer.write(b"x")
        assert b" 409 " in await reader.readline()
        writer.close()


async def test_a_slow_download_is_cut_off_when_the_lease_has_ended() -> None:
    async with running(served=True) as it:
        lease = await it.lease("a")
        data = await allocated(it, BIG)
        reader, writer = await open_request(it, "GET", data, receive=4096)
        assert b" 200 " in await reader.readline()
        await it.alice.delete(f"/api/leases/{lease}")
        received = 0

        while piece := await reader.read(1 << 16):
            received += len(piece)

        assert received < BIG
        writer.close()


async def test_a_buffer_can_be_freed_while_it_is_written() -> None:
    async with running(served=True) as it:
        data = await allocated(it, 4)
        reader, writer = await open_request(it, "PUT", data, 4)
        await busy(it, data)
        assert (await it.alice.delete(data.removesuffix("/data"))).status_code == 204
        writer.write(b"abcd")
        assert b" 409 " in await reader.readline()
        writer.close()


async def test_data_is_not_held_in_memory_beside_the_buffer() -> None:
    async with running(served=True) as it:
        data = await allocated(it, BIG)

        async def body() -> AsyncIterator[bytes]:
            for _ in range(BIG >> 16):
                yield bytes(1 << 16)

        tracemalloc.start()

        try:
            assert (await it.alice.put(data, content=body(), headers={"Content-Length": str(BIG)})).status_code == 204

            async with it.alice.stream("GET", data) as answer:
                assert sum([len(piece) async for piece in answer.aiter_raw()]) == BIG

            assert tracemalloc.get_traced_memory()[1] < BIG // 2
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("why", ["stalled", "lease-ended"])
async def test_a_response_that_is_cut_off_is_no_failure_of_the_service(
    why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(served=True, options=ServiceOptions(stall=0.1 if why == "stalled" else 30)) as it:
        lease = await it.lease("a")
        data = await allocated(it, BIG)
        reader, writer = await open_request(it, "GET", data, receive=4096)
        assert b" 200 " in await reader.readline()

        if why == "lease-ended":
            await it.alice.delete(f"/api/leases/{lease}")

            while await reader.read(1 << 16):
                pass
        else:
            await read_when_free(it, data)

        writer.transport.abort()

    assert "Traceback" not in caplog.text
