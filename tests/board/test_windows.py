import asyncio
import random

import pytest

from pynq_async import Limits, RemoteDevice
from pynq_async.board.windows import RECORD
from pynq_async.errors import BoardExhausted, BoardRebooted, MappingBudgetExceeded, MappingFailed, ProtocolViolation
from pynq_async.sim import Hazards, SimBoard
from pynq_async.wire import messages as m

from ..boards import simulated

BASE = 0x4000_0000


async def test_a_range_is_mapped_once_however_often_it_is_asked_for(sim: SimBoard, board: RemoteDevice) -> None:
    for index in range(200):
        await board.mmio(BASE + 4 * (index % 16), 4).read()

    assert sim.counters.windows == 1


async def test_the_next_process_reuses_the_windows_that_are_recorded(sim: SimBoard, board: RemoteDevice) -> None:
    await board.mmio(BASE, 0x1_0000).write(0x20, 5)

    async with RemoteDevice(sim.address) as other:
        assert await other.mmio(BASE + 0x20, 4).read() == 5

    assert sim.counters.windows == 1


@pytest.mark.parametrize("damage", ["cut", "flip", "foreign", "junk"])
async def test_a_damaged_record_is_never_believed(sim: SimBoard, board: RemoteDevice, damage: str) -> None:
    await board.mmio(BASE, 0x1000).write(0, 5)
    await board.mmio(BASE + 0x10_0000, 0x1000).write(0, 6)
    record = sim.files.read_bytes(RECORD)
    first, second = record.splitlines(keepends=True)

    damaged = {
        "cut": first[:-4],
        "flip": first.replace(b" 0 ", b" 1 "),
        "foreign": first.replace(first.split(b" ")[0], b"x/1/2"),
        "junk": random.Random(1).randbytes(300),
    }[damage]
    sim.files.write_bytes(RECORD, damaged)

    async with RemoteDevice(sim.address) as other:
        assert await other.mmio(BASE, 0x1000).read(0) == 5

    assert second and sim.counters.windows == 3


async def test_a_record_of_an_earlier_server_is_not_believed() -> None:
    async with simulated() as (sim, board):
        window, other = board.mmio(BASE, 0x1000), board.mmio(BASE + 0x10_0000, 0x1000)
        await window.write(0, 5)
        await other.write(0, 6)
        await sim.restart()
        assert await other.read(0) == 6  # takes the id that was the first window's
        assert await window.read(0) == 5
        assert sim.counters.windows == 4


async def test_a_window_of_a_rebooted_board_raises_until_a_new_one_is_asked_for() -> None:
    async with simulated() as (sim, board):
        window = board.mmio(BASE, 0x1000)
        await window.write(0, 5)
        await sim.reboot()

        for _ in range(2):
            with pytest.raises(BoardRebooted, match="download again"):
                await window.read(0)

        assert await board.mmio(BASE, 0x1000).read(0) == 0


async def test_more_windows_than_the_budget_are_refused() -> None:
    async with simulated(limits=Limits(windows=3)) as (sim, board):
        for index in range(3):
            await board.mmio(BASE + index * 0x10_0000, 4).read()

        with pytest.raises(MappingBudgetExceeded, match="holds 3 register windows"):
            await board.mmio(BASE + 0x100_0000, 4).read()

        assert sim.counters.windows == 3
        await board.mmio(BASE, 4).read()


async def test_the_budget_counts_the_windows_of_others() -> None:
    async with simulated() as (sim, board):
        await board.mmio(BASE, 4).read()
        sim.files.remove(RECORD)

        async with RemoteDevice(sim.address, limits=Limits(windows=1)) as other:
            with pytest.raises(MappingBudgetExceeded):
                await other.mmio(BASE, 4).read()


async def test_a_mapping_that_the_servers_memory_does_not_show_is_refused() -> None:
    async with simulated() as (sim, board):
        sim.faults.answer("mmio.get_mmio", m.GetMmioResponse(mmio_id="77"))

        with pytest.raises(MappingFailed, match=r"memory map does not show it"):
            await board.mmio(BASE, 4).read()

        await board.mmio(BASE, 4).read()


async def test_a_server_that_runs_out_of_descriptors_while_mapping_is_named() -> None:
    async with simulated(hazards=Hazards(descriptor_limit=13)) as (sim, board):
        with pytest.raises(BoardExhausted, match="no file descriptors left"):
            for index in range(10):
                await board.mmio(BASE + index * 0x10_0000, 4).read()

        assert sim.counters.dead_windows <= 1


async def test_an_id_that_is_known_already_is_a_protocol_violation(sim: SimBoard, board: RemoteDevice) -> None:
    await board.mmio(BASE, 4).read()
    sim.faults.answer("mmio.get_mmio", m.GetMmioResponse(mmio_id="0"))

    with pytest.raises(ProtocolViolation, match="no new id"):
        await board.mmio(BASE + 0x10_0000, 4).read()


async def test_a_first_access_that_is_cancelled_costs_no_second_window(sim: SimBoard, board: RemoteDevice) -> None:
    window = board.mmio(BASE, 0x1000)

    for turns in range(0, 60, 3):
        access = asyncio.ensure_future(window.read(0))

        for _ in range(turns):
            await asyncio.sleep(0)

        access.cancel()
        await asyncio.wait({access})

    assert await window.read(0) == 0
    assert sim.counters.windows == 1


async def test_a_window_is_mapped_while_uploads_take_all_streams() -> None:
    async with simulated() as (sim, board):
        sim.faults.bandwidth = 20e6
        uploads = [asyncio.ensure_future(board.write_file(f"/tmp/{n}", bytes(3 << 20))) for n in range(6)]
        await asyncio.sleep(0.05)

        async with asyncio.timeout(1):
            await board.mmio(BASE, 4).write(0, 1)

        assert not all(upload.done() for upload in uploads)
        sim.faults.bandwidth = None
        await asyncio.gather(*uploads)
