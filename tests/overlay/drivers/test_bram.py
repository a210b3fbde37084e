import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import numpy as np
import pytest

from pynq_async import Design, Overlay
from pynq_async.errors import Misuse, OutOfRange
from pynq_async.overlay import BlockRAM
from pynq_async.sim import SimBoard
from tests.boards import simulated, under_faults
from tests.designs import design, firmware, memory

BASE = 0x4000_0000
DESIGN = design(memories={"ram": memory(BASE, 0x1000)})


@asynccontextmanager
async def block_ram(known: Design = DESIGN) -> AsyncIterator[tuple[SimBoard, BlockRAM]]:
    async with simulated() as (sim, board):
        ram = (await Overlay.load(board, firmware(), design=known)).ram
        assert isinstance(ram, BlockRAM)
        yield sim, ram


async def test_slices_are_written_and_read() -> None:
    async with block_ram() as (sim, ram):
        assert len(ram) == 1024 and ram.nbytes == 4096
        await ram[0:16].write(range(16))
        assert sim.memory.read(BASE, 64) == np.arange(16, dtype="<u4").tobytes()
        words = await ram[4:8].read()
        assert words.dtype == np.uint32 and words.tolist() == [4, 5, 6, 7]
        await ram[-4:].write(0xFFFF_FFFF)
        assert (await ram[1020:1024].read() == 0xFFFF_FFFF).all()
        await ram[3].write(99)
        assert (await ram[3].read()).tolist() == [99]
        assert (await ram[5:5].read()).tolist() == []
        await ram[5:5].write([])


async def test_the_whole_memory_comes_back_as_it_was_written() -> None:
    async with block_ram(design(memories={"ram": memory(BASE, 0x400)})) as (_, ram):
        content = np.random.default_rng(1).integers(0, 1 << 32, 256, "u4")
        await ram[:].write(content)
        assert np.array_equal(await ram[:].read(), content)


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (1, 2), (1, 3), (0, 2), (3, 4), (1, 7), (2, 8), (5, 6)])
async def test_elements_smaller_than_a_word_keep_their_neighbours(start: int, stop: int) -> None:
    async with block_ram() as (sim, ram):
        samples = ram.view("<i2")
        before = np.arange(100, 108, dtype="<i2")
        sim.memory.write(BASE, before.tobytes())
        values = np.arange(-1, start - stop - 1, -1, dtype="<i2")
        await samples[start:stop].write(values)
        before[start:stop] = values
        assert sim.memory.read(BASE, 16) == before.tobytes()
        assert np.array_equal(await samples[start:stop].read(), values)


async def test_elements_larger_than_a_word() -> None:
    async with block_ram() as (sim, ram):
        values = np.array([1.5, -2.25])
        await ram.view("<f8")[3:5].write(values)
        assert sim.memory.read(BASE + 24, 16) == values.tobytes()
        assert (await ram.view("<f8")[3:5].read()).tolist() == [1.5, -2.25]


async def test_what_cannot_be_right_is_refused_before_anything_is_sent() -> None:
    async with block_ram() as (sim, ram):
        calls = sim.counters.calls.total()

        for act, error, words in (
            (lambda: ram[1024], OutOfRange, "has 1024 elements of uint32, no 1024"),
            (lambda: ram[0:1025], OutOfRange, "not 1025"),
            (lambda: ram[0:8:2], Misuse, "steps of 1"),
            (lambda: ram[cast("int", "a")], Misuse, "'a' is no index"),
            (lambda: ram.view(object), Misuse, "cannot lie in a memory"),
            (lambda: ram.view("no"), Misuse, "no numpy dtype"),
        ):
            with pytest.raises(error, match=words):
                act()

        for values, error, words in (
            ([1, 2, 3], Misuse, "takes 2 values, not 3"),
            ([1 << 32, 0], OutOfRange, "do not fit into uint32"),
            ([-1, 0], OutOfRange, "do not fit"),
            (["a", "b"], Misuse, "cannot hold these values"),
            ([1.5, 1], OutOfRange, "do not fit into uint32"),
        ):
            with pytest.raises(error, match=words):
                await ram[0:2].write(values)

        assert sim.counters.calls.total() == calls


@pytest.mark.parametrize("method", ["mmio.read", "mmio.write"])
async def test_lost_calls_are_typed_errors_and_slow_ones_are_waited_for(method: str) -> None:
    async with block_ram() as (sim, ram):

        async def use() -> None:
            await ram[0:8].write(range(8))
            assert (await ram[0:8].read()).tolist() == list(range(8))

        await under_faults(sim, method, use)


async def test_neighbours_in_one_word_are_written_at_once_and_none_is_lost() -> None:
    async with block_ram() as (sim, ram):
        samples = ram.view("<i2")

        async with asyncio.TaskGroup() as group:
            for index in range(8):
                group.create_task(samples[index].write(index + 1))

        assert sim.memory.read(BASE, 16) == np.arange(1, 9, dtype="<i2").tobytes()
