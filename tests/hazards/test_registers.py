"""Register windows that are never checked, never unmapped, and read twice (H10 to H19)."""

import asyncio
import random
import struct
from collections.abc import Awaitable
from typing import Any

import numpy as np
import pytest

from pynq_async import MMIO, Limits, RemoteDevice, Timeouts
from pynq_async.errors import (
    BoardExhausted,
    BoardRebooted,
    MappingBudgetExceeded,
    MappingFailed,
    Misaligned,
    Misuse,
    OutcomeUnknown,
    OutOfRange,
)
from pynq_async.sim import Hazards
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from ..sim.conftest import eventually, refused
from .conftest import (
    PL,
    PS,
    QUICK,
    assert_works,
    careless,
    danger,
    endangered,
    firmware,
    neighbour,
    nothing_sent,
)

RECORD = "/tmp/pynq_async.windows"


async def test_h10_every_read_loads_the_register_twice_and_the_documentation_says_so() -> None:
    async with endangered() as (sim, board):
        queue = list(range(10))
        sim.on_read(PS, lambda _address, _word: queue.pop(0))
        assert [await board.mmio(PS).read(0) for _ in range(3)] == [1, 3, 5]
        assert sim.counters.double_register_loads == 3

    assert "twice" in (MMIO.__doc__ or "")


async def test_h11_a_window_that_was_not_mapped_swallows_everything_without_defence() -> None:
    async with careless() as (sim, raw):
        for window in (await raw.map(PS, 0), await raw.map(1 << 63)):
            await raw.store(window, 0, 5)
            assert await raw.load(window) == 0

        assert sim.counters.dead_windows == 2


@pytest.mark.parametrize(
    ("base", "length", "error"),
    [
        (PS, 0, OutOfRange),
        (PS, -4, OutOfRange),
        (PS, (1 << 31) + 4, OutOfRange),
        (1 << 63, 4, OutOfRange),
        ((1 << 63) - 4, 8, OutOfRange),
        (-4096, 4096, OutOfRange),
        (PS + 2, 4, Misaligned),
        (PS, 6, Misaligned),
    ],
)
async def test_h11_an_impossible_window_is_refused_before_it_is_mapped(
    base: int, length: int, error: type[Misuse]
) -> None:
    async with endangered() as (sim, board):
        with nothing_sent(sim), pytest.raises(error):
            board.mmio(base, length)

        await assert_works(sim, board)
        assert sim.counters.dead_windows == 0


async def test_h11_a_window_that_is_not_in_the_servers_memory_map_is_not_used() -> None:
    async with endangered() as (sim, board), neighbour(sim.address) as other:
        await other.map(PS)  # another client's window of the same page proves nothing about ours
        sim.faults.answer("mmio.get_mmio", m.GetMmioResponse(mmio_id="77"))

        with pytest.raises(MappingFailed, match="memory map"):
            await board.mmio(PS).write(0, 5)

        assert sim.memory.load(PS) == 0
        assert RECORD not in sim.files.paths("/tmp/")
        await board.mmio(PS).write(0, 5)
        assert sim.memory.load(PS) == 5
        await assert_works(sim, board)


async def test_h12_a_window_an_access_exhausts_the_server_without_defence() -> None:
    async with careless(Hazards(descriptor_limit=30, hang_when_exhausted=True)) as (sim, raw):
        for _ in range(25):
            await raw.map()

        assert sim.counters.dead_windows == 5
        assert (await refused(raw.read_file("/proc/version")))[1] == "File not found"

        async with neighbour(sim.address) as late:
            await refused(late.call(methods.MMIO_READ, m.ReadRequest(mmio_id="0"), timeout=0.1))


async def test_h12_ten_thousand_windows_over_three_ranges_are_three() -> None:
    async with endangered(danger(descriptor_limit=20, hang_when_exhausted=True)) as (sim, board):
        bases = (PS, PS + 0x1000, PS + 0x8000)

        for number in range(10_000):
            registers = board.mmio(bases[number % 3] + 4 * (number % 1000), 4)

            if number % 500 < 3:
                await registers.write(0, number)

        assert sim.counters.windows == 3
        await assert_works(sim, board)


async def test_h12_the_next_client_uses_the_windows_that_are_there() -> None:
    async with endangered(danger(descriptor_limit=20, hang_when_exhausted=True)) as (sim, board):
        await board.mmio(PS, 0x4000).write(0x2004, 1)

        for value in range(20):
            async with RemoteDevice(sim.address, timeouts=QUICK) as another:
                await another.mmio(PS + 0x2000, 16).write(4, value)
                assert sim.memory.load(PS + 0x2004) == value

        assert sim.counters.windows == 1


async def test_h12_a_record_of_an_earlier_server_is_not_believed() -> None:
    async with endangered() as (sim, board):
        await board.mmio(PS).write(0, 1)

        for _ in range(5):
            await sim.restart()

            async with neighbour(sim.address) as other:
                await other.until_served()
                await other.map(PS + 0x8000)  # takes the id that the record has for our page

            async with RemoteDevice(sim.address, timeouts=QUICK) as another:
                await another.mmio(PS).write(0, 2)

            assert (sim.memory.load(PS), sim.memory.load(PS + 0x8000)) == (2, 0)
            sim.memory.store(PS, 0)


async def test_h12_torn_lines_of_the_record_are_never_believed() -> None:
    chance = random.Random(12)

    async with endangered(limits=Limits(windows=1000)) as (sim, board):
        pages = [PS + 0x1000 * page for page in range(4)]

        for page in pages:
            await board.mmio(page).write(0, page)

        whole = sim.files.read_bytes(RECORD)
        assert whole.count(b"\n") == 4

        for turn in range(36):
            torn = bytearray(whole)

            match turn % 3:
                case 0:
                    del torn[chance.randrange(len(torn)) :]
                case 1:
                    torn[chance.randrange(len(torn))] ^= 1 << chance.randrange(8)
                case _:
                    at, end = sorted(chance.sample(range(len(torn)), 2))
                    del torn[at:end]

            sim.files.write_bytes(RECORD, bytes(torn))

            async with RemoteDevice(sim.address, timeouts=QUICK, limits=Limits(windows=1000)) as another:
                page = chance.choice(pages)
                await another.mmio(page, 64).write(4, turn)
                assert sim.memory.load(page + 4) == turn
                assert await another.mmio(page).read(0) == page
                sim.memory.store(page + 4, 0)

            assert [sim.memory.load(page + 4) for page in pages] == [0, 0, 0, 0]


async def test_h12_there_is_a_budget_that_counts_everybodys_windows() -> None:
    async with endangered(limits=Limits(windows=6)) as (sim, board), neighbour(sim.address) as other:
        for page in range(3):
            await other.map(PL + 0x1000 * page)
            await board.mmio(PS + 0x1000 * page).write(0, page)

        for _ in range(3):
            with pytest.raises(MappingBudgetExceeded, match="restart"):
                await board.mmio(PS + 0x9000).write(0, 1)

        assert sim.counters.windows == 6
        await board.mmio(PS).write(0, 7)
        assert sim.memory.load(PS) == 7
        await assert_works(sim, board)


async def test_h12_a_server_without_descriptors_is_recognised() -> None:
    async with endangered(danger(descriptor_limit=20)) as (sim, board), neighbour(sim.address) as other:
        await board.mmio(PS).write(0, 1)

        for _ in range(20):
            await other.map()

        with pytest.raises(BoardExhausted, match="restart"):
            await board.mmio(PS + 0x9000).write(0, 1)

        await board.mmio(PS).write(0, 2)  # what is mapped goes on working
        await sim.restart()
        await board.mmio(PS + 0x9000).write(0, 1)
        await assert_works(sim, board)


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
