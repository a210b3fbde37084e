"""Memory that is freed twice, or under a stream (H3, H4, H9)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from pynq_async import RemoteDevice
from pynq_async.errors import BufferFreed, OutcomeUnknown
from pynq_async.sim import Link
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from ..sim.conftest import eventually
from .conftest import QUICK, assert_works, careless, danger, endangered, neighbour, served


async def test_h03_a_second_free_takes_the_next_owners_buffer_without_defence() -> None:
    async with careless() as (sim, raw):
        mine = await raw.allocate(64)
        await raw.free(mine)
        theirs = await raw.allocate(64)
        await raw.free(mine)
        assert mine == theirs
        assert sim.counters.live_buffers == 0


async def test_h03_a_freed_buffer_never_touches_the_one_that_got_its_id() -> None:
    async with endangered() as (sim, board):
        first = await board.allocate(64, "u1")
        await first.free()

        async with board.allocate(64, "u1") as second:
            assert first._memory is not None
            assert second._memory is not None
            assert first._memory.id == second._memory.id
            await first.free()

            for use in (first.sync_to_device, first.sync_from_device):
                with pytest.raises(BufferFreed):
                    await use()

            second[:] = 9
            await second.sync_to_device()
            assert sim.counters.live_buffers == 1


@pytest.mark.parametrize("executed", [True, False])
async def test_h03_freeing_is_never_repeated(executed: bool) -> None:
    async with endangered() as (sim, board):
        buffer = await board.allocate(64, "u1")
        sim.faults.drop("buffer.freebuffer", after=executed)

        with pytest.raises(OutcomeUnknown):
            await buffer.free()

        async with neighbour(sim.address) as other:
            await other.until_served()
            theirs = await other.allocate(64)
            await buffer.free()
            await assert_works(sim, board)
            assert sim.counters.calls["buffer.freebuffer"] == 2
            await other.free(theirs)

        if not executed:  # the memory is lost until the server restarts, which is better than taking another's
            assert sim.counters.live_buffers == 1
            await sim.restart()


async def test_h04_freeing_under_a_stream_kills_the_server_without_defence() -> None:
    async with careless(danger()) as (sim, raw):
        buffer_id = await raw.allocate(1 << 16)
        upload = raw.upload(methods.BUFFER_WRITE)
        await upload.write(m.BufferWriteRequest(buffer_id=buffer_id, data=b"a"))
        await eventually(lambda: sim.counters.bytes_in > 0)
        await raw.free(buffer_id)
        await upload.write(m.BufferWriteRequest(buffer_id=buffer_id, data=b"b"))
        await eventually(lambda: bool(sim.counters.crashes))
        upload.cancel()
        await raw.until_served()


@pytest.mark.parametrize("direction", ["sync_to_device", "sync_from_device"])
async def test_h04_freeing_waits_for_the_streams_of_the_buffer(direction: str) -> None:
    async with endangered() as (sim, board):
        sim.faults.bandwidth = 40e6
        buffer = await board.allocate(4 << 20, "u1")

        async with asyncio.TaskGroup() as group:
            stream = group.create_task(_until_freed(getattr(buffer, direction)))
            await eventually(lambda: sim.counters.streams_now == 1)
            await buffer.free()
            assert sim.counters.streams_now == 0

        assert stream.done()


@pytest.mark.parametrize("direction", ["sync_to_device", "sync_from_device"])
async def test_h04_freeing_after_a_cancelled_stream_is_safe(direction: str) -> None:
    async with endangered() as (sim, board):
        for moment in (0.0, 0.002, 0.005, 0.01, 0.02):
            sim.faults.bandwidth = 100e6
            buffer = await board.allocate(4 << 20, "u1")
            stream = asyncio.create_task(getattr(buffer, direction)())
            await asyncio.sleep(moment)
            stream.cancel()
            await asyncio.wait({stream})
            await buffer.free()
            assert sim.counters.live_buffers == 0

        sim.faults.clear()
        await assert_works(sim, board)


async def test_h09_the_server_keeps_the_streams_of_a_client_that_vanished_without_defence() -> None:
    async with careless() as (sim, raw), Link(sim.address) as link_address, neighbour(link_address) as vanishing:
        buffer_id = await raw.allocate(64)
        upload = vanishing.upload(methods.BUFFER_WRITE)
        await upload.write(m.BufferWriteRequest(buffer_id=buffer_id, data=b"a"))
        await eventually(lambda: sim.counters.bytes_in > 0)
        assert sim.counters.streams_now == 1
        await raw.free(buffer_id)
        await upload.write(m.BufferWriteRequest(buffer_id=buffer_id, data=b"b"))
        await eventually(lambda: sim.counters.use_after_free == 1)
        upload.cancel()


@pytest.mark.parametrize("direction", ["sync_to_device", "sync_from_device"])
async def test_h09_a_buffer_is_left_alone_for_a_while_after_its_stream_was_lost(direction: str) -> None:
    async with served() as sim:
        link = Link(sim.address)

        async with link as link_address, RemoteDevice(link_address, timeouts=QUICK) as board:
            buffer = await board.allocate(8 << 20, "u1")
            buffer[:] = 1
            sim.faults.bandwidth = 50e6
            stream = asyncio.create_task(getattr(buffer, direction)())
            await eventually(lambda: sim.counters.bytes_in + sim.counters.bytes_out > 1 << 20)
            link.cut()
            link.refuse = True  # reading again must not succeed
            await asyncio.sleep(0.01)
            stream.cancel()
            await asyncio.wait({stream})
            lost = time.monotonic()
            link.refuse = False
            await buffer.free()
            assert time.monotonic() - lost >= QUICK.grace * 0.9
            assert sim.counters.live_buffers == 0
            sim.faults.clear()
            await assert_works(sim, board)


async def _until_freed(sync: Callable[[], Awaitable[None]]) -> None:
    with suppress(BufferFreed):  # between its two calls it may learn that the buffer is gone
        await sync()
