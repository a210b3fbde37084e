"""Memory that is not there, is leaked, or has no address any more (H20 to H22, H30)."""

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest

from pynq_async import RemoteDevice
from pynq_async.errors import AllocationError, BufferFreed, Misuse, OutcomeUnknown, StaleHandle
from pynq_async.sim import SimBoard
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from ..boards import begun
from ..sim.conftest import eventually
from .conftest import QUICK, assert_works, careless, danger, endangered, nothing_sent, served

MIB = 1 << 20


async def test_h20_an_allocation_that_failed_is_ok_without_defence() -> None:
    async with careless() as (sim, raw):
        assert [await raw.allocate(size) for size in (-1, 0, 1 << 30)] == ["", "", ""]
        assert sim.counters.live_buffers == 0


async def test_h20_an_allocation_without_a_buffer_is_an_error_that_says_what_is_free() -> None:
    async with endangered(cma_bytes=4 * MIB) as (sim, board), board.allocate(3 * MIB, "u1"):
        with pytest.raises(AllocationError, match=r"1048576 bytes are free") as caught:
            await board.allocate(2 * MIB, "u1")

        assert isinstance(caught.value, MemoryError)
        await assert_works(sim, board)


async def test_h21_sizes_that_the_request_cannot_carry_fail_without_defence() -> None:
    with pytest.raises(ValueError, match=r"out of range|2147483648"):
        m.AllocateRequest(size=1 << 31)


@pytest.mark.parametrize("shape", [0, 1 << 31, (1 << 20, 1 << 20), (5, 0, 3), -1, (2, -3)])
async def test_h21_sizes_that_cannot_be_are_refused_before_anything_is_sent(shape: Any) -> None:
    async with endangered() as (sim, board):
        with nothing_sent(sim), pytest.raises(Misuse):
            await board.allocate(shape, "u1")

        await assert_works(sim, board)


async def test_h22_a_cancelled_allocation_leaks_without_defence() -> None:
    async with careless() as (sim, raw):
        sim.faults.delay("buffer.allocate", 0.01)

        for number in range(5):
            allocation = asyncio.ensure_future(raw.allocate(64))
            await begun(sim, "buffer.allocate", number + 1)
            allocation.cancel()
            await asyncio.wait({allocation})

        await eventually(lambda: sim.counters.live_buffers == 5)


@pytest.mark.parametrize("grace", ["longer", "shorter"])
async def test_h22_hundreds_of_cancelled_allocations_leak_nothing(grace: str) -> None:
    chance = random.Random(22)

    async with endangered(danger(race_window=0.0)) as (sim, board):
        sim.faults.latency = 0.002
        sim.faults.delay("buffer.allocate", 0.01 if grace == "longer" else QUICK.grace * 1.5)

        for _ in range(40 if grace == "longer" else 10):
            allocations = [asyncio.create_task(_hold(board)) for _ in range(2)]

            for allocation in allocations[::-1] if chance.randrange(2) else allocations:
                await asyncio.sleep(chance.uniform(0, 0.01))

                allocation.cancel()

            await asyncio.wait(allocations)

        sim.faults.clear()
        await assert_works(sim, board)
        assert sim.counters.live_buffers == 0


async def test_h22_a_buffer_that_comes_after_the_deadline_is_freed() -> None:
    async with endangered(timeouts=replace(QUICK, allocate=0.15)) as (sim, board):
        sim.faults.delay("buffer.allocate", 0.22)

        with pytest.raises(OutcomeUnknown, match="late"):
            await board.allocate(64)

        assert sim.counters.live_buffers == 0
        sim.faults.clear()
        await assert_works(sim, board)
        assert sim.counters.calls["buffer.freebuffer"] == 2


async def test_h22_closing_the_board_frees_what_was_forgotten() -> None:
    async with served() as sim:
        async with RemoteDevice(sim.address, timeouts=QUICK) as board:
            kept = [await board.allocate(64) for _ in range(5)]
            assert _live(sim) == 5

        assert _live(sim) == 0
        assert all(buffer.freed for buffer in kept)


async def test_h30_an_address_is_given_for_the_next_owners_buffer_without_defence() -> None:
    async with careless() as (_, raw):
        mine = await raw.allocate(64)
        where = await raw.call(methods.PHYSICAL_ADDRESS, m.AddressRequest(buffer_id=mine))
        await raw.free(mine)
        await raw.allocate(64)
        assert await raw.call(methods.PHYSICAL_ADDRESS, m.AddressRequest(buffer_id=mine)) == where


async def test_h30_a_freed_buffer_has_no_address() -> None:
    async with endangered() as (sim, board):
        buffer = await board.allocate(64, "u1")
        view = buffer[4:]
        assert view.physical_address == buffer.physical_address + 4
        await buffer.free()

        for array in (buffer, view):
            for name in ("physical_address", "device_address", "virtual_address"):
                with pytest.raises(BufferFreed):
                    getattr(array, name)

        await assert_works(sim, board)


@pytest.mark.parametrize("how", ["restart", "reboot"])
async def test_h30_a_buffer_of_a_server_that_is_gone_has_no_address(how: str) -> None:
    async with endangered() as (sim, board):
        buffer = await board.allocate(64, "u1")
        await getattr(sim, how)()
        await board.read_file("/proc/version")  # any call: from here on the client knows

        with pytest.raises(StaleHandle):
            await buffer.sync_to_device()

        with pytest.raises(StaleHandle):
            assert buffer.physical_address

        await buffer.free()


def _live(sim: SimBoard) -> int:
    return sim.counters.live_buffers


async def _hold(board: RemoteDevice) -> None:
    async with board.allocate(64, "u1") as buffer:
        await buffer.sync_to_device()
