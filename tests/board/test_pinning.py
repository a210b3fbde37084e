"""Memory that hardware uses is not given back before that hardware is quiet."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import anyio
import numpy as np
import pytest

from pynq_async import RemoteDevice, Timeouts
from pynq_async.board.buffer import prefix as prefix_of
from pynq_async.errors import (
    BoardError,
    BoardRebooted,
    BufferFreed,
    ConnectionLost,
    DesignReplaced,
    HardwareError,
    Misuse,
    NoBoardMemory,
    StaleHandle,
)
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
        prefix = prefix_of(part)
        assert prefix.shape == (96,) and prefix.dtype == np.uint8
        assert prefix.physical_address == buffer.physical_address
        part[:] = 9
        await prefix.sync_to_device()
        assert sim.memory.read(buffer.physical_address, 128) == b"\7\0" * 32 + b"\x09\0" * 16 + bytes(32)
        assert prefix_of(buffer).nbytes == prefix_of(buffer[::-1, 1:]).nbytes == 128
        assert prefix_of(buffer[:2].view("u1")[:5, :3]).nbytes == 35


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


async def test_hardware_of_a_server_that_is_gone_is_stopped_before_its_memory_is_given_out_again() -> None:
    async with simulated() as (sim, board):
        one, other = Hardware(sim), Hardware(sim)
        lost = await board.allocate(64)
        lost.pin(one.quiesce)
        await sim.restart()
        await board.exists_file("/proc/version")

        async with board.allocate(64) as used:
            assert one.stopped == 1
            used.pin(other.quiesce)

            async with board.allocate(64):
                assert one.stopped == 1 and other.stopped == 0, "there is nothing to be stopped any more"


async def test_a_restart_that_allocate_is_the_first_to_see() -> None:
    async with simulated() as (sim, board):
        hardware = Hardware(sim, HardwareError(board.name, "stuck; kick it"))
        lost = await board.allocate(64)
        unpin = lost.pin(hardware.quiesce)
        await sim.restart()
        words = f"^{board.name}: {lost._memory} was given to hardware before .*: stuck; kick it; load the design again"

        with pytest.raises(HardwareError, match=words):
            await board.allocate(64)

        assert sim.counters.live_buffers == 0
        unpin()

        async with board.allocate(64):
            assert hardware.stopped == 0


@pytest.mark.parametrize("error", [DesignReplaced, BoardRebooted])
async def test_hardware_that_is_not_there_any_more_keeps_no_memory(error: type[BoardError]) -> None:
    async with simulated() as (sim, board):
        lost = await board.allocate(64)
        lost.pin(Hardware(sim, error(board.name, "gone")).quiesce)
        await sim.restart()

        async with board.allocate(64) as buffer:
            buffer.pin(Hardware(sim, error(board.name, "gone")).quiesce)


async def test_after_a_reboot_no_hardware_is_left_to_be_stopped() -> None:
    async with simulated() as (sim, board):
        lost = await board.allocate(64)
        unpin = lost.pin(Hardware(sim, HardwareError(board.name, "stuck")).quiesce)
        await sim.reboot()

        async with board.allocate(64):
            pass

        unpin()


async def test_allocation_waits_only_so_long_for_hardware() -> None:
    async with simulated(timeouts=Timeouts(allocate=0.02)) as (sim, board):
        lost = await board.allocate(64)
        unpin = lost.pin(_for_ever)
        await sim.restart()

        with pytest.raises(HardwareError, match="no quiet within 0.02 s; load the design again"):
            await board.allocate(64)

        unpin()


async def test_a_board_out_of_reach_is_closed_in_the_time_of_one_call() -> None:
    async with simulated(timeouts=Timeouts(call=0.3, grace=0.05)) as (sim, board):
        window = board.mmio(0xF800_0000)
        turn = asyncio.Lock()

        async def quiesce() -> None:
            async with turn:
                await window.write(0, 1)

        for _ in range(6):
            (await board.allocate(64)).pin(quiesce)

        await window.write(0, 1)
        await sim.freeze()
        began = anyio.current_time()

        with pytest.warns(RuntimeWarning, match=r"buffers stay allocated .*no answer in time"):
            await board.aclose()

        assert anyio.current_time() - began < 1.0
        await sim.thaw()
        await sim.restart()


async def test_closing_stops_the_hardware_that_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pynq_async.board.pool._QUIESCE", 0.05)

    async with simulated() as (sim, board):
        stuck, fine = Hardware(sim, HardwareError(board.name, "stuck")), Hardware(sim)

        buffers = [await board.allocate(64) for _ in range(3)]

        for buffer, quiesce in zip(buffers, (stuck.quiesce, _for_ever, fine.quiesce), strict=True):
            buffer.pin(quiesce)

        with pytest.warns(RuntimeWarning, match=r"buffers stay allocated .* \(1\), .*stuck"):
            await board.aclose()

        assert fine.stopped == 1
        assert sim.counters.live_buffers == 2
        await sim.restart()


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def test_hardware_that_is_waited_for_once_and_lets_all_its_memory_go() -> None:
    async with simulated() as (sim, board):
        lost = [await board.allocate(64) for _ in range(3)]
        unpin: list[Callable[[], None]] = []
        asked = 0

        async def quiesce() -> None:
            nonlocal asked
            asked += 1

            if asked > 1:
                raise HardwareError(board.name, "somebody waits already")

            await asyncio.sleep(0.01)

            for each in unpin:
                each()

        unpin += [buffer.pin(quiesce) for buffer in lost]
        await sim.restart()

        async with board.allocate(64):
            assert asked == 3
