"""Registers that are read twice, and accesses that are never checked (H10, H13 to H19)."""

import asyncio
import random
import struct
from collections.abc import Awaitable
from typing import Any

import numpy as np
import pytest

from pynq_async import MMIO, Timeouts
from pynq_async.errors import BoardRebooted, Misuse, OutcomeUnknown, OutOfRange
from pynq_async.sim import Hazards
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from ..sim.conftest import eventually, refused
from .conftest import PL, PS, assert_works, careless, danger, endangered, firmware, nothing_sent


async def test_h10_every_read_loads_the_register_twice_and_the_documentation_says_so() -> None:
    async with endangered() as (sim, board):
        queue = list(range(10))
        sim.on_read(PS, lambda _address, _word: queue.pop(0))
        assert [await board.mmio(PS).read(0) for _ in range(3)] == [1, 3, 5]
        assert sim.counters.double_register_loads == 3

    assert "twice" in (MMIO.__doc__ or "")


async def test_h13_an_access_outside_its_window_hits_others_and_kills_the_server_without_defence() -> None:
    async with careless(danger(far=1 << 20)) as (sim, raw):
        window = await raw.map(PS)
        await raw.store(window, 4096, 666)
        await raw.store(window, 1 << 34, 667)
        assert (sim.memory.load(PS + 4096), sim.memory.load(PS)) == (666, 667)
        await refused(raw.store(window, 64 << 20, 1))
        assert "segmentation fault" in sim.counters.crashes[0]


async def test_h13_no_access_outside_a_window_reaches_the_wire() -> None:
    chance = random.Random(13)
    spread = (-(1 << 63), -4096, -4, 4096, 1 << 14, 64 << 20, (1 << 31) - 4, 1 << 31, 1 << 34, 1 << 62)

    async with endangered() as (sim, board):
        registers = board.mmio(PS + 0x1000, 0x1000)
        await registers.write(0, 1)

        with nothing_sent(sim):
            for _ in range(10_000):
                offset = chance.choice(spread) + 4 * chance.randrange(1024) * chance.randrange(2)

                if 0 <= offset <= 4092:
                    continue

                for access in _accesses(registers, offset):
                    with pytest.raises(OutOfRange):
                        await access

        with pytest.raises(OutOfRange):
            await registers.read(4092, length=8)

        with pytest.raises(OutOfRange):
            await registers.write(4092, bytes(8))

        with pytest.raises(OutOfRange):
            await registers.read_block(4088, 3)

        await registers.write(4092, 3)
        assert await registers.read(4092) == 3
        await assert_works(sim, board)


async def test_h14_an_odd_offset_reads_another_register_without_defence() -> None:
    async with careless() as (sim, raw):
        window = await raw.map(PS)
        await raw.store(window, 0, 5)
        assert [await raw.load(window, offset) for offset in (1, 2, 3)] == [5, 5, 5]
        assert sim.counters.unaligned == 3


async def test_h14_an_offset_that_is_no_multiple_of_four_is_refused() -> None:
    async with endangered() as (sim, board):
        registers = board.mmio(PS, 4096)

        with nothing_sent(sim):
            for offset in (1, 2, 3, 5, 4094, 4095, -1):
                for access in _accesses(registers, offset):
                    with pytest.raises(Misuse):
                        await access

        await assert_works(sim, board)


async def test_h15_an_eight_byte_read_gives_four_without_defence() -> None:
    async with careless() as (_, raw):
        window = await raw.map(PS)
        await raw.store(window, 0, 1)
        await raw.store(window, 4, 2)
        assert (await raw.call(methods.MMIO_READ, m.ReadRequest(mmio_id=window, length=8))).data == 1


async def test_h15_other_widths_than_four_bytes_are_made_of_whole_words() -> None:
    async with endangered() as (sim, board):
        registers = board.mmio(PS, 64)
        loads: list[int] = []

        def note(address: int, word: int) -> int:
            loads.append(address - PS)
            return word

        sim.on_read(PS, note, 8)
        await registers.write(0, 0x8899_AABB_CCDD_EEFF, length=8)
        assert (sim.memory.load(PS), sim.memory.load(PS + 4)) == (0xCCDD_EEFF, 0x8899_AABB)
        assert await registers.read(0, length=8) == 0x8899_AABB_CCDD_EEFF
        assert await registers.read(0, length=8, word_order="big") == 0xCCDD_EEFF_8899_AABB
        assert loads == [0, 0, 4, 4] * 2
        assert await registers.read(0, length=2) == 0xEEFF
        assert await registers.read(0, length=1) == 0xFF

        for length in (0, 3, 5, 16, -4):
            with nothing_sent(sim), pytest.raises(Misuse):
                await registers.read(0, length=length)


async def test_h16_a_short_write_stores_stale_memory_without_defence() -> None:
    async with careless() as (sim, raw):
        window = await raw.map(PS)
        await raw.store(window, 0, b"\x01")
        await raw.store(window, 4, bytes(range(1, 9)))
        assert sim.memory.load(PS) != 1
        assert sim.memory.read(PS + 4, 8) == bytes([1, 2, 3, 4, 0, 0, 0, 0])


async def test_h16_every_write_has_four_bytes() -> None:
    async with endangered() as (sim, board):
        registers = board.mmio(PS, 64)
        await registers.write(0, bytes(range(1, 9)))
        await registers.write(8, np.uint8(200))
        await registers.write(12, -1)
        await registers.write_block(16, np.arange(5, dtype="u2"))
        assert sim.memory.read(PS, 36) == bytes(range(1, 9)) + struct.pack("<7I", 200, 0xFFFF_FFFF, 0, 1, 2, 3, 4)

        with nothing_sent(sim):
            for wrong in (b"", b"\1", b"\1\2", bytes(7), 1 << 32, -(1 << 31) - 1, 1.5, None, "1"):
                with pytest.raises(Misuse):
                    await registers.write(0, wrong)  # type: ignore[arg-type]


async def test_h17_a_large_value_comes_as_a_negative_number_without_defence() -> None:
    async with careless(release="3.1") as (sim, raw):
        sim.memory.store(PS, 0x89AB_CDEF)
        read: Any = raw.channel.unary_unary(methods.MMIO_READ.path)
        answer: bytes = await read(m.ReadRequest(mmio_id=await raw.map(PS)).SerializeToString())
        assert len(answer) == 11  # protobuf's ten bytes of a negative int32
        assert answer[-1] == 1


@pytest.mark.parametrize("release", ["3.1", "4.0"])
async def test_h17_values_are_unsigned_with_both_releases(release: str) -> None:
    async with endangered(release=release) as (_, board):
        registers = board.mmio(PS, 64)

        for value in (0x89AB_CDEF, 0xFFFF_FFFF, 0x8000_0000, 0x7FFF_FFFF, 0):
            await registers.write(0, value)
            assert await registers.read(0) == value

        assert (await registers.read_block(0, 1)).tolist() == [0]


async def test_h18_touching_an_empty_fabric_hangs_the_board_without_defence() -> None:
    async with careless(Hazards(hang_unprogrammed=True)) as (_, raw):
        window = await raw.map(PL)
        await refused(raw.call(methods.MMIO_READ, m.ReadRequest(mmio_id=window), timeout=0.1))
        await refused(raw.call(methods.EXISTS_FILE, m.ExistsFileRequest(file_path="/"), timeout=0.1))


async def test_h18_registers_wait_while_the_fabric_is_programmed() -> None:
    async with endangered(danger(hang_unprogrammed=True)) as (sim, board):
        await board.download(firmware(seed=1))
        registers = board.mmio(PL, 64)
        await registers.write(0, 1)
        sim.faults.program_seconds = 0.1

        async with asyncio.TaskGroup() as group:
            download = group.create_task(board.download(firmware(seed=2)))
            await eventually(lambda: sim.fpga.state == "write")
            accesses = [group.create_task(registers.write(4 * number, number)) for number in range(8)]
            accesses += [group.create_task(_read(registers, 4 * number)) for number in range(8)]
            await asyncio.sleep(0.02)
            assert not any(access.done() for access in (download, *accesses))

        assert sim.counters.unprogrammed == 0
        await assert_works(sim, board)


async def test_h18_a_board_that_hangs_is_an_error_in_time_and_usable_after_its_reboot() -> None:
    timeouts = Timeouts(connect=5, call=0.3, program=5, grace=0.05)

    async with endangered(danger(hang_unprogrammed=True), timeouts=timeouts) as (sim, board):
        registers = board.mmio(PL, 64)

        with pytest.raises(OutcomeUnknown, match="alive"):
            await registers.read(0)

        await sim.reboot()
        touched = sim.counters.unprogrammed

        with pytest.raises(BoardRebooted, match="download again"):
            await registers.read(0)

        assert sim.counters.unprogrammed == touched
        await board.download(firmware())
        await board.mmio(PL, 64).write(0, 5)
        assert sim.memory.load(PL) == 5
        await assert_works(sim, board)


async def test_h18_nothing_is_read_by_looking_at_things() -> None:
    async with endangered(danger(hang_unprogrammed=True)) as (sim, board):
        with nothing_sent(sim):
            registers = board.mmio(PL, 64)
            assert "not mapped" in repr(registers)
            assert [repr(board), str(registers), registers.base, board.clocks, board.services]


async def test_h19_what_the_compiler_makes_of_an_access_cannot_be_seen_from_here() -> None:
    """Nothing to defend: one request is one load or store instruction per word, as far as the measured server goes."""
    async with endangered() as (sim, board):
        stores: list[int] = []

        def note(address: int, word: int) -> int:
            stores.append(address)
            return word

        sim.on_write(PS, note, 64)
        await board.mmio(PS, 64).write_block(0, [1, 2, 3, 4])
        assert stores == [PS, PS + 4, PS + 8, PS + 12]


def _accesses(registers: MMIO, offset: int) -> list[Awaitable[Any]]:
    return [
        registers.read(offset),
        registers.write(offset, 1),
        registers.read_block(offset, 1),
        registers.write_block(offset, [1]),
    ]


async def _read(registers: MMIO, offset: int) -> None:
    await registers.read(offset)
