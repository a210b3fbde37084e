"""Registers: what keeps its order, and what need not wait."""

import asyncio
import random

import anyio

from pynq_async import MMIO, RemoteDevice
from pynq_async.sim import SimBoard

from ..boards import simulated

BASE = 0x4000_0000


async def test_gathered_writes_are_applied_in_call_order(sim: SimBoard, registers: MMIO) -> None:
    seen: list[int] = []

    def note(_: int, word: int) -> int:
        seen.append(word)
        return word

    sim.on_write(BASE, note)
    await asyncio.gather(*(registers.write(0, value) for value in range(64)))
    assert seen == list(range(64))


async def test_a_read_waits_for_the_writes_before_it(registers: MMIO) -> None:
    results = await asyncio.gather(registers.write(0, 1), registers.read(0), registers.write(0, 2), registers.read(0))
    assert list(results) == [None, 1, None, 2]


async def test_windows_of_one_range_keep_one_order(board: RemoteDevice) -> None:
    first, second = board.mmio(BASE, 0x1000), board.mmio(BASE + 0x10, 4)
    results = await asyncio.gather(first.write(0x10, 9), second.read())
    assert list(results) == [None, 9]


async def test_reads_overlap_reads_and_windows_do_not_wait_for_each_other() -> None:
    async with simulated() as (sim, board):
        one, other = board.mmio(BASE, 0x1000), board.mmio(BASE + 0x10_0000, 0x1000)
        await one.read(0)
        await other.read(0)
        sim.faults.latency = 0.02
        sim.counters.unary_peak = 0
        await asyncio.gather(*(one.read(0) for _ in range(8)), *(other.write(0, 1) for _ in range(2)))
        assert sim.counters.unary_peak >= 9


async def test_many_tasks_use_many_windows(board: RemoteDevice) -> None:
    seeded = random.Random(3)
    windows = [board.mmio(BASE + 0x1_0000 * index, 0x100) for index in range(4)]

    async def use(window: MMIO, offset: int) -> None:
        for _ in range(10):
            value = seeded.randrange(1 << 32)
            await window.write(offset, value)
            assert await window.read(offset) == value

    async with anyio.create_task_group() as group:
        for window in windows:
            for offset in range(0, 16, 4):
                group.start_soon(use, window, offset)


async def test_updates_that_overlap_lose_none() -> None:
    async with simulated() as (sim, board):
        registers = board.mmio(BASE, 64)

        async with asyncio.TaskGroup() as group:
            for bit in range(32):
                group.create_task(registers.update(0, 1 << bit, 1 << bit))

        assert sim.memory.load(BASE) == 0xFFFF_FFFF


async def test_writing_many_keeps_the_order_of_its_lane(sim: SimBoard, board: RemoteDevice) -> None:
    window = board.mmio(BASE, 0x1000)
    await window.read()
    lane = window.lane()
    seen: list[int] = []

    def see(_: int, word: int) -> int:
        seen.append(word)
        return word

    sim.on_write(BASE, see, 16)
    sim.faults.delay("mmio.write", 0.002)

    async with asyncio.TaskGroup() as group:
        group.create_task(lane.write_many({0: 1, 4: 2, 8: 3}))
        group.create_task(lane.write(12, 4))

    assert seen == [1, 2, 3, 4]


async def test_lanes_of_a_window_overlap_and_each_keeps_its_order(sim: SimBoard, board: RemoteDevice) -> None:
    window = board.mmio(BASE, 0x1000)
    await window.read()
    lanes = [window.lane() for _ in range(3)]
    sim.faults.delay("mmio.write", 0.02)
    before = sim.counters.unary_peak
    seen: list[int] = []

    def see(_: int, word: int) -> int:
        seen.append(word)
        return word

    sim.on_write(BASE, see, 12)

    async def write(number: int) -> None:
        for step in range(3):
            await lanes[number].write(4 * number, 10 * number + step)

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(write(number))

    assert sim.counters.unary_peak >= max(before, 3)
    assert all(
        [word for word in seen if word // 10 == number] == [10 * number + step for step in range(3)]
        for number in range(3)
    )
