"""Buffers come and go: sizes, freeing, and that nothing is lost on the way."""

import asyncio
import contextlib
import gc
import random
import warnings
from typing import Any

import numpy as np
import pytest

from pynq_async import Buffer, RemoteDevice, Timeouts
from pynq_async.errors import (
    AllocationError,
    BufferFreed,
    ConnectError,
    ConnectionLost,
    Misuse,
    NotOpen,
    OutcomeUnknown,
    OutOfRange,
    ServerError,
)
from pynq_async.sim import Link, SimBoard, serve
from pynq_async.wire import messages as m

from ..boards import HASTY, begun, simulated

MIB = 1 << 20


async def test_a_freed_buffer_keeps_its_content_and_has_no_board_side(sim: SimBoard, board: RemoteDevice) -> None:
    buffer = await board.allocate(16, "u1")
    view = buffer[4:]
    buffer[:] = 3
    await buffer.freebuffer()
    await buffer.free()
    await view.free()
    assert buffer.freed and view.freed
    assert buffer.sum() == 48
    assert sim.counters.calls["buffer.freebuffer"] == 1

    for use in (buffer.sync_to_device(), buffer.sync_from_device(), view.flush()):
        with pytest.raises(BufferFreed):
            await use

    with pytest.raises(BufferFreed):
        _ = buffer.physical_address


async def test_a_lost_buffer_warns_and_is_freed_by_the_next_allocation() -> None:
    async with simulated() as (sim, board):
        buffer: Any = await board.allocate(16, "u1")
        assert buffer.nbytes == 16

        with pytest.warns(ResourceWarning, match=f"the buffer of 16 bytes at .* on {board.name} was never freed"):
            del buffer
            gc.collect()

        assert sim.counters.live_buffers == 1

        async with board.allocate(16, "u1"):
            assert sim.counters.live_buffers == 1


async def test_a_view_keeps_the_buffer() -> None:
    async with simulated() as (_, board):
        buffer = await board.allocate(16, "u1")
        view = buffer[2:4]
        del buffer

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            gc.collect()

        await view.sync_from_device()
        await view.free()


async def test_closing_the_board_frees_its_buffers() -> None:
    async with simulated() as (sim, board):
        buffers = [await board.allocate(64) for _ in range(5)]
        await board.aclose()
        assert sim.counters.live_buffers == 0
        assert all(buffer.freed for buffer in buffers)


@pytest.mark.parametrize("size", [0, 1 << 31, (1 << 20, 1 << 20)])
async def test_an_impossible_size_is_refused_before_anything_is_sent(
    sim: SimBoard, board: RemoteDevice, size: Any
) -> None:
    with pytest.raises(OutOfRange):
        await board.allocate(size, "u1")

    assert sim.counters.calls["buffer.allocate"] == 0


@pytest.mark.parametrize(
    ("shape", "dtype"), [(-1, "u1"), ("many", "u1"), ((2, -3), "u1"), (4, object), (4, "nonsense")]
)
async def test_nonsense_is_refused(board: RemoteDevice, shape: Any, dtype: Any) -> None:
    with pytest.raises(Misuse):
        board.allocate(shape, dtype)


async def test_no_memory_is_an_error_that_says_how_much_there_is() -> None:
    async with simulated(cma_bytes=8 * MIB) as (_, board):
        with pytest.raises(AllocationError, match=r"no 16777216 bytes .*\(8388608 bytes are free"):
            await board.allocate(16 * MIB, "u1")

        async with board.allocate(MIB, "u1"):
            pass


async def test_an_unopened_buffer_says_so(board: RemoteDevice) -> None:
    buffer: Any = board.allocate(16, "u1")

    for use in (lambda: buffer[0], lambda: buffer.sync_to_device(), lambda: len(buffer), lambda: buffer.nbytes):
        with pytest.raises(NotOpen, match="neither awaited nor entered"):
            use()


async def test_freeing_waits_for_the_streams(sim: SimBoard, board: RemoteDevice) -> None:
    buffer = await board.allocate(4 * MIB, "u1")
    sim.faults.bandwidth = 40e6
    writing = asyncio.ensure_future(buffer.sync_to_device())
    await begun(sim, "buffer.write")
    freeing = asyncio.ensure_future(buffer.free())

    with pytest.raises(BufferFreed):
        await asyncio.gather(writing)  # it was freed before the flush

    await freeing
    assert sim.counters.use_after_free == 0


async def test_an_allocation_does_not_wait_for_a_running_download_from_the_board(
    sim: SimBoard, board: RemoteDevice
) -> None:
    async with board.allocate(8 * MIB, "u1") as large:
        await large.sync_to_device()
        sim.faults.bandwidth = 8e6
        reading = asyncio.ensure_future(large.sync_from_device())
        await begun(sim, "buffer.read")

        async with asyncio.timeout(0.6), board.allocate(16, "u1"):
            assert not reading.done()

        sim.faults.bandwidth = None
        await reading


async def test_cancelled_allocations_leak_nothing() -> None:
    seeded = random.Random(5)

    async with simulated() as (sim, board):
        sim.faults.latency = 0.004

        for _ in range(60):
            task = asyncio.ensure_future(_allocate(board))
            await asyncio.sleep(seeded.random() * 0.02)
            task.cancel()

            with contextlib.suppress(asyncio.CancelledError):
                await (await task).free()

        sim.faults.clear()
        assert sim.counters.calls["buffer.allocate"] > 20


async def test_an_allocation_whose_answer_is_late_is_freed_by_the_next_one() -> None:
    async with simulated(timeouts=Timeouts(allocate=0.15, grace=0.01)) as (sim, board):
        sim.faults.delay("buffer.allocate", 0.2)

        with pytest.raises(OutcomeUnknown, match="a late one is taken care of"):
            await board.allocate(16)

        sim.faults.clear()

        async with board.allocate(16):
            assert sim.counters.live_buffers == 1
            assert sim.counters.calls["buffer.freebuffer"] == 1


async def test_a_buffer_whose_address_cannot_be_had_is_freed(sim: SimBoard, board: RemoteDevice) -> None:
    sim.faults.answer("buffer.physical_address", m.AddressResponse(msg="no"))

    with pytest.raises(ServerError):
        await board.allocate(16)

    assert sim.counters.live_buffers == 0


async def test_freeing_is_never_repeated(sim: SimBoard, board: RemoteDevice) -> None:
    buffer = await board.allocate(16)
    sim.faults.drop("buffer.freebuffer", after=True)

    with pytest.raises(ConnectionLost) as caught:
        await buffer.free()

    assert isinstance(caught.value, OutcomeUnknown)
    await buffer.free()
    assert sim.counters.calls["buffer.freebuffer"] == 1


async def _allocate(board: RemoteDevice) -> Buffer:
    return await board.allocate(4096, "u1")


async def test_a_lost_buffer_is_freed_even_if_the_warning_is_an_error() -> None:
    async with simulated() as (_, board):
        buffer: Any = await board.allocate(16, "u1")
        memory = buffer._memory

        with pytest.raises(ResourceWarning):
            memory.__del__()

        assert memory.freed
        del buffer


async def test_a_free_that_could_not_be_sent_is_made_up_for() -> None:
    sim = SimBoard()

    async with serve(sim) as address:
        link = Link(address)

        async with link as link_address:
            board = await RemoteDevice(link_address, timeouts=Timeouts(connect=0.3))
            buffer = await board.allocate(64)
            link.refuse = True
            link.cut()

            with pytest.raises((ConnectError, ConnectionLost)):
                await board.exists_file("/tmp")  # now the loss is known

            with pytest.raises(ConnectError):
                await buffer.free()

            assert sim.counters.live_buffers == 1
            link.refuse = False
            await _reached(board)
            await board.aclose()
            assert sim.counters.live_buffers == 0


async def _reached(board: RemoteDevice) -> None:
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(ConnectError, ConnectionLost):
                await board.exists_file("/tmp")
                return


async def test_closing_is_not_cut_short(sim: SimBoard) -> None:
    board = await RemoteDevice(sim.address, timeouts=HASTY)
    buffers = [await board.allocate(4 * MIB, "u1") for _ in range(6)]
    sim.faults.bandwidth = 4e6
    uploads = [asyncio.ensure_future(buffer.sync_to_device()) for buffer in buffers]
    await begun(sim, "buffer.write", 2)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await board.aclose()

    sim.faults.bandwidth = None
    assert sim.counters.live_buffers == 0
    ends = await asyncio.gather(*uploads, return_exceptions=True)
    assert all(isinstance(end, NotOpen | BufferFreed) for end in ends), ends


async def test_a_buffer_that_is_open_is_not_opened_again(sim: SimBoard, board: RemoteDevice) -> None:
    opening = board.allocate(64)

    async with opening as buffer:
        with pytest.raises(NotOpen, match="the buffer is open already; ask for another one"):
            await opening.__aenter__()

        assert not buffer.freed

    assert sim.counters.live_buffers == 0


async def test_a_buffer_that_was_never_awaited_is_missed(board: RemoteDevice) -> None:
    opening: Any = board.allocate(64)
    assert "neither awaited nor entered" in repr(opening)

    for use in (np.asarray, lambda thing: thing.__enter__()):
        with pytest.raises(NotOpen, match="neither awaited nor entered with 'async with'"):
            use(opening)

    forgotten = [board.allocate(64)]

    with pytest.warns(RuntimeWarning, match="the buffer was never opened: is an 'await' missing"):
        forgotten.clear()
        gc.collect()
