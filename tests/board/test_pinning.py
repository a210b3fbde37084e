"""Memory that hardware uses is not given back before that hardware is quiet."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import anyio
import numpy as np
import pytest

from pynq_async import RemoteDevice
from pynq_async.errors import BufferFreed, ConnectionLost, HardwareError, Misuse, NoBoardMemory, StaleHandle
from pynq_async.sim import SimBoard

from ..boards import simulated


class Hardware:
    """Something that uses a buffer until it is told to stop."""

    def __init__(self, sim: SimBoard, trouble: Exception | None = None) -> None:
        self.sim = sim
        self.trouble = trouble
        self.stopped = 0
        self.freed_before = 0

    async def quiesce(self) -> None:
        await asyncio.sleep(0.001)
        self.freed_before = self.sim.counters.calls["buffer.freebuffer"]

        if self.trouble is not None:
            raise self.trouble

        self.stopped += 1


async def test_freeing_stops_the_hardware_first() -> None:
    async with simulated() as (sim, board):
        one, other = Hardware(sim), Hardware(sim)
        buffer = await board.allocate(64)
        buffer.pin(one.quiesce)
        buffer[8:].pin(other.quiesce)
        await buffer.free()
        assert one.stopped == other.stopped == 1
        assert one.freed_before == other.freed_before == 0
        assert sim.counters.live_buffers == 0

        with pytest.raises(BufferFreed):
            buffer.pin(one.quiesce)


async def test_what_is_unpinned_is_not_stopped() -> None:
    async with simulated() as (sim, board):
        hardware = Hardware(sim)

        async with board.allocate(64) as buffer:
            unpin = buffer.pin(hardware.quiesce)
            unpin()
            unpin()

        assert hardware.stopped == 0


async def test_memory_stays_when_the_hardware_cannot_be_stopped() -> None:
    async with simulated() as (sim, board):
        hardware = Hardware(sim, HardwareError(board.name, "stuck"))
        buffer = await board.allocate(64)
        buffer.pin(hardware.quiesce)

        with pytest.raises(HardwareError, match="stuck"):
            await buffer.free()

        assert not buffer.freed
        await buffer.sync_to_device()
        hardware.trouble = None
        await buffer.free()
        assert hardware.stopped == 1


async def test_closing_the_board_stops_the_hardware() -> None:
    async with simulated() as (sim, board):
        hardware = Hardware(sim)
        window = board.mmio(0xF800_0000)

        async def quiesce() -> None:
            await window.write(0, 1)
            await hardware.quiesce()

        buffer = await board.allocate(64)
        buffer.pin(quiesce)
        await board.aclose()
        assert hardware.stopped == 1
        assert buffer.freed


async def test_closing_leaves_memory_that_goes_on_being_used() -> None:
    async with simulated() as (sim, board):
        hardware = Hardware(sim, ConnectionLost(board.name, "no answer"))
        buffer = await board.allocate(64)
        unpin = buffer.pin(hardware.quiesce)

        with pytest.warns(
            RuntimeWarning,
            match=r"buffers stay allocated until the board server is restarted \(1\), .* not be stopped: .*no answer",
        ):
            await board.aclose()

        assert sim.counters.live_buffers == 1
        unpin()
        await sim.restart()


async def test_pinned_memory_is_not_freed_when_its_owner_forgets_it() -> None:
    async with simulated() as (sim, board):
        hardware = Hardware(sim)
        buffer: Any = await board.allocate(64)
        memory = weakref.ref(buffer._memory)
        unpin = buffer.pin(hardware.quiesce)
        del buffer
        gc.collect()
        assert memory() is not None

        with pytest.warns(ResourceWarning, match="never freed"):
            unpin()
            del unpin
            gc.collect()

        assert memory() is None


async def test_a_cancelled_free_has_stopped_the_hardware_and_the_memory_goes_with_the_next_allocation() -> None:
    async with simulated() as (sim, board):
        hardware = Hardware(sim)
        buffer = await board.allocate(64)
        buffer.pin(hardware.quiesce)

        with anyio.CancelScope() as scope:
            scope.cancel()
            await buffer.free()

        assert hardware.stopped == 1
        assert buffer.freed

        async with board.allocate(64):
            assert sim.counters.live_buffers == 1


async def test_two_that_free_at_once() -> None:
    async with simulated() as (sim, board):
        hardware = Hardware(sim)
        buffer = await board.allocate(64)
        buffer.pin(hardware.quiesce)

        async with asyncio.TaskGroup() as group:
            group.create_task(buffer.free())
            group.create_task(buffer.free())

        assert sim.counters.calls["buffer.freebuffer"] == 1


async def test_what_hardware_must_not_be_given(sim: SimBoard, board: RemoteDevice) -> None:
    async with RemoteDevice(sim.address, name="other") as neighbour, neighbour.allocate(16) as foreign:
        buffer = await board.allocate(16)
        board.check_buffer(buffer[3:])

        for array, error, words in (
            (np.zeros(4), Misuse, "not ndarray"),
            (None, Misuse, "not NoneType"),
            (foreign, Misuse, "allocated through other"),
            (buffer + 1, NoBoardMemory, "computed or copied"),
        ):
            with pytest.raises(error, match=words):
                board.check_buffer(array)

        await buffer.free()

        with pytest.raises(BufferFreed):
            board.check_buffer(buffer)


async def test_the_prefix_of_a_view_is_what_must_be_written_to_the_board(sim: SimBoard, board: RemoteDevice) -> None:
    async with board.allocate((4, 16), "u2") as buffer:
        buffer[:] = 7
        part = buffer[2]
        prefix = part.prefix()
        assert (prefix.shape, prefix.dtype) == ((96,), np.uint8)
        assert prefix.physical_address == buffer.physical_address
        part[:] = 9
        await prefix.sync_to_device()
        assert sim.memory.read(buffer.physical_address, 128) == b"\7\0" * 32 + b"\x09\0" * 16 + bytes(32)
        assert buffer.prefix().nbytes == buffer[::-1, 1:].prefix().nbytes == 128
        assert buffer[:2].view("u1")[:5, :3].prefix().nbytes == 35


async def test_a_guarded_register_is_not_written_for_a_buffer_of_a_restarted_server() -> None:
    async with simulated() as (sim, board):
        buffer = await board.allocate(16)
        window = board.mmio(0xF800_0000)
        guarded = window.guarded(_check(board, buffer))
        await guarded.write(0, 1)
        await sim.restart()

        with pytest.raises(StaleHandle, match="restarted"):
            await guarded.write(0, 2)

        assert sim.memory.load(0xF800_0000) == 1
        await window.write(0, 3)
        await buffer.free()


def _check(board: RemoteDevice, buffer: object) -> Callable[[], None]:
    return lambda: board.check_buffer(buffer)
