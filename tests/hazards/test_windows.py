"""Register windows that were not mapped, and are never unmapped (H11, H12)."""

import random

import pytest

from pynq_async import Limits, RemoteDevice
from pynq_async.errors import BoardExhausted, MappingBudgetExceeded, MappingFailed, Misaligned, Misuse, OutOfRange
from pynq_async.sim import Hazards
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from ..sim.conftest import refused
from .conftest import PL, PS, QUICK, assert_works, careless, danger, endangered, neighbour, nothing_sent

RECORD = "/tmp/pynq_async.windows"


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

        for turn in range(24):
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
